#include "k8s/pod_table.h"

#include <json-c/json.h>
#include <json-c/linkhash.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/field.h"
#include "base/mem.h"

/* A pod, its texts copied: the object itself takes ten times as much. */
struct known {
    struct pod_state state;
    char *name, *uid, *node, *job_uid, *message, *termination, *version;
    unsigned list; /* the last one that it was in */
    bool changed, gone;
    TAILQ_ENTRY(known) entry;
};

struct pods_follower {
    struct pod_table *table;
    struct job *job;
    pods_fn *fn;
    void *arg;
    bool told; /* of a pod that is not gone since */
    unsigned round;
    struct loop_timer *first;
    TAILQ_ENTRY(pods_follower) entry;
};

/* There while it has a pod or a follower. */
struct job {
    char *uid;
    TAILQ_HEAD(, known) pods;
    TAILQ_HEAD(, pods_follower) followers;
    bool dirty, busy; /* to be reported; being reported */
    TAILQ_ENTRY(job) dirty_entry;
};

struct pod_table {
    struct loop *loop;
    char *container;
    struct lh_table *jobs;
    TAILQ_HEAD(, job) dirty;
    struct loop_timer *report;
    size_t count;
    unsigned list, round;
    bool *freed; /* set by pod_table_free() for a report that is on the stack */
};

static struct job *find(struct pod_table *t, const char *uid)
{
    void *found = NULL;

    lh_table_lookup_ex(t->jobs, uid, &found);
    return found;
}

static struct job *find_or_add(struct pod_table *t, const char *uid)
{
    struct job *j = find(t, uid);

    if (j)
        return j;
    j = mem_new(struct job);
    j->uid = mem_string(uid);
    TAILQ_INIT(&j->pods);
    TAILQ_INIT(&j->followers);
    if (lh_table_insert(t->jobs, j->uid, j) < 0)
        abort(); /* out of memory */
    return j;
}

static void free_known(struct known *k)
{
    char *const texts[] = {k->name, k->uid, k->node, k->job_uid, k->message, k->termination, k->version};

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    free(k);
}

static void drop_known(struct pod_table *t, struct job *j, struct known *k)
{
    TAILQ_REMOVE(&j->pods, k, entry);
    t->count--;
    free_known(k);
}

static void free_if_empty(struct pod_table *t, struct job *j)
{
    if (j->busy || j->dirty || !TAILQ_EMPTY(&j->pods) || !TAILQ_EMPTY(&j->followers))
        return;
    lh_table_delete(t->jobs, j->uid);
    free(j->uid);
    free(j);
}

/* Reports. */

static struct known *newest(const struct job *j)
{
    struct known *k, *best = NULL;

    TAILQ_FOREACH (k, &j->pods, entry)
        if (!k->gone && (!best || k->state.created_ms >= best->state.created_ms))
            best = k;
    return best;
}

/* Whether the table is still there. Followers may come and go meanwhile, so each turn looks from the start. */
static bool tell_all(struct pod_table *t, struct job *j, const struct pod_state *state)
{
    unsigned round = ++t->round;
    struct pods_follower *f;
    bool freed = false;

    for (;;) {
        TAILQ_FOREACH (f, &j->followers, entry)
            if (f->round != round)
                break;
        if (!f)
            return true;
        f->round = round;
        if (!state && !f->told)
            continue;
        f->told = state != NULL;
        t->freed = &freed;
        f->fn(f->arg, state);
        if (freed)
            return false;
        t->freed = NULL;
    }
}

static bool report_job(struct pod_table *t, struct job *j)
{
    for (;;) {
        const struct known *other;
        struct known *k;

        TAILQ_FOREACH (k, &j->pods, entry)
            if (k->changed || k->gone)
                break;
        if (!k)
            return true;
        if (k->changed) { /* first how it was at the end, then that it is gone */
            k->changed = false;
            if (!tell_all(t, j, &k->state))
                return false;
            continue;
        }
        drop_known(t, j, k);
        other = newest(j);
        if (!(other && other->changed) && !tell_all(t, j, other ? &other->state : NULL))
            return false;
    }
}

static void report(void *arg)
{
    struct pod_table *t = arg;
    struct job *j;

    while ((j = TAILQ_FIRST(&t->dirty))) {
        TAILQ_REMOVE(&t->dirty, j, dirty_entry);
        j->dirty = false;
        j->busy = true;
        if (!report_job(t, j))
            return;
        j->busy = false;
        free_if_empty(t, j);
    }
}

static void make_dirty(struct pod_table *t, struct job *j)
{
    if (j->dirty)
        return;
    j->dirty = true;
    TAILQ_INSERT_TAIL(&t->dirty, j, dirty_entry);
    if (!t->report)
        loop_defer(t->loop, &t->report, report, t);
}

/* What comes in. */

static void replace(char **at, const char *with)
{
    if (*at && with && strcmp(*at, with) == 0)
        return;
    free(*at);
    *at = mem_string(with);
}

static void copy_state(struct known *k, const struct pod_state *s)
{
    k->state = *s;
    replace(&k->name, s->name);
    replace(&k->uid, s->uid);
    replace(&k->node, s->node);
    replace(&k->job_uid, s->job_uid);
    replace(&k->message, s->message);
    replace(&k->termination, s->termination);
    k->state.name = k->name;
    k->state.uid = k->uid;
    k->state.node = k->node;
    k->state.job_uid = k->job_uid;
    k->state.message = k->message;
    k->state.termination = k->termination;
}

static struct known *find_known(struct job *j, const char *uid)
{
    struct known *k;

    TAILQ_FOREACH (k, &j->pods, entry)
        if (strcmp(k->uid, uid) == 0 && !k->gone)
            return k;
    return NULL;
}

static struct known *put(struct pod_table *t, struct json_object *pod)
{
    const char *version = field_peek_string(field_peek(pod, "metadata"), "resourceVersion");
    struct pod_state s;
    struct known *k;
    struct job *j;

    pod_state_read(pod, t->container, &s);
    if (!s.job_uid || !s.uid || !s.name)
        return NULL;
    j = find_or_add(t, s.job_uid);
    k = find_known(j, s.uid);
    if (!k) {
        k = mem_new(struct known);
        TAILQ_INSERT_TAIL(&j->pods, k, entry);
        t->count++;
    } else if (k->version && version && strcmp(k->version, version) == 0) {
        k->list = t->list;
        return k;
    }
    copy_state(k, &s);
    replace(&k->version, version);
    k->list = t->list;
    k->changed = true;
    make_dirty(t, j);
    return k;
}

void pod_table_put(struct pod_table *t, struct json_object *pod)
{
    put(t, pod);
}

static void make_gone(struct pod_table *t, struct known *k)
{
    k->gone = true;
    make_dirty(t, find(t, k->job_uid));
}

void pod_table_remove(struct pod_table *t, struct json_object *pod)
{
    struct known *k = put(t, pod);

    if (k)
        make_gone(t, k);
}

void pod_table_begin_list(struct pod_table *t)
{
    t->list++;
}

void pod_table_end_list(struct pod_table *t)
{
    struct lh_entry *e;

    lh_foreach(t->jobs, e)
    {
        const struct job *j = lh_entry_v(e);
        struct known *k;

        TAILQ_FOREACH (k, &j->pods, entry)
            if (k->list != t->list && !k->gone)
                make_gone(t, k);
    }
}

/* Followers. */

static void first(void *arg)
{
    struct pods_follower *f = arg;
    const struct known *k = newest(f->job);

    if (f->told || !k || k->changed) /* told already, or about to be with the others */
        return;
    f->told = true;
    f->fn(f->arg, &k->state);
}

struct pods_follower *pod_table_follow(struct pod_table *t, const char *job_uid, pods_fn *fn, void *arg)
{
    struct pods_follower *f = mem_new(struct pods_follower);

    f->table = t;
    f->job = find_or_add(t, job_uid);
    f->fn = fn;
    f->arg = arg;
    f->round = t->round;
    TAILQ_INSERT_TAIL(&f->job->followers, f, entry);
    loop_defer(t->loop, &f->first, first, f);
    return f;
}

void pod_table_unfollow(struct pods_follower *f)
{
    struct job *j = f->job;

    loop_cancel(&f->first);
    TAILQ_REMOVE(&j->followers, f, entry);
    free_if_empty(f->table, j);
    free(f);
}

size_t pod_table_count(const struct pod_table *t)
{
    return t->count;
}

struct pod_table *pod_table_new(struct loop *l, const char *container)
{
    struct pod_table *t = mem_new(struct pod_table);

    t->loop = l;
    t->container = mem_string(container);
    t->jobs = lh_kchar_table_new(64, NULL);
    if (!t->jobs)
        abort(); /* out of memory */
    TAILQ_INIT(&t->dirty);
    return t;
}

static void free_job(struct job *j)
{
    struct pods_follower *f;
    struct known *k;

    while ((k = TAILQ_FIRST(&j->pods))) {
        TAILQ_REMOVE(&j->pods, k, entry);
        free_known(k);
    }
    while ((f = TAILQ_FIRST(&j->followers))) {
        loop_cancel(&f->first);
        TAILQ_REMOVE(&j->followers, f, entry);
        free(f);
    }
    free(j->uid);
    free(j);
}

void pod_table_free(struct pod_table *t)
{
    struct lh_entry *e, *next;

    if (t->freed)
        *t->freed = true;
    loop_cancel(&t->report);
    lh_foreach_safe(t->jobs, e, next) free_job(lh_entry_v(e));
    lh_table_free(t->jobs);
    free(t->container);
    free(t);
}
