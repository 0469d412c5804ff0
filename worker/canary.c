#include "worker/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/request.h"
#include "worker/run.h"

/* Where nobody sweeps: it must not look like a request that an installation forgot. */
#define NOBODYS "canary"

enum {
    TTL_MS = 30000, /* what a worker left that died over it: nobody will ask again */
};

struct trial {
    struct canary *canary;
    struct probe probe;
    struct request *request;
    struct run run;
    struct kube_call *call; /* the delete */
    int64_t began_ms;       /* loop time */
    bool ended, deleted;
    struct finding finding, runtime; /* the second one only of the network probe; state is of use if check is there */
};

struct canary {
    struct canary_settings s;
    struct request_limits limits;
    canary_fn *fn;
    void *arg;
    struct loop_timer *timer;
    uint32_t number;    /* a random one: the names of its Jobs are no other canary's */
    size_t count, open; /* trials; those whose Job is not yet deleted */
    bool begun, stopped;
    bool isolated, exposed; /* a report spoke of full isolation; of less */
    struct trial trial[PROBES_MAX];
};

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void tell(void *arg)
{
    struct canary *c = arg;
    struct finding list[CANARY_FINDINGS_MAX];
    canary_fn *fn = TAKE(c->fn);
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (c->trial[i].ended)
            list[n++] = c->trial[i].finding;
        if (*c->trial[i].runtime.check)
            list[n++] = c->trial[i].runtime;
    }
    fn(c->arg, list, n);
}

static void close_trial(struct trial *t)
{
    struct canary *c = t->canary;

    t->deleted = true;
    if (--c->open == 0)
        loop_defer(c->s.loop, &c->timer, tell, c);
}

static void on_deleted(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct trial *t = arg;

    (void)reply;
    t->call = NULL;
    if (f && f->kind != FAULT_GONE)
        log_warning("tidy", STR("req", t->request->id), STR("job", t->run.place.name), STR("error", f->text));
    close_trial(t);
}

/* Also where no Job is known of: a create whose answer was lost may have made one. */
static void tidy(struct trial *t)
{
    struct canary *c = t->canary;

    t->call = kube_delete(c->s.kube, KUBE_JOB, t->run.place.name, t->run.place.job_uid, on_deleted, t);
}

/* --- one probe ---------------------------------------------------------------------------------------------------- */

static void name_finding(const struct trial *t, struct finding *f)
{
    if (t->probe.kind == PROBE_LANGUAGE)
        snprintf(f->check, sizeof(f->check), "language %s", t->probe.language);
    else
        snprintf(f->check, sizeof(f->check), "%s", probe_name(&t->probe));
}

static void on_run(void *arg, const struct verdict *v)
{
    struct trial *t = arg;
    struct canary *c = t->canary;
    const struct pod_state *pod = &t->run.await.last;
    struct probe_end end = {
        .verdict = v,
        .report = t->run.report,
        .killed = v->reason == REASON_DISRUPTED && pod->stage == POD_ENDED && pod->cause == POD_FINE &&
                  pod->exit_code != REPORT_EXIT_CODE,
        .timeout_s = c->s.timeout_s,
    };

    probe_judge(&t->probe, c->s.config, &end, &t->finding);
    t->finding.took_ms = loop_now(c->s.loop) - t->began_ms;
    t->ended = true;
    if (end.report && end.report->isolation == REPORT_ISOLATION_FULL)
        c->isolated = true;
    else if (end.report)
        c->exposed = true;
    if (t->probe.kind == PROBE_NETWORK && probe_judge_runtime(c->s.config, &end, &t->runtime))
        snprintf(t->runtime.check, sizeof(t->runtime.check), "runtime-class");
    tidy(t);
}

static int make_request(struct trial *t, struct fault *f)
{
    struct canary *c = t->canary;
    _cleanup_(buf_release)
    struct buf json = BUF_INIT(PROBE_JSON_MAX);
    char id[REQUEST_ID_MAX + 1];
    _cleanup_free_ char *found = NULL;

    snprintf(id, sizeof(id), "canary:%s:%08x:%s", c->s.label, (unsigned)c->number, probe_name(&t->probe));
    if (probe_request(&t->probe, id, kube_server(c->s.kube), c->s.timeout_s, &json, f) < 0)
        return -1;
    return request_parse(buf_str(&json), json.len, &c->limits, &t->request, &found, f);
}

static void begin_trial(struct trial *t)
{
    struct canary *c = t->canary;
    struct fault f = FAULT_INIT;
    struct run_settings s = {
        .loop = c->s.loop,
        .kube = c->s.kube,
        .pods = c->s.pods,
        .now_ms = loop_wall(c->s.loop),
        .attempt =
            {
                .config = c->s.config,
                .language = languages_find(&c->s.config->languages, t->probe.language),
                .uid = c->s.installation ? c->s.installation : NOBODYS,
                .worker = c->s.label,
                .token = "0",
                .runner_map = c->s.runner_map,
                .number = 1,
                .ttl_ms = TTL_MS,
            },
    };

    name_finding(t, &t->finding);
    t->began_ms = loop_now(c->s.loop);
    if (make_request(t, &f) < 0) {
        finding_set(&t->finding, FINDING_BAD, "%s", f.text);
        t->ended = true;
        close_trial(t);
        return;
    }
    s.attempt.request = t->request;
    run_begin(&t->run, &s, on_run, t);
}

static void begin(void *arg)
{
    struct canary *c = arg;

    c->begun = true;
    if (c->count == 0)
        loop_defer(c->s.loop, &c->timer, tell, c);
    for (size_t i = 0; i < c->count; i++)
        begin_trial(&c->trial[i]);
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

struct canary *canary_start(const struct canary_settings *s, canary_fn *fn, void *arg)
{
    struct canary *c = mem_new(struct canary);
    struct probe probes[PROBES_MAX];
    struct fault f = FAULT_INIT;

    c->s = *s;
    c->fn = fn;
    c->arg = arg;
    c->limits = *s->limits;
    c->limits.timeout_max_ms = c->limits.memory_max_bytes = 0;
    c->limits.payload_max = PROBE_JSON_MAX;
    if (probes_of(s->config->canary, &s->config->languages, probes, &c->count, &f) < 0)
        abort(); /* config_load() has looked */
    c->number = loop_random(s->loop);
    c->open = c->count;
    for (size_t i = 0; i < c->count; i++) {
        c->trial[i].canary = c;
        c->trial[i].probe = probes[i];
    }
    loop_defer(s->loop, &c->timer, begin, c);
    return c;
}

bool canary_holds(const struct canary *c, const char *job)
{
    for (size_t i = 0; i < c->count; i++)
        if (!c->trial[i].deleted && strcmp(c->trial[i].run.place.name, job) == 0)
            return true;
    return false;
}

bool canary_saw_isolation(const struct canary *c)
{
    return c->isolated && !c->exposed;
}

void canary_stop(struct canary *c)
{
    if (c->stopped || !c->fn)
        return;
    c->stopped = true;
    if (!c->begun) {
        loop_defer(c->s.loop, &c->timer, tell, c);
        return;
    }
    for (size_t i = 0; i < c->count; i++) {
        struct trial *t = &c->trial[i];

        if (t->ended || t->deleted)
            continue;
        run_stop(&t->run);
        tidy(t);
    }
}

void canary_free(struct canary *c)
{
    if (!c)
        return;
    loop_cancel(&c->timer);
    for (size_t i = 0; i < c->count; i++) {
        kube_cancel(&c->trial[i].call);
        run_release(&c->trial[i].run);
        request_free(c->trial[i].request);
    }
    free(c);
}
