#include "worker/readiness.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "k8s/refusal.h"
#include "worker/canary.h"

enum {
    AGAIN_MS = 1000,      /* what failed in passing is asked again after this, doubling ... */
    AGAIN_MAX_MS = 30000, /* ... up to this */
    TIMEOUT_MAX_S = 8,    /* of the timeout probe, which also doubles: a second is little on a slow node */
};

struct readiness {
    struct readiness_settings s;
    char *installation;
    struct canary *canary; /* under way, or told and to be freed */
    struct loop_timer *again, *reap;
    int64_t again_ms; /* how long the last wait was */
    int64_t timeout_s;
    bool map_asked, map_there, canary_well, isolated;
    bool failed, stopped;
};

static void go_on(void *arg);

static void change(struct readiness *r)
{
    r->s.on_change(r->s.arg);
}

static void fail(struct readiness *r)
{
    r->failed = true;
    change(r);
}

static void ask_again(struct readiness *r)
{
    r->again_ms = r->again_ms ? r->again_ms * 2 : AGAIN_MS;
    if (r->again_ms > AGAIN_MAX_MS)
        r->again_ms = AGAIN_MAX_MS;
    loop_after(r->s.loop, &r->again, r->again_ms, go_on, r);
}

/* --- the canary --------------------------------------------------------------------------------------------------- */

static void reap(void *arg)
{
    struct readiness *r = arg;

    canary_free(TAKE(r->canary));
    change(r);
}

static void on_canary(void *arg, const struct finding *list, size_t count)
{
    struct readiness *r = arg;
    enum finding_state worst = finding_worst(list, count);

    loop_defer(r->s.loop, &r->reap, reap, r);
    for (size_t i = 0; i < count; i++)
        finding_log(&list[i], "canary");
    if (r->stopped)
        return;
    if (worst == FINDING_BAD) {
        log_error("canary", STR("error", "the cluster would give wrong results; nothing was claimed. See above what "
                                         "to change; execq-worker --doctor shows all of it"));
        r->failed = true;
    } else if (worst == FINDING_PASSING) {
        r->timeout_s = r->timeout_s * 2 < TIMEOUT_MAX_S ? r->timeout_s * 2 : TIMEOUT_MAX_S;
        ask_again(r);
        log_warning("canary", STR("error", "not all could be found out"), NUM("again_ms", r->again_ms));
    } else {
        r->canary_well = true;
        r->isolated = canary_saw_isolation(r->canary);
    }
}

static void send_canary(struct readiness *r)
{
    const struct canary_settings s = {
        .loop = r->s.loop,
        .kube = r->s.cluster->kube,
        .pods = r->s.cluster->pods,
        .config = r->s.config,
        .limits = r->s.limits,
        .label = r->s.label,
        .installation = r->installation,
        .runner_map = cluster_runner_map(r->s.cluster),
        .timeout_s = r->timeout_s,
    };

    r->canary = canary_start(&s, on_canary, r);
}

/* --- the runner's ConfigMap: without it no pod would start ---------------------------------------------------------
 */

static void on_map(void *arg, const struct fault *f)
{
    struct readiness *r = arg;

    r->map_asked = false;
    if (r->stopped)
        return;
    if (!f) {
        log_info("runner", STR("configmap", cluster_runner_map(r->s.cluster)));
        r->map_there = true;
        r->again_ms = 0;
        go_on(r);
    } else if (!fault_is_passing(f) && !refusal_is_quota(f) && !refusal_is_access(f)) {
        log_error("runner", STR("error", f->text));
        fail(r);
    } else {
        ask_again(r);
        if (refusal_is_access(f))
            log_error("no-access", STR("what", "runner"), STR("error", f->text), NUM("again_ms", r->again_ms));
        else
            log_warning("runner", STR("error", f->text), NUM("again_ms", r->again_ms));
    }
}

/* What is to be done next. */
static void go_on(void *arg)
{
    struct readiness *r = arg;

    if (r->stopped || r->failed || r->map_asked || r->canary)
        return;
    if (!r->map_there) {
        r->map_asked = true;
        runner_map_ask(r->s.cluster->map, on_map, r);
    } else if (!r->canary_well && *r->s.config->canary) {
        send_canary(r);
    }
    change(r);
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

struct readiness *readiness_new(const struct readiness_settings *s)
{
    struct readiness *r = mem_new(struct readiness);

    r->s = *s;
    r->timeout_s = 1;
    r->map_there = !s->cluster->map;
    return r;
}

void readiness_free(struct readiness *r)
{
    if (!r)
        return;
    loop_cancel(&r->again);
    loop_cancel(&r->reap);
    canary_free(r->canary);
    free(r->installation);
    free(r);
}

void readiness_begin(struct readiness *r, const char *installation)
{
    r->installation = mem_string(installation);
    go_on(r);
}

void readiness_doubt(struct readiness *r)
{
    if (!r->s.cluster->map || r->map_asked || r->canary || !r->map_there)
        return;
    r->map_there = false;
    loop_cancel(&r->again);
    go_on(r);
}

void readiness_stop(struct readiness *r)
{
    r->stopped = true;
    loop_cancel(&r->again);
    if (r->canary)
        canary_stop(r->canary);
}

bool readiness_saw_isolation(const struct readiness *r)
{
    return r->isolated;
}

bool readiness_is_ready(const struct readiness *r)
{
    return r->s.cluster->in_sight && r->map_there && !r->map_asked && !r->canary && !r->failed &&
           (r->canary_well || !*r->s.config->canary);
}

bool readiness_holds(const struct readiness *r, const char *job)
{
    return r->canary && canary_holds(r->canary, job);
}

bool readiness_is_busy(const struct readiness *r)
{
    return r->canary != NULL;
}

bool readiness_has_failed(const struct readiness *r)
{
    return r->failed;
}
