#include "fake_kube.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "fake_kube_inside.h"
#include "k8s/manifest.h"
#include "worker/report.h"

enum { ANSWER_MS = 10 };

struct kube_call {
    struct kube *kube;
    enum fake_verb verb;
    enum kube_kind kind;
    char *name, *body, *uid;
    kube_fn *fn;
    void *arg;
    struct loop_timer *timer;
    TAILQ_ENTRY(kube_call) entry;
};

struct kube *fake_kube_new(struct loop *l)
{
    struct kube *k = mem_new(struct kube);

    k->loop = l;
    k->scripts = 1;
    TAILQ_INIT(&k->objects);
    TAILQ_INIT(&k->live);
    TAILQ_INIT(&k->followers);
    fake_kube_run(k, NULL);
    return k;
}

void kube_free(struct kube *k)
{
    struct object *o;
    struct kube_call *c;

    while ((o = TAILQ_FIRST(&k->objects)))
        fake_object_free(o);
    while ((c = TAILQ_FIRST(&k->live)))
        kube_cancel(&c);
    for (size_t i = 0; i < COUNT_OF(k->created); i++)
        free(k->created[i]);
    for (size_t i = 0; i < k->scripts; i++) {
        free(k->script[i].id);
        free(k->script[i].log);
        free(k->script[i].message);
    }
    free(k);
}

static void end_call(struct kube_call *c)
{
    TAILQ_REMOVE(&c->kube->live, c, entry);
    loop_cancel(&c->timer);
    free(c->name);
    free(c->body);
    free(c->uid);
    free(c);
}

void kube_cancel(struct kube_call **call)
{
    struct kube_call *c = TAKE(*call);

    if (c)
        end_call(c);
}

/* --- what a call does ------------------------------------------------------------------------------------------ */

/* The list of the one pod that is asked for, as far as anybody looks at it. A pod's name is its Job's and six
 * characters. */
/* By the name of its pod, or by its own uid. */
static struct object *job_of(struct kube *k, char *pod, const char *uid)
{
    struct object *job;

    if (!uid) {
        pod[strlen(pod) - 6] = '\0';
        return fake_object_find(k, KUBE_JOB, pod);
    }
    TAILQ_FOREACH (job, &k->objects, entry)
        if (job->kind == KUBE_JOB && strcmp(fake_object_meta_string(job, "uid"), uid) == 0)
            break;
    return job;
}

/* As JSON; the caller frees. */
static char *container_state(const struct object *job, const struct script *script)
{
    struct json_object *message;
    char *state;

    if (job->pod < RUNS && script->run.waiting.cause == POD_IMAGE_PULL)
        return mem_format("\"waiting\":{\"reason\":\"%s\"}",
                          script->run.waiting.hopeless ? "InvalidImageName" : "ErrImagePull");
    if (job->pod < ENDED)
        return mem_string(job->pod == RUNS ? "\"running\":{}" : "");
    message = json_object_new_string(script->message ? script->message : "");
    state = mem_format("\"terminated\":{\"exitCode\":%d,\"reason\":\"Error\",\"message\":%s}",
                       script->message ? REPORT_EXIT_CODE : script->run.end.exit_code,
                       json_object_to_json_string(message));
    json_object_put(message);
    return state;
}

static struct json_object *pods_of(struct kube *k, struct object *job)
{
    const struct script *script = fake_run_script(k, job);
    struct json_object *list;
    char *state, *json;

    if (!job || job->pod == NO_POD || (script->run.vanish && job->pod != RUNS))
        return json_tokener_parse("{\"items\":[]}");
    state = container_state(job, script);
    json = mem_format("{\"items\":[{\"metadata\":{\"name\":\"%s-abcde\"%s},\"spec\":{%s},\"status\":{"
                      "\"containerStatuses\":[{\"name\":\"" MANIFEST_CONTAINER "\",\"state\":{%s}}]}}]}",
                      fake_object_meta_string(job, "name"),
                      script->run.taken ? ",\"deletionTimestamp\":\"2026-11-21T09:15:06Z\"" : "",
                      job->pod >= RUNS || script->run.assigned ? "\"nodeName\":\"node1\"" : "", state);
    list = json_tokener_parse(json);
    free(json);
    free(state);
    return list;
}

/* What the call does to the cluster; the reply's object is borrowed from it. */
static bool work(struct kube_call *c, struct json_object **ret, struct fault *f)
{
    struct kube *k = c->kube;
    struct object *o = c->name ? fake_object_find(k, c->kind, c->name) : NULL;

    if (c->verb == FAKE_CREATE) {
        struct json_object *json = json_tokener_parse(c->body), *owners;
        char uid[32];

        o = fake_object_find(k, c->kind, field_peek_string(fake_object_meta(json), "name"));
        if (o) {
            json_object_put(json);
            fault_set(f, FAULT_EXISTS, "already exists");
            return false;
        }
        o = mem_new(struct object);
        *o = (struct object){.kube = k, .kind = c->kind, .json = json, .created_ms = loop_wall(k->loop)};
        snprintf(uid, sizeof(uid), "uid-%d", ++k->uids);
        json_object_object_add(fake_object_meta(json), "uid", json_object_new_string(uid));
        owners = field_peek(fake_object_meta(json), "ownerReferences");
        if (owners)
            json_object_object_add(
                fake_object_meta(json), "owner",
                json_object_new_string(field_peek_string(json_object_array_get_idx(owners, 0), "uid")));
        TAILQ_INSERT_TAIL(&k->objects, o, entry);
        fake_pods_begin(k, fake_object_meta_string(o, "name"));
        *ret = o->json;
        return true;
    }
    if (c->verb == FAKE_LIST)
        return true;
    if (c->verb == FAKE_LOG) { /* a pod's name is its Job's and six characters */
        c->name[strlen(c->name) - 6] = '\0';
        o = fake_object_find(k, KUBE_JOB, c->name);
    }
    if (!o) {
        fault_set(f, FAULT_GONE, "not found");
        f->code = 404;
        return false;
    }
    *ret = o->json;
    if (c->verb == FAKE_DELETE) {
        if (c->uid && strcmp(c->uid, fake_object_meta_string(o, "uid")) != 0) {
            fault_set(f, FAULT_REFUSED, "uid does not match");
            f->code = 409;
            return false;
        }
        *ret = NULL;
        if (c->kind == KUBE_JOB)
            fake_object_remove_job(k, o);
        else
            fake_object_free(o);
    }
    return true;
}

static struct json_object *events_of(const struct kube *k)
{
    struct json_object *list = json_object_new_object(), *items = json_object_new_array(), *event;
    const struct fake_run *run = &k->script[0].run;

    if (run->event_reason) {
        event = json_object_new_object();
        json_object_object_add(event, "reason", json_object_new_string(run->event_reason));
        json_object_object_add(event, "message", json_object_new_string(run->event_message));
        if (run->event_uid) {
            struct json_object *about = json_object_new_object();

            json_object_object_add(about, "uid", json_object_new_string(run->event_uid));
            json_object_object_add(event, "involvedObject", about);
        }
        json_object_array_add(items, event);
    }
    json_object_object_add(list, "items", items);
    return list;
}

static struct order *order_for(struct kube *k, enum fake_verb verb, enum kube_kind kind)
{
    for (size_t i = 0; i < k->orders; i++)
        if (k->order[i].times > 0 && k->order[i].verb == verb && k->order[i].kind == kind)
            return &k->order[i];
    return NULL;
}

static void answer(void *arg)
{
    struct kube_call *c = arg;
    struct kube *k = c->kube;
    struct order *order = order_for(k, c->verb, c->kind);
    struct kube_reply reply = {.status = 200};
    struct script *script;
    struct json_object *object = NULL, *list = NULL;
    struct fault f = FAULT_INIT;
    kube_fn *fn = c->fn;
    void *fn_arg = c->arg;
    bool ok = true;

    if (!order || order->done)
        ok = work(c, &object, &f);
    if (order) {
        order->times--;
        f = order->fault;
        ok = false;
    }
    if (ok && c->verb == FAKE_LOG) {
        script = fake_run_script(k, fake_object_find(k, KUBE_JOB, c->name));
        reply.bytes = script->log && script->log_reads++ >= script->run.log_trails ? script->log : "";
        reply.len = strlen(reply.bytes);
        object = NULL;
    }
    if (ok && c->verb == FAKE_LIST)
        object = list = c->kind == KUBE_POD ? pods_of(k, job_of(k, c->name, c->uid)) : events_of(k);
    reply.object = ok && c->verb == FAKE_CREATE && k->script[0].run.no_uid ? json_object_new_object()
                                                                           : json_object_get(object);
    end_call(c);
    fn(fn_arg, ok ? &reply : NULL, ok ? NULL : &f);
    json_object_put(reply.object);
    json_object_put(list);
}

/* --- k8s/kube.h ------------------------------------------------------------------------------------------------ */

static struct kube_call *call(struct kube *k, enum fake_verb verb, enum kube_kind kind, const char *name, kube_fn *fn,
                              void *arg)
{
    struct kube_call *c = mem_new(struct kube_call);

    *c = (struct kube_call){.kube = k, .verb = verb, .kind = kind, .name = mem_string(name), .fn = fn, .arg = arg};
    TAILQ_INSERT_TAIL(&k->live, c, entry);
    k->count[verb][kind]++;
    k->calls++;
    loop_after(k->loop, &c->timer, ANSWER_MS + k->slow_ms, answer, c);
    return c;
}

struct kube_call *kube_create(struct kube *k, enum kube_kind kind, const char *body, size_t len, kube_fn *fn, void *arg)
{
    struct kube_call *c = call(k, FAKE_CREATE, kind, NULL, fn, arg);

    c->body = mem_bytes(body, len);
    free(k->created[kind]);
    k->created[kind] = mem_bytes(body, len);
    return c;
}

struct kube_call *kube_get(struct kube *k, enum kube_kind kind, const char *name, kube_fn *fn, void *arg)
{
    return call(k, FAKE_GET, kind, name, fn, arg);
}

struct kube_call *kube_list(struct kube *k, enum kube_kind kind, const char *selector, const char *fields, kube_fn *fn,
                            void *arg)
{
    static const char name[] = "metadata.name=", uid[] = "controller-uid=";
    struct kube_call *c;

    c = call(k, FAKE_LIST, kind, fields && strncmp(fields, name, strlen(name)) == 0 ? fields + strlen(name) : NULL, fn,
             arg);
    if (selector && strncmp(selector, uid, strlen(uid)) == 0)
        c->uid = mem_string(selector + strlen(uid));
    return c;
}

struct kube_call *kube_delete(struct kube *k, enum kube_kind kind, const char *name, const char *uid, kube_fn *fn,
                              void *arg)
{
    struct kube_call *c = call(k, FAKE_DELETE, kind, name, fn, arg);

    c->uid = mem_string(uid);
    return c;
}

struct kube_call *kube_log(struct kube *k, const char *pod, const char *container, size_t limit, int tail_lines,
                           kube_fn *fn, void *arg)
{
    (void)container;
    (void)limit;
    (void)tail_lines;
    return call(k, FAKE_LOG, KUBE_POD, pod, fn, arg);
}

const char *kube_server(const struct kube *k)
{
    (void)k;
    return "https://10.0.0.1:6443";
}

const char *kube_namespace(const struct kube *k)
{
    (void)k;
    return "snippets";
}

/* --- for the test ---------------------------------------------------------------------------------------------- */

void fake_kube_slow(struct kube *k, int64_t ms)
{
    k->slow_ms = ms;
}

void fake_kube_clock(struct kube *k, int64_t ahead_ms)
{
    k->clock_ahead_ms = ahead_ms;
}

void fake_kube_fault(struct kube *k, enum fake_verb verb, enum kube_kind kind, const struct fault *f, bool done,
                     int times)
{
    if (k->orders == COUNT_OF(k->order))
        abort();
    k->order[k->orders++] = (struct order){.verb = verb, .kind = kind, .fault = *f, .done = done, .times = times};
}

int fake_kube_count(const struct kube *k, enum fake_verb verb, enum kube_kind kind)
{
    return k->count[verb][kind];
}

int fake_kube_calls(const struct kube *k)
{
    return k->calls;
}

size_t fake_kube_live(const struct kube *k)
{
    struct kube_call *c;
    size_t n = fake_pods_followers(k);

    TAILQ_FOREACH (c, &k->live, entry)
        n++;
    return n;
}

const char *fake_kube_created(const struct kube *k, enum kube_kind kind)
{
    return k->created[kind] ? k->created[kind] : "";
}
