#include "worker/sweeper.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/log.h"
#include "base/mem.h"
#include "k8s/kube.h"
#include "k8s/manifest.h"
#include "k8s/pod_time.h"
#include "queue/queue.h"

enum { FOUND_MAX = 10000 }; /* in one round; the rest is found by the next */

/* clang-format off */
#define META "items.metadata."
static const char *const keep[] = {
    KUBE_LIST_KEEPS, META "name", META "uid", META "creationTimestamp", META "deletionTimestamp",
    META "annotations." ANNOTATION_ID, META "annotations." ANNOTATION_QUEUE, META "labels." LABEL_WORKER, NULL,
};
/* clang-format on */

/* A Job that may be litter. */
struct candidate {
    char *name, *uid, *id, *worker; /* worker: NULL where nothing says it */
};

/* A round: list, then one Job after the other: look at its request, maybe delete it. */
struct sweeper {
    struct loop *loop;
    struct sweeper_settings s;
    struct loop_timer *timer;
    struct kube_call *call;
    struct candidate *found; /* in the round under way */
    size_t count, room, next;
    unsigned deleted;
};

static void begin_round(void *arg);
static void next_job(struct sweeper *s);

static void forget_found(struct sweeper *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->found[i].name);
        free(s->found[i].uid);
        free(s->found[i].id);
        free(s->found[i].worker);
    }
    free(s->found);
    s->found = NULL;
    s->count = s->room = s->next = 0;
}

static void wait_for_round(struct sweeper *s)
{
    int64_t half = s->s.period_ms / 2;

    forget_found(s);
    if (s->deleted)
        log_info("swept", NUM("jobs", s->deleted));
    s->deleted = 0;
    loop_after(s->loop, &s->timer, half + loop_jitter(s->loop, s->s.period_ms - half), begin_round, s);
}

static bool may_be_litter(const struct sweeper *s, struct json_object *meta)
{
    struct json_object *notes = field_peek(meta, "annotations");
    const char *queue = field_peek_string(notes, ANNOTATION_QUEUE), *name = field_peek_string(meta, "name");
    const char *created = field_peek_string(meta, "creationTimestamp");
    int64_t age = loop_wall(s->loop) - (created ? pod_time(created) : 0);

    return name && field_peek_string(meta, "uid") && field_peek_string(notes, ANNOTATION_ID) && queue &&
           strcmp(queue, s->s.queue_name) == 0 && age >= s->s.period_ms / 2 &&
           !field_peek_string(meta, "deletionTimestamp") && !s->s.is_held(s->s.arg, name);
}

static void on_page(void *arg, struct json_object *items, bool first)
{
    struct sweeper *s = arg;

    if (first)
        forget_found(s);
    for (size_t i = 0; i < json_object_array_length(items) && s->count < FOUND_MAX; i++) {
        struct json_object *meta = field_peek(json_object_array_get_idx(items, i), "metadata");

        if (!may_be_litter(s, meta))
            continue;
        if (s->count == s->room) {
            s->room = s->room ? 2 * s->room : 16;
            s->found = mem_resize(s->found, s->room, sizeof(*s->found));
        }
        s->found[s->count++] = (struct candidate){
            mem_string(field_peek_string(meta, "name")), mem_string(field_peek_string(meta, "uid")),
            mem_string(field_peek_string(field_peek(meta, "annotations"), ANNOTATION_ID)),
            mem_string(field_peek_string(field_peek(meta, "labels"), LABEL_WORKER))};
    }
}

/* Where nobody answers, the rest of a long list is not asked about in vain: the next round begins with a new one. */
static void go_on(struct sweeper *s, const struct fault *f)
{
    if (f && fault_is_passing(f)) {
        wait_for_round(s);
        return;
    }
    s->next++;
    next_job(s);
}

static void on_deleted(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct sweeper *s = arg;

    (void)reply;
    s->call = NULL;
    if (!f)
        s->deleted++;
    else if (f->kind != FAULT_GONE)
        log_warning("sweep", STR("error", f->text));
    go_on(s, f);
}

/* Asked again, because a pipeline of ours may have taken it up meanwhile. */
static void delete_unless_held(struct sweeper *s, const struct candidate *c)
{
    if (s->s.is_held(s->s.arg, c->name))
        go_on(s, NULL);
    else
        s->call = kube_delete(s->s.kube, KUBE_JOB, c->name, c->uid, on_deleted, s);
}

static void on_alive(void *arg, bool alive, const struct fault *f)
{
    struct sweeper *s = arg;

    if (f || alive)
        go_on(s, f);
    else
        delete_unless_held(s, &s->found[s->next]);
}

static void on_state(void *arg, enum queue_task_state state, const struct fault *f)
{
    struct sweeper *s = arg;
    const struct candidate *c = &s->found[s->next];

    if (f || state == TASK_WAITING || state == TASK_RUNNING)
        go_on(s, f);
    else if (state == TASK_UNKNOWN && c->worker && strcmp(c->worker, s->s.label) != 0)
        queue_worker_alive(s->s.queue, c->worker, on_alive, s);
    else
        delete_unless_held(s, c);
}

static void next_job(struct sweeper *s)
{
    if (s->next >= s->count)
        wait_for_round(s);
    else
        queue_task_state(s->s.queue, s->found[s->next].id, on_state, s);
}

static void on_listed(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct sweeper *s = arg;

    (void)reply;
    s->call = NULL;
    if (f) {
        log_warning("sweep", STR("error", f->text));
        wait_for_round(s);
        return;
    }
    next_job(s);
}

static void begin_round(void *arg)
{
    struct sweeper *s = arg;
    const char *uid = queue_uid(s->s.queue);
    char selector[256];

    if (!uid || !queue_may_write(s->s.queue)) {
        wait_for_round(s);
        return;
    }
    snprintf(selector, sizeof(selector), "%s=execq,%s=%s", LABEL_APP, LABEL_UID, uid);
    s->call = kube_walk(s->s.kube, KUBE_JOB, selector, keep, on_page, on_listed, s);
}

struct sweeper *sweeper_new(struct loop *l, const struct sweeper_settings *settings)
{
    struct sweeper *s = mem_new(struct sweeper);

    s->loop = l;
    s->s = *settings;
    wait_for_round(s);
    return s;
}

void sweeper_free(struct sweeper *s)
{
    if (!s)
        return;
    kube_cancel(&s->call);
    loop_cancel(&s->timer);
    forget_found(s);
    free(s);
}
