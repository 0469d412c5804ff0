#include "base/loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <time.h>

#include "base/mem.h"

struct loop_timer {
    struct loop *loop;
    struct loop_timer **slot;
    loop_fn *fn;
    void *arg;
    struct event *event; /* NULL for a deferred one, which stands in loop.deferred */
    int64_t due;
    TAILQ_ENTRY(loop_timer) entry;
};

struct loop_signal {
    struct event *event;
    loop_fn *fn;
    void *arg;
    SLIST_ENTRY(loop_signal) entry;
};

struct loop {
    struct event_base *base;
    bool stopping;
    struct event *turn; /* runs what was deferred */
    TAILQ_HEAD(, loop_timer) deferred;
    SLIST_HEAD(, loop_signal) signals;
    uint64_t random;
};

static void run_deferred(int fd, short what, void *arg);

int loop_new(struct loop **ret_loop, struct fault *f)
{
    _cleanup_(loop_freep)
    struct loop *l = mem_new(struct loop);

    TAILQ_INIT(&l->deferred);
    SLIST_INIT(&l->signals);
    if (getrandom(&l->random, sizeof(l->random), 0) != (ssize_t)sizeof(l->random))
        l->random = (uint64_t)loop_now(l);
    l->random |= 1; /* xorshift must not start at zero */
    l->base = event_base_new();
    if (!l->base)
        return fault_set(f, FAULT_BUG, "libevent has no event base to give");
    l->turn = event_new(l->base, -1, 0, run_deferred, l);
    if (!l->turn)
        return fault_set(f, FAULT_BUG, "libevent has no event to give");
    *ret_loop = TAKE(l);
    return 0;
}

void loop_free(struct loop *l)
{
    struct loop_signal *s;
    struct loop_timer *t;

    if (!l)
        return;
    while ((t = TAILQ_FIRST(&l->deferred))) {
        TAILQ_REMOVE(&l->deferred, t, entry);
        if (t->slot)
            *t->slot = NULL;
        free(t);
    }
    while ((s = SLIST_FIRST(&l->signals))) {
        SLIST_REMOVE_HEAD(&l->signals, entry);
        event_free(s->event);
        free(s);
    }
    if (l->turn)
        event_free(l->turn);
    if (l->base)
        event_base_free(l->base);
    free(l);
}

int loop_run(struct loop *l)
{
    int r = 0;

    if (!l->stopping) /* libevent forgets a break that came before the loop */
        r = event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    l->stopping = false;
    return r < 0 ? -1 : 0;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
    event_base_loopbreak(l->base);
}

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t loop_now(const struct loop *l)
{
    (void)l;
    return read_clock(CLOCK_MONOTONIC);
}

int64_t loop_wall(const struct loop *l)
{
    (void)l;
    return read_clock(CLOCK_REALTIME);
}

uint32_t loop_random(struct loop *l) /* xorshift64* */
{
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return (uint32_t)((l->random * 0x2545F4914F6CDD1DULL) >> 32);
}

int64_t loop_jitter(struct loop *l, int64_t below)
{
    return below > 0 ? (int64_t)(((uint64_t)loop_random(l) * (uint64_t)below) >> 32) : 0;
}

static void fire(struct loop_timer *t)
{
    loop_fn *fn = t->fn;
    void *arg = t->arg;

    if (t->slot)
        *t->slot = NULL;
    if (t->event)
        event_free(t->event);
    free(t);
    fn(arg);
}

static void add_timer(struct loop_timer *t)
{
    int64_t ms = t->due - loop_now(t->loop);
    struct timeval tv = {0};

    if (ms > 0)
        tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    if (evtimer_add(t->event, &tv) < 0)
        abort(); /* out of memory, as in mem.c */
}

/* libevent counts from the start of the turn, and on a coarse clock: it may come a little too early for loop_now(),
 * and whoever compares the two would find its time not come yet, and never be called again. */
static void on_timer(int fd, short what, void *arg)
{
    struct loop_timer *t = arg;

    (void)fd;
    (void)what;
    if (loop_now(t->loop) < t->due)
        add_timer(t);
    else
        fire(t);
}

static struct loop_timer *arm(struct loop *l, struct loop_timer **slot, loop_fn *fn, void *arg)
{
    struct loop_timer *t = mem_new(struct loop_timer);

    if (slot) {
        loop_cancel(slot);
        *slot = t;
    }
    t->loop = l;
    t->slot = slot;
    t->fn = fn;
    t->arg = arg;
    return t;
}

void loop_after(struct loop *l, struct loop_timer **slot, int64_t ms, loop_fn *fn, void *arg)
{
    struct loop_timer *t = arm(l, slot, fn, arg);

    t->due = loop_now(l) + (ms > 0 ? ms : 0);
    t->event = evtimer_new(l->base, on_timer, t);
    if (!t->event)
        abort();
    add_timer(t);
}

/* A timer of zero, not event_active(): libevent would run that in the same turn, before it looks at any socket. */
static void ask_for_turn(struct loop *l)
{
    static const struct timeval zero;

    if (!evtimer_pending(l->turn, NULL) && evtimer_add(l->turn, &zero) < 0)
        abort(); /* out of memory, as in mem.c */
}

void loop_defer(struct loop *l, struct loop_timer **slot, loop_fn *fn, void *arg)
{
    struct loop_timer *t = arm(l, slot, fn, arg);

    TAILQ_INSERT_TAIL(&l->deferred, t, entry);
    ask_for_turn(l);
}

/* Only what stands in the list now: what it defers in turn waits for the next turn, so that sockets get theirs. */
static void run_deferred(int fd, short what, void *arg)
{
    struct loop *l = arg;
    struct loop_timer *t;
    size_t n = 0;

    (void)fd;
    (void)what;
    TAILQ_FOREACH (t, &l->deferred, entry)
        n++;
    for (; n > 0 && (t = TAILQ_FIRST(&l->deferred)); n--) {
        TAILQ_REMOVE(&l->deferred, t, entry);
        fire(t);
    }
    if (!TAILQ_EMPTY(&l->deferred))
        ask_for_turn(l);
}

void loop_cancel(struct loop_timer **slot)
{
    struct loop_timer *t = *slot;

    if (!t)
        return;
    *slot = NULL;
    if (t->event)
        event_free(t->event);
    else
        TAILQ_REMOVE(&t->loop->deferred, t, entry);
    free(t);
}

static void on_signal(int signo, short what, void *arg)
{
    struct loop_signal *s = arg;

    (void)signo;
    (void)what;
    s->fn(s->arg);
}

int loop_on_signal(struct loop *l, int signo, loop_fn *fn, void *arg, struct fault *f)
{
    struct loop_signal *s = mem_new(struct loop_signal);

    s->fn = fn;
    s->arg = arg;
    s->event = evsignal_new(l->base, signo, on_signal, s);
    if (!s->event || event_add(s->event, NULL) < 0) {
        if (s->event)
            event_free(s->event);
        free(s);
        return fault_set(f, FAULT_BUG, "cannot listen for signal %d", signo);
    }
    SLIST_INSERT_HEAD(&l->signals, s, entry);
    return 0;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}
