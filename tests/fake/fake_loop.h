#pragma once
#include <stddef.h>

#include "base/loop.h"

/* A loop that owns time: linked in place of base/loop.c. Nothing runs until the test moves it. */

/** Runs what is due, in order of time, until `ms` have passed; what was deferred runs before time moves. */
void fake_loop_advance(struct loop *l, int64_t ms);

/** Runs what was deferred, and what that defers in turn; time stands still. */
void fake_loop_settle(struct loop *l);

/** Advances to the next timer and so on until nothing is armed, or `limit_ms` have passed. */
void fake_loop_run_dry(struct loop *l, int64_t limit_ms);

/** How many timers are armed and calls deferred. */
size_t fake_loop_pending(const struct loop *l);

/** What loop_wall() says at loop_now() == 0. */
extern int64_t fake_loop_epoch;

/** Delivers a signal to its handlers. */
void fake_loop_signal(struct loop *l, int signo);
