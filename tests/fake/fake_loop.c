#include "fake_loop.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"

struct loop_timer {
    struct loop *loop;
    struct loop_timer **slot;
    loop_fn *fn;
    void *arg;
    int64_t due; /* -1: deferred */
    TAILQ_ENTRY(loop_timer) entry;
};

struct loop_signal {
    int signo;
    loop_fn *fn;
    void *arg;
    SLIST_ENTRY(loop_signal) entry;
};

struct loop {
    int64_t now;
    uint32_t random;
    TAILQ_HEAD(, loop_timer) timers; /* in the order they were armed: equal times run first come, first served */
    SLIST_HEAD(, loop_signal) signals;
};

int64_t fake_loop_epoch = 1767225600000; /* 2026-01-01T00:00:00Z */

int loop_new(struct loop **ret_loop, struct fault *f)
{
    struct loop *l = mem_new(struct loop);

    (void)f;
    l->random = 12345;
    TAILQ_INIT(&l->timers);
    SLIST_INIT(&l->signals);
    *ret_loop = l;
    return 0;
}

void loop_free(struct loop *l)
{
    struct loop_timer *t;
    struct loop_signal *s;

    if (!l)
        return;
    while ((t = TAILQ_FIRST(&l->timers))) {
        TAILQ_REMOVE(&l->timers, t, entry);
        if (t->slot)
            *t->slot = NULL;
        free(t);
    }
    while ((s = SLIST_FIRST(&l->signals))) {
        SLIST_REMOVE_HEAD(&l->signals, entry);
        free(s);
    }
    free(l);
}

int loop_run(struct loop *l)
{
    fake_loop_run_dry(l, INT64_MAX / 2);
    return 0;
}

void loop_stop(struct loop *l)
{
    (void)l;
}

int64_t loop_now(const struct loop *l)
{
    return l->now;
}

int64_t loop_wall(const struct loop *l)
{
    return fake_loop_epoch + l->now;
}

uint32_t loop_random(struct loop *l)
{
    l->random = l->random * 1664525u + 1013904223u;
    return l->random;
}

int64_t loop_jitter(struct loop *l, int64_t below)
{
    return below > 0 ? (int64_t)(((uint64_t)loop_random(l) * (uint64_t)below) >> 32) : 0;
}

static void arm(struct loop *l, struct loop_timer **slot, int64_t due, loop_fn *fn, void *arg)
{
    struct loop_timer *t = mem_new(struct loop_timer);

    if (slot) {
        loop_cancel(slot);
        *slot = t;
    }
    *t = (struct loop_timer){.loop = l, .slot = slot, .fn = fn, .arg = arg, .due = due};
    TAILQ_INSERT_TAIL(&l->timers, t, entry);
}

void loop_after(struct loop *l, struct loop_timer **slot, int64_t ms, loop_fn *fn, void *arg)
{
    arm(l, slot, l->now + (ms > 0 ? ms : 0), fn, arg);
}

void loop_defer(struct loop *l, struct loop_timer **slot, loop_fn *fn, void *arg)
{
    arm(l, slot, -1, fn, arg);
}

void loop_cancel(struct loop_timer **slot)
{
    struct loop_timer *t = *slot;

    if (!t)
        return;
    *slot = NULL;
    TAILQ_REMOVE(&t->loop->timers, t, entry);
    free(t);
}

int loop_on_signal(struct loop *l, int signo, loop_fn *fn, void *arg, struct fault *f)
{
    struct loop_signal *s = mem_new(struct loop_signal);

    (void)f;
    *s = (struct loop_signal){.signo = signo, .fn = fn, .arg = arg};
    SLIST_INSERT_HEAD(&l->signals, s, entry);
    return 0;
}

struct event_base *loop_base(struct loop *l)
{
    (void)l;
    return NULL; /* what needs the real one is not tested with this loop */
}

static void fire(struct loop *l, struct loop_timer *t)
{
    loop_fn *fn = t->fn;
    void *arg = t->arg;

    if (t->slot)
        *t->slot = NULL;
    TAILQ_REMOVE(&l->timers, t, entry);
    free(t);
    fn(arg);
}

static struct loop_timer *next(struct loop *l)
{
    struct loop_timer *t, *first = NULL;

    TAILQ_FOREACH (t, &l->timers, entry)
        if (!first || t->due < first->due)
            first = t;
    return first;
}

void fake_loop_settle(struct loop *l)
{
    struct loop_timer *t;

    while ((t = next(l)) && t->due < 0)
        fire(l, t);
}

void fake_loop_advance(struct loop *l, int64_t ms)
{
    int64_t end = l->now + ms;
    struct loop_timer *t;

    while ((t = next(l)) && t->due <= end) {
        if (t->due > l->now)
            l->now = t->due;
        fire(l, t);
    }
    l->now = end;
}

void fake_loop_run_dry(struct loop *l, int64_t limit_ms)
{
    int64_t end = l->now + limit_ms;
    struct loop_timer *t;

    while ((t = next(l)) && t->due <= end) {
        if (t->due > l->now)
            l->now = t->due;
        fire(l, t);
    }
}

size_t fake_loop_pending(const struct loop *l)
{
    struct loop_timer *t;
    size_t n = 0;

    TAILQ_FOREACH (t, &l->timers, entry)
        n++;
    return n;
}

void fake_loop_signal(struct loop *l, int signo)
{
    struct loop_signal *s;

    SLIST_FOREACH (s, &l->signals, entry)
        if (s->signo == signo)
            s->fn(s->arg);
}
