#pragma once
#include <json-c/json_types.h>
#include <sys/queue.h>

#include "fake_kube.h"

/* What the files of the cluster in memory share: fake_kube, fake_objects, fake_run and fake_pods. For them alone. */

/* One that stands: a Job, with its one pod, or a ConfigMap. */
struct object {
    struct kube *kube;
    enum kube_kind kind;
    struct json_object *json;
    struct loop_timer *timer; /* of a Job: the next thing its pod does; of a deleted one: its end */
    enum { NO_POD, WAITS, RUNS, ENDED } pod;
    int64_t created_ms, started_ms, finished_ms;
    TAILQ_ENTRY(object) entry;
};

/* Calls that end in a fault: fake_kube_fault(). */
struct order {
    enum fake_verb verb;
    enum kube_kind kind;
    struct fault fault;
    bool done;
    int times;
};

/* What the runner says of a run: in the log, and in the pod's status. */
struct script {
    char *id; /* end of the ids that it is for; NULL: all others */
    struct fake_run run;
    char *log, *message;
    int log_reads;
};

struct kube {
    int64_t slow_ms;
    struct loop *loop;
    struct script script[9]; /* the first one is everybody's */
    size_t scripts;
    int64_t clock_ahead_ms;
    struct order order[8];
    size_t orders;
    int count[FAKE_LOG + 1][KUBE_EVENT + 1], calls, uids;
    char *created[KUBE_EVENT + 1]; /* the last of each kind */
    TAILQ_HEAD(, object) objects;
    TAILQ_HEAD(, kube_call) live;
    TAILQ_HEAD(, pods_follower) followers;
};

/* --- fake_objects ---------------------------------------------------------------------------------------------- */

struct json_object *fake_object_meta(struct json_object *json); /* borrowed */
const char *fake_object_meta_string(struct object *o, const char *name);
struct object *fake_object_find(struct kube *k, enum kube_kind kind, const char *name); /* NULL: there is none */
void fake_object_free(struct object *o);
void fake_object_remove_job(struct kube *k, struct object *job); /* and the ConfigMap that it owns */

/* --- fake_run -------------------------------------------------------------------------------------------------- */

/** How the pod of a Job behaves; `job` NULL: as most do. */
struct script *fake_run_script(struct kube *k, struct object *job);

/* --- fake_pods ------------------------------------------------------------------------------------------------- */

/** The pod of the Job of this name comes, if its ConfigMap is there too. Otherwise nothing happens. */
void fake_pods_begin(struct kube *k, const char *name);
size_t fake_pods_followers(const struct kube *k); /* that were not ended */
