#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

/* A pod's status as the scheduler and the kubelet write it. `pod` is a draft; times are milliseconds since 1970. */

/** PodScheduled False, reason Unschedulable. */
void podstatus_unschedulable(struct json_object *pod, const char *why, int64_t now);

/** On the node, containers waiting with ContainerCreating. */
void podstatus_bound(struct json_object *pod, int64_t now);

/** The container waits, for "ErrImagePull" and the like. */
void podstatus_waiting(struct json_object *pod, const char *reason, const char *message);

void podstatus_running(struct json_object *pod, int64_t started);

struct pod_end {
    const char *phase;      /* "Succeeded" or "Failed" */
    const char *reason;     /* of the pod: "Evicted", "DeadlineExceeded", or NULL */
    const char *message;    /* of the pod, or NULL */
    const char *disruption; /* reason of a DisruptionTarget condition, or NULL */
    int exit_code;
    const char *why; /* of the container: "Completed", "Error", "OOMKilled", "StartError"; NULL: it never was */
    const char *termination_message; /* or NULL */
    int64_t started, finished;       /* started 0: it never ran */
};

void podstatus_ended(struct json_object *pod, const struct pod_end *end);

/** Sets a condition of that type, of a pod or a Job; `reason` and `message` may be NULL. */
void podstatus_condition(struct json_object *object, const char *type, bool value, const char *reason,
                         const char *message, int64_t now);
