#include "worker/await.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "k8s/manifest.h"

enum {
    EVENTS_FIRST_MS = 5000,  /* without any pod for so long, the Job's events are asked; then after twice that */
    OVERTIME_MS = 10000,     /* for the runner, over the code's time: to start, to kill, to collect files */
    KUBELET_LATE_MS = 60000, /* for the kubelet to tell: 8 s were seen on a busy node (docs/failure-modes.md) */
};

static void on_patience(void *arg);
static void on_timeout(void *arg);

static void report(struct await *a, const struct verdict *v)
{
    await_stop(a);
    a->fn(a->arg, v);
}

static void set_string(char **at, const char *value)
{
    char *copy = mem_string(value);

    free(*at);
    *at = copy;
}

static void remember(struct await *a, const struct pod_state *state)
{
    set_string(&a->pod, state->name);
    set_string(&a->node, state->node);
    set_string(&a->message, state->message);
    set_string(&a->termination, state->termination);
    if (state->started_ms)
        a->started_ms = state->started_ms;
    if (state->finished_ms)
        a->finished_ms = state->finished_ms;
    a->last = *state;
    a->last.name = a->pod;
    a->last.node = a->node;
    a->last.message = a->message;
    a->last.termination = a->termination;
    a->last.uid = a->last.job_uid = NULL;
    a->seen = true;
}

/* The clock of the run. A pod of our own was seen to start; one that was found may have run for a while. */
static void start_clock(struct await *a)
{
    int64_t now = a->s.now_ms + loop_now(a->s.loop) - a->began_ms;
    int64_t ran = a->s.found && a->started_ms ? now - a->started_ms : 0, may = a->s.run_ms + OVERTIME_MS;

    a->started = true;
    kube_cancel(&a->call);
    if (ran < 0)
        ran = 0;
    loop_after(a->s.loop, &a->timer, may > ran ? may - ran : 0, on_timeout, a);
}

/* The node's clock has no say in it. */
static void on_early(void *arg, struct report *early)
{
    struct await *a = arg;

    if (verdict_needs_pod(early)) {
        report_free(early);
        return;
    }
    a->early = early;
    a->finished_ms = a->s.now_ms + loop_now(a->s.loop) - a->began_ms;
    a->started_ms = a->finished_ms - early->wall_ms;
    report(a, NULL);
}

/* A pod that was found may be long past that. */
static void listen(struct await *a)
{
    if (!a->word && a->s.early && !a->s.found)
        a->word = early_listen(a->s.early, a->s.announced, a->pod, on_early, a);
}

static void on_pod(void *arg, const struct pod_state *state)
{
    struct await *a = arg;
    struct verdict v;

    if (!state) {
        verdict_of_reason(REASON_DISRUPTED, false, "the pod vanished", &v);
        report(a, &v);
        return;
    }
    remember(a, state);
    switch (state->stage) {
    case POD_WAITING:
        if (state->hopeless) {
            verdict_of_waiting(state, &v);
            report(a, &v);
        } else if (state->scheduled) {
            listen(a);
        }
        break;
    case POD_STARTED:
        if (!a->started)
            start_clock(a);
        break;
    case POD_ENDED:
        report(a, NULL);
        break;
    }
}

/* --- it had its time ------------------------------------------------------------------------------------------- */

/* Whether its node is still there shows when that is asked for something. If it is, its kubelet may be behind: with
 * every processor busy it tells of an end long after it was. */
static void on_sign_of_life(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct await *a = arg;
    struct verdict v;

    (void)reply;
    a->call = NULL;
    if (!f && !a->late) {
        a->late = true;
        loop_after(a->s.loop, &a->timer, KUBELET_LATE_MS, on_timeout, a);
        return;
    }
    if (f && fault_is_passing(f))
        verdict_of_reason(REASON_NODE_LOST, false, f->text, &v);
    else if (f)
        verdict_of_reason(REASON_LOG_LOST, false, f->text, &v);
    else
        verdict_of_silence(a->s.run_ms, &v); /* deleting the Job stops it */
    report(a, &v);
}

static void on_late(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct await *a = arg;
    struct json_object *items, *pod;
    struct pod_state state;
    struct verdict v;

    a->call = NULL;
    if (f) {
        verdict_of_fault(f, "look at a pod whose time is over", &v);
        report(a, &v);
        return;
    }
    items = field_peek(reply->object, "items");
    pod = json_object_is_type(items, json_type_array) ? json_object_array_get_idx(items, 0) : NULL;
    if (!pod) {
        on_pod(a, NULL);
        return;
    }
    pod_state_read(pod, MANIFEST_CONTAINER, &state);
    state.name = a->pod;
    if (state.stage == POD_ENDED) {
        on_pod(a, &state);
        return;
    }
    a->call = kube_log(a->s.kube, a->pod, MANIFEST_CONTAINER, 1, 1, on_sign_of_life, a);
}

/* The watch may be broken, and we may have been stopped ourselves: nobody is called late on hearsay. */
static void on_timeout(void *arg)
{
    struct await *a = arg;
    char fields[300]; /* a name has 253 characters at most */

    snprintf(fields, sizeof(fields), "metadata.name=%s", a->pod);
    a->call = kube_list(a->s.kube, KUBE_POD, NULL, fields, on_late, a); /* a get would need a right of its own */
}

/* --- no pod, or no container: the events say why ------------------------------------------------------------- */

/* A Job that is made anew has the name of the one before, whose events stay for an hour. */
static bool is_about(struct json_object *event, const char *uid)
{
    const char *whose = field_peek_string(field_peek(event, "involvedObject"), "uid");

    return !uid || !whose || strcmp(whose, uid) == 0;
}

/*
 * Did the API server say no to the pod, or did it only not get round to it? The Job controller goes on trying, so a
 * conflict on a busy ResourceQuota ("the object has been modified", seen on Kubernetes 1.35) or a timeout cures itself.
 * Refusals by Pod Security, quotas, limits, webhooks and missing RuntimeClasses or accounts are all worded like this.
 */
static bool is_refusal(const char *message)
{
    return strstr(message, " is forbidden") || strstr(message, "denied the request") || strstr(message, " is invalid");
}

/* What the events tell of a Job without a pod or a pod without a container; `ret_final` if waiting would change
 * nothing. */
static bool explain(struct json_object *events, const char *uid, struct verdict *ret, bool *ret_final)
{
    struct json_object *items = field_peek(events, "items");
    size_t n = json_object_is_type(items, json_type_array) ? json_object_array_length(items) : 0;
    bool found = false;

    *ret_final = false;
    while (n-- > 0) {
        struct json_object *event = json_object_array_get_idx(items, n);
        const char *reason = field_peek_string(event, "reason"), *message = field_peek_string(event, "message");
        struct fault f = {.kind = FAULT_REFUSED, .code = 403};

        if (!reason || !is_about(event, uid))
            continue;
        snprintf(f.text, sizeof(f.text), "%s", message ? message : "");
        if (strcmp(reason, "FailedMount") == 0 || strcmp(reason, "FailedAttachVolume") == 0) {
            verdict_of_reason(REASON_MOUNT, false, f.text, ret);
            return true;
        }
        if (strcmp(reason, "FailedCreate") != 0)
            continue;
        if (is_refusal(f.text)) {
            verdict_of_fault(&f, "the Job gets no pod", ret);
            *ret_final = true;
            return true;
        }
        verdict_of_reason(REASON_START, false, f.text, ret);
        found = true;
    }
    return found;
}

static void wait_on(struct await *a)
{
    int64_t left = a->start_until_ms - loop_now(a->s.loop);

    loop_after(a->s.loop, &a->timer, left < a->look_ms ? left : a->look_ms, on_patience, a);
    a->look_ms *= 2;
}

static void on_events(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct await *a = arg;
    bool over = loop_now(a->s.loop) >= a->start_until_ms, final;
    struct verdict v;

    a->call = NULL;
    if (!f && explain(reply->object, a->seen ? NULL : a->s.job_uid, &v, &final) && (over || final)) {
        report(a, &v); /* a mount may still come right, a pod that was refused will not */
    } else if (over) {
        verdict_of_waiting(a->seen ? &a->last : NULL, &v);
        if (f)
            verdict_add(&v, "the events, which would say more, cannot be listed", f->text);
        report(a, &v);
    } else {
        wait_on(a);
    }
}

static void on_patience(void *arg)
{
    struct await *a = arg;
    char fields[160];

    if (a->seen && loop_now(a->s.loop) < a->start_until_ms) {
        wait_on(a); /* a pod is there: its own state will tell */
        return;
    }
    snprintf(fields, sizeof(fields), "involvedObject.kind=%s,involvedObject.name=%.100s", a->seen ? "Pod" : "Job",
             a->seen ? a->pod : a->s.job);
    a->call = kube_list(a->s.kube, KUBE_EVENT, NULL, fields, on_events, a);
}

/* --- from outside --------------------------------------------------------------------------------------------- */

void await_begin(struct await *a, const struct await_settings *s, await_fn *fn, void *arg)
{
    char selector[128];

    a->s = *s;
    a->fn = fn;
    a->arg = arg;
    a->began_ms = loop_now(s->loop);
    a->start_until_ms = a->began_ms + s->start_ms;
    a->look_ms = EVENTS_FIRST_MS;
    wait_on(a);
    if (s->adopted) {
        snprintf(selector, sizeof(selector), "controller-uid=%.100s", s->job_uid);
        a->own_pods = pods_new(s->kube, selector, MANIFEST_CONTAINER, NULL);
    }
    a->follower = pods_follow(s->adopted ? a->own_pods : s->pods, s->job_uid, on_pod, a);
}

void await_stop(struct await *a)
{
    kube_cancel(&a->call);
    early_stop(a->word);
    loop_cancel(&a->timer);
    pods_unfollow(&a->follower);
}

void await_release(struct await *a)
{
    await_stop(a);
    pods_free(a->own_pods);
    free(a->pod);
    free(a->node);
    free(a->message);
    free(a->termination);
    early_forget(&a->word);
    report_free(a->early);
    *a = (struct await){0};
}
