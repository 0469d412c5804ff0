#include <event2/buffer.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/field.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "devcluster/cluster.h"
#include "devcluster/objects.h"
#include "devcluster/pod.h"
#include "devcluster/podlog.h"
#include "devcluster/podstatus.h"
#include "devcluster/sandbox.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"

enum { TERMINATION_MAX = 4096, LOG_FALLBACK = 2048, LOG_FALLBACK_LINES = 80 };

/* The message the container left, or what the policy puts in its place; the caller's. */
static char *termination_message(struct pod *p, const struct sandbox_end *end)
{
    struct json_object *c = json_object_array_get_idx(tree_at(p->object->json, "spec.containers"), 0);
    const char *policy = field_peek_string(c, "terminationMessagePolicy");
    _cleanup_free_ char *path = mem_format("%s/termination", p->dir);
    char bytes[TERMINATION_MAX];
    struct evbuffer *log;
    struct fault f;
    ssize_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0) {
        len = read(fd, bytes, sizeof(bytes));
        close(fd);
    }
    if (len > 0)
        return mem_bytes(bytes, utf8_floor(bytes, (size_t)len));
    if (end->exit_code == 0 || !policy || strcmp(policy, "FallbackToLogsOnError") != 0 || !p->log)
        return NULL;
    log = evbuffer_new();
    if (podlog_read(p->log, LOG_FALLBACK_LINES, -1, log, &f) == 0) {
        size_t n = evbuffer_get_length(log);

        evbuffer_drain(log, n > LOG_FALLBACK ? n - LOG_FALLBACK : 0);
        len = evbuffer_remove(log, bytes, LOG_FALLBACK);
    }
    evbuffer_free(log);
    return len > 0 ? mem_bytes(bytes, (size_t)len) : NULL;
}

/* What stands in the log is bubblewrap's complaint, not the program's output. */
static char *start_error(struct pod *p)
{
    struct evbuffer *log = evbuffer_new();
    char text[512] = "";
    struct fault f;

    if (p->log && podlog_read(p->log, -1, sizeof(text) - 1, log, &f) == 0) {
        evbuffer_remove(log, text, sizeof(text) - 1);
        podlog_clear(p->log);
    }
    evbuffer_free(log);
    return mem_format("failed to start container: %s", text);
}

static void describe_end(const struct pod *p, const struct sandbox_end *how, struct pod_end *end)
{
    bool killed = p->cause == CAUSE_EVICTED || p->cause == CAUSE_OOM;

    end->phase = "Failed";
    end->exit_code = killed ? 128 + SIGKILL : how->exit_code;
    end->why = how->exit_code == 0 ? "Completed" : "Error";
    if (killed)
        end->why = p->cause == CAUSE_OOM ? "OOMKilled" : "Error";
    else if (how->out_of_memory)
        end->why = "OOMKilled";
    else if (how->exit_code == 0)
        end->phase = "Succeeded";
    if (p->cause == CAUSE_DEADLINE) {
        end->phase = "Failed";
        end->reason = "DeadlineExceeded";
        end->message = "Pod was active on the node longer than the specified deadline";
    } else if (p->cause == CAUSE_EVICTED) {
        end->reason = "Evicted";
        end->message = "The node was low on resource: memory. (ordered)";
        end->disruption = "TerminationByKubelet";
    }
}

void pod_write_end(struct pod *p, const struct sandbox_end *how)
{
    static const struct sandbox_end never = {.exit_code = 137};
    struct pod_end end = {.started = p->started, .finished = loop_wall(p->cluster->loop)};
    struct json_object *draft = store_draft(p->object);
    _cleanup_free_ char *message = NULL;

    describe_end(p, how ? how : &never, &end);
    if (!how) {
        end.why = NULL;
    } else if (!how->started && p->cause == CAUSE_NONE) {
        message = start_error(p);
        end.why = "StartError";
        end.exit_code = 128;
        end.started = 0; /* 1970, as the real one says */
    } else {
        message = termination_message(p, how);
    }
    end.termination_message = message;
    podstatus_ended(draft, &end);
    store_set(p->cluster->store, p->object, draft);
    if (end.reason)
        objects_event(p->cluster, p->object, "Warning", end.reason, "%s", end.message);
    else if (end.why && strcmp(end.why, "StartError") == 0)
        objects_event(p->cluster, p->object, "Warning", "Failed", "Error: %s", message);
}
