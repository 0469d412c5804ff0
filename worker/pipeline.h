#pragma once
#include <stdbool.h>

#include "base/loop.h"
#include "k8s/kube.h"
#include "k8s/pods.h"
#include "queue/queue.h"
#include "queue/request.h"
#include "queue/result.h"
#include "worker/config.h"

/* The life of one claimed request: from the bytes that were popped to the published result and a tidy cluster. */

struct pipeline;

/* What all pipelines of a worker share; borrowed. */
struct pipeline_context {
    struct loop *loop;
    const struct config *config;
    const struct request_limits *limits;
    struct queue *queue;
    struct kube *kube;
    struct pods *pods; /* the shared watch: pods whose LABEL_WORKER is `label` */
    const char *label;
    struct early *early;    /* NULL: nobody listens for the runner's early word */
    const char *runner_map; /* ConfigMap with the runner; NULL: it is in the image */
    /** The cluster is short of something or out of reach: time to claim less. */
    void (*on_trouble)(void *arg, enum reason reason);
    void *arg;
};

/** Runs once, deferred: nothing of the pipeline is under way any more and the claim is answered for. */
typedef void pipeline_done_fn(void *arg, struct pipeline *p);

/** Takes the claim over. Freed with pipeline_free() after on_done. */
struct pipeline *pipeline_start(const struct pipeline_context *x, struct queue_claim *claim, pipeline_done_fn *on_done,
                                void *arg);

/** We are leaving: gives the request back uncharged, its Job stays for the next worker to adopt. What is being
 *  published or tidied up ends by itself. */
void pipeline_hand_back(struct pipeline *p);

/** The claim was lost: forgets everything, touches nothing. */
void pipeline_forget(struct pipeline *p);

/** At any time; whatever is under way is dropped as it is. */
void pipeline_free(struct pipeline *p);

const char *pipeline_token(const struct pipeline *p);
const char *pipeline_job(const struct pipeline *p); /* "" if it has none yet */
bool pipeline_is_alone(const struct pipeline *p);   /* from quarantine: nothing else may run beside it */
