#pragma once
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "queue/request.h"
#include "worker/cluster.h"
#include "worker/config.h"

/* Whether the cluster is fit for requests, asked before any is claimed: its pods are in sight, the runner's ConfigMap
 * has to be there, then the canary has to be well. What fails in passing is asked again, after 1 s, doubling to 30 s;
 * what an operator has to mend is the end. It logs what it finds. */

struct readiness_settings {
    struct loop *loop;
    const struct cluster *cluster;
    const struct config *config;
    const struct request_limits *limits;
    const char *label; /* this worker's */
    /** The answer of readiness_is_ready(), _is_busy() or _has_failed() may have changed; may run inside
     *  readiness_begin(), _doubt() and _stop(). */
    void (*on_change)(void *arg);
    void *arg;
};

struct readiness;

/** Everything is borrowed. */
struct readiness *readiness_new(const struct readiness_settings *s);
void readiness_free(struct readiness *r); /* not from on_change; NULL is fine */
DEFINE_CLEANUP(struct readiness, readiness_free)

/** Once Redis is there: `installation` (copied) is what the canary's Jobs are to be known by, if their worker dies. */
void readiness_begin(struct readiness *r, const char *installation);

/** Somebody may have deleted the runner's ConfigMap: it is asked for again, and nothing is ready until it is there. The
 *  canary is not repeated once it was well. */
void readiness_doubt(struct readiness *r);

/** Asks no more, and ends the canary if it is under way: when it is not busy any more, it has left nothing behind. */
void readiness_stop(struct readiness *r);

/** The canary came back, and had run in full isolation (canary_saw_isolation). */
bool readiness_saw_isolation(const struct readiness *r);

/** As canary_holds(), of the one that is in the cluster. */
bool readiness_holds(const struct readiness *r, const char *job);

bool readiness_is_ready(const struct readiness *r);
bool readiness_is_busy(const struct readiness *r);    /* a canary is in the cluster */
bool readiness_has_failed(const struct readiness *r); /* something has to be mended first, the log says what */
