#include "fake_pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "fake_kube_inside.h"
#include "k8s/manifest.h"
#include "worker/report.h"

struct pods_follower {
    struct pods *pods;
    char *job_uid;
    pods_fn *fn;
    void *arg;
    struct loop_timer *first;
    TAILQ_ENTRY(pods_follower) entry;
};

struct pods {
    struct kube *kube;
    char *label; /* NULL: one that sees every Job */
};

/* --- what a pod does ------------------------------------------------------------------------------------------- */

static bool sees(const struct pods *p, struct object *job)
{
    const char *label = field_peek_string(field_peek(fake_object_meta(job->json), "labels"), LABEL_WORKER);

    return !p->label || (label && strcmp(p->label, label) == 0);
}

static void show(struct pods_follower *f, struct object *job, bool gone)
{
    const struct script *script = fake_run_script(job->kube, job);
    const struct fake_run *run = &script->run;
    struct pod_state s = job->pod == ENDED ? run->end : run->waiting;
    char name[128];

    if (job->pod == NO_POD || run->blind || !sees(f->pods, job))
        return;
    snprintf(name, sizeof(name), "%s-abcde", fake_object_meta_string(job, "name"));
    s.name = name;
    s.node = job->pod == WAITS && !run->assigned ? NULL : "node1";
    s.scheduled = s.node != NULL;
    s.stage = job->pod == ENDED ? POD_ENDED : job->pod == RUNS ? POD_STARTED : POD_WAITING;
    if (job->pod == RUNS)
        s.cause = POD_FINE;
    s.started_ms = job->started_ms;
    s.finished_ms = job->finished_ms;
    if (job->pod == ENDED && script->message) {
        s.exit_code = REPORT_EXIT_CODE;
        s.termination = script->message;
    }
    f->fn(f->arg, gone ? NULL : &s);
}

static void tell(struct object *job, bool gone)
{
    struct pods_follower *f, *after;

    for (f = TAILQ_FIRST(&job->kube->followers); f; f = after) {
        after = TAILQ_NEXT(f, entry);
        if (strcmp(f->job_uid, fake_object_meta_string(job, "uid")) == 0)
            show(f, job, gone);
    }
}

static int64_t node_time(const struct kube *k)
{
    return (loop_wall(k->loop) + k->clock_ahead_ms) / 1000 * 1000;
}

static void move_pod(void *arg)
{
    struct object *job = arg;
    const struct fake_run *run = &fake_run_script(job->kube, job)->run;
    int64_t next = -1;

    job->pod++;
    if (job->pod == WAITS)
        next = run->start_ms;
    if (job->pod == RUNS) {
        job->started_ms = node_time(job->kube);
        next = run->run_ms;
    }
    if (job->pod == ENDED && job->started_ms)
        job->finished_ms = node_time(job->kube);
    if (next >= 0)
        loop_after(job->kube->loop, &job->timer, next, move_pod, job);
    if (job->pod != ENDED || !run->unseen)
        tell(job, job->pod == ENDED && run->vanish);
}

void fake_pods_begin(struct kube *k, const char *name)
{
    struct object *job = fake_object_find(k, KUBE_JOB, name);
    const struct fake_run *run = &fake_run_script(k, job)->run;

    if (job && fake_object_find(k, KUBE_CONFIGMAP, name) && job->pod == NO_POD && !job->timer &&
        run->schedule_ms >= 0 && !fake_object_meta_string(job, "deletionTimestamp"))
        loop_after(k->loop, &job->timer, run->schedule_ms, move_pod, job);
}

/* --- who follows it --------------------------------------------------------------------------------------------- */

struct pods *pods_new(struct kube *k, const char *selector, const char *container, const struct pods_events *e)
{
    (void)selector;
    (void)container;
    (void)e;
    return fake_pods_new(k, NULL);
}

struct pods *fake_pods_new(struct kube *k, const char *label)
{
    struct pods *p = mem_new(struct pods);

    p->kube = k;
    p->label = mem_string(label);
    return p;
}

void pods_free(struct pods *p)
{
    if (!p)
        return;
    free(p->label);
    free(p);
}

static void show_first(void *arg)
{
    struct pods_follower *f = arg;
    struct object *o;

    TAILQ_FOREACH (o, &f->pods->kube->objects, entry)
        if (o->kind == KUBE_JOB && strcmp(fake_object_meta_string(o, "uid"), f->job_uid) == 0) {
            show(f, o, false);
            return;
        }
}

struct pods_follower *pods_follow(struct pods *p, const char *job_uid, pods_fn *fn, void *arg)
{
    struct pods_follower *f = mem_new(struct pods_follower);

    *f = (struct pods_follower){.pods = p, .job_uid = mem_string(job_uid), .fn = fn, .arg = arg};
    TAILQ_INSERT_TAIL(&p->kube->followers, f, entry);
    loop_defer(p->kube->loop, &f->first, show_first, f);
    return f;
}

void pods_unfollow(struct pods_follower **follower)
{
    struct pods_follower *f = TAKE(*follower);

    if (!f)
        return;
    loop_cancel(&f->first);
    TAILQ_REMOVE(&f->pods->kube->followers, f, entry);
    free(f->job_uid);
    free(f);
}

size_t fake_pods_followers(const struct kube *k)
{
    struct pods_follower *f;
    size_t n = 0;

    TAILQ_FOREACH (f, &k->followers, entry)
        n++;
    return n;
}
