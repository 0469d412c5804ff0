#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "devcluster/call.h"
#include "devcluster/pod.h"
#include "devcluster/podlog.h"
#include "devcluster/store.h"

static int64_t query_number(struct call *call, const char *name)
{
    const char *text = call_query(call, name);
    struct fault f;
    int64_t n;

    return text && text_to_int(text, 0, INT64_MAX, &n, &f) == 0 ? n : -1;
}

static void send_text(struct pod *p, struct call *call)
{
    struct evbuffer *body = evbuffer_new();
    struct fault f = FAULT_INIT;
    bool follow = call_query_is_true(call, "follow") && p->sandbox;

    if (podlog_read(p->log, query_number(call, "tailLines"), query_number(call, "limitBytes"), body, &f) < 0) {
        evbuffer_free(body);
        call_refuse_text(call, 500, f.text);
    } else if (follow) {
        follow_start(&p->followers, call);
        call_chunk(call, body);
        evbuffer_free(body);
    } else {
        call_send(call, 200, "text/plain", body);
    }
}

/* As containerd and the kubelet put it. */
static void refuse_attach(struct call *call, const char *state)
{
    char text[160];

    snprintf(text, sizeof(text), "error attaching to container: container is in %s state", state);
    call_refuse_text(call, 500, text);
}

void pod_attach(struct pod *p, struct call *call)
{
    if (p->step == POD_RUNNING)
        follow_attach(&p->followers, call);
    else if (p->step < POD_RUNNING)
        refuse_attach(call, "CONTAINER_CREATED");
    else
        refuse_attach(call, "CONTAINER_EXITED");
}

void pod_send_log(struct pod *p, struct call *call)
{
    char text[512];

    if (p->step == POD_LOST) {
        call_refuse_text(
            call, 500,
            "Get \"https://127.0.0.1:10250/containerLogs\": dial tcp 127.0.0.1:10250: connect: connection refused");
    } else if (p->fault.action == ACTION_LOG_LOST && p->step == POD_DEAD) {
        /* the kubelet has sent its 200 before it looks: what is wrong becomes the body */
        snprintf(text, sizeof(text), "unable to retrieve container logs for containerd://%s", p->object->uid);
        call_send_text(call, 200, "text/plain", text, strlen(text));
    } else if (!p->log) {
        snprintf(text, sizeof(text), "container in pod \"%.253s\" is waiting to start: ContainerCreating",
                 p->object->name);
        call_refuse_text(call, 400, text);
    } else {
        send_text(p, call);
    }
}
