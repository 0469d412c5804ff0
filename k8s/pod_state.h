#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

/* What a Pod object says about our container: JSON -> struct, pure. The pod is the truth: a Job's own status comes
 * later and says less. */

enum pod_stage {
    POD_WAITING, /* no container has started */
    POD_STARTED, /* the container runs, or was killed a moment ago and the kubelet has yet to say why */
    POD_ENDED,   /* the container has ended, or never will start */
};

enum pod_cause {
    POD_FINE,           /* waiting, started: nothing to report; ENDED: the program exited by itself */
    POD_OOM,            /* ended: out of memory */
    POD_UNSCHEDULABLE,  /* waiting: no node takes it */
    POD_IMAGE_PULL,     /* waiting: the image does not come; `hopeless` if it never will (InvalidImageName ...) */
    POD_MOUNT,          /* waiting: CreateContainerConfigError */
    POD_START_ERROR,    /* the container could not be started: no such command, wrong architecture */
    POD_EVICTED,        /* ended: the node was short of something */
    POD_DISK_LIMIT,     /* ended: evicted for the container's own use of disk */
    POD_DISRUPTED,      /* ended, killed or being deleted: preemption, drain, taint, deleted by hand */
    POD_NODE_LOST,      /* ended: the kubelet or the node is gone */
    POD_DEADLINE,       /* ended: activeDeadlineSeconds */
    POD_NODE_ADMISSION, /* ended: the node refused it, no container was created */
};

struct pod_state {
    enum pod_stage stage;
    enum pod_cause cause;
    bool hopeless;         /* neither waiting longer nor another try can help */
    bool deleting;         /* has a deletionTimestamp */
    bool scheduled;        /* has a node */
    int exit_code, signal; /* of the ended container; -1 if there is none. 128 + n without a signal means signal n */
    int64_t created_ms, started_ms, finished_ms; /* since 1970, whole seconds; 0 if unknown */
    /* Borrowed from the object; NULL if absent. */
    const char *name, *uid, *node;
    const char *job_uid; /* whose pod it is: a Job that is made anew has the name of the one before, whose pod may still
                            be there */
    const char *message; /* why, in the cluster's words */
    const char *termination; /* the container's termination message */
};

/* The members that are read of a `pod`, as in k8s/prune.h: one of its nine KiB. */
/* clang-format off */
#define POD_STATE_KEEPS(pod)                                                                                          \
    pod ".metadata.name", pod ".metadata.uid", pod ".metadata.creationTimestamp", pod ".metadata.deletionTimestamp",  \
    pod ".metadata.deletionGracePeriodSeconds", pod ".metadata.labels.batch.kubernetes.io/controller-uid",            \
    pod ".metadata.labels.controller-uid", pod ".spec.nodeName", pod ".status.phase", pod ".status.reason",           \
    pod ".status.message", pod ".status.conditions.type", pod ".status.conditions.status",                            \
    pod ".status.conditions.reason", pod ".status.conditions.message", pod ".status.containerStatuses.name",          \
    pod ".status.containerStatuses.state", pod ".status.initContainerStatuses.name"
/* clang-format on */

/** `container` is the one that counts; what a sidecar does is left out of account. Never fails: what is missing or
 *  of a wrong type reads as not known. */
void pod_state_read(struct json_object *pod, const char *container, struct pod_state *ret);

const char *pod_cause_name(enum pod_cause c);
