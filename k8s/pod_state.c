#include "k8s/pod_state.h"

#include <json-c/json.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "k8s/pod_time.h"

enum { DIED = 128, KILLED = 128 + 9, TERMINATED = 128 + 15, LOST = 255, SIGNAL_LAST = 64 };

/* What the parts of the object say, before it is judged. */
struct view {
    const char *phase, *reason, *message; /* of the pod */
    struct json_object *waiting, *running, *terminated;
    struct json_object *containers;  /* the states of all */
    struct json_object *disruption;  /* condition DisruptionTarget, if True */
    struct json_object *unscheduled; /* condition PodScheduled, if False */
    int64_t deletion_asked_ms;       /* when, 0 if it was not */
};

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static bool is_one_of(const char *text, const char *const list[])
{
    for (; text && *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

/* However it is spelled: what one runtime writes small another one begins with a capital, as strerror() does. */
static bool mentions(const char *text, const char *const phrases[])
{
    for (; text && *phrases; phrases++)
        if (strcasestr(text, *phrases))
            return true;
    return false;
}

static struct json_object *named_status(struct json_object *status, const char *list, const char *name)
{
    struct json_object *all = field_peek(status, list);
    size_t n = json_object_is_type(all, json_type_array) ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(all, i);

        if (is(field_peek_string(one, "name"), name))
            return one;
    }
    return NULL;
}

static struct json_object *condition(struct json_object *status, const char *type, const char *value)
{
    struct json_object *all = field_peek(status, "conditions");
    size_t n = json_object_is_type(all, json_type_array) ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(all, i);

        if (is(field_peek_string(one, "type"), type) && is(field_peek_string(one, "status"), value))
            return one;
    }
    return NULL;
}

static void look(struct json_object *pod, const char *container, struct view *v)
{
    struct json_object *meta = field_peek(pod, "metadata"), *status = field_peek(pod, "status");
    struct json_object *state = field_peek(named_status(status, "containerStatuses", container), "state");
    int64_t deleted = pod_time(field_peek_string(meta, "deletionTimestamp"));

    v->containers = field_peek(status, "containerStatuses");
    v->phase = field_peek_string(status, "phase");
    v->reason = field_peek_string(status, "reason");
    v->message = field_peek_string(status, "message");
    v->terminated = field_peek(state, "terminated");
    v->running = field_peek(state, "running");
    v->waiting = field_peek(state, "waiting");
    v->disruption = condition(status, "DisruptionTarget", "True");
    v->unscheduled = condition(status, "PodScheduled", "False");
    /* The timestamp is when the grace period ends, not when it began. */
    if (deleted)
        v->deletion_asked_ms = deleted - 1000 * field_peek_int(meta, "deletionGracePeriodSeconds", 0);
}

static void read_names(struct json_object *pod, struct pod_state *s)
{
    struct json_object *meta = field_peek(pod, "metadata"), *labels = field_peek(meta, "labels");

    s->name = field_peek_string(meta, "name");
    s->uid = field_peek_string(meta, "uid");
    s->job_uid = field_peek_string(labels, "batch.kubernetes.io/controller-uid");
    if (!s->job_uid) /* the name before 1.27 */
        s->job_uid = field_peek_string(labels, "controller-uid");
    s->node = field_peek_string(field_peek(pod, "spec"), "nodeName");
    if (s->node && !*s->node)
        s->node = NULL;
    s->scheduled = s->node != NULL;
    s->deleting = field_peek_string(meta, "deletionTimestamp") != NULL;
    s->created_ms = pod_time(field_peek_string(meta, "creationTimestamp"));
}

static enum pod_cause evicted(const char *message)
{
    /* What the kubelet's eviction manager writes when the pod itself went over a limit of its own; everything else
     * is the node's shortage. */
    static const char *const own[] = {"exceeded its local ephemeral storage limit", "ephemeral local storage usage",
                                      "Usage of EmptyDir volume", NULL};

    return mentions(message, own) ? POD_DISK_LIMIT : POD_EVICTED;
}

/* What the pod's own reason tells, whatever became of the container; POD_FINE if it tells nothing. */
static enum pod_cause cause_of_reason(const struct view *v)
{
    static const char *const shutdown[] = {"Terminated", "Shutdown", "NodeShutdown", "Preempting", NULL};

    if (is(v->reason, "Evicted"))
        return evicted(v->message);
    if (is(v->reason, "DeadlineExceeded"))
        return POD_DEADLINE;
    if (is(v->reason, "NodeLost"))
        return POD_NODE_LOST;
    if (is_one_of(v->reason, shutdown) && !is(v->phase, "Succeeded"))
        return POD_DISRUPTED;
    return POD_FINE;
}

static enum pod_cause cause_of_disruption(const struct view *v)
{
    const char *reason = field_peek_string(v->disruption, "reason");

    if (is(reason, "DeletionByPodGC"))
        return POD_NODE_LOST;
    if (is(reason, "TerminationByKubelet"))
        return POD_EVICTED;
    return POD_DISRUPTED;
}

static enum pod_cause cause_of_end(const struct view *v, const struct pod_state *s)
{
    static const char *const no_start[] = {"StartError", "ContainerCannotRun", NULL};
    const char *reason = field_peek_string(v->terminated, "reason");
    enum pod_cause cause = cause_of_reason(v);
    bool killed = s->exit_code == KILLED || s->exit_code == TERMINATED;

    if (cause != POD_FINE)
        return cause;
    if (is(reason, "OOMKilled")) /* with exit code 128 under gVisor; with 0 under runc if only a child was killed */
        return POD_OOM;
    if (s->exit_code == 0)
        return POD_FINE; /* it was done before anything happened to the pod */
    if (v->disruption)
        return cause_of_disruption(v);
    if (is(reason, "ContainerStatusUnknown") || (is(reason, "Unknown") && s->exit_code == LOST))
        return s->deleting ? POD_DISRUPTED : POD_NODE_LOST;
    if (is_one_of(reason, no_start) || (!s->started_ms && s->exit_code >= 126 && s->exit_code <= 128))
        return POD_START_ERROR;
    if (killed && v->deletion_asked_ms && s->finished_ms >= v->deletion_asked_ms)
        return POD_DISRUPTED;
    return POD_FINE;
}

static bool start_is_hopeless(const char *message)
{
    static const char *const final[] = {"executable file not found", "exec format error", NULL};
    /* The same words without a program stand for cgroups, sockets and layers that a busy node made or removed late. */
    static const char *const program[] = {"exec: ", "exec \"", "exec /", "execv", "executable", "failed to load", NULL};
    static const char *const missing[] = {"no such file or directory", "permission denied", "is a directory", NULL};

    return mentions(message, final) || (mentions(message, program) && mentions(message, missing));
}

/* A gVisor sandbox that dies, be it of memory, ends with 128. */
static bool was_killed(int exit_code)
{
    return exit_code == DIED || exit_code == KILLED || exit_code == TERMINATED;
}

/*
 * The kubelet tells that a container ended before it tells why it ended it: as long as something of the pod is left to
 * clean up, phase, reason and the condition DisruptionTarget stay as they were [kubernetes pkg/kubelet/status
 * mergePodStatus; seen for three seconds when a node evicted a pod, Kubernetes 1.34], and containerd may tell of an end
 * before it tells that memory ran out. So a container that was killed has not told its story yet. Not where a sidecar
 * runs on, because then the phase stays Running for good.
 */
static bool is_unexplained(const struct view *v, const struct pod_state *s)
{
    size_t n = json_object_is_type(v->containers, json_type_array) ? json_object_array_length(v->containers) : 0;

    if (s->cause != POD_FINE || !was_killed(s->exit_code) || !is(v->phase, "Running"))
        return false;
    while (n-- > 0)
        if (field_peek(field_peek(json_object_array_get_idx(v->containers, n), "state"), "running"))
            return false;
    return true;
}

static void read_terminated(const struct view *v, struct pod_state *s)
{
    struct json_object *t = v->terminated;
    const char *message = field_peek_string(t, "message");
    int64_t code = field_peek_int(t, "exitCode", -1), signal = field_peek_int(t, "signal", 0);

    s->stage = POD_ENDED;
    s->exit_code = code >= 0 && code <= 255 ? (int)code : -1;
    s->started_ms = pod_time(field_peek_string(t, "startedAt"));
    s->finished_ms = pod_time(field_peek_string(t, "finishedAt"));
    if (signal > 0 && signal <= SIGNAL_LAST)
        s->signal = (int)signal;
    else if (s->exit_code > 128 && s->exit_code <= 128 + SIGNAL_LAST)
        s->signal = s->exit_code - 128;
    s->cause = cause_of_end(v, s);
    if (is_unexplained(v, s)) {
        s->stage = POD_STARTED;
        s->cause = POD_DISRUPTED; /* if nobody ever says why */
        s->exit_code = s->signal = -1;
        s->finished_ms = 0;
        return;
    }
    /* Where the runtime lost or never started the container, the message is the runtime's, not the program's. */
    if (s->cause == POD_START_ERROR || is(field_peek_string(t, "reason"), "ContainerStatusUnknown"))
        s->message = message;
    else
        s->termination = message;
    if (s->cause == POD_START_ERROR)
        s->hopeless = start_is_hopeless(message);
    if (!s->message)
        s->message = v->message ? v->message : field_peek_string(v->disruption, "message");
}

/* The pod is over, but our container's end is not in it. */
static void read_failed(const struct view *v, struct json_object *pod, struct pod_state *s)
{
    struct json_object *inits = field_peek(field_peek(pod, "status"), "initContainerStatuses");

    s->stage = POD_ENDED;
    s->cause = cause_of_reason(v);
    s->started_ms = pod_time(field_peek_string(v->running, "startedAt"));
    s->message = v->message;
    if (s->cause != POD_FINE)
        return;
    if (v->disruption) {
        s->cause = cause_of_disruption(v);
        s->message = field_peek_string(v->disruption, "message");
    } else if (v->running || is(v->phase, "Succeeded")) {
        s->cause = POD_NODE_LOST;
    } else {
        s->cause = inits ? POD_START_ERROR : POD_NODE_ADMISSION;
    }
    if (!s->message)
        s->message = v->reason;
}

static bool pull_is_hopeless(const char *reason, const char *message)
{
    static const char *const always[] = {"InvalidImageName", "ErrImageNeverPull", NULL};
    /* A registry that cannot be reached may be reached later, whatever else the message quotes. One that says no to a
     * node may say yes a moment later: a new node has its credentials late. */
    static const char *const network[] = {"dial tcp",           "i/o timeout",
                                          "handshake timeout",  "connection reset",
                                          "no such host",       "deadline exceeded",
                                          "connection refused", "toomanyrequests",
                                          "Too Many Requests",  "unexpected EOF",
                                          "Internal Server",    "Service Unavailable",
                                          "Bad Gateway",        NULL};
    static const char *const final[] = {"manifest unknown",
                                        ": not found",
                                        "repository does not exist",
                                        "no match for platform",
                                        "invalid reference format",
                                        "name unknown",
                                        NULL};

    return is_one_of(reason, always) || (mentions(message, final) && !mentions(message, network));
}

static void read_waiting(const struct view *v, struct pod_state *s)
{
    static const char *const image[] = {
        "ErrImagePull",      "ImagePullBackOff",    "InvalidImageName",          "ErrImageNeverPull",
        "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed", NULL};
    static const char *const start[] = {"CreateContainerError",
                                        "RunContainerError",
                                        "PreCreateHookError",
                                        "PreStartHookError",
                                        "PostStartHookError",
                                        "CrashLoopBackOff",
                                        NULL};
    static const char *const never[] = {"runAsNonRoot", NULL};
    const char *reason = field_peek_string(v->waiting, "reason");

    s->message = field_peek_string(v->waiting, "message");
    if (is_one_of(reason, image)) {
        s->cause = POD_IMAGE_PULL;
        s->hopeless = pull_is_hopeless(reason, s->message);
    } else if (is(reason, "CreateContainerConfigError")) {
        s->cause = POD_MOUNT;
        s->hopeless = mentions(s->message, never);
    } else if (is_one_of(reason, start)) {
        s->cause = POD_START_ERROR;
        s->hopeless = start_is_hopeless(s->message);
    } else if (v->unscheduled && !s->scheduled) {
        s->cause = POD_UNSCHEDULABLE;
        s->message = field_peek_string(v->unscheduled, "message");
    }
    if (!s->message)
        s->message = reason;
}

static void read_running(const struct view *v, struct pod_state *s)
{
    s->stage = POD_STARTED;
    s->started_ms = pod_time(field_peek_string(v->running, "startedAt"));
    s->message = v->message;
}

void pod_state_read(struct json_object *pod, const char *container, struct pod_state *ret)
{
    struct view v = {0};

    *ret = (struct pod_state){.exit_code = -1, .signal = -1};
    look(pod, container, &v);
    read_names(pod, ret);
    if (v.terminated) {
        read_terminated(&v, ret);
        return;
    }
    if (is(v.phase, "Failed") || is(v.phase, "Succeeded") || is(v.reason, "NodeLost")) {
        read_failed(&v, pod, ret);
        return;
    }
    if (v.running)
        read_running(&v, ret);
    else
        read_waiting(&v, ret);
    if (v.disruption || ret->deleting) {
        ret->cause = v.disruption ? cause_of_disruption(&v) : POD_DISRUPTED;
        if (v.disruption)
            ret->message = field_peek_string(v.disruption, "message");
    }
}

const char *pod_cause_name(enum pod_cause c)
{
    static const char *const name[] = {
        [POD_FINE] = "fine",
        [POD_OOM] = "oom",
        [POD_UNSCHEDULABLE] = "unschedulable",
        [POD_IMAGE_PULL] = "image_pull",
        [POD_MOUNT] = "mount",
        [POD_START_ERROR] = "start",
        [POD_EVICTED] = "evicted",
        [POD_DISK_LIMIT] = "disk_limit",
        [POD_DISRUPTED] = "disrupted",
        [POD_NODE_LOST] = "node_lost",
        [POD_DEADLINE] = "deadline",
        [POD_NODE_ADMISSION] = "node_admission",
    };

    return (unsigned)c < COUNT_OF(name) ? name[c] : "unknown";
}
