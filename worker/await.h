#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "k8s/kube.h"
#include "k8s/pods.h"
#include "worker/early.h"
#include "worker/verdict.h"

/* Waits for the pod of a Job until its container has ended, its time is up, or it is clear that it will never
 * start. Two clocks: one for the start (scheduling, image pull), one from the container's start, which only runs out
 * when the runner did not end the code in time. The pod is the truth: it is asked once more before either is over, and
 * who may only be late to tell of it (a kubelet without processor time, an API server that has just started) gets some
 * time more. The events are asked only where no pod can tell. Where the runner is heard before the kubelet, that ends
 * it. */

struct await_settings {
    struct loop *loop;
    struct kube *kube;
    struct pods *pods;         /* the shared watch */
    struct early *early;       /* NULL: nobody listens for an early word */
    bool announced;            /* the runner gives one */
    const char *job, *job_uid; /* borrowed while waiting */
    bool found;                /* it was there before: its code may have run for a while */
    bool over;                 /* ... and is over itself */
    bool adopted;              /* the shared watch does not see it: it gets one of its own */
    int64_t created_ms;        /* since 1970: when a Job that was found was made; 0: just now */
    int64_t start_ms;          /* budget for the start */
    int64_t run_ms;            /* for the code; the runner has ten seconds more to report */
    int64_t late_ms;           /* more, once for the start and once for the end, for whoever may only be late to tell */
    int64_t now_ms; /* since 1970, by a clock that is right: what nodes say of their pods is compared with it */
};

/** Runs once. `v` NULL: the pod has ended, `last` says how; or the runner has, and `early` is its report.
 * STATUS_TIMEOUT: it should have, and runs on. May be stopped from here. */
typedef void await_fn(void *arg, const struct verdict *v);

struct await {
    struct await_settings s;
    await_fn *fn;
    void *arg;
    struct pods *own_pods;
    struct pods_follower *follower;
    struct kube_call *call;
    struct early_word *word; /* stays until await_release(): the report teaches it something */
    struct loop_timer *timer;
    bool seen, started;
    bool late;                        /* that time has been given */
    struct verdict why;               /* what the last look at the pod may change */
    int64_t began_ms, start_until_ms; /* loop time */
    int64_t look_ms;                  /* until the next look at the events */
    struct pod_state last;            /* as last seen; its strings are our own copies below */

    /* What is known of the pod; NULL and 0 where nothing is. */
    char *pod, *node, *message, *termination;
    int64_t started_ms, finished_ms; /* since 1970 */
    struct report *early;            /* what was heard */
};

/** `a` is zeroed or was released. */
void await_begin(struct await *a, const struct await_settings *s, await_fn *fn, void *arg);
void await_stop(struct await *a);    /* no callback any more; what is known stays readable */
void await_release(struct await *a); /* not from await_fn */
