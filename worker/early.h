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
 * To hear it, one has to be attached in the moment between the container's start and shortly after the end of the code,
 * when the runner says it once more, and nothing tells when that is. So it is learned from every report, however it
 * came: it says how long the runner ran and when, by the node's clock, it was done. How far that clock is from ours
 * shows in how soon we knew of an end, at best; mean and deviation of the time from node to start are kept as RFC 6298
 * keeps those of round trips; and how long after the start the container runtime lets anyone attach is what keeps tries
 * that came too early and too late in balance.
 *
 * One try an attempt, so that a request costs one API request more, or none: after two tries in a row that heard
 * nothing the next one is left out, then 3, 7, up to 31 of them. A busy cluster starts its pods whenever it gets round
 * to it, and code that runs for seconds can wait another one. Of tries that are under way together only one counts.
 *
 * What is heard is believed only because the code cannot have said it, which somebody has to vouch for (early_allow).
 */

struct early;
struct early_word; /* one attempt's */

/** Not allowed yet. */
struct early *early_new(struct loop *l, struct kube *k);
void early_free(struct early *e); /* words must be gone; NULL is fine */
DEFINE_CLEANUP(struct early, early_free)

/** `yes`: code in this cluster has no way to the runner's standard output. A missing right on pods/attach is logged
 *  once; for a minute nothing is tried then. */
void early_allow(struct early *e, bool yes);

/** Vouched for, and no right was missing in the last minute. */
bool early_is_allowed(const struct early *e);

/** Whether an attempt that begins now is one to be listened to: its runner is to announce. Each asks once. */
bool early_turn(struct early *e);

/** Runs at most once: `report` is the callee's. Not hearing anything is no event. */
typedef void early_fn(void *arg, struct report *report);

/** The pod has just got its node. `turn`: as early_turn() said; without it the word is only there to learn from. NULL:
 *  not allowed. */
struct early_word *early_listen(struct early *e, bool turn, const char *pod, early_fn *fn, void *arg);

/** The end of the attempt has become known, or nobody wants to know any more: no callback from here on. Again and NULL
 *  are fine; also from early_fn. */
void early_stop(struct early_word *w);

/** What a stopped word was about reported this, heard or not. NULL is fine. */
void early_learn(struct early_word *w, const struct report *report);

void early_forget(struct early_word **w); /* stops it, too; NULL in it is fine; not from early_fn */
