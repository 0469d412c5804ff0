#include "worker/run.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum {
    READS_MAX = 4,        /* of a log whose lines are not those that were written */
    READ_AGAIN_MS = 1000, /* between them */
    LATE_BUDGETS = 2,     /* so often a call's budget is given once more to whoever may only be late */
};

static void read_long_report(void *arg);

/* The steps of a run, for whoever follows one in the log. */
static void tell_step(const struct run *r, const char *from, const char *to)
{
    log_debug("step", STR("req", r->s.attempt.request->id), STR("from", from), STR("to", to));
}

static void end(struct run *r, const struct verdict *v)
{
    run_stop(r);
    r->fn(r->arg, v);
}

/* --- read-report ------------------------------------------------------------------------------------------------ */

static void conclude(struct run *r)
{
    struct verdict v;

    early_learn(r->await.word, r->report);
    verdict_of_report(r->report, &r->await.last, r->s.attempt.request, &v);
    end(r, &v);
}

/* With its pod it was deleted, by whomever; otherwise its node or the kubelet does not give it. */
static void lose_report(struct run *r, const struct fault *f)
{
    struct verdict v;

    verdict_of_reason(f->kind == FAULT_GONE ? REASON_DISRUPTED : REASON_LOG_LOST, false, f->text, &v);
    end(r, &v);
}

/* The kubelet's no is none: one that has just started does not know its pods. */
static bool is_final(const struct fault *f)
{
    return f->code == 401 || f->code == 403 || (f->kind == FAULT_GONE && strstr(f->text, "pods \""));
}

static void on_long_report(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct run *r = arg;
    struct fault why = FAULT_INIT;

    r->call = NULL;
    if (f && !is_final(f) && loop_now(r->s.loop) < r->read_until_ms) {
        loop_after(r->s.loop, &r->timer, READ_AGAIN_MS, read_long_report, r);
    } else if (f) {
        lose_report(r, f);
    } else if (report_join(&r->pointer, reply->bytes, reply->len, &r->report, &why) == 0) {
        conclude(r);
    } else if (why.kind == FAULT_TRANSIENT && ++r->reads < READS_MAX) {
        loop_after(r->s.loop, &r->timer, READ_AGAIN_MS, read_long_report, r); /* the log may trail the pod's state */
    } else {
        lose_report(r, &why);
    }
}

static void read_long_report(void *arg)
{
    struct run *r = arg;
    size_t most = (size_t)(r->pointer.bytes + r->pointer.lines); /* each with its line end */

    r->call = kube_log(r->s.kube, r->await.pod, MANIFEST_CONTAINER, most, (int)r->pointer.lines, on_long_report, r);
}

/* What stands in the termination message was written by the runner only if the exit code is the runner's: until
 * then the code can write there what it likes. */
static void read_report(struct run *r)
{
    const struct pod_state *pod = &r->await.last;
    const char *message = pod->termination ? pod->termination : "";
    struct fault f = FAULT_INIT;
    struct verdict v;

    tell_step(r, "await-pod", "read-report");
    if (report_read(message, strlen(message), pod->exit_code, &r->report, &r->pointer, &f) < 0) {
        log_debug("no-report", STR("job", r->place.name), NUM("exit_code", pod->exit_code), STR("why", f.text));
        verdict_of_ended(pod, &v);
        end(r, &v);
    } else if (r->report) {
        conclude(r);
    } else {
        r->read_until_ms = loop_now(r->s.loop) + (1 + LATE_BUDGETS) * r->s.attempt.config->call_budget_ms;
        read_long_report(r);
    }
}

/* --- await-pod -------------------------------------------------------------------------------------------------- */

static void on_awaited(void *arg, const struct verdict *v)
{
    struct run *r = arg;

    if (!v && r->await.early) {
        tell_step(r, "await-pod", "early-word");
        r->report = TAKE(r->await.early);
        conclude(r);
    } else if (!v) {
        read_report(r);
    } else {
        end(r, v);
    }
}

static void await_pod(struct run *r)
{
    const struct attempt *a = &r->s.attempt;
    struct await_settings s = {
        .loop = r->s.loop,
        .kube = r->s.kube,
        .pods = r->s.pods,
        .early = r->s.early,
        .announced = r->s.attempt.announce,
        .job = r->place.name,
        .job_uid = r->place.job_uid,
        .found = r->place.found,
        .over = r->place.over,
        .adopted = r->place.adopted,
        .now_ms = r->s.now_ms + loop_now(r->s.loop) - r->began_ms,
        .created_ms = r->place.created_ms,
        .start_ms = a->config->start_budget_ms,
        .run_ms = attempt_run_ms(a),
        .late_ms = LATE_BUDGETS * a->config->call_budget_ms,
    };

    tell_step(r, "place", "await-pod");
    await_begin(&r->await, &s, on_awaited, r);
}

/* --- place ------------------------------------------------------------------------------------------------------- */

static void on_placed(void *arg, const struct verdict *why)
{
    struct run *r = arg;

    if (r->place.created_ms)
        r->created_ms = r->place.created_ms;
    else if (r->place.job_uid) /* with many requests the write rate makes it wait: that is no time of the pod's */
        r->created_ms = r->s.now_ms + r->place.stood_ms - r->began_ms;
    if (why)
        end(r, why);
    else
        await_pod(r);
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

void run_begin(struct run *r, const struct run_settings *s, run_fn *fn, void *arg)
{
    run_release(r);
    r->s = *s;
    r->s.attempt.announce = s->early && early_turn(s->early);
    r->fn = fn;
    r->arg = arg;
    r->began_ms = loop_now(s->loop);
    place_begin(&r->place, s->loop, s->kube, &r->s.attempt, on_placed, r);
}

void run_stop(struct run *r)
{
    kube_cancel(&r->call);
    loop_cancel(&r->timer);
    place_stop(&r->place);
    await_stop(&r->await);
}

void run_drop_report(struct run *r)
{
    report_free(r->report);
    r->report = NULL;
}

void run_release(struct run *r)
{
    run_stop(r);
    place_release(&r->place);
    await_release(&r->await);
    run_drop_report(r);
    *r = (struct run){0};
}
