#pragma once
#include <stdint.h>

#include "worker/await.h"
#include "worker/place.h"

/* One attempt in the cluster, from its Job to the word on what became of it:
 *
 *   place -> await-pod -> read-report
 *
 * It leaves Job and ConfigMap standing: whoever began it publishes first and tidies up then. */

struct run_settings {
    struct loop *loop;
    struct kube *kube;
    struct pods *pods;   /* the shared watch */
    struct early *early; /* NULL: the kubelet's word is early enough */
    struct attempt attempt;
    int64_t now_ms; /* since 1970, by a clock that is right */
};

/** Runs once. May be stopped or begun anew from here. */
typedef void run_fn(void *arg, const struct verdict *v);

struct run {
    struct run_settings s;
    run_fn *fn;
    void *arg;
    struct kube_call *call;
    struct loop_timer *timer;
    int64_t began_ms;      /* loop time */
    int reads;             /* of the log, so far */
    int64_t read_until_ms; /* loop time: until then it is asked for again */
    struct report_pointer pointer;

    /* What came of it. */
    struct place place;
    struct await await;
    struct report *report; /* NULL: there is none */
    int64_t created_ms;    /* since 1970: when the Job was made; 0: never */
};

/** `r` is zeroed or was used before. */
void run_begin(struct run *r, const struct run_settings *s, run_fn *fn, void *arg);
void run_stop(struct run *r);        /* no callback any more; the outcome stays readable */
void run_drop_report(struct run *r); /* nobody will read it again */
void run_release(struct run *r);
