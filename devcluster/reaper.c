#include "devcluster/reaper.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/kubelet.h"
#include "devcluster/objects.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"

/* Something to look at when the store is at rest: an owner whose end may leave orphans, or an object to remove. */
struct errand {
    enum { ERRAND_ORPHANS_OF, ERRAND_FINISH_OWNER, ERRAND_REMOVE } what;
    char uid[40];
    STAILQ_ENTRY(errand) entry;
};

struct reaper {
    struct cluster *cluster;
    STAILQ_HEAD(, errand) errands;
    struct loop_timer *timer;
};

static void run_errands(void *arg);

static void send(struct reaper *r, int what, const char *uid)
{
    struct errand *e = mem_new(struct errand);

    e->what = what;
    snprintf(e->uid, sizeof(e->uid), "%s", uid);
    STAILQ_INSERT_TAIL(&r->errands, e, entry);
    if (!r->timer)
        loop_defer(r->cluster->loop, &r->timer, run_errands, r);
}

void reaper_remove_soon(struct cluster *c, const struct object *o)
{
    send(c->reaper, ERRAND_REMOVE, o->uid);
}

/* Owners. */

static bool has_other_owner(struct cluster *c, const struct object *o, const char *uid)
{
    struct json_object *refs = tree_at(o->json, "metadata.ownerReferences");

    for (size_t i = 0; refs && i < json_object_array_length(refs); i++) {
        const char *owner = field_peek_string(json_object_array_get_idx(refs, i), "uid");

        if (owner && strcmp(owner, uid) != 0 && store_find_uid(c->store, owner))
            return true;
    }
    return false;
}

static void drop_reference(struct cluster *c, struct object *o, const char *uid)
{
    struct json_object *draft = store_draft(o), *refs = tree_at(draft, "metadata.ownerReferences");

    for (size_t i = json_object_array_length(refs); i-- > 0;) {
        const char *owner = field_peek_string(json_object_array_get_idx(refs, i), "uid");

        if (owner && strcmp(owner, uid) == 0)
            json_object_array_del_idx(refs, i, 1);
    }
    if (json_object_array_length(refs) == 0)
        json_object_object_del(tree_at(draft, "metadata"), "ownerReferences");
    store_set(c->store, o, draft);
}

/* Deals with every dependent of `uid`: the list changes under our hands, so their uids are noted first. */
static void each_dependent(struct cluster *c, const char *uid, bool orphan)
{
    struct owner_links *links = store_dependents(c->store, uid);
    static const struct delete_options background = {PROPAGATE_BACKGROUND, -1};
    _cleanup_free_ char(*uids)[40] = NULL;
    struct owner_link *link;
    size_t n = 0;

    if (!links)
        return;
    TAILQ_FOREACH (link, links, entry) {
        uids = mem_resize(uids, n + 1, sizeof(*uids));
        memcpy(uids[n++], link->object->uid, sizeof(*uids));
    }
    for (size_t i = 0; i < n; i++) {
        struct object *o = store_find_uid(c->store, uids[i]);

        if (!o)
            continue;
        if (orphan || has_other_owner(c, o, uid))
            drop_reference(c, o, uid);
        else if (!tree_string(o->json, "metadata.deletionTimestamp"))
            reaper_delete(c, o, &background);
    }
}

static bool is_foreground(const struct object *o)
{
    struct json_object *list = tree_at(o->json, "metadata.finalizers");

    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        const char *name;
        struct fault f;

        if (field_element(list, i, 253, &name, &f) == 0 && strcmp(name, "foregroundDeletion") == 0)
            return true;
    }
    return false;
}

/* An owner that waits for its dependents to go first. */
static void finish_owner(struct cluster *c, struct object *o)
{
    struct owner_links *links = store_dependents(c->store, o->uid);

    if (is_foreground(o) && tree_string(o->json, "metadata.deletionTimestamp") && (!links || TAILQ_EMPTY(links)))
        store_remove(c->store, o);
}

static void run(struct reaper *r, const struct errand *e)
{
    struct object *o = store_find_uid(r->cluster->store, e->uid);

    switch (e->what) {
    case ERRAND_ORPHANS_OF:
        if (!o)
            each_dependent(r->cluster, e->uid, false);
        break;
    case ERRAND_FINISH_OWNER:
        if (o)
            finish_owner(r->cluster, o);
        break;
    case ERRAND_REMOVE:
        if (o)
            store_remove(r->cluster->store, o);
        break;
    }
}

static void run_errands(void *arg)
{
    struct reaper *r = arg;
    struct errand *e;
    size_t n = 0;

    STAILQ_FOREACH (e, &r->errands, entry)
        n++;
    for (; n > 0 && (e = STAILQ_FIRST(&r->errands)); n--) {
        STAILQ_REMOVE_HEAD(&r->errands, entry);
        run(r, e);
        free(e);
    }
    if (!STAILQ_EMPTY(&r->errands) && !r->timer)
        loop_defer(r->cluster->loop, &r->timer, run_errands, r);
}

static void look_at_owners(struct reaper *r, const struct change *change, int what, bool missing)
{
    struct json_object *refs = tree_at(change->json, "metadata.ownerReferences");

    if (!json_object_is_type(refs, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(refs); i++) {
        const char *uid = field_peek_string(json_object_array_get_idx(refs, i), "uid");

        if (uid && missing == !store_find_uid(r->cluster->store, uid))
            send(r, what, uid);
    }
}

static void on_change(void *arg, const struct change *change, struct object *o)
{
    struct reaper *r = arg;

    if (change->type == CHANGE_DELETED) {
        if (store_dependents(r->cluster->store, o->uid))
            send(r, ERRAND_ORPHANS_OF, o->uid);
        look_at_owners(r, change, ERRAND_FINISH_OWNER, false);
    } else {
        look_at_owners(r, change, ERRAND_ORPHANS_OF, true);
    }
}

struct reaper *reaper_new(struct cluster *c)
{
    struct reaper *r = mem_new(struct reaper);

    r->cluster = c;
    STAILQ_INIT(&r->errands);
    store_listen(c->store, on_change, r);
    return r;
}

void reaper_free(struct reaper *r)
{
    struct errand *e;

    if (!r)
        return;
    loop_cancel(&r->timer);
    while ((e = STAILQ_FIRST(&r->errands))) {
        STAILQ_REMOVE_HEAD(&r->errands, entry);
        free(e);
    }
    free(r);
}

/* Deleting. */

static void mark(struct cluster *c, struct object *o, int64_t grace_s, bool foreground)
{
    struct json_object *draft = store_draft(o), *metadata = tree_at(draft, "metadata");
    char when[TREE_TIME];

    tree_time(loop_wall(c->loop) + grace_s * 1000, when);
    tree_set_string(metadata, "deletionTimestamp", when);
    tree_set_int(metadata, "deletionGracePeriodSeconds", grace_s);
    if (foreground && !is_foreground(o))
        json_object_array_add(tree_make_array(metadata, "finalizers"), tree_text("foregroundDeletion"));
    store_set(c->store, o, draft);
}

static bool delete_pod(struct cluster *c, struct object *o, int64_t grace_s)
{
    int64_t present = tree_int(o->json, "metadata.deletionGracePeriodSeconds", -1);

    if (grace_s < 0)
        grace_s = tree_int(o->json, "spec.terminationGracePeriodSeconds", 1);
    if (!kubelet_has(c->kubelet, o))
        grace_s = 0; /* no node has it */
    if (grace_s == 0) {
        store_remove(c->store, o);
        return false;
    }
    if (present < 0 || grace_s < present) {
        mark(c, o, grace_s, false);
        kubelet_delete(c->kubelet, o, grace_s);
    }
    return true;
}

static void empty_namespace(struct cluster *c, const char *ns)
{
    static const struct delete_options at_once = {PROPAGATE_BACKGROUND, 0};

    for (size_t i = 0; i < kinds_count; i++) {
        struct object *o, *next;

        if (!kinds[i].namespaced)
            continue;
        for (o = TAILQ_FIRST(store_all(c->store, &kinds[i])); o; o = next) {
            next = TAILQ_NEXT(o, entry); /* what follows an object is freed by its own removal only */
            if (strcmp(o->ns, ns) == 0)
                reaper_delete(c, o, &at_once);
        }
    }
}

bool reaper_delete(struct cluster *c, struct object *o, const struct delete_options *options)
{
    enum propagation p = options->propagation;
    struct owner_links *links = store_dependents(c->store, o->uid);

    if (o->kind == kind_pod)
        return delete_pod(c, o, options->grace_s);
    if (p == PROPAGATE_DEFAULT)
        p = o->kind == kind_job ? PROPAGATE_ORPHAN : PROPAGATE_BACKGROUND;
    if (o->kind == kind_namespace)
        empty_namespace(c, o->name);
    if (p == PROPAGATE_FOREGROUND && links && !TAILQ_EMPTY(links)) {
        if (!tree_string(o->json, "metadata.deletionTimestamp"))
            mark(c, o, 0, true);
        each_dependent(c, o->uid, false);
        return true; /* the last dependent's end brings this one's */
    }
    if (p == PROPAGATE_ORPHAN)
        each_dependent(c, o->uid, true);
    store_remove(c->store, o);
    return false;
}
