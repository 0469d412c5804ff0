#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "k8s/kube.h"
#include "k8s/pods.h"

/* A cluster in memory, on the fake loop: linked in place of k8s/kube.c and k8s/pods.c. Every call is answered 10 ms
 * later. A Job whose ConfigMap is there gets a pod, which waits, starts and ends as the test says. */

enum fake_verb { FAKE_CREATE, FAKE_GET, FAKE_LIST, FAKE_DELETE, FAKE_LOG };

/* What the pod of each Job does; the times are milliseconds from the moment before. */
struct fake_run {
    int64_t schedule_ms, start_ms, run_ms; /* -1: never gets there */
    struct pod_state waiting;              /* as it looks before it starts */
    bool assigned;                         /* its node is known while it waits */
    struct pod_state end;                  /* as it looks when it has ended */
    const char *word;   /* members of the run that the runner reports: "\"end\":\"exit\",\"exit_code\":3". NULL: none */
    const char *report; /* the whole report, in place of one with `word`, and ... */
    bool long_report;   /* ... it stands in the log; the termination message says where */
    int log_trails;     /* so many reads of the log come before its last line is there */
    bool vanish;        /* in place of ending, the pod is gone */
    bool unseen;        /* the watch does not tell of the end; exit code 0 for who asks */
    bool no_uid;        /* creates are answered with an object without one */
    const char *log;    /* the stdout that is reported */
    const char *event_reason, *event_message; /* the one event there is, or NULL */
    const char *event_uid;                    /* of what it is about; NULL: of nobody's */
};

struct kube *fake_kube_new(struct loop *l);
struct pods *fake_pods_new(struct kube *k, const char *label); /* the shared watch of that worker */

/** The nodes' clocks go ahead of ours by so much (or behind it). */
void fake_kube_clock(struct kube *k, int64_t ahead_ms);

/** Every call takes so much longer. */
void fake_kube_slow(struct kube *k, int64_t ms);

/** How pods behave from now on; without it their runner reports "42\n" on stdout and exit code 0. */
void fake_kube_run(struct kube *k, const struct fake_run *run);

/** How the pods of requests behave whose id ends in `id`; from now on, too. At most 8 such. */
void fake_kube_run_for(struct kube *k, const char *id, const struct fake_run *run);

/** The next such call ends in this fault; `done`: it takes effect all the same. `times` such calls in all. */
void fake_kube_fault(struct kube *k, enum fake_verb verb, enum kube_kind kind, const struct fault *f, bool done,
                     int times);

/** A Job that another worker, or somebody, made. */
void fake_kube_plant_job(struct kube *k, const char *json, bool deleting);
void fake_kube_plant_configmap(struct kube *k, const char *name, const char *owner_uid);
void fake_kube_plant_json(struct kube *k, enum kube_kind kind, const char *json); /* as it is */

int fake_kube_count(const struct kube *k, enum fake_verb verb, enum kube_kind kind);
int fake_kube_calls(const struct kube *k);      /* all of them */
size_t fake_kube_live(const struct kube *k);    /* calls that have not come back, followers that were not ended */
size_t fake_kube_objects(const struct kube *k); /* Jobs and ConfigMaps that stand */
/** JSON of the last Job or ConfigMap that was created; "" if there was none. */
const char *fake_kube_created(const struct kube *k, enum kube_kind kind);
