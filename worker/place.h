#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "k8s/kube.h"
#include "worker/attempt.h"
#include "worker/verdict.h"

/* Puts an attempt into the cluster: the Job, then the ConfigMap that it owns. Where the name is taken it finds out
 * by whom: what was made for the same request of the same installation is adopted (our own create whose answer was
 * lost, or the work of a worker that died), anything else is deleted and the name tried again. */

struct place;

/** Runs once: `why` is NULL when Job and ConfigMap stand. May be stopped or begun anew from here. */
typedef void place_fn(void *arg, const struct verdict *why);

struct place {
    struct loop *loop;
    struct kube *kube;
    struct attempt attempt; /* borrowed parts live as long as we work */
    place_fn *fn;
    void *arg;
    struct kube_call *call;
    struct loop_timer *timer;
    enum kube_kind next;    /* what is to be created next */
    int64_t clear_until_ms; /* loop time; 0: nothing stood in the way yet */

    /* What came of it; `name` from the beginning. */
    char name[ATTEMPT_NAME_MAX]; /* of the Job and the ConfigMap; "" before place_begin() */
    char *job_uid;               /* NULL until the Job stands */
    bool found;                  /* the Job was there already */
    bool over;                   /* and has ended, or cannot go on */
    bool adopted;                /* and was another worker's: the shared watch does not see its pod */
    int64_t created_ms;          /* since 1970: when a Job that was found was made; 0: just now */
    int64_t stood_ms;            /* loop time: when our own create of the Job was answered */
};

/** `p` is zeroed or was used before. */
void place_begin(struct place *p, struct loop *l, struct kube *k, const struct attempt *a, place_fn *fn, void *arg);
void place_stop(struct place *p); /* no callback any more; the outcome stays readable */
void place_release(struct place *p);
