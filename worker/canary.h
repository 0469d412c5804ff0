#pragma once
#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/kube.h"
#include "k8s/pods.h"
#include "worker/config.h"
#include "worker/finding.h"
#include "worker/probe.h"

/* The bird that goes into the mine first: runs the probes of the setting `canary` in the cluster, all at once, as
 * requests of its own making, and says what was found. Their Jobs are deleted when they have ended; what a dead worker
 * left is deleted by the sweepers of its installation, or goes by its TTL, half a minute after it ended. Their names
 * are its own, so that one that is sent again meets nothing that the one before has left: controllers that lag behind
 * take a new Job for the old one of its name. */

struct canary_settings {
    struct loop *loop;
    struct kube *kube;
    struct pods *pods; /* the shared watch */
    const struct config *config;
    const struct request_limits *limits; /* the presets count, the maxima do not */
    const char *label;                   /* of the watch */
    const char *installation;            /* whose sweepers know the Jobs; NULL: nobody's */
    const char *runner_map;              /* NULL: setting runner-path */
    int64_t timeout_s;                   /* for the timeout probe: a cluster that is slow needs more to print first */
};

enum { CANARY_FINDINGS_MAX = PROBES_MAX + 1 };

struct canary;

/** Runs once, when all probes have ended and their Jobs were deleted; `list` is borrowed for the call. After
 *  canary_stop() what had not ended is missing. The canary may not be freed from here. */
typedef void canary_fn(void *arg, const struct finding *list, size_t count);

/** Begins in the next turn. What `s` points to is borrowed until canary_free(). */
struct canary *canary_start(const struct canary_settings *s, canary_fn *fn, void *arg);

/** Whether this Job is one of its own that is not deleted yet. */
bool canary_holds(const struct canary *c, const char *job);

/** Whether all that reported ran in full isolation, and something did: then no code comes near what the runner prints.
 *  From the callback on. */
bool canary_saw_isolation(const struct canary *c);

/** Ends what still runs, and deletes it: the callback follows, once that is done. */
void canary_stop(struct canary *c);

/** At any time but from the callback; what is under way is dropped as it is. NULL is fine. */
void canary_free(struct canary *c);
DEFINE_CLEANUP(struct canary, canary_free)
