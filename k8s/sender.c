#include "k8s/sender.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/mem.h"
#include "k8s/refusal.h"

enum {
    PAUSE_MS = 200,
    PAUSE_MAX_MS = 5000,
    FORBIDDEN_PAUSE_MS = 500, /* an API server that has just started knows no Role and refuses everyone, ... */
    FORBIDDEN_TRIES = 6,      /* ... which is over by then */
    BURST = 10,
    LEAVE_MS = 1000, /* between two looks whether there is leave to write, should nobody call sender_resume() */
};

TAILQ_HEAD(call_list, kube_call);

struct lane {
    unsigned used;
    struct call_list waiting;
};

struct sender {
    struct loop *loop;
    struct api *api;
    struct sender_settings set;
    struct call_list calls, held;
    struct lane lane[API_LANES];
    double tokens;
    int64_t tokens_ms;       /* when they were counted */
    struct loop_timer *look; /* at what is held */
};

static void pump_held(struct sender *s);
static void pump_lane(struct sender *s, enum api_lane lane);
static void send(struct kube_call *c);
static void after_pause(void *arg);

/* What goes on with something comes before what begins something: a Job's pod waits for its ConfigMap, and what is
 * deleted makes room. */
static void line_up(struct call_list *l, struct kube_call *c)
{
    struct kube_call *before = TAILQ_LAST(l, call_list);

    while (!c->begins && before && before->begins)
        before = TAILQ_PREV(before, call_list, gate);
    if (before)
        TAILQ_INSERT_AFTER(l, before, c, gate);
    else
        TAILQ_INSERT_HEAD(l, c, gate);
}

/* The only place that changes where a call is. */
static void go(struct kube_call *c, enum call_at next)
{
    struct sender *s = c->sender;
    enum call_at before = c->at;

    if (before == CALL_HELD)
        TAILQ_REMOVE(&s->held, c, gate);
    if (before == CALL_QUEUED)
        TAILQ_REMOVE(&s->lane[c->lane].waiting, c, gate);
    if (before == CALL_SENT) {
        api_cancel(&c->call);
        s->lane[c->lane].used--;
    }
    loop_cancel(&c->pause);
    c->at = next;
    if (next == CALL_HELD)
        line_up(&s->held, c);
    if (next == CALL_QUEUED)
        line_up(&s->lane[c->lane].waiting, c);
    if (next == CALL_SENT) {
        s->lane[c->lane].used++;
        send(c);
    }
    if (next == CALL_HELD)
        pump_held(s);
    if (next == CALL_QUEUED || before == CALL_SENT)
        pump_lane(s, c->lane);
}

static void release(struct kube_call *c)
{
    loop_cancel(&c->turn);
    loop_cancel(&c->budget);
    loop_cancel(&c->pause);
    free(c->path);
    free(c->body);
    free(c->first_page);
    json_object_put(c->joined);
    free(c);
}

static void end(struct kube_call *c, const struct kube_reply *reply, const struct fault *f)
{
    struct sender *s = c->sender;

    go(c, CALL_ENDED);
    TAILQ_REMOVE(&s->calls, c, entry);
    loop_cancel(&c->budget);
    c->fn(c->arg, reply, f);
    release(c); /* only now: a cancel from inside the callback finds that it has ended */
}

/* 1. Held: a write waits for leave and for its turn. */

static bool take_token(struct sender *s)
{
    double rate = s->set.writes_per_second, most = rate > BURST ? rate : BURST;
    int64_t now = loop_now(s->loop);

    s->tokens += rate * (double)(now - s->tokens_ms) / 1000;
    s->tokens_ms = now;
    if (s->tokens > most)
        s->tokens = most;
    if (s->tokens < 1)
        return false;
    s->tokens -= 1;
    return true;
}

static bool may_write(const struct sender *s)
{
    return !s->set.may_write || s->set.may_write(s->set.may_write_arg);
}

static bool may_send(void *arg)
{
    const struct kube_call *c = arg;

    return may_write(c->sender);
}

static void on_look(void *arg)
{
    pump_held(arg);
}

static void pump_held(struct sender *s)
{
    struct kube_call *c;

    while ((c = TAILQ_FIRST(&s->held))) {
        if (!may_write(s)) {
            loop_after(s->loop, &s->look, LEAVE_MS, on_look, s);
            return;
        }
        if (!take_token(s)) {
            loop_after(s->loop, &s->look, (int64_t)((1 - s->tokens) * 1000 / s->set.writes_per_second) + 1, on_look, s);
            return;
        }
        go(c, CALL_QUEUED);
    }
    loop_cancel(&s->look);
}

/* 2. Queued: for a place in the lane. */
static void pump_lane(struct sender *s, enum api_lane lane)
{
    struct lane *l = &s->lane[lane];
    struct kube_call *c;

    while (l->used < s->set.at_once[lane] && (c = TAILQ_FIRST(&l->waiting)))
        go(c, CALL_SENT);
}

/* 4. Waiting: a passing fault is repeated while the budget lasts. */

static int64_t pause_after(struct kube_call *c, const struct fault *f)
{
    int64_t most = PAUSE_MS;

    if (refusal_is_forbidden(f))
        return FORBIDDEN_PAUSE_MS;
    for (int i = 0; i < c->tries && most < PAUSE_MAX_MS; i++)
        most *= 2;
    return loop_jitter(c->sender->loop, most < PAUSE_MAX_MS ? most : PAUSE_MAX_MS) + f->retry_after_ms;
}

static void retry(struct kube_call *c, const struct fault *f)
{
    struct sender *s = c->sender;
    bool passing = fault_is_passing(f) || (refusal_is_forbidden(f) && c->forbidden++ < FORBIDDEN_TRIES);
    int64_t wait = pause_after(c, f);

    c->last = *f;
    c->tries++;
    if (!passing || wait >= c->budget_end_ms - loop_now(s->loop)) {
        struct fault copy = *f;

        end(c, NULL, &copy);
        return;
    }
    go(c, CALL_WAITING);
    loop_after(s->loop, &c->pause, wait, after_pause, c);
}

static void after_pause(void *arg)
{
    struct kube_call *c = arg;

    go(c, c->write ? CALL_HELD : CALL_QUEUED);
}

static void on_budget(void *arg)
{
    struct kube_call *c = arg;
    struct fault f = c->last;

    if (f.kind == FAULT_NONE)
        fault_set(&f, FAULT_TIMEOUT, "no answer within %lld ms", (long long)c->sender->set.budget_ms);
    end(c, NULL, &f);
}

/* 3. Sent. */

static void on_done(void *arg, const struct http_reply *in, const struct fault *f)
{
    struct kube_call *c = arg;
    struct kube_reply reply = {0};
    struct fault own = FAULT_INIT;
    int more;

    c->call = NULL;
    if (f && f->kind == FAULT_CANCELLED) { /* leave to write was taken back on the way */
        c->sender->tokens += 1;
        go(c, CALL_HELD);
        return;
    }
    if (f && f->code == 410 && c->on_gone && c->begun) {
        own = *f;
        own.kind = FAULT_TRANSIENT;
        c->on_gone(c);
        retry(c, &own);
        return;
    }
    if (f) {
        retry(c, f);
        return;
    }
    reply.status = in->status;
    more = c->read(c, in, &reply, &own);
    if (more < 0) {
        retry(c, &own);
    } else if (more > 0) {
        c->tries = 0;
        c->last = (struct fault)FAULT_INIT;
        go(c, CALL_QUEUED);
    } else {
        struct json_object *object = reply.object;

        end(c, &reply, NULL);
        json_object_put(object);
    }
}

/* Not an answer of the server's: the connections at hand may all be dead. */
static bool is_connection_fault(const struct fault *f)
{
    return f->code <= 0 && (f->kind == FAULT_TIMEOUT || f->kind == FAULT_TRANSIENT);
}

static void send(struct kube_call *c)
{
    struct sender *s = c->sender;
    struct api_ask ask = {.lane = c->lane,
                          .method = c->method,
                          .path = c->path,
                          .body = c->body,
                          .body_len = c->body_len,
                          .limit_ms = s->set.call_ms,
                          .max = c->max,
                          .cut = c->cut,
                          .fresh = is_connection_fault(&c->last),
                          .may_send = c->write ? may_send : NULL};

    if (!c->budget) { /* what it waited before its first try does not count */
        c->budget_end_ms = loop_now(s->loop) + s->set.budget_ms;
        loop_after(s->loop, &c->budget, s->set.budget_ms, on_budget, c);
    }
    c->call = api_start(s->api, &ask, on_done, c);
}

/* 0. The start. */

static void begin(void *arg)
{
    struct kube_call *c = arg;

    go(c, c->write ? CALL_HELD : CALL_QUEUED);
}

struct kube_call *sender_start(struct sender *s, const struct kube_call *filled)
{
    struct kube_call *c = mem_new(struct kube_call);

    *c = *filled;
    c->sender = s;
    c->at = CALL_NEW;
    TAILQ_INSERT_TAIL(&s->calls, c, entry);
    loop_defer(s->loop, &c->turn, begin, c);
    return c;
}

void sender_cancel(struct kube_call *c)
{
    if (c->at == CALL_ENDED)
        return;
    TAILQ_REMOVE(&c->sender->calls, c, entry);
    go(c, CALL_ENDED);
    release(c);
}

void sender_resume(struct sender *s)
{
    pump_held(s);
}

struct sender *sender_new(struct api *a, const struct sender_settings *set)
{
    struct sender *s = mem_new(struct sender);

    s->loop = api_loop(a);
    s->api = a;
    s->set = *set;
    s->tokens = BURST;
    s->tokens_ms = loop_now(s->loop);
    TAILQ_INIT(&s->calls);
    TAILQ_INIT(&s->held);
    for (int i = 0; i < API_LANES; i++)
        TAILQ_INIT(&s->lane[i].waiting);
    return s;
}

void sender_free(struct sender *s)
{
    struct kube_call *c;

    while ((c = TAILQ_FIRST(&s->calls))) {
        TAILQ_REMOVE(&s->calls, c, entry);
        api_cancel(&c->call);
        release(c);
    }
    loop_cancel(&s->look);
    free(s);
}
