#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/fault.h"

/* The event loop, and the only clock: nothing else in the tree asks the system for the time. Tests link
 * tests/fake/fake_loop.c in its place, which owns time and moves it on demand.
 *
 * A callback never runs inside the call that arranged it, and never after it was cancelled. */

struct event_base; /* libevent's */
struct loop;
struct loop_timer; /* something that will run once: lives in a slot that its owner holds */

typedef void loop_fn(void *arg);

int loop_new(struct loop **ret_loop, struct fault *f);
void loop_free(struct loop *l); /* NULL is fine; cancels nothing that others hold slots for: free those first */
DEFINE_CLEANUP(struct loop, loop_free)

/** Runs until loop_stop(), which also counts when it was called before. Returns 0, or -1 if libevent gave up. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/** Milliseconds on a clock that only goes forward (CLOCK_MONOTONIC): for every duration and deadline. */
int64_t loop_now(const struct loop *l);

/** Milliseconds since 1970: only for what is shown to people or stored in a result. */
int64_t loop_wall(const struct loop *l);

/** Random bits for jitter; not for secrets. */
uint32_t loop_random(struct loop *l);

/** A number in [0, below); 0 if below <= 0. */
int64_t loop_jitter(struct loop *l, int64_t below);

/** Runs `fn` once, `ms` from now (0: in the next turn), never before loop_now() says so. What `*slot` held is cancelled
 * first; when `fn` runs,
 *  `*slot` is NULL again. `slot` must stay where it is until then. */
void loop_after(struct loop *l, struct loop_timer **slot, int64_t ms, loop_fn *fn, void *arg);

/** Runs `fn` once, as soon as the stack is unwound, in the order of the calls. `slot` as in loop_after(), or NULL
 *  for what nobody will cancel (freeing an object whose callback is running). */
void loop_defer(struct loop *l, struct loop_timer **slot, loop_fn *fn, void *arg);

/** Forgets what `*slot` holds; NULL in it is fine. */
void loop_cancel(struct loop_timer **slot);

/** Runs `fn` each time the process gets `signo`, outside the signal's own context, until the loop is freed. */
int loop_on_signal(struct loop *l, int signo, loop_fn *fn, void *arg, struct fault *f);

/** For queue/conn, k8s/http, k8s/exec and devcluster, which hand it to a library. */
struct event_base *loop_base(struct loop *l);
