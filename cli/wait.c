#include "cli/wait.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/keys.h"

enum { LOOK_MS = 5000, FIRST_LOOK_MS = 2000 };

int wait_push(struct session *s, const char *payload, struct fault *f)
{
    char inbox[KEY_MAX];
    const char *words[] = {"RPUSH", key_of(inbox, s->queue, "requests"), NULL};
    int64_t length;

    return session_ask_with(s, words, payload, strlen(payload), session_read_integer, &length, f);
}

int wait_look(struct session *s, const char *id, char **ret_json, struct fault *f)
{
    char key[KEY_MAX];
    const char *words[] = {"LRANGE", key_for(key, s->queue, "result", id), "0", "0", NULL};

    return session_ask(s, words, 0, session_read_string, ret_json, f);
}

/* Turns the list's one element around: waits for it and leaves it there. */
static int block(struct session *s, const char *id, int64_t ms, char **ret_json, struct fault *f)
{
    char key[KEY_MAX], seconds[32];
    const char *words[] = {"BLMOVE", key_for(key, s->queue, "result", id), key, "LEFT", "RIGHT", seconds, NULL};

    if (ms < 1)
        ms = 1; /* 0 would be: for ever */
    snprintf(seconds, sizeof(seconds), "%lld.%03lld", (long long)ms / 1000, (long long)ms % 1000);
    return session_ask(s, words, ms, session_read_string, ret_json, f);
}

/* What Redis knows of a request that has no result yet. */
struct trace {
    char *state;     /* of task:ID; NULL: no worker took it up, or not yet */
    int64_t inbox;   /* requests waiting */
    int64_t workers; /* alive, as far as is known */
};

static void trace_release(struct trace *t)
{
    free(t->state);
}

/* `workers` holds the beats of each; "dead ..." for those that are being buried. */
static int read_workers(void *ret_int64, const struct redisReply *reply, struct fault *f)
{
    int64_t n = 0;

    if (reply->type != REDIS_REPLY_ARRAY)
        return fault_set(f, FAULT_REFUSED, "Redis answered with something that is no list");
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING && strncmp(reply->element[i]->str, "dead", 4) != 0)
            n++;
    *(int64_t *)ret_int64 = n;
    return 0;
}

static int look_for_trace(struct session *s, const char *id, struct trace *t, struct fault *f)
{
    char task[KEY_MAX], inbox[KEY_MAX], workers[KEY_MAX];
    const char *hget[] = {"HGET", key_for(task, s->queue, "task", id), "state", NULL};
    const char *llen[] = {"LLEN", key_of(inbox, s->queue, "requests"), NULL};
    const char *hvals[] = {"HVALS", key_of(workers, s->queue, "workers"), NULL};

    if (session_ask(s, hget, 0, session_read_string, &t->state, f) < 0 ||
        session_ask(s, llen, 0, session_read_integer, &t->inbox, f) < 0 ||
        session_ask(s, hvals, 0, read_workers, &t->workers, f) < 0)
        return -1;
    return 0;
}

/* Between two waits: whether there is still something to wait for. */
static int consider(struct session *s, const struct wait_for *w, bool *said_no_worker, int *finished, struct fault *f)
{
    _cleanup_(trace_release)
    struct trace t = {0};

    if (look_for_trace(s, w->id, &t, f) < 0)
        return -1;
    if (t.workers == 0 && !*said_no_worker) {
        *said_no_worker = true;
        fprintf(stderr, "execq: no worker is running on queue %s; waiting for one\n", s->queue);
    }
    if (t.state && strcmp(t.state, "finished") == 0 && ++*finished >= 2) /* twice: it may just have been written */
        return fault_set(f, FAULT_GONE, "%.130s is finished, but its result has been taken by someone else", w->id);
    if (!t.state && t.inbox == 0 && w->payload) /* Redis lost it; a repeat would be dropped */
        return wait_push(s, w->payload, f);
    return 0;
}

int wait_result(struct session *s, const struct wait_for *w, char **ret_json, struct fault *f)
{
    int64_t begun = loop_now(s->loop), ms = FIRST_LOOK_MS;
    bool said_no_worker = false;
    int finished = 0;

    for (;;) {
        _cleanup_free_ char *json = NULL;
        int64_t spent = loop_now(s->loop) - begun;

        if (w->limit_ms != OPTION_FOREVER && w->limit_ms - spent < ms)
            ms = w->limit_ms - spent;
        if (block(s, w->id, ms, &json, f) < 0)
            return -1;
        if (json) {
            *ret_json = TAKE(json);
            return 0;
        }
        if (w->limit_ms != OPTION_FOREVER && loop_now(s->loop) - begun >= w->limit_ms)
            return fault_set(f, FAULT_TIMEOUT, "no result for %.130s within %lld.%03lld s", w->id,
                             (long long)w->limit_ms / 1000, (long long)w->limit_ms % 1000);
        if (consider(s, w, &said_no_worker, &finished, f) < 0)
            return -1;
        ms = LOOK_MS;
    }
}
