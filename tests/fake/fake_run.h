#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "k8s/kube.h"
#include "k8s/pod_state.h"

/* What the pods of the cluster in memory (fake_kube.h) do once their Jobs and ConfigMaps are there, and what the runner
 * in them reports. */

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
    bool vanish;        /* in place of ending, the pod is gone; and for who asks before it runs */
    bool taken;         /* who asks is told that it is being deleted */
    bool blind;         /* the watch tells nothing at all */
    bool unseen;        /* the watch does not tell of the end; exit code 0 for who asks */
    bool no_uid;        /* creates are answered with an object without one */
    const char *log;    /* the stdout that is reported */
    const char *event_reason, *event_message; /* the one event there is, or NULL */
    const char *event_uid;                    /* of what it is about; NULL: of nobody's */
};

/** How pods behave from now on; without it their runner reports "42\n" on stdout and exit code 0. */
void fake_kube_run(struct kube *k, const struct fake_run *run);

/** How the pods of requests behave whose id ends in `id`; from now on, too. At most 8 such. */
void fake_kube_run_for(struct kube *k, const char *id, const struct fake_run *run);
