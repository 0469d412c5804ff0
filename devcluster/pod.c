#include "devcluster/pod.h"

#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/objects.h"
#include "devcluster/options.h"
#include "devcluster/podlog.h"
#include "devcluster/podplan.h"
#include "devcluster/podstatus.h"
#include "devcluster/reaper.h"
#include "devcluster/sandbox.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"
#include "devcluster/volumes.h"

enum { LOST_REMOVED_MS = 10000, PULL_BACKOFF_MS = 1000 };

static const char *const step_name[] = {"queued", "mounting", "starting", "running", "dead", "lost"};

static void mount_volumes(struct pod *p);
static void start(struct pod *p, struct sandbox_plan *plan);
static void finish(struct pod *p, const struct sandbox_end *end);

static void go(struct pod *p, enum pod_step step) /* the only place that changes it */
{
    log_debug("pod", STR("name", p->object ? p->object->name : "?"), STR("from", step_name[p->step]),
              STR("to", step_name[step]));
    p->step = step;
}

static int64_t now(const struct pod *p)
{
    return loop_wall(p->cluster->loop);
}

static void save(struct pod *p, struct json_object *draft)
{
    store_set(p->cluster->store, p->object, draft);
}

struct pod *pod_new(struct kubelet *k, struct cluster *c, struct object *o)
{
    struct pod *p = mem_new(struct pod);

    p->kubelet = k;
    p->cluster = c;
    p->object = o;
    p->place = -1;
    p->fault = faults_of_pod(c->faults, o->name);
    TAILQ_INIT(&p->followers);
    return p;
}

static void leave(struct pod *p)
{
    if (p->place >= 0)
        kubelet_leave(p->kubelet, p);
}

void pod_free(struct pod *p)
{
    if (!p)
        return;
    loop_cancel(&p->deadline);
    loop_cancel(&p->grace);
    loop_cancel(&p->trouble);
    loop_cancel(&p->end);
    sandbox_free(p->sandbox);
    follow_end(&p->followers);
    podlog_free(p->log);
    if (p->dir)
        volumes_remove(p->dir);
    free(p->dir);
    free(p);
}

/* queued */

void pod_wait(struct pod *p, const char *why)
{
    struct json_object *draft;

    if (p->told || !p->object)
        return;
    p->told = true;
    draft = store_draft(p->object);
    podstatus_unschedulable(draft, why, now(p));
    save(p, draft);
    objects_event(p->cluster, p->object, "Warning", "FailedScheduling", "%s", why);
}

static void on_deadline(void *arg);
static void on_trouble(void *arg);

void pod_begin(struct pod *p, int place)
{
    struct json_object *draft = store_draft(p->object);
    int64_t limit_s = tree_int(draft, "spec.activeDeadlineSeconds", 0);

    p->place = place;
    p->told = false;
    go(p, POD_MOUNTING);
    podstatus_bound(draft, now(p));
    save(p, draft);
    objects_event(p->cluster, p->object, "Normal", "Scheduled", "Successfully assigned %s/%s to devcluster",
                  p->object->ns, p->object->name);
    if (limit_s > 0)
        loop_after(p->cluster->loop, &p->deadline, limit_s * 1000, on_deadline, p);
    if (p->fault.action == ACTION_IMAGE_PULL)
        loop_after(p->cluster->loop, &p->trouble, 0, on_trouble, p);
    else
        mount_volumes(p);
}

/* mounting */

/* A registry that does not have the image: first the error, then the pause after it. The pod waits for ever. */
static void fail_pull(struct pod *p)
{
    struct json_object *draft = store_draft(p->object);
    const char *image = field_peek_string(json_object_array_get_idx(tree_at(draft, "spec.containers"), 0), "image");
    _cleanup_free_ char *text = mem_format(
        p->told ? "Back-off pulling image \"%s\"" : "failed to pull image \"%s\": not found", image ? image : "");

    podstatus_waiting(draft, p->told ? "ImagePullBackOff" : "ErrImagePull", text);
    save(p, draft);
    objects_event(p->cluster, p->object, "Warning", p->told ? "BackOff" : "Failed", "%s", text);
    if (!p->told)
        loop_after(p->cluster->loop, &p->trouble, PULL_BACKOFF_MS, on_trouble, p);
    p->told = true;
}

static void mount_volumes(struct pod *p)
{
    _cleanup_(sandbox_plan_release)
    struct sandbox_plan plan = {0};
    struct fault f = FAULT_INIT;

    if (pod_make_volumes(p, &plan, &f) < 0) {
        if (!p->told)
            objects_event(p->cluster, p->object, "Warning", "FailedMount", "%s", f.text);
        p->told = true;
        return; /* until a ConfigMap appears, or the deadline */
    }
    go(p, POD_STARTING);
    start(p, &plan);
}

void pod_retry_mounts(struct pod *p)
{
    if (p->step == POD_MOUNTING && p->object && p->fault.action != ACTION_IMAGE_PULL)
        mount_volumes(p);
}

/* starting */

static void on_output(void *arg, const char *bytes, size_t len)
{
    struct pod *p = arg;

    podlog_add(p->log, bytes, len);
    follow_send(&p->followers, bytes, len);
}

static void on_running(void *arg)
{
    struct pod *p = arg;
    struct json_object *draft;

    if (!p->object || p->step != POD_STARTING)
        return;
    go(p, POD_RUNNING);
    draft = store_draft(p->object);
    podstatus_running(draft, p->started);
    save(p, draft);
    objects_event(p->cluster, p->object, "Normal", "Started", "Started container");
}

static void on_end(void *arg, const struct sandbox_end *end)
{
    struct pod *p = arg;

    finish(p, end);
}

/* The program could not be executed, in words like those of a container runtime. */
static void fail_start(struct pod *p, const char *text)
{
    struct sandbox_end end = {.started = false, .exit_code = 128};

    if (p->log) {
        podlog_clear(p->log);
        podlog_add(p->log, text, strlen(text));
    }
    finish(p, &end);
}

static void start(struct pod *p, struct sandbox_plan *plan)
{
    static const struct sandbox_events events = {on_output, on_running, on_end};
    struct fault f = FAULT_INIT;

    plan->bwrap = p->cluster->options->bwrap;
    plan->etc = kubelet_etc(p->kubelet);
    plan->host_uid = kubelet_user(p->kubelet, p->place);
    if (pod_make_files(p, plan, &f) < 0 || podplan_read(p->object->json, plan, &f) < 0) {
        fail_start(p, f.text);
        return;
    }
    if (p->fault.action == ACTION_START_ERROR) {
        fail_start(p, "failed to create containerd task: exec format error (ordered)");
        return;
    }
    p->started = now(p);
    if (sandbox_start(p->cluster->loop, plan, &events, p, &p->sandbox, &f) < 0) {
        fail_start(p, f.text);
        return;
    }
    kubelet_count_start(p->kubelet);
    if (p->fault.action == ACTION_EVICT || p->fault.action == ACTION_OOM || p->fault.action == ACTION_DELETE ||
        p->fault.action == ACTION_NODE_LOST)
        loop_after(p->cluster->loop, &p->trouble, p->fault.ms, on_trouble, p);
}

/* running: what may end it before its time */

static void on_grace_over(void *arg)
{
    struct pod *p = arg;

    if (p->sandbox)
        sandbox_signal(p->sandbox, SIGKILL);
}

static void stop(struct pod *p, enum pod_cause cause, int64_t grace_s)
{
    if (p->cause == CAUSE_NONE || cause == CAUSE_DELETED)
        p->cause = p->cause == CAUSE_NONE ? cause : p->cause;
    if (!p->sandbox)
        return;
    sandbox_signal(p->sandbox, grace_s > 0 ? SIGTERM : SIGKILL);
    if (grace_s > 0)
        loop_after(p->cluster->loop, &p->grace, grace_s * 1000, on_grace_over, p);
}

static void on_deadline(void *arg)
{
    struct pod *p = arg;

    if (!p->object || p->step == POD_DEAD || p->step == POD_LOST)
        return;
    if (p->sandbox) {
        stop(p, CAUSE_DEADLINE, tree_int(p->object->json, "spec.terminationGracePeriodSeconds", 1));
        return;
    }
    p->cause = CAUSE_DEADLINE; /* it never ran */
    finish(p, NULL);
}

static void lose_node(struct pod *p)
{
    on_running(p); /* the last thing that was heard of it */
    go(p, POD_LOST);
    sandbox_signal(p->sandbox, SIGKILL);
}

static void disrupt(struct pod *p)
{
    struct json_object *draft = store_draft(p->object);
    static const struct delete_options options = {PROPAGATE_BACKGROUND, -1};

    podstatus_condition(draft, "DisruptionTarget", true, "EvictionByEvictionAPI", "Eviction API: evicting (ordered)",
                        now(p));
    save(p, draft);
    p->cause = CAUSE_DISRUPTED;
    reaper_delete(p->cluster, p->object, &options);
}

static void on_trouble(void *arg)
{
    struct pod *p = arg;

    if (!p->object)
        return;
    if (p->fault.action == ACTION_IMAGE_PULL) {
        fail_pull(p);
        return;
    }
    if (p->step != POD_STARTING && p->step != POD_RUNNING)
        return;
    if (p->fault.action == ACTION_NODE_LOST)
        lose_node(p);
    else if (p->fault.action == ACTION_DELETE)
        disrupt(p);
    else
        stop(p, p->fault.action == ACTION_OOM ? CAUSE_OOM : CAUSE_EVICTED, 0);
}

/* dead */

static void finish(struct pod *p, const struct sandbox_end *how)
{
    _cleanup_free_ char *volumes = p->dir ? mem_format("%s/volumes", p->dir) : NULL;
    struct sandbox *sandbox = TAKE(p->sandbox);

    loop_cancel(&p->deadline);
    loop_cancel(&p->grace);
    if (p->step != POD_LOST) {
        loop_cancel(&p->trouble);
        if (p->object)
            pod_write_end(p, how);
        go(p, POD_DEAD);
        if (p->object && tree_string(p->object->json, "metadata.deletionTimestamp"))
            reaper_remove_soon(p->cluster, p->object);
    }
    if (p->log)
        podlog_close(p->log);
    follow_end(&p->followers);
    if (volumes)
        volumes_remove(volumes);
    leave(p);
    sandbox_free(sandbox); /* it has ended, and nothing of it is on the stack but its last line */
    if (!p->object)
        kubelet_forget(p->kubelet, p);
}

/* deleted */

static void on_lost_is_removed(void *arg)
{
    struct pod *p = arg;

    if (p->object)
        reaper_remove_soon(p->cluster, p->object);
}

void pod_delete(struct pod *p, int64_t grace_s)
{
    if (p->step == POD_LOST) {
        /* nobody is there to confirm it: the pod garbage collector does, in the end */
        loop_after(p->cluster->loop, &p->end, LOST_REMOVED_MS, on_lost_is_removed, p);
    } else if (p->sandbox) {
        objects_event(p->cluster, p->object, "Normal", "Killing", "Stopping container");
        stop(p, CAUSE_DELETED, grace_s);
    } else {
        leave(p);
        reaper_remove_soon(p->cluster, p->object);
    }
}

void pod_orphan(struct pod *p)
{
    p->object = NULL;
    loop_cancel(&p->deadline);
    loop_cancel(&p->trouble);
    loop_cancel(&p->end);
    if (p->sandbox) {
        sandbox_signal(p->sandbox, SIGKILL); /* the end of the sandbox is then the pod's */
        return;
    }
    leave(p);
    kubelet_forget(p->kubelet, p);
}
