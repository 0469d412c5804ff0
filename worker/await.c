#include "worker/await.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "k8s/manifest.h"
#include "worker/events.h"

enum {
    EVENTS_FIRST_MS = 5000, /* without any pod for so long, the Job's events are asked; then after twice that */
    OVERTIME_MS = 10000,    /* for the runner, over the code's time: to start, to kill, to collect files */
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
    a->late = false;
    kube_cancel(&a->call);
    if (a->s.created_ms && ran > now - a->s.created_ms)
        ran = now - a->s.created_ms; /* a node's clock may be behind, but no run is older than its Job */
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
            verdict_of_unended(state, &v);
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

/* --- somebody may only be late ------------------------------------------------------------------------------------ */

/* The kubelet, which tells of an end when it gets round to it; an API server that has just started; the way to either.
 * Once at the start and once at the end. */
static bool give_time(struct await *a)
{
    bool first = !a->late;

    a->late = true;
    return first;
}

/* The pod in a list of at most one; NULL if it is gone. */
static struct json_object *only_pod(const struct kube_reply *reply)
{
    struct json_object *items = field_peek(reply->object, "items");

    return json_object_is_type(items, json_type_array) ? json_object_array_get_idx(items, 0) : NULL;
}

/* --- it had its time ------------------------------------------------------------------------------------------- */

/* Whether its node is still there shows when that is asked for something. Whatever the answer, for a while more the end
 * may be told of. */
static void on_sign_of_life(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct await *a = arg;
    struct verdict v;

    (void)reply;
    a->call = NULL;
    if (give_time(a)) {
        loop_after(a->s.loop, &a->timer, a->s.late_ms, on_timeout, a);
        return;
    }
    if (f && fault_is_passing(f))
        verdict_of_reason(REASON_NODE_LOST, false, f->text, &v);
    else if (f)
        verdict_of_reason(REASON_LOG_LOST, false, f->text, &v);
    else if (a->last.cause != POD_FINE)
        verdict_of_unended(&a->last, &v); /* it was taken away, and that takes long */
    else
        verdict_of_silence(a->s.run_ms, &v); /* deleting the Job stops it */
    report(a, &v);
}

static void on_late(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct await *a = arg;
    struct json_object *pod;
    struct pod_state state;
    struct verdict v;

    a->call = NULL;
    if (f && fault_is_passing(f) && give_time(a)) {
        loop_after(a->s.loop, &a->timer, a->s.late_ms, on_timeout, a);
        return;
    }
    if (f) {
        verdict_of_fault(f, "look at a pod whose time is over", &v);
        report(a, &v);
        return;
    }
    pod = only_pod(reply);
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
    remember(a, &state);
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

/* --- it does not start ------------------------------------------------------------------------------------------- */

static void wait_on(struct await *a)
{
    int64_t left = a->start_until_ms - loop_now(a->s.loop);

    loop_after(a->s.loop, &a->timer, left < a->look_ms ? left : a->look_ms, on_patience, a);
    a->look_ms *= 2;
}

/* Whether there is still something to wait for when all seems to be over: `pod` as it is by now, NULL if there is none.
 */
static bool may_wait(struct await *a, const struct pod_state *pod, const struct fault *f)
{
    bool late = f ? fault_is_passing(f) : pod && pod->cause == POD_FINE && a->why.reason == REASON_START;

    if (loop_now(a->s.loop) < a->start_until_ms) /* it was refused before it was not */
        return f ? late : pod != NULL;
    if (!late || !give_time(a))
        return false;
    a->start_until_ms += a->s.late_ms;
    return true;
}

/* Neither is it said of anybody on hearsay that he did not start. */
static void on_last_look(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct await *a = arg;
    struct json_object *object = f ? NULL : only_pod(reply);
    struct pod_state state, *pod = object ? &state : NULL;

    a->call = NULL;
    if (pod)
        pod_state_read(object, MANIFEST_CONTAINER, pod);
    if (pod && (pod->stage != POD_WAITING || pod->hopeless)) {
        on_pod(a, pod);
    } else if (may_wait(a, pod, f)) {
        if (pod)
            on_pod(a, pod);
        wait_on(a);
    } else if (!f && !pod && a->seen) {
        on_pod(a, NULL);
    } else {
        if (f)
            verdict_of_fault(f, "look for a pod whose time to start is over", &a->why);
        else if (pod && !a->seen)
            verdict_of_unended(pod, &a->why);
        report(a, &a->why);
    }
}

static void look_once_more(struct await *a, const struct verdict *why)
{
    char selector[128];

    a->why = *why;
    snprintf(selector, sizeof(selector), "controller-uid=%.100s", a->s.job_uid);
    a->call = kube_list(a->s.kube, KUBE_POD, selector, NULL, on_last_look, a);
}

static void on_events(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct await *a = arg;
    bool over = loop_now(a->s.loop) >= a->start_until_ms, final = false, told = false;
    struct verdict v;

    a->call = NULL;
    if (!f)
        told = events_explain(reply->object, a->seen ? NULL : a->s.job_uid, &v, &final);
    if (over && (!told || (a->seen && a->last.cause != POD_FINE))) {
        verdict_of_unended(a->seen ? &a->last : NULL, &v);
        if (f)
            verdict_add(&v, "the events, which would say more, cannot be listed", f->text);
        look_once_more(a, &v);
    } else if (over || final) {
        look_once_more(a, &v); /* a mount may still come right, a pod that was refused will not */
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
    if (a->s.over && !a->seen) {
        struct verdict v;

        verdict_of_reason(REASON_DISRUPTED, false, "the Job is over and its pod is gone", &v);
        look_once_more(a, &v);
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
