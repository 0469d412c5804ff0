#include "devcluster/podstatus.h"

#include <json-c/json.h>
#include <string.h>

#include "base/field.h"
#include "devcluster/tree.h"

static struct json_object *find_condition(struct json_object *list, const char *type)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *c = json_object_array_get_idx(list, i);
        const char *t = field_peek_string(c, "type");

        if (t && strcmp(t, type) == 0)
            return c;
    }
    return NULL;
}

void podstatus_condition(struct json_object *object, const char *type, bool value, const char *reason,
                         const char *message, int64_t now)
{
    struct json_object *list = tree_make_array(object, "status.conditions"), *c = find_condition(list, type);
    const char *status = value ? "True" : "False", *before = c ? field_peek_string(c, "status") : NULL;
    char when[TREE_TIME];

    if (!c) {
        c = tree_new();
        tree_set_string(c, "type", type);
        json_object_array_add(list, c);
    }
    if (!before || strcmp(before, status) != 0) {
        tree_time(now, when);
        tree_set_string(c, "status", status);
        tree_set_string(c, "lastTransitionTime", when);
    }
    json_object_object_del(c, "reason");
    json_object_object_del(c, "message");
    if (reason)
        tree_set_string(c, "reason", reason);
    if (message)
        tree_set_string(c, "message", message);
}

void podstatus_unschedulable(struct json_object *pod, const char *why, int64_t now)
{
    podstatus_condition(pod, "PodScheduled", false, "Unschedulable", why, now);
}

/* The one container's status, with `state` as its state (taken). */
static void set_container(struct json_object *pod, struct json_object *state, bool ready)
{
    struct json_object *spec = json_object_array_get_idx(tree_at(pod, "spec.containers"), 0), *c = tree_new();
    const char *image = field_peek_string(spec, "image");

    tree_set_string(c, "name", field_peek_string(spec, "name"));
    tree_set(c, "state", state);
    tree_set(c, "lastState", tree_new());
    tree_set_bool(c, "ready", ready);
    tree_set_int(c, "restartCount", 0);
    tree_set_string(c, "image", image ? image : "");
    tree_set_string(c, "imageID", "");
    tree_set_bool(c, "started", ready);
    tree_set(tree_make(pod, "status"), "containerStatuses", tree_list(c, NULL));
}

static void set_ready(struct json_object *pod, bool ready, const char *reason, int64_t now)
{
    podstatus_condition(pod, "Ready", ready, ready ? NULL : reason, NULL, now);
    podstatus_condition(pod, "ContainersReady", ready, ready ? NULL : reason, NULL, now);
}

void podstatus_bound(struct json_object *pod, int64_t now)
{
    char when[TREE_TIME];

    tree_time(now, when);
    tree_set_string(tree_at(pod, "spec"), "nodeName", "devcluster");
    tree_set_string(tree_make(pod, "status"), "startTime", when);
    tree_set_string(tree_make(pod, "status"), "hostIP", "127.0.0.1");
    podstatus_condition(pod, "PodScheduled", true, NULL, NULL, now);
    podstatus_condition(pod, "Initialized", true, NULL, NULL, now);
    set_ready(pod, false, "ContainersNotReady", now);
    podstatus_waiting(pod, "ContainerCreating", NULL);
}

void podstatus_waiting(struct json_object *pod, const char *reason, const char *message)
{
    struct json_object *state = tree_new(), *waiting = tree_make(state, "waiting");

    tree_set_string(waiting, "reason", reason);
    if (message)
        tree_set_string(waiting, "message", message);
    set_container(pod, state, false);
}

void podstatus_running(struct json_object *pod, int64_t started)
{
    struct json_object *state = tree_new();
    char when[TREE_TIME];

    tree_time(started, when);
    tree_set_string(tree_make(state, "running"), "startedAt", when);
    tree_set_string(tree_make(pod, "status"), "phase", "Running");
    set_ready(pod, true, NULL, started);
    set_container(pod, state, true);
}

static void set_terminated(struct json_object *pod, const struct pod_end *end)
{
    struct json_object *state = tree_new(), *t = tree_make(state, "terminated");
    const char *uid = tree_string(pod, "metadata.uid");
    char when[TREE_TIME];

    tree_set_int(t, "exitCode", end->exit_code);
    tree_set_string(t, "reason", end->why);
    if (end->termination_message && end->termination_message[0])
        tree_set_string(t, "message", end->termination_message);
    tree_time(end->started, when);
    tree_set_string(t, "startedAt", when);
    tree_time(end->finished, when);
    tree_set_string(t, "finishedAt", when);
    tree_set_string(t, "containerID", uid ? uid : "");
    set_container(pod, state, false);
}

void podstatus_ended(struct json_object *pod, const struct pod_end *end)
{
    struct json_object *status = tree_make(pod, "status");
    bool succeeded = strcmp(end->phase, "Succeeded") == 0;

    tree_set_string(status, "phase", end->phase);
    if (end->reason)
        tree_set_string(status, "reason", end->reason);
    if (end->message)
        tree_set_string(status, "message", end->message);
    if (end->disruption)
        podstatus_condition(pod, "DisruptionTarget", true, end->disruption, end->message, end->finished);
    set_ready(pod, false, succeeded ? "PodCompleted" : "PodFailed", end->finished);
    if (end->why)
        set_terminated(pod, end);
}
