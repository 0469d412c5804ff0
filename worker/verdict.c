#include "worker/verdict.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "k8s/kube.h"

/* Pod times are whole seconds, so a run that was in time may seem one longer. */
enum { CLOCK_GRAIN_MS = 2000 };

void verdict_of_reason(enum reason reason, bool hopeless, const char *message, struct verdict *ret)
{
    *ret = (struct verdict){
        .status = STATUS_INFRA_ERROR, .reason = reason, .hopeless = hopeless, .exit_code = -1, .signal = -1};
    snprintf(ret->message, sizeof(ret->message), "%s", message ? message : "");
}

void verdict_of_timeout(int64_t timeout_ms, struct verdict *ret)
{
    *ret = (struct verdict){.status = STATUS_TIMEOUT, .has_log = true, .exit_code = -1, .signal = -1};
    snprintf(ret->message, sizeof(ret->message), "ran for more than timeout_s = %g", (double)timeout_ms / 1000.0);
}

static void exited(const struct pod_state *pod, struct verdict *ret)
{
    ret->has_log = true;
    ret->exit_code = pod->exit_code;
    ret->signal = pod->signal;
    ret->status = pod->signal > 0 ? STATUS_SIGNAL : pod->exit_code == 0 ? STATUS_OK : STATUS_NONZERO_EXIT;
}

static bool was_late(const struct pod_state *pod, int64_t timeout_ms)
{
    return pod->started_ms > 0 && pod->finished_ms - pod->started_ms >= timeout_ms + CLOCK_GRAIN_MS;
}

/* clang-format off */
static const enum reason of_cause[] = {
    [POD_FINE]           = REASON_START,
    [POD_OOM]            = REASON_NONE,
    [POD_UNSCHEDULABLE]  = REASON_UNSCHEDULABLE,
    [POD_IMAGE_PULL]     = REASON_IMAGE_PULL,
    [POD_MOUNT]          = REASON_MOUNT,
    [POD_START_ERROR]    = REASON_START,
    [POD_EVICTED]        = REASON_EVICTED,
    [POD_DISK_LIMIT]     = REASON_NONE,
    [POD_DISRUPTED]      = REASON_DISRUPTED,
    [POD_NODE_LOST]      = REASON_NODE_LOST,
    [POD_DEADLINE]       = REASON_DEADLINE,
    [POD_NODE_ADMISSION] = REASON_UNSCHEDULABLE,
};
/* clang-format on */

static void ours(const struct pod_state *pod, struct verdict *ret)
{
    bool known = (unsigned)pod->cause < COUNT_OF(of_cause);

    verdict_of_reason(known ? of_cause[pod->cause] : REASON_INTERNAL, pod->hopeless,
                      pod->message ? pod->message : pod_cause_name(pod->cause), ret);
}

void verdict_of_ended(const struct pod_state *pod, int64_t timeout_ms, struct verdict *ret)
{
    *ret = (struct verdict){.exit_code = -1, .signal = -1};
    switch (pod->cause) {
    case POD_FINE:
        exited(pod, ret);
        if (was_late(pod, timeout_ms))
            verdict_of_timeout(timeout_ms, ret);
        return;
    case POD_OOM:
        exited(pod, ret);
        ret->status = STATUS_OOM;
        snprintf(ret->message, sizeof(ret->message), "ran out of memory");
        return;
    case POD_DISK_LIMIT:
        ret->status = STATUS_DISK_LIMIT;
        snprintf(ret->message, sizeof(ret->message), "%s", pod->message ? pod->message : "used too much disk");
        return;
    case POD_DEADLINE:
        if (pod->started_ms > 0)
            verdict_of_timeout(timeout_ms, ret);
        else
            ours(pod, ret);
        return;
    default:
        ours(pod, ret);
    }
}

void verdict_of_waiting(const struct pod_state *pod, struct verdict *ret)
{
    if (!pod)
        verdict_of_reason(REASON_START, false, "the Job never got a pod: is the Job controller running?", ret);
    else if (pod->cause == POD_FINE)
        verdict_of_reason(pod->scheduled ? REASON_START : REASON_UNSCHEDULABLE, false,
                          "the container did not start within start-budget", ret);
    else
        ours(pod, ret);
}

void verdict_of_fault(const struct fault *f, const char *doing, struct verdict *ret)
{
    char text[256];

    snprintf(text, sizeof(text), "%s: %.200s", doing, f->text);
    if (kube_is_quota(f))
        verdict_of_reason(REASON_QUOTA, false, text, ret);
    else if (f->kind == FAULT_REFUSED && f->code != 401 && f->code != 409)
        verdict_of_reason(REASON_ADMISSION, true, text, ret);
    else if (f->kind == FAULT_TOO_BIG)
        verdict_of_reason(REASON_API, true, text, ret);
    else
        verdict_of_reason(REASON_API, false, text, ret);
}
