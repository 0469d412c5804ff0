#include "worker/verdict.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "k8s/quota.h"
#include "k8s/refusal.h"

/* Exit codes of the runner when it has no report to give (docs/runner.md). */
enum { RUNNER_USAGE = 64, RUNNER_MEMORY = 70, RUNNER_MESSAGE = 73, RUNNER_LOG = 74 };

static void say(struct verdict *v, const char *message)
{
    snprintf(v->message, sizeof(v->message), "%.*s", (int)sizeof(v->message) - 1, message ? message : "");
    v->message[utf8_floor(v->message, strlen(v->message))] = '\0';
}

void verdict_of_reason(enum reason reason, bool hopeless, const char *message, struct verdict *ret)
{
    *ret = (struct verdict){
        .status = STATUS_INFRA_ERROR, .reason = reason, .hopeless = hopeless, .exit_code = -1, .signal = -1};
    say(ret, message);
}

void verdict_add(struct verdict *v, const char *what, const char *why)
{
    char text[sizeof(v->message) + 256];

    snprintf(text, sizeof(text), "%s (%s: %.120s)", v->message, what, why);
    say(v, text);
}

void verdict_of_silence(int64_t run_ms, struct verdict *ret)
{
    *ret = (struct verdict){.status = STATUS_TIMEOUT, .exit_code = -1, .signal = -1};
    snprintf(ret->message, sizeof(ret->message), "had %g s in all and could not be ended in time: its output is lost",
             (double)run_ms / 1000.0);
}

/* --- the runner's word ----------------------------------------------------------------------------------------- */

enum status verdict_of_run(const struct report_run *run)
{
    bool well = run->end == REPORT_EXIT && run->exit_code == 0;

    if (run->oom && !well && (run->end == REPORT_EXIT || run->end == REPORT_SIGNAL))
        return STATUS_OOM;
    switch (run->end) {
    case REPORT_EXIT:
        return well ? STATUS_OK : STATUS_NONZERO_EXIT;
    case REPORT_SIGNAL:
        return STATUS_SIGNAL;
    case REPORT_TIMEOUT:
    case REPORT_CPU_LIMIT:
        return STATUS_TIMEOUT;
    case REPORT_OUTPUT_LIMIT:
        return STATUS_OUTPUT_LIMIT;
    case REPORT_DISK_LIMIT:
        return STATUS_DISK_LIMIT;
    case REPORT_NOT_STARTED:
        return STATUS_INVALID;
    case REPORT_STOPPED:
        break;
    }
    return STATUS_INFRA_ERROR;
}

static void explain(struct verdict *v, const struct report_run *run, const struct request *r)
{
    char text[sizeof(v->message)] = "";

    switch (v->status) {
    case STATUS_TIMEOUT:
        snprintf(text, sizeof(text), "ran for more than timeout_s = %g", (double)r->timeout_ms / 1000.0);
        break;
    case STATUS_OOM:
        snprintf(text, sizeof(text), "ran out of memory = %lld bytes", (long long)r->memory_bytes);
        break;
    case STATUS_OUTPUT_LIMIT:
        snprintf(text, sizeof(text), "wrote too much to one stream (the worker's setting output-limit)");
        break;
    case STATUS_DISK_LIMIT:
        snprintf(text, sizeof(text), "wrote more than disk = %lld bytes", (long long)r->disk_bytes);
        break;
    case STATUS_INVALID:
        snprintf(text, sizeof(text), "%.200s", run->why ? run->why : "the program cannot be started");
        break;
    default:
        break;
    }
    say(v, text);
}

static bool ended_well(const struct report_run *run)
{
    return run->end == REPORT_EXIT && run->exit_code == 0;
}

/* The run that the result speaks of: the compile stage if it failed, the case that was stopped (those behind it never
 * ran), the first case that failed, the run. NULL: all cases ended well. */
static const struct report_run *telling_run(const struct report *report)
{
    if (report->compile && !ended_well(report->compile))
        return report->compile;
    for (size_t i = 0; i < report->case_count; i++)
        if (report->cases[i].verdict == REPORT_FAILED && report->cases[i].run.end == REPORT_STOPPED)
            return &report->cases[i].run;
    for (size_t i = 0; i < report->case_count; i++)
        if (report->cases[i].verdict == REPORT_FAILED)
            return &report->cases[i].run;
    return report->run;
}

static void of_compiler(const struct report_run *run, struct verdict *v)
{
    v->status = STATUS_COMPILE_ERROR;
    if (run->end == REPORT_TIMEOUT)
        say(v, "compiling took longer than the worker's setting compile-timeout");
    else if (run->oom || run->oom_suspected)
        say(v, "compiling ran out of memory");
    else
        say(v, "the code does not compile");
}

/* The runner was told to stop, by a pod that is being taken away. */
static void stopped(const struct pod_state *pod, struct verdict *ret)
{
    verdict_of_ended(pod, ret);
    if (ret->reason == REASON_LOG_LOST || ret->status != STATUS_INFRA_ERROR)
        verdict_of_reason(REASON_DISRUPTED, false, "the pod was stopped while the code ran", ret);
}

static void refused(const struct report *report, struct verdict *ret)
{
    bool plan = report->error_at && strcmp(report->error_at, "plan") == 0;

    verdict_of_reason(plan ? REASON_INTERNAL : REASON_NONE, true, report->error, ret);
    if (!plan)
        ret->status = STATUS_INVALID;
}

void verdict_of_report(const struct report *report, const struct pod_state *pod, const struct request *r,
                       struct verdict *ret)
{
    const struct report_run *run = telling_run(report);

    *ret = (struct verdict){.status = STATUS_OK, .exit_code = -1, .signal = -1};
    if (report->error) {
        refused(report, ret);
        return;
    }
    if (!run) {
        ret->exit_code = 0;
        return;
    }
    if (run->end == REPORT_STOPPED && pod->cause != POD_DISK_LIMIT) {
        stopped(pod, ret);
        return;
    }
    ret->exit_code = run->exit_code;
    ret->signal = run->signal;
    ret->status = run->end == REPORT_STOPPED ? STATUS_DISK_LIMIT : verdict_of_run(run);
    if (ret->status == STATUS_SIGNAL && run->oom_suspected && pod->cause == POD_OOM)
        ret->status = STATUS_OOM;
    if (run == report->compile && ret->status != STATUS_INVALID)
        of_compiler(run, ret);
    else
        explain(ret, run, r);
    /* The table of languages and the image disagree; but what the compile stage has made is the code's own affair. */
    if (ret->status == STATUS_INVALID && !r->argv && !r->image && (!report->compile || run == report->compile)) {
        ret->status = STATUS_INFRA_ERROR;
        ret->reason = REASON_START;
        ret->hopeless = true;
    }
}

bool verdict_needs_pod(const struct report *report)
{
    const struct report_run *run = report->error ? NULL : telling_run(report);

    return run && (run->end == REPORT_STOPPED || run->oom_suspected);
}

/* --- the pod's word -------------------------------------------------------------------------------------------- */

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

/* The container ended, and the runner said nothing that can be believed. */
static void without_report(const struct pod_state *pod, struct verdict *ret)
{
    char text[128];

    switch (pod->exit_code) {
    case REPORT_EXIT_CODE:
    case RUNNER_LOG:
        verdict_of_reason(REASON_LOG_LOST, false, "the runner's report is lost", ret);
        return;
    case RUNNER_USAGE:
    case RUNNER_MESSAGE:
        snprintf(text, sizeof(text), "the runner cannot work here (exit code %d)", pod->exit_code);
        verdict_of_reason(REASON_START, false, text, ret);
        return;
    default:
        snprintf(text, sizeof(text), "the container was killed before the runner could report (exit code %d)",
                 pod->exit_code);
        verdict_of_reason(REASON_DISRUPTED, false, text, ret);
    }
}

void verdict_of_ended(const struct pod_state *pod, struct verdict *ret)
{
    bool memory = pod->cause == POD_OOM || (pod->cause == POD_FINE && pod->exit_code == RUNNER_MEMORY);

    *ret = (struct verdict){.exit_code = -1, .signal = -1};
    if (memory) {
        ret->status = STATUS_OOM;
        say(ret, "ran out of memory");
    } else if (pod->cause == POD_DISK_LIMIT) {
        ret->status = STATUS_DISK_LIMIT;
        say(ret, pod->message ? pod->message : "used too much disk");
    } else if (pod->cause == POD_FINE) {
        without_report(pod, ret);
    } else {
        ours(pod, ret);
    }
}

void verdict_of_unended(const struct pod_state *pod, struct verdict *ret)
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
    if (refusal_is_quota(f)) {
        verdict_of_reason(REASON_QUOTA, quota_never_fits(f->text), text, ret);
    } else if (refusal_is_access(f)) {
        verdict_of_reason(REASON_API, false, text, ret);
        ret->access = true;
    } else if (f->kind == FAULT_REFUSED && f->code != 409) {
        verdict_of_reason(REASON_ADMISSION, true, text, ret);
    } else {
        verdict_of_reason(REASON_API, f->kind == FAULT_TOO_BIG, text, ret);
    }
}
