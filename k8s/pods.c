#include "k8s/pods.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "k8s/kube.h"
#include "k8s/kube_inside.h"
#include "k8s/pod_table.h"
#include "k8s/watch.h"

/* list -> watch -> (ended) watch ... -> (too old, or refused) list ... */

enum {
    WATCH_S = 300,          /* to twice as much, so that the watches of many workers do not end together */
    WATCH_SPARE_MS = 30000, /* for a server that forgets to end it */
    CALM_MS = 1000,         /* a watch that ends sooner without an event counts as a failure */
    PAUSE_MS = 800,
    PAUSE_MAX_MS = 30000,
};

static const char *const keep[] = {WATCH_KEEPS, POD_STATE_KEEPS("object"), NULL};
static const char *const keep_of_list[] = {KUBE_LIST_KEEPS, POD_STATE_KEEPS("items"), "items.metadata.resourceVersion",
                                           NULL};

struct pods {
    struct loop *loop;
    struct kube *kube;
    char *selector;
    struct pods_events events;
    struct pod_table *table;
    struct kube_call *call;
    struct watch *watch;
    struct loop_timer *pause;
    char *version;
    int failures; /* in a row */
    int too_old;  /* so many watches in a row began with it */
    int64_t watch_began_ms;
    bool heard, synced;
};

static void list(void *arg);
static void watch(void *arg);

static void notice(struct pods *p, const char *event, const struct fault *f)
{
    if (p->events.on_notice)
        p->events.on_notice(p->events.arg, event, f);
}

static void set_version(struct pods *p, const char *version)
{
    if (!version)
        return;
    free(p->version);
    p->version = mem_string(version);
}

/* Goes on with `next`: at once after the first failure of its kind that may be routine, else after a while. */
static void go_on(struct pods *p, loop_fn *next, const struct fault *f)
{
    int64_t most = PAUSE_MS, wait = f ? f->retry_after_ms : 0;

    for (int i = 1; i < p->failures && most < PAUSE_MAX_MS; i++)
        most *= 2;
    if (most > PAUSE_MAX_MS)
        most = PAUSE_MAX_MS;
    if (p->failures > 0)
        wait += most / 2 + loop_jitter(p->loop, most / 2);
    loop_after(p->loop, &p->pause, wait, next, p);
}

/* 1. */
static void on_page(void *arg, struct json_object *items, bool first)
{
    struct pods *p = arg;

    if (first)
        pod_table_begin_list(p->table);
    for (size_t i = 0; i < json_object_array_length(items); i++)
        pod_table_put(p->table, json_object_array_get_idx(items, i));
}

static void on_list(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct pods *p = arg;

    p->call = NULL;
    if (f) {
        p->failures++;
        go_on(p, list, f);
        notice(p, "pods-list-failed", f);
        return;
    }
    pod_table_end_list(p->table);
    set_version(p, field_peek_string(field_peek(reply->object, "metadata"), "resourceVersion"));
    p->synced = true;
    loop_after(p->loop, &p->pause, 0, watch, p);
    notice(p, "pods-listed", NULL);
}

/* With no resourceVersion the list is the most recent; "0" may be older than what we know, and then nothing could
 * be said of what is not in it. */
static void list(void *arg)
{
    struct pods *p = arg;

    p->call = kube_walk(p->kube, KUBE_POD, p->selector, keep_of_list, on_page, on_list, p);
}

/* 2. */
static bool on_event(void *arg, const struct watch_event *e)
{
    struct pods *p = arg;

    p->heard = true;
    p->failures = 0;
    set_version(p, e->version);
    if (e->type == WATCH_ADDED || e->type == WATCH_MODIFIED)
        pod_table_put(p->table, e->object);
    else if (e->type == WATCH_DELETED)
        pod_table_remove(p->table, e->object);
    return true;
}

static bool is_connection_fault(const struct fault *f)
{
    return f->code <= 0 && fault_is_passing(f);
}

static void on_end(void *arg, const struct fault *f)
{
    struct pods *p = arg;
    bool calm = p->heard || loop_now(p->loop) - p->watch_began_ms >= CALM_MS;

    p->watch = NULL;
    p->failures = calm ? 0 : p->failures + 1;
    if (calm)
        p->too_old = 0;
    if (!f) {
        go_on(p, watch, NULL);
        return;
    }
    if (is_connection_fault(f) || f->kind == FAULT_THROTTLED) {
        go_on(p, watch, f);
        notice(p, "pods-watch-broken", f);
    } else if (f->kind == FAULT_GONE) {
        p->failures = p->too_old++; /* routine after a long break, but not twice */
        go_on(p, list, f);
        notice(p, "pods-watch-too-old", f);
    } else {
        p->failures += calm;
        go_on(p, list, f);
        notice(p, "pods-watch-failed", f);
    }
}

static void watch(void *arg)
{
    struct pods *p = arg;
    int seconds = WATCH_S + (int)loop_jitter(p->loop, WATCH_S + 1);
    _cleanup_free_ char *path = kube_watch_path(p->kube, KUBE_POD, p->selector, p->version ? p->version : "", seconds);

    p->heard = false;
    p->watch_began_ms = loop_now(p->loop);
    p->watch = watch_start(kube_api(p->kube), path, keep, seconds * 1000LL + WATCH_SPARE_MS, on_event, on_end, p);
}

struct pods *pods_new(struct kube *k, const char *selector, const char *container, const struct pods_events *e)
{
    struct pods *p = mem_new(struct pods);

    p->kube = k;
    p->loop = kube_loop(k);
    p->selector = mem_string(selector);
    if (e)
        p->events = *e;
    p->table = pod_table_new(p->loop, container);
    loop_defer(p->loop, &p->pause, list, p);
    return p;
}

void pods_free(struct pods *p)
{
    if (!p)
        return;
    kube_cancel(&p->call);
    watch_cancel(&p->watch);
    loop_cancel(&p->pause);
    pod_table_free(p->table);
    free(p->selector);
    free(p->version);
    free(p);
}

struct pods_follower *pods_follow(struct pods *p, const char *job_uid, pods_fn *fn, void *arg)
{
    return pod_table_follow(p->table, job_uid, fn, arg);
}

void pods_unfollow(struct pods_follower **follower)
{
    struct pods_follower *f = TAKE(*follower);

    if (f)
        pod_table_unfollow(f);
}

bool pods_synced(const struct pods *p)
{
    return p->synced;
}
