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

/* A round: list, then one Job after the other: look at its request, maybe delete it. */
struct sweeper {
    struct loop *loop;
    struct sweeper_settings s;
    struct loop_timer *timer;
    struct kube_call *call;
    struct json_object *list; /* of the round under way, or NULL */
    size_t next;
    unsigned deleted;
};

static void begin_round(void *arg);
static void next_job(struct sweeper *s);

static void wait_for_round(struct sweeper *s)
{
    int64_t half = s->s.period_ms / 2;

    json_object_put(s->list);
    s->list = NULL;
    if (s->deleted)
        log_info("swept", NUM("jobs", s->deleted));
    s->deleted = 0;
    loop_after(s->loop, &s->timer, half + loop_jitter(s->loop, s->s.period_ms - half), begin_round, s);
}

struct candidate {
    const char *name, *uid, *id;
};

/* Whether Job `i` may be litter; the strings are borrowed from the list. */
static bool is_candidate(const struct sweeper *s, size_t i, struct candidate *ret)
{
    struct json_object *meta = field_peek(json_object_array_get_idx(field_peek(s->list, "items"), i), "metadata");
    struct json_object *notes = field_peek(meta, "annotations");
    const char *queue = field_peek_string(notes, ANNOTATION_QUEUE);
    const char *created = field_peek_string(meta, "creationTimestamp");
    int64_t age = loop_wall(s->loop) - (created ? pod_time(created) : 0);

    *ret = (struct candidate){field_peek_string(meta, "name"), field_peek_string(meta, "uid"),
                              field_peek_string(notes, ANNOTATION_ID)};
    return ret->name && ret->uid && ret->id && queue && strcmp(queue, s->s.queue_name) == 0 &&
           age >= s->s.period_ms / 2 && !field_peek_string(meta, "deletionTimestamp") &&
           !s->s.is_held(s->s.arg, ret->name);
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

static void on_state(void *arg, enum queue_task_state state, const struct fault *f)
{
    struct sweeper *s = arg;
    struct candidate c;

    /* Asked again, because a pipeline of ours may have taken it up meanwhile. */
    if (!f && (state == TASK_FINISHED || state == TASK_UNKNOWN) && is_candidate(s, s->next, &c)) {
        s->call = kube_delete(s->s.kube, KUBE_JOB, c.name, c.uid, on_deleted, s);
        return;
    }
    go_on(s, f);
}

static void next_job(struct sweeper *s)
{
    struct json_object *items = field_peek(s->list, "items");
    size_t n = json_object_is_type(items, json_type_array) ? json_object_array_length(items) : 0;
    struct candidate c;

    while (s->next < n && !is_candidate(s, s->next, &c))
        s->next++;
    if (s->next >= n) {
        wait_for_round(s);
        return;
    }
    queue_task_state(s->s.queue, c.id, on_state, s);
}

static void on_listed(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct sweeper *s = arg;

    s->call = NULL;
    if (f) {
        log_warning("sweep", STR("error", f->text));
        wait_for_round(s);
        return;
    }
    s->list = json_object_get(reply->object);
    s->next = 0;
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
    s->call = kube_list(s->s.kube, KUBE_JOB, selector, NULL, on_listed, s);
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
    json_object_put(s->list);
    free(s);
}
