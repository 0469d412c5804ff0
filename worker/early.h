#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/kube.h"
#include "worker/report.h"

/* The early word: a short report as the runner announces it on its standard output (docs/runner.md), up to a second
 * before the kubelet, which looks once a second, says that the container has ended.
 *
 * To hear it, one has to be attached in the moment between the container's start and the end of the code, and nothing
 * tells when that is. So it is learned: how long pods took from their node to their runner's start, as the mean and the
 * deviation of those that were heard (RFC 6298 does so with round trips). One try an attempt, so that a request costs
 * one API request more, or none: after two tries in a row that came too early or too late the next one is left out,
 * then 3, 7, up to 31 of them, for a busy cluster starts its pods whenever it gets round to it; and so they are after
 * code that runs for seconds, which can wait another one. After five misses the moment is searched anew. Of tries that
 * are under way together only one counts.
 *
 * What is heard is believed only because the code cannot have said it, which somebody has to vouch for (early_allow).
 */

struct early;
struct early_word; /* one attempt's try */

/** Not allowed yet. */
struct early *early_new(struct loop *l, struct kube *k);
void early_free(struct early *e); /* words must be gone; NULL is fine */
DEFINE_CLEANUP(struct early, early_free)

/** `yes`: code in this cluster has no way to the runner's standard output. A missing right on pods/attach is logged
 * once, and ends it for good. */
void early_allow(struct early *e, bool yes);

/** Whether runners should announce at all. */
bool early_is_allowed(const struct early *e);

/** Runs at most once: `report` is the callee's. Not hearing anything is no event. */
typedef void early_fn(void *arg, struct report *report);

/** The pod has just got its node. NULL: this one is left out. */
struct early_word *early_listen(struct early *e, const char *pod, early_fn *fn, void *arg);
void early_cancel(struct early_word **w); /* NULL in it is fine; also from early_fn */
