#include "devcluster/jobs.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/faults.h"
#include "devcluster/objects.h"
#include "devcluster/podstatus.h"
#include "devcluster/reaper.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"

enum { AGAIN_FIRST_MS = 10000, AGAIN_MOST_MS = 600000, SUFFIX = 5, BASE_MAX = 58 };

/* What the controller knows of a Job beside its object. */
struct job {
    struct jobs *all;
    struct object *object; /* NULL once it is removed */
    bool queued, done, no_pod, refused_told;
    int64_t failed; /* pods that failed, those that vanished included */
    char pod[40];   /* uid of the present one, "" if there is none */
    struct loop_timer *deadline, *ttl, *again;
    TAILQ_ENTRY(job) entry; /* in the list of those to look at */
};

struct jobs {
    struct cluster *cluster;
    TAILQ_HEAD(, job) queue;
    struct loop_timer *timer;
};

static void work(void *arg);

static void enqueue(struct job *j)
{
    if (j->queued)
        return;
    j->queued = true;
    TAILQ_INSERT_TAIL(&j->all->queue, j, entry);
    if (!j->all->timer)
        loop_defer(j->all->cluster->loop, &j->all->timer, work, j->all);
}

static void job_free(void *data)
{
    struct job *j = data;

    if (j->queued)
        TAILQ_REMOVE(&j->all->queue, j, entry);
    loop_cancel(&j->deadline);
    loop_cancel(&j->ttl);
    loop_cancel(&j->again);
    free(j);
}

static int64_t wall(const struct job *j)
{
    return loop_wall(j->all->cluster->loop);
}

/* The pod. */

static struct json_object *owner_reference(const struct object *job)
{
    struct json_object *ref = tree_new();

    tree_set_string(ref, "apiVersion", "batch/v1");
    tree_set_string(ref, "kind", "Job");
    tree_set_string(ref, "name", job->name);
    tree_set_string(ref, "uid", job->uid);
    tree_set_bool(ref, "controller", true);
    tree_set_bool(ref, "blockOwnerDeletion", true);
    return ref;
}

static struct json_object *new_pod(const struct object *job)
{
    struct json_object *pod = tree_copy(tree_at(job->json, "spec.template")), *metadata = tree_make(pod, "metadata");
    _cleanup_free_ char *name = NULL, *base = mem_format("%.*s-", BASE_MAX - 1, job->name);
    char suffix[SUFFIX + 1];

    tree_suffix(suffix, SUFFIX);
    name = mem_format("%s%s", base, suffix);
    tree_set_string(metadata, "name", name);
    tree_set_string(metadata, "generateName", base);
    tree_set(metadata, "ownerReferences", tree_list(owner_reference(job), NULL));
    return pod;
}

static void create_pod(struct job *j)
{
    struct cluster *c = j->all->cluster;
    struct object *pod;
    struct refusal r;

    if (j->no_pod) {
        if (!j->refused_told)
            objects_event(
                c, j->object, "Warning", "FailedCreate",
                "Error creating: pods \"%s-\" is forbidden: violates PodSecurity \"restricted:latest\" (ordered)",
                j->object->name);
        j->refused_told = true;
        return; /* the Job stays as it is, for ever, as the real one does */
    }
    if (objects_create(c, kind_pod, j->object->ns, new_pod(j->object), false, &pod, NULL, &r) < 0) {
        objects_event(c, j->object, "Warning", "FailedCreate", "Error creating: %s", r.text);
        return;
    }
    snprintf(j->pod, sizeof(j->pod), "%s", pod->uid);
    objects_event(c, j->object, "Normal", "SuccessfulCreate", "Created pod: %s", pod->name);
}

/* Its end. */

static void on_ttl(void *arg)
{
    struct job *j = arg;
    static const struct delete_options options = {PROPAGATE_FOREGROUND, -1};

    reaper_delete(j->all->cluster, j->object, &options);
}

static void arm_ttl(struct job *j)
{
    int64_t ttl_s = tree_int(j->object->json, "spec.ttlSecondsAfterFinished", -1);

    if (ttl_s >= 0)
        loop_after(j->all->cluster->loop, &j->ttl, ttl_s * 1000, on_ttl, j);
}

static void set_numbers(struct json_object *draft, int64_t active, int64_t succeeded, int64_t failed, int64_t ready)
{
    struct json_object *status = tree_make(draft, "status");

    json_object_object_del(status, "active");
    json_object_object_del(status, "succeeded");
    json_object_object_del(status, "failed");
    if (active)
        tree_set_int(status, "active", active);
    if (succeeded)
        tree_set_int(status, "succeeded", succeeded);
    if (failed)
        tree_set_int(status, "failed", failed);
    tree_set_int(status, "ready", ready);
    tree_set_int(status, "terminating", 0);
    tree_set(status, "uncountedTerminatedPods", tree_new());
}

static void end_job(struct job *j, bool complete, const char *reason, const char *message)
{
    struct cluster *c = j->all->cluster;
    struct json_object *draft = store_draft(j->object);
    char when[TREE_TIME];

    j->done = true;
    loop_cancel(&j->deadline);
    set_numbers(draft, 0, complete, j->failed, 0);
    if (complete) {
        tree_time(wall(j), when);
        tree_set_string(tree_at(draft, "status"), "completionTime", when);
    }
    podstatus_condition(draft, complete ? "SuccessCriteriaMet" : "FailureTarget", true, reason, message, wall(j));
    podstatus_condition(draft, complete ? "Complete" : "Failed", true, reason, message, wall(j));
    store_set(c->store, j->object, draft);
    objects_event(c, j->object, complete ? "Normal" : "Warning", complete ? "Completed" : reason, "%s", message);
    arm_ttl(j);
}

static void on_again(void *arg)
{
    enqueue(arg);
}

/* Another pod after a pause that doubles, or the end if there have been enough. */
static void count_failure(struct job *j)
{
    int64_t pause = AGAIN_FIRST_MS;

    j->failed++;
    j->pod[0] = '\0';
    if (j->failed > tree_int(j->object->json, "spec.backoffLimit", 6)) {
        end_job(j, false, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        return;
    }
    for (int64_t i = 1; i < j->failed && pause < AGAIN_MOST_MS; i++)
        pause *= 2;
    loop_after(j->all->cluster->loop, &j->again, pause, on_again, j);
}

static void on_deadline(void *arg)
{
    struct job *j = arg;
    static const struct delete_options options = {PROPAGATE_BACKGROUND, -1};
    struct object *pod = store_find_uid(j->all->cluster->store, j->pod);

    if (j->done)
        return;
    j->failed += pod != NULL;
    end_job(j, false, "DeadlineExceeded", "Job was active longer than specified deadline");
    if (pod)
        reaper_delete(j->all->cluster, pod, &options);
}

/* Looking after one. */

static void begin(struct job *j)
{
    struct cluster *c = j->all->cluster;
    struct json_object *draft = store_draft(j->object);
    int64_t limit_s = tree_int(draft, "spec.activeDeadlineSeconds", 0);
    char when[TREE_TIME];

    tree_time(wall(j), when);
    tree_set_string(tree_make(draft, "status"), "startTime", when);
    set_numbers(draft, !j->no_pod, 0, 0, 0);
    if (limit_s > 0)
        loop_after(c->loop, &j->deadline, limit_s * 1000, on_deadline, j);
    create_pod(j);
    store_set(c->store, j->object, draft);
}

/* The pod runs, or is about to: the Job says how many do. */
static void follow_pod(struct job *j, const struct object *pod)
{
    bool ready = strcmp(tree_string(pod->json, "status.phase"), "Running") == 0;
    struct json_object *draft;

    if (tree_int(j->object->json, "status.ready", 0) == ready && tree_int(j->object->json, "status.active", 0) == 1)
        return;
    draft = store_draft(j->object);
    set_numbers(draft, 1, 0, j->failed, ready);
    store_set(j->all->cluster->store, j->object, draft);
}

static void look_after(struct job *j)
{
    struct cluster *c = j->all->cluster;
    const struct object *pod = j->pod[0] ? store_find_uid(c->store, j->pod) : NULL;
    const char *phase;

    if (j->done || tree_bool(j->object->json, "spec.suspend") ||
        tree_string(j->object->json, "metadata.deletionTimestamp"))
        return;
    if (!tree_string(j->object->json, "status.startTime")) {
        begin(j);
        return;
    }
    if (j->pod[0] && !pod) { /* it was deleted before it had ended */
        count_failure(j);
        return;
    }
    if (!pod) {
        if (!j->again)
            create_pod(j);
        return;
    }
    phase = tree_string(pod->json, "status.phase");
    if (strcmp(phase, "Succeeded") == 0)
        end_job(j, true, "CompletionsReached", "Reached expected number of succeeded pods");
    else if (strcmp(phase, "Failed") == 0)
        count_failure(j);
    else
        follow_pod(j, pod);
}

static void work(void *arg)
{
    struct jobs *all = arg;
    struct job *j;
    size_t n = 0;

    TAILQ_FOREACH (j, &all->queue, entry)
        n++;
    for (; n > 0 && (j = TAILQ_FIRST(&all->queue)); n--) {
        TAILQ_REMOVE(&all->queue, j, entry);
        j->queued = false;
        look_after(j);
    }
    if (!TAILQ_EMPTY(&all->queue) && !all->timer)
        loop_defer(all->cluster->loop, &all->timer, work, all);
}

static struct job *job_of_pod(struct jobs *all, struct json_object *pod)
{
    struct json_object *refs = tree_at(pod, "metadata.ownerReferences");
    const char *uid;
    struct object *o;

    if (!json_object_is_type(refs, json_type_array))
        return NULL;
    uid = field_peek_string(json_object_array_get_idx(refs, 0), "uid");
    o = uid ? store_find_uid(all->cluster->store, uid) : NULL;
    return o && o->kind == kind_job ? o->data : NULL;
}

static void on_change(void *arg, const struct change *change, struct object *o)
{
    struct jobs *all = arg;
    struct job *j;

    if (change->kind == kind_job && change->type == CHANGE_ADDED) {
        j = mem_new(struct job);
        j->all = all;
        j->object = o;
        j->no_pod = faults_of_job(all->cluster->faults, o->name).action == ACTION_NO_POD;
        o->data = j;
        o->data_free = job_free;
        enqueue(j);
    } else if (change->kind == kind_job && change->type == CHANGE_MODIFIED) {
        if (!tree_string(change->json, "status.startTime")) /* it was suspended, and may no longer be */
            enqueue(o->data);
    } else if (change->kind == kind_pod) {
        j = job_of_pod(all, change->json);
        if (j)
            enqueue(j);
    }
}

struct jobs *jobs_new(struct cluster *c)
{
    struct jobs *all = mem_new(struct jobs);

    all->cluster = c;
    TAILQ_INIT(&all->queue);
    store_listen(c->store, on_change, all);
    return all;
}

void jobs_free(struct jobs *all)
{
    struct object *o;

    if (!all)
        return;
    TAILQ_FOREACH (o, store_all(all->cluster->store, kind_job), entry) {
        if (o->data)
            job_free(o->data);
        o->data = NULL;
        o->data_free = NULL;
    }
    loop_cancel(&all->timer);
    free(all);
}
