#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "devcluster/faults.h"
#include "devcluster/follow.h"

/* The life of one pod on the node, in the order it happens:
 *
 *     queued -> mounting -> starting -> running -> dead            (and from there removed, when it is deleted)
 *     queued: no place yet; mounting: waits for a ConfigMap, or for ever where a fault has been ordered
 *     lost: its node is said to be gone, nothing more is heard of it
 *
 * The pod outlives its object if that is removed while processes run. */

struct call;
struct cluster;
struct kubelet;
struct object;
struct podlog;
struct sandbox;
struct sandbox_end;
struct sandbox_plan;

enum pod_step { POD_QUEUED, POD_MOUNTING, POD_STARTING, POD_RUNNING, POD_DEAD, POD_LOST };

/* What ended it, if it was not its own doing. */
enum pod_cause { CAUSE_NONE, CAUSE_DEADLINE, CAUSE_EVICTED, CAUSE_DISRUPTED, CAUSE_OOM, CAUSE_DELETED };

struct pod {
    struct kubelet *kubelet;
    struct cluster *cluster;
    struct object *object; /* NULL once it is removed */
    enum pod_step step;
    enum pod_cause cause;
    struct fault_hit fault;
    int place;       /* on the node; -1: none */
    char *dir;       /* its folder; made when it starts to mount */
    bool told;       /* that it has to wait: once is enough */
    int64_t started; /* wall clock; 0: not yet */
    struct sandbox *sandbox;
    struct podlog *log;
    struct followers followers;
    struct loop_timer *deadline, *grace, *trouble, *end;
    TAILQ_ENTRY(pod) entry; /* in one of the kubelet's lists */
};

struct pod *pod_new(struct kubelet *k, struct cluster *c, struct object *o);
/** Kills what runs, removes the folder. */
void pod_free(struct pod *pod);

/** It has a place: binds it and goes on as far as possible. */
void pod_begin(struct pod *pod, int place);

/** There is no place; says so in its status, once. */
void pod_wait(struct pod *pod, const char *why);

/** A ConfigMap has appeared. */
void pod_retry_mounts(struct pod *pod);

/** It has been marked for deletion. */
void pod_delete(struct pod *pod, int64_t grace_s);

/** Its object has been removed. */
void pod_orphan(struct pod *pod);

/** Its folder with the volumes, and the files for the log and the termination message (pod_files.c): what is outside
 *  of the sandbox. Faults as those of volumes_make(). */
int pod_make_volumes(struct pod *pod, struct sandbox_plan *plan, struct fault *f);
int pod_make_files(struct pod *pod, struct sandbox_plan *plan, struct fault *f);

/** Answers a request for its log (pod_log.c). */
void pod_send_log(struct pod *pod, struct call *call);

/** Answers a request to attach to its container: from now on what it prints (pod_log.c). */
void pod_attach(struct pod *pod, struct call *call);

/** Writes its final status (pod_end.c). `how` NULL: no container ever was. */
void pod_write_end(struct pod *pod, const struct sandbox_end *how);

/* What the pod tells its kubelet. */

/** The place is free again. */
void kubelet_leave(struct kubelet *k, struct pod *pod);
/** Neither object nor processes are left: the kubelet frees it, in a later turn. */
void kubelet_forget(struct kubelet *k, struct pod *pod);
/** A process has been started. */
void kubelet_count_start(struct kubelet *k);
/** The host user of a place, -1 for the present one; and the folders. */
int64_t kubelet_user(const struct kubelet *k, int place);
const char *kubelet_dir(const struct kubelet *k);
const char *kubelet_etc(const struct kubelet *k);
