#pragma once
#include "base/cleanup.h"
#include "base/loop.h"
#include "worker/config.h"
#include "worker/finding.h"

/* What the doctor looks at in Redis: its version and settings, its clock, and whether a worker gets a lease. */

enum { DOCTOR_REDIS_MAX = 8 };

struct doctor_redis;

/** Runs once, within `call-budget`; `list` is borrowed for the call. Not to be freed from here. */
typedef void doctor_redis_fn(void *arg, const struct finding *list, size_t count);

/** `name` is the worker's. */
struct doctor_redis *doctor_redis_start(struct loop *l, const struct config *c, const char *name, doctor_redis_fn *fn,
                                        void *arg, struct fault *f);
void doctor_redis_free(struct doctor_redis *d); /* NULL is fine */
DEFINE_CLEANUP(struct doctor_redis, doctor_redis_free)

/** What INFO says, and how long it took: pure. Appends to `list` and returns how many. */
size_t doctor_redis_judge_info(const char *info, int64_t took_ms, struct finding *list);

/** Redis' clock against ours, `ahead_ms` known to within `unsure_ms`: pure. */
void doctor_redis_judge_clock(int64_t ahead_ms, int64_t unsure_ms, struct finding *ret);
