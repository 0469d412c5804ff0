#include "cli/session.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { WORDS_MAX = 16 };

static void notice(struct session *s, const char *text)
{
    if (s->on_notice)
        s->on_notice(s->notice_arg, text);
    else
        fprintf(stderr, "execq: %s\n", text);
}

static void on_up(void *arg)
{
    struct session *s = arg;

    if (s->ever_up)
        notice(s, "Redis is back");
    s->ever_up = true;
    s->ups++;
    s->down = (struct fault)FAULT_INIT;
    loop_stop(s->loop);
}

static void on_down(void *arg, const struct fault *f)
{
    struct session *s = arg;
    _cleanup_free_ char *text = mem_format("lost Redis (%s); trying again", f->text);

    if (s->ever_up && s->down.kind == FAULT_NONE)
        notice(s, text);
    s->down = *f;
    loop_stop(s->loop);
}

static void on_interrupt(void *arg)
{
    struct session *s = arg;

    s->interrupted = true;
    loop_stop(s->loop);
}

static void stop(void *arg)
{
    loop_stop(((struct session *)arg)->loop);
}

static int interrupted(struct fault *f)
{
    return fault_set(f, FAULT_CANCELLED, "interrupted");
}

int session_open(struct session *s, const struct common *options, struct fault *f)
{
    *s = (struct session){.queue = options->queue};
    signal(SIGPIPE, SIG_IGN); /* a closed terminal or pipe shows as a failed write */
    if (redis_url_parse(options->redis_url, &s->url, f) < 0)
        return fault_wrap(f, "--redis-url");
    s->shown = redis_url_masked(options->redis_url);
    if (loop_new(&s->loop, f) < 0 || loop_on_signal(s->loop, SIGINT, on_interrupt, s, f) < 0 ||
        loop_on_signal(s->loop, SIGTERM, on_interrupt, s, f) < 0)
        return -1;
    return 0;
}

int session_connect(struct session *s, struct fault *f)
{
    struct conn_settings settings = {.url = &s->url, .name = "execq"};
    struct conn_events events = {.on_up = on_up, .on_down = on_down, .arg = s};

    s->conn = conn_new(s->loop, &settings, &events);
    while (!conn_is_up(s->conn) && s->down.kind == FAULT_NONE && !s->interrupted)
        loop_run(s->loop);
    if (s->interrupted)
        return interrupted(f);
    if (!conn_is_up(s->conn))
        return fault_set(f, FAULT_TRANSIENT, "cannot reach Redis at %.90s (name another with --redis-url): %.120s",
                         s->shown, s->down.text);
    return 0;
}

void session_close(struct session *s)
{
    if (s->conn)
        conn_free(s->conn);
    loop_free(s->loop);
    redis_url_release(&s->url);
    free(s->shown);
    *s = (struct session){0};
}

/* Runs the loop until the connection is up. */
static int await_up(struct session *s, struct fault *f)
{
    int64_t since = loop_now(s->loop);
    struct loop_timer *wake = NULL;

    while (!conn_is_up(s->conn) && !s->interrupted && loop_now(s->loop) - since < SESSION_AWAY_MAX_MS) {
        loop_after(s->loop, &wake, 1000, stop, s);
        loop_run(s->loop);
    }
    loop_cancel(&wake);
    if (s->interrupted)
        return interrupted(f);
    if (!conn_is_up(s->conn))
        return fault_set(f, FAULT_TRANSIENT, "Redis at %.90s stays away: %.120s", s->shown, s->down.text);
    return 0;
}

/* One command on its way. */
struct question {
    struct session *s;
    session_read_fn *read;
    void *arg;
    struct fault *f;
    bool answered, again;
    int result;
};

static const struct {
    const char *prefix;
    bool restart;
} passing[] = {
    {"LOADING", true}, {"READONLY", true},    {"MASTERDOWN", true}, {"UNBLOCKED", false}, {"TRYAGAIN", false},
    {"BUSY ", false},  {"CLUSTERDOWN", true}, {"OOM ", false},      {"MISCONF", false},   {"NOREPLICAS", false},
};

bool session_error_passes(const struct redisReply *reply, bool *ret_restart)
{
    for (size_t i = 0; i < COUNT_OF(passing); i++)
        if (strncmp(reply->str, passing[i].prefix, strlen(passing[i].prefix)) == 0) {
            *ret_restart = passing[i].restart;
            return true;
        }
    return false;
}

static void on_reply(void *arg, struct redisReply *reply)
{
    struct question *q = arg;
    bool restart = false;

    q->answered = true;
    loop_stop(q->s->loop);
    if (!reply) {
        q->again = true;
    } else if (reply->type != REDIS_REPLY_ERROR) {
        q->result = q->read(q->arg, reply, q->f);
    } else if (session_error_passes(reply, &restart)) {
        q->again = true;
        fault_set(q->f, FAULT_TRANSIENT, "Redis: %.200s", reply->str);
        if (restart)
            conn_restart(q->s->conn, reply->str);
    } else {
        q->result = fault_set(q->f, FAULT_REFUSED, "Redis: %.200s", reply->str);
    }
}

static void wait_a_moment(struct session *s)
{
    struct loop_timer *wake = NULL;

    loop_after(s->loop, &wake, 250, stop, s);
    while (wake && !s->interrupted)
        loop_run(s->loop);
    loop_cancel(&wake);
}

static int ask(struct session *s, int argc, const char *const words[], const size_t len[], int64_t patience_ms,
               session_read_fn *read, void *arg, struct fault *f)
{
    int64_t since = loop_now(s->loop);

    for (;;) {
        struct question q = {.s = s, .read = read, .arg = arg, .f = f};

        if (await_up(s, f) < 0)
            return -1;
        if (conn_send(s->conn, argc, words, len, patience_ms, on_reply, &q, f) < 0) {
            if (!fault_is_passing(f))
                return -1;
            q.again = true;
        } else {
            while (!q.answered && !s->interrupted)
                loop_run(s->loop);
            if (!q.answered)
                return interrupted(f);
        }
        if (!q.again)
            return q.result;
        if (loop_now(s->loop) - since > SESSION_AWAY_MAX_MS + patience_ms)
            return f->kind != FAULT_NONE ? -1
                                         : fault_set(f, FAULT_TRANSIENT, "Redis at %.90s does not answer", s->shown);
        wait_a_moment(s);
    }
}

int session_ask(struct session *s, const char *const words[], int64_t patience_ms, session_read_fn *read, void *arg,
                struct fault *f)
{
    size_t len[WORDS_MAX];
    int argc = 0;

    for (; words[argc]; argc++)
        len[argc] = strlen(words[argc]);
    return ask(s, argc, words, len, patience_ms, read, arg, f);
}

int session_ask_with(struct session *s, const char *const words[], const void *bytes, size_t len, session_read_fn *read,
                     void *arg, struct fault *f)
{
    const char *all[WORDS_MAX];
    size_t all_len[WORDS_MAX];
    int argc = 0;

    for (; words[argc]; argc++) {
        all[argc] = words[argc];
        all_len[argc] = strlen(words[argc]);
    }
    all[argc] = bytes;
    all_len[argc++] = len;
    return ask(s, argc, all, all_len, 0, read, arg, f);
}

int session_read_integer(void *ret_int64, const struct redisReply *reply, struct fault *f)
{
    if (reply->type != REDIS_REPLY_INTEGER)
        return fault_set(f, FAULT_REFUSED, "Redis answered with something that is no number");
    *(int64_t *)ret_int64 = reply->integer;
    return 0;
}

int session_read_string(void *ret_char_pointer, const struct redisReply *reply, struct fault *f)
{
    char **ret = ret_char_pointer;

    if (reply->type == REDIS_REPLY_NIL || (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0)) {
        free(*ret);
        *ret = NULL;
        return 0;
    }
    if (reply->type == REDIS_REPLY_ARRAY) /* LRANGE key 0 0 */
        reply = reply->element[0];
    if (reply->type != REDIS_REPLY_STRING)
        return fault_set(f, FAULT_REFUSED, "Redis answered with something that is no string");
    free(*ret);
    *ret = mem_bytes(reply->str, reply->len);
    return 0;
}

int session_fail(const struct command *c, const struct fault *f)
{
    fprintf(stderr, "execq %s: %s\n", c->name, f->text);
    switch (f->kind) {
    case FAULT_CANCELLED:
        return EXIT_INTERRUPTED;
    case FAULT_GONE:
        return EXIT_NO_RESULT;
    case FAULT_INVALID:
    case FAULT_TOO_BIG:
    case FAULT_EXISTS:
        return EXIT_USAGE;
    default:
        return EXIT_UNREACHABLE;
    }
}
