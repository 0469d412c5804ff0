#include "check.h"

#include <json-c/json.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "k8s/pod_state.h"
#include "k8s/pod_time.h"
#include "k8s/prune.h"

/* The object around what a row is about. */
#define META        "\"metadata\":{\"name\":\"j-x\",\"uid\":\"u\",\"labels\":{\"batch.kubernetes.io/controller-uid\":\"j\"}"
#define DELETED(at) ",\"deletionTimestamp\":\"" at "\",\"deletionGracePeriodSeconds\":1"
#define NODE        "},\"spec\":{\"nodeName\":\"n1\"},\"status\":"
#define ON_NODE     "{" META NODE
#define NO_NODE     "{" META "},\"spec\":{},\"status\":"
#define CODE(state) "\"containerStatuses\":[{\"name\":\"code\",\"state\":{" state "}}]"
#define WAITING(reason, message) \
    "{\"phase\":\"Pending\"," CODE("\"waiting\":{\"reason\":\"" reason "\",\"message\":\"" message "\"}") "}}"
#define TIMES                     "\"startedAt\":\"2026-11-21T09:15:04Z\",\"finishedAt\":\"2026-11-21T09:15:06Z\""
#define EPOCH                     "\"startedAt\":\"1970-01-01T00:00:00Z\",\"finishedAt\":\"2026-11-21T09:15:06Z\""
#define ENDED(code, reason, rest) CODE("\"terminated\":{\"exitCode\":" code ",\"reason\":\"" reason "\"," rest "}")
#define DISRUPTED(reason)                                                                      \
    ",\"conditions\":[{\"type\":\"DisruptionTarget\",\"status\":\"True\",\"reason\":\"" reason \
    "\",\"message\":\"why\"}]"
#define UNSCHEDULED(reason) \
    "\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"" reason "\",\"message\":\"0/3\"}]"

static const struct row {
    const char *name, *json;
    enum pod_stage stage;
    enum pod_cause cause;
    bool hopeless;
    int exit_code, signal;
    const char *message, *termination;
} rows[] = {
    /* clang-format off */
    {"nothing at all", "{}", POD_WAITING, POD_FINE, false, -1, -1, NULL, NULL},
    {"fields of wrong types", "{\"metadata\":[],\"spec\":1,\"status\":{\"containerStatuses\":{\"name\":\"code\"},\"phase\":7}}",
     POD_WAITING, POD_FINE, false, -1, -1, NULL, NULL},
    {"new", NO_NODE "{\"phase\":\"Pending\"}}", POD_WAITING, POD_FINE, false, -1, -1, NULL, NULL},
    {"container being created", ON_NODE WAITING("ContainerCreating", ""), POD_WAITING, POD_FINE, false, -1, -1, "", NULL},
    {"running", ON_NODE "{\"phase\":\"Running\"," CODE("\"running\":{\"startedAt\":\"2026-11-21T09:15:04Z\"}") "}}",
     POD_STARTED, POD_FINE, false, -1, -1, NULL, NULL},

    {"exit 0", ON_NODE "{\"phase\":\"Succeeded\"," ENDED("0", "Completed", TIMES ",\"message\":\"m\"") "}}",
     POD_ENDED, POD_FINE, false, 0, -1, NULL, "m"},
    {"exit 3", ON_NODE "{\"phase\":\"Failed\"," ENDED("3", "Error", TIMES) "}}", POD_ENDED, POD_FINE, false, 3, -1, NULL, NULL},
    {"killed by SIGSEGV", ON_NODE "{\"phase\":\"Failed\"," ENDED("139", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 139, 11, NULL, NULL},
    {"a signal that the runtime names", ON_NODE "{\"phase\":\"Failed\"," ENDED("0", "Error", "\"signal\":9," TIMES) "}}",
     POD_ENDED, POD_FINE, false, 0, 9, NULL, NULL},
    {"exit 255 is no signal", ON_NODE "{\"phase\":\"Failed\"," ENDED("255", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 255, -1, NULL, NULL},
    {"exit 127 after a start is the program's own", ON_NODE "{\"phase\":\"Failed\"," ENDED("127", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 127, -1, NULL, NULL},

    {"out of memory, runc", ON_NODE "{\"phase\":\"Failed\"," ENDED("137", "OOMKilled", TIMES) "}}",
     POD_ENDED, POD_OOM, false, 137, 9, NULL, NULL},
    {"out of memory, runc, only a child", ON_NODE "{\"phase\":\"Succeeded\"," ENDED("0", "OOMKilled", TIMES ",\"message\":\"r\"") "}}",
     POD_ENDED, POD_OOM, false, 0, -1, NULL, "r"},
    {"out of memory, gVisor", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "OOMKilled", TIMES) "}}",
     POD_ENDED, POD_OOM, false, 128, -1, NULL, NULL},
    {"killed, nobody says why", ON_NODE "{\"phase\":\"Failed\"," ENDED("137", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 137, 9, NULL, NULL},

    {"evicted, memory of the node", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"The node was low on resource: memory.\","
     ENDED("137", "ContainerStatusUnknown", EPOCH) DISRUPTED("TerminationByKubelet") "}}",
     POD_ENDED, POD_EVICTED, false, 137, 9, NULL, NULL},
    {"evicted before a container was there", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"The node had condition: [DiskPressure].\"}}",
     POD_ENDED, POD_EVICTED, false, -1, -1, "The node had condition: [DiskPressure].", NULL},
    {"own disk, container's limit", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"Container code exceeded its local ephemeral storage limit \\\"64Mi\\\". \","
     ENDED("137", "Error", TIMES) "}}", POD_ENDED, POD_DISK_LIMIT, false, 137, 9, NULL, NULL},
    {"own disk, pod's limit", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. \"}}",
     POD_ENDED, POD_DISK_LIMIT, false, -1, -1, NULL, NULL},
    {"own disk, an emptyDir", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"Usage of EmptyDir volume \\\"tmp\\\" exceeds the limit \\\"16Mi\\\". \","
     ENDED("137", "Error", TIMES) "}}", POD_ENDED, POD_DISK_LIMIT, false, 137, 9, NULL, NULL},

    {"killed, why is yet to come", ON_NODE "{\"phase\":\"Running\"," ENDED("137", "Error", TIMES) "}}",
     POD_STARTED, POD_DISRUPTED, false, -1, -1, NULL, NULL},
    {"terminated, why is yet to come", ON_NODE "{\"phase\":\"Running\"," ENDED("143", "Error", TIMES) "}}",
     POD_STARTED, POD_DISRUPTED, false, -1, -1, NULL, NULL},
    {"a gVisor sandbox that died, why is yet to come", ON_NODE "{\"phase\":\"Running\"," ENDED("128", "Error", TIMES) "}}",
     POD_STARTED, POD_DISRUPTED, false, -1, -1, NULL, NULL},
    {"the reason that came", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"Pod was rejected: The node had condition: [PIDPressure]. \"," ENDED("143", "Error", TIMES) "}}",
     POD_ENDED, POD_EVICTED, false, 143, 15, "Pod was rejected: The node had condition: [PIDPressure]. ", NULL},
    {"out of memory needs no more words", ON_NODE "{\"phase\":\"Running\"," ENDED("137", "OOMKilled", TIMES) "}}",
     POD_ENDED, POD_OOM, false, 137, 9, NULL, NULL},
    {"an exit needs no more words", ON_NODE "{\"phase\":\"Running\"," ENDED("3", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 3, -1, NULL, NULL},
    {"killed, and a sidecar runs on", ON_NODE "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"code\",\"state\":{\"terminated\":{\"exitCode\":137," TIMES "}}},{\"name\":\"proxy\",\"state\":{\"running\":{}}}]}}",
     POD_ENDED, POD_FINE, false, 137, 9, NULL, NULL},
    {"preempted", ON_NODE "{\"phase\":\"Failed\"," ENDED("137", "Error", TIMES) DISRUPTED("PreemptionByScheduler") "}}",
     POD_ENDED, POD_DISRUPTED, false, 137, 9, "why", NULL},
    {"drained", ON_NODE "{\"phase\":\"Failed\"," ENDED("143", "Error", TIMES) DISRUPTED("EvictionByEvictionAPI") "}}",
     POD_ENDED, POD_DISRUPTED, false, 143, 15, "why", NULL},
    {"tainted node, still running", ON_NODE "{\"phase\":\"Running\"," CODE("\"running\":{}") DISRUPTED("DeletionByTaintManager") "}}",
     POD_STARTED, POD_DISRUPTED, false, -1, -1, "why", NULL},
    {"pod GC: the node is gone", ON_NODE "{\"phase\":\"Failed\"," CODE("\"running\":{}") DISRUPTED("DeletionByPodGC") "}}",
     POD_ENDED, POD_NODE_LOST, false, -1, -1, "why", NULL},
    {"done before it was disrupted", ON_NODE "{\"phase\":\"Succeeded\"," ENDED("0", "Completed", TIMES) DISRUPTED("EvictionByEvictionAPI") "}}",
     POD_ENDED, POD_FINE, false, 0, -1, "why", NULL},
    {"node shut down", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"Terminated\",\"message\":\"Pod was terminated in response to imminent node shutdown.\","
     ENDED("143", "Error", TIMES) "}}", POD_ENDED, POD_DISRUPTED, false, 143, 15, NULL, NULL},
    {"node shut down, done in time", ON_NODE "{\"phase\":\"Succeeded\",\"reason\":\"Terminated\"," ENDED("0", "Completed", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 0, -1, NULL, NULL},
    {"deleted by hand while it waits", "{" META DELETED("2026-11-21T09:15:06Z") NODE WAITING("ContainerCreating", "c"),
     POD_WAITING, POD_DISRUPTED, false, -1, -1, "c", NULL},
    {"deleted by hand, then killed", "{" META DELETED("2026-11-21T09:15:06Z") NODE "{\"phase\":\"Failed\"," ENDED("143", "Error", TIMES) "}}",
     POD_ENDED, POD_DISRUPTED, false, 143, 15, NULL, NULL},
    {"killed itself, deleted later", "{" META DELETED("2026-11-21T09:15:08Z") NODE "{\"phase\":\"Failed\"," ENDED("137", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 137, 9, NULL, NULL},
    {"killed within its grace period", "{" META ",\"deletionTimestamp\":\"2026-11-21T09:15:35Z\",\"deletionGracePeriodSeconds\":30"
     NODE "{\"phase\":\"Failed\"," ENDED("137", "Error", TIMES) "}}",
     POD_ENDED, POD_DISRUPTED, false, 137, 9, NULL, NULL},
    {"a grace period longer than any clock", "{" META ",\"deletionTimestamp\":\"2026-11-21T09:15:08Z\",\"deletionGracePeriodSeconds\":9223372036854775807"
     NODE "{\"phase\":\"Failed\"," ENDED("137", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 137, 9, NULL, NULL},
    {"failed by itself, then deleted", "{" META DELETED("2026-11-21T09:15:06Z") NODE "{\"phase\":\"Failed\"," ENDED("1", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, 1, -1, NULL, NULL},

    {"node lost, old word for it", ON_NODE "{\"phase\":\"Running\",\"reason\":\"NodeLost\",\"message\":\"Node n1 is lost\"," CODE("\"running\":{}") "}}",
     POD_ENDED, POD_NODE_LOST, false, -1, -1, "Node n1 is lost", NULL},
    {"kubelet lost the container", ON_NODE "{\"phase\":\"Failed\"," ENDED("137", "ContainerStatusUnknown", "\"startedAt\":null,\"finishedAt\":null,\"message\":\"could not be located\"") "}}",
     POD_ENDED, POD_NODE_LOST, false, 137, 9, "could not be located", NULL},
    {"lost while it was deleted", "{" META DELETED("2026-11-21T09:15:06Z") NODE "{\"phase\":\"Failed\"," ENDED("137", "ContainerStatusUnknown", "\"message\":\"could not be located\"") "}}",
     POD_ENDED, POD_DISRUPTED, false, 137, 9, "could not be located", NULL},
    {"runtime lost the container", ON_NODE "{\"phase\":\"Failed\"," ENDED("255", "Unknown", TIMES) "}}",
     POD_ENDED, POD_NODE_LOST, false, 255, -1, NULL, NULL},
    {"over, but its container was last seen running", ON_NODE "{\"phase\":\"Failed\"," CODE("\"running\":{\"startedAt\":\"2026-11-21T09:15:04Z\"}") "}}",
     POD_ENDED, POD_NODE_LOST, false, -1, -1, NULL, NULL},

    {"no such command, runc", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "StartError", EPOCH ",\"message\":\"exec: \\\"x\\\": executable file not found in $PATH\"") "}}",
     POD_ENDED, POD_START_ERROR, true, 128, -1, "exec: \"x\": executable file not found in $PATH", NULL},
    {"no such command, gVisor", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "StartError", EPOCH ",\"message\":\"error finding executable \\\"x\\\" in PATH: no such file or directory\"") "}}",
     POD_ENDED, POD_START_ERROR, true, 128, -1, "error finding executable \"x\" in PATH: no such file or directory", NULL},
    {"no such program, gVisor", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "StartError", EPOCH ",\"message\":\"creating process: failed to load /x: no such file or directory\"") "}}",
     POD_ENDED, POD_START_ERROR, true, 128, -1, "creating process: failed to load /x: no such file or directory", NULL},
    {"no such command, crun", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "StartError", EPOCH ",\"message\":\"executable file `x` not found in $PATH: No such file or directory\"") "}}",
     POD_ENDED, POD_START_ERROR, true, 128, -1, "executable file `x` not found in $PATH: No such file or directory", NULL},
    {"no such command, as strerror() says it", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "StartError", EPOCH ",\"message\":\"execvp /x: No such file or directory\"") "}}",
     POD_ENDED, POD_START_ERROR, true, 128, -1, "execvp /x: No such file or directory", NULL},
    {"other architecture", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "StartError", EPOCH ",\"message\":\"exec format error\"") "}}",
     POD_ENDED, POD_START_ERROR, true, 128, -1, "exec format error", NULL},
    {"start failed in passing", ON_NODE "{\"phase\":\"Failed\"," ENDED("128", "StartError", EPOCH ",\"message\":\"context deadline exceeded\"") "}}",
     POD_ENDED, POD_START_ERROR, false, 128, -1, "context deadline exceeded", NULL},
    {"Docker's word for it", ON_NODE "{\"phase\":\"Failed\"," ENDED("127", "ContainerCannotRun", TIMES) "}}",
     POD_ENDED, POD_START_ERROR, false, 127, -1, NULL, NULL},
    {"126 and never started", ON_NODE "{\"phase\":\"Failed\"," ENDED("126", "Error", EPOCH) "}}",
     POD_ENDED, POD_START_ERROR, false, 126, -1, NULL, NULL},
    {"container cannot be created", ON_NODE WAITING("CreateContainerError", "context deadline exceeded"),
     POD_WAITING, POD_START_ERROR, false, -1, -1, "context deadline exceeded", NULL},
    {"container cannot be run", ON_NODE WAITING("RunContainerError", "exec: \\\"/x\\\": permission denied: unknown"),
     POD_WAITING, POD_START_ERROR, true, -1, -1, "exec: \"/x\": permission denied: unknown", NULL},
    {"a cgroup that is not there yet", ON_NODE WAITING("CreateContainerError", "openat2 /sys/fs/cgroup/kubepods/memory.max: no such file or directory"),
     POD_WAITING, POD_START_ERROR, false, -1, -1, NULL, NULL},
    {"image: a node that is not let in yet", ON_NODE WAITING("ErrImagePull", "unexpected status from HEAD request: 403 Forbidden"),
     POD_WAITING, POD_IMAGE_PULL, false, -1, -1, NULL, NULL},

    {"pod deadline, kept", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"DeadlineExceeded\",\"message\":\"Pod was active on the node longer than the specified deadline\","
     ENDED("137", "Error", TIMES) "}}", POD_ENDED, POD_DEADLINE, false, 137, 9, NULL, NULL},
    {"pod deadline before a container", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"DeadlineExceeded\",\"message\":\"d\"}}",
     POD_ENDED, POD_DEADLINE, false, -1, -1, "d", NULL},

    {"image: network", ON_NODE WAITING("ErrImagePull", "dial tcp: lookup r: no such host"),
     POD_WAITING, POD_IMAGE_PULL, false, -1, -1, "dial tcp: lookup r: no such host", NULL},
    {"image: back-off", ON_NODE WAITING("ImagePullBackOff", "Back-off pulling image"),
     POD_WAITING, POD_IMAGE_PULL, false, -1, -1, "Back-off pulling image", NULL},
    {"image: unknown", ON_NODE WAITING("ErrImagePull", "failed to resolve reference: docker.io/library/x:1: not found"),
     POD_WAITING, POD_IMAGE_PULL, true, -1, -1, NULL, NULL},
    {"image: denied", ON_NODE WAITING("ImagePullBackOff", "pull access denied, repository does not exist"),
     POD_WAITING, POD_IMAGE_PULL, true, -1, -1, NULL, NULL},
    {"image: too many requests", ON_NODE WAITING("ErrImagePull", "429 Too Many Requests - toomanyrequests: x: not found"),
     POD_WAITING, POD_IMAGE_PULL, false, -1, -1, NULL, NULL},
    {"image: wrong architecture", ON_NODE WAITING("ErrImagePull", "no match for platform in manifest"),
     POD_WAITING, POD_IMAGE_PULL, true, -1, -1, NULL, NULL},
    {"image: invalid name", ON_NODE WAITING("InvalidImageName", "bad"), POD_WAITING, POD_IMAGE_PULL, true, -1, -1, "bad", NULL},
    {"image: never pulled", ON_NODE WAITING("ErrImageNeverPull", "n"), POD_WAITING, POD_IMAGE_PULL, true, -1, -1, "n", NULL},
    {"ConfigMap as variables is missing", ON_NODE WAITING("CreateContainerConfigError", "configmap \\\"c\\\" not found"),
     POD_WAITING, POD_MOUNT, false, -1, -1, NULL, NULL},
    {"image wants root", ON_NODE WAITING("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
     POD_WAITING, POD_MOUNT, true, -1, -1, NULL, NULL},

    {"unschedulable", NO_NODE "{\"phase\":\"Pending\"," UNSCHEDULED("Unschedulable") "}}",
     POD_WAITING, POD_UNSCHEDULABLE, false, -1, -1, "0/3", NULL},
    {"gated", NO_NODE "{\"phase\":\"Pending\"," UNSCHEDULED("SchedulingGated") "}}",
     POD_WAITING, POD_UNSCHEDULABLE, false, -1, -1, "0/3", NULL},
    {"no room on the node after all", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"OutOfcpu\",\"message\":\"Node didn't have enough resource: cpu\"}}",
     POD_ENDED, POD_NODE_ADMISSION, false, -1, -1, NULL, NULL},
    {"refused by the node", ON_NODE "{\"phase\":\"Failed\",\"reason\":\"UnexpectedAdmissionError\"}}",
     POD_ENDED, POD_NODE_ADMISSION, false, -1, -1, "UnexpectedAdmissionError", NULL},

    {"a sidecar runs on", ON_NODE "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"istio-proxy\",\"state\":{\"running\":{}}},"
     "{\"name\":\"code\",\"state\":{\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\"," TIMES "}}}]}}",
     POD_ENDED, POD_FINE, false, 0, -1, NULL, NULL},
    {"a sidecar failed", ON_NODE "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"p\",\"state\":{\"terminated\":{\"exitCode\":1}}},"
     "{\"name\":\"code\",\"state\":{\"running\":{}}}]}}", POD_STARTED, POD_FINE, false, -1, -1, NULL, NULL},
    {"an init container failed", ON_NODE "{\"phase\":\"Failed\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{\"terminated\":{\"exitCode\":1}}}],"
     CODE("\"waiting\":{\"reason\":\"PodInitializing\"}") "}}", POD_ENDED, POD_START_ERROR, false, -1, -1, NULL, NULL},
    {"an exit code that is none", ON_NODE "{\"phase\":\"Failed\"," ENDED("99999", "Error", TIMES) "}}",
     POD_ENDED, POD_FINE, false, -1, -1, NULL, NULL},
    /* clang-format on */
};

/* The event that a pod comes in: whole, or as much of it as is kept. */
static struct json_object *event_of(const char *pod, bool pruned)
{
    static const char *const keep[] = {POD_STATE_KEEPS("object"), NULL};
    _cleanup_(buf_release)
    struct buf less = BUF_INIT(8192);
    _cleanup_free_ char *whole = mem_format("{\"object\":%s}", pod);
    const char *text = whole;
    struct json_object *event = NULL;
    struct fault f = FAULT_INIT;

    if (pruned) {
        assert_int_equal(prune(whole, strlen(whole), keep, &less), 0);
        text = buf_str(&less);
    }
    if (field_parse(text, strlen(text), 32, &event, &f) < 0)
        fail_msg("%s: %s", text, f.text);
    return event;
}

static void check_row(const struct row *r, bool pruned)
{
    _cleanup_(field_putp)
    struct json_object *event = event_of(r->json, pruned);
    struct pod_state s;

    pod_state_read(field_peek(event, "object"), "code", &s);
    if (s.stage != r->stage || s.cause != r->cause || s.hopeless != r->hopeless || s.exit_code != r->exit_code ||
        s.signal != r->signal)
        fail_msg("row \"%s\": stage %d, cause %s, hopeless %d, exit code %d, signal %d", r->name, s.stage,
                 pod_cause_name(s.cause), s.hopeless, s.exit_code, s.signal);
    if (r->message && strcmp(r->message, s.message ? s.message : "(none)") != 0)
        fail_msg("row \"%s\": message \"%s\"", r->name, s.message ? s.message : "(none)");
    if (strcmp(r->termination ? r->termination : "(none)", s.termination ? s.termination : "(none)") != 0)
        fail_msg("row \"%s\": termination \"%s\"", r->name, s.termination ? s.termination : "(none)");
}

static void test_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int pruned = 0; pruned < 2; pruned++)
            check_row(&rows[i], pruned);
}

static void test_names_and_times(void **state)
{
    static const char text[] =
        "{\"metadata\":{\"name\":\"j-abc\",\"uid\":\"u-1\",\"creationTimestamp\":\"2026-11-21T09:15:00Z\","
        "\"deletionTimestamp\":\"2026-11-21T09:16:00Z\",\"labels\":{\"controller-uid\":\"old\","
        "\"batch.kubernetes.io/controller-uid\":\"j\"}},\"spec\":{\"nodeName\":\"n1\"},"
        "\"status\":{\"phase\":\"Failed\"," ENDED("1", "Error", TIMES) "}}";

    (void)state;
    for (int pruned = 0; pruned < 2; pruned++) {
        _cleanup_(field_putp)
        struct json_object *event = event_of(text, pruned);
        struct pod_state s;

        pod_state_read(field_peek(event, "object"), "code", &s);
        assert_string_equal(s.name, "j-abc");
        assert_string_equal(s.uid, "u-1");
        assert_string_equal(s.job_uid, "j");
        assert_string_equal(s.node, "n1");
        assert_true(s.scheduled && s.deleting);
        assert_int_equal(s.created_ms, 1795252500000);
        assert_int_equal(s.started_ms, 1795252504000);
        assert_int_equal(s.finished_ms, 1795252506000);
    }
}

/* Kubernetes before 1.27. */
static void test_the_old_label(void **state)
{
    (void)state;
    for (int pruned = 0; pruned < 2; pruned++) {
        _cleanup_(field_putp)
        struct json_object *event = event_of("{\"metadata\":{\"labels\":{\"controller-uid\":\"old\"}}}", pruned);
        struct pod_state s;

        pod_state_read(field_peek(event, "object"), "code", &s);
        assert_string_equal(s.job_uid, "old");
    }
}

static void test_time(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:01Z", 1000},
        {"2000-02-29T12:00:00Z", 951825600000},
        {"2000-03-01T00:00:00Z", 951868800000},
        {"2100-03-01T00:00:00Z", 4107542400000},
        {"2026-11-21T09:15:04Z", 1795252504000},
        {"2026-11-21T09:15:04.5Z", 1795252504500},
        {"2026-11-21T09:15:04.123456789Z", 1795252504123},
        {"2026-11-21T10:15:04+01:00", 1795252504000},
        {"2026-11-21T04:45:04-04:30", 1795252504000},
        {"2026-11-21t09:15:04z", 1795252504000},
        {NULL, 0},
        {"", 0},
        {"2026-11-21", 0},
        {"2026-11-21T09:15:04", 0},
        {"2026-11-21T09:15:04.Z", 0},
        {"2026-13-21T09:15:04Z", 0},
        {"2026-11-21T24:15:04Z", 0},
        {"2026-11-21T09:15:04Zx", 0},
        {"2026-11-21T09:15:04+1:00", 0},
        {" 2026-11-21T09:15:04Z", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++)
        if (pod_time(times[i].text) != times[i].ms)
            fail_msg("%s: %lld", times[i].text ? times[i].text : "NULL", (long long)pod_time(times[i].text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_names_and_times),
        cmocka_unit_test(test_the_old_label),
        cmocka_unit_test(test_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
