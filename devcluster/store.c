#include "devcluster/store.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "devcluster/tree.h"

enum { LISTENERS_MAX = 8, OWNERS_MAX = 16, KINDS_MAX = 16 };

struct owner_entry {
    struct owner_links dependents;
    size_t count;
    char uid[];
};

struct store {
    uint64_t version;
    struct lh_table *by_key, *by_uid, *by_owner;
    struct objects all[KINDS_MAX];
    size_t count[KINDS_MAX];

    struct change *ring; /* changes of consecutive versions, the oldest at `start` */
    size_t ring_size, ring_start, ring_len;
    size_t ring_bytes, ring_bytes_max;

    struct {
        store_listen_fn *fn;
        void *arg;
    } listeners[LISTENERS_MAX];
    size_t n_listeners;
};

struct store *store_new(uint64_t first, size_t changes, size_t bytes)
{
    struct store *s = mem_new(struct store);

    s->version = first;
    s->by_key = lh_kchar_table_new(4096, NULL);
    s->by_uid = lh_kchar_table_new(4096, NULL);
    s->by_owner = lh_kchar_table_new(4096, NULL);
    if (!s->by_key || !s->by_uid || !s->by_owner || kinds_count > KINDS_MAX)
        abort();
    for (size_t i = 0; i < kinds_count; i++)
        TAILQ_INIT(&s->all[i]);
    s->ring_size = changes;
    s->ring = mem_zero(changes, sizeof(*s->ring));
    s->ring_bytes_max = bytes;
    return s;
}

void store_listen(struct store *s, store_listen_fn *fn, void *arg)
{
    if (s->n_listeners >= LISTENERS_MAX)
        abort();
    s->listeners[s->n_listeners].fn = fn;
    s->listeners[s->n_listeners++].arg = arg;
}

uint64_t store_version(const struct store *s)
{
    return s->version;
}

static void *look_up(struct lh_table *t, const char *key)
{
    void *v = NULL;

    return lh_table_lookup_ex(t, key, &v) ? v : NULL;
}

static char *make_key(const struct kind *kind, const char *ns, const char *name)
{
    return mem_format("%s/%s/%s", kind->resource, kind->namespaced && ns ? ns : "", name);
}

struct object *store_find(const struct store *s, const struct kind *kind, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_key(kind, ns, name);

    return look_up(s->by_key, key);
}

struct object *store_find_uid(const struct store *s, const char *uid)
{
    return look_up(s->by_uid, uid);
}

struct objects *store_all(struct store *s, const struct kind *kind)
{
    return &s->all[kind - kinds];
}

size_t store_count(const struct store *s, const struct kind *kind)
{
    return s->count[kind - kinds];
}

struct owner_links *store_dependents(const struct store *s, const char *uid)
{
    struct owner_entry *e = look_up(s->by_owner, uid);

    return e ? &e->dependents : NULL;
}

/* Owners, by the references in the object's present state. */

static void unlink_owners(struct store *s, struct object *o)
{
    for (size_t i = 0; i < o->n_links; i++) {
        struct owner_entry *e = o->links[i].of;

        TAILQ_REMOVE(&e->dependents, &o->links[i], entry);
        if (--e->count == 0) {
            lh_table_delete(s->by_owner, e->uid);
            free(e);
        }
    }
    free(o->links);
    o->links = NULL;
    o->n_links = 0;
}

static void link_owner(struct store *s, struct object *o, struct owner_link *link, const char *uid)
{
    struct owner_entry *e = look_up(s->by_owner, uid);

    if (!e) {
        e = mem_zero(1, sizeof(*e) + strlen(uid) + 1);
        memcpy(e->uid, uid, strlen(uid) + 1);
        TAILQ_INIT(&e->dependents);
        if (lh_table_insert(s->by_owner, e->uid, e) < 0)
            abort();
    }
    link->object = o;
    link->of = e;
    e->count++;
    TAILQ_INSERT_TAIL(&e->dependents, link, entry);
}

static void link_owners(struct store *s, struct object *o)
{
    struct json_object *refs = tree_at(o->json, "metadata.ownerReferences");
    size_t n = json_object_is_type(refs, json_type_array) ? json_object_array_length(refs) : 0;

    if (n > OWNERS_MAX)
        n = OWNERS_MAX;
    if (n == 0)
        return;
    o->links = mem_zero(n, sizeof(*o->links));
    for (size_t i = 0; i < n; i++) {
        const char *uid = field_peek_string(json_object_array_get_idx(refs, i), "uid");

        if (uid)
            link_owner(s, o, &o->links[o->n_links++], uid);
    }
}

/* History. */

static void drop_oldest(struct store *s)
{
    struct change *c = &s->ring[s->ring_start];

    s->ring_bytes -= c->len;
    json_object_put(c->old);
    json_object_put(c->json);
    *c = (struct change){0};
    s->ring_start = (s->ring_start + 1) % s->ring_size;
    s->ring_len--;
}

static const struct change *remember(struct store *s, const struct change *change)
{
    struct change *c;

    while (s->ring_len == s->ring_size || (s->ring_len > 0 && s->ring_bytes + change->len > s->ring_bytes_max))
        drop_oldest(s);
    c = &s->ring[(s->ring_start + s->ring_len++) % s->ring_size];
    *c = *change;
    json_object_get(c->json);
    json_object_get(c->old);
    s->ring_bytes += c->len;
    return c;
}

static void publish(struct store *s, enum change_type type, struct object *o, struct json_object *old)
{
    struct change change = {.version = s->version,
                            .type = type,
                            .kind = o->kind,
                            .old = old,
                            .json = o->json,
                            .text = o->text,
                            .len = o->len};
    const struct change *c = remember(s, &change);

    for (size_t i = 0; i < s->n_listeners; i++)
        s->listeners[i].fn(s->listeners[i].arg, c, o);
}

/* Makes `json` the object's state under the next version. */
static void adopt(struct store *s, struct object *o, struct json_object *json)
{
    char version[24];

    o->version = ++s->version;
    snprintf(version, sizeof(version), "%" PRIu64, o->version);
    tree_set_string(tree_make(json, "metadata"), "resourceVersion", version);
    o->json = json;
    o->text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &o->len);
    if (!o->text)
        abort();
}

struct object *store_add(struct store *s, const struct kind *kind, struct json_object *json)
{
    struct object *o = mem_new(struct object);
    const char *ns = kind->namespaced ? tree_string(json, "metadata.namespace") : NULL;
    const char *uid = tree_string(json, "metadata.uid");

    o->kind = kind;
    o->ns = mem_string(ns ? ns : "");
    o->name = mem_string(tree_string(json, "metadata.name"));
    o->key = make_key(kind, o->ns, o->name);
    snprintf(o->uid, sizeof(o->uid), "%s", uid ? uid : "");
    adopt(s, o, json);
    if (lh_table_insert(s->by_key, o->key, o) < 0 || lh_table_insert(s->by_uid, o->uid, o) < 0)
        abort();
    TAILQ_INSERT_TAIL(&s->all[kind - kinds], o, entry);
    s->count[kind - kinds]++;
    link_owners(s, o);
    publish(s, CHANGE_ADDED, o, NULL);
    return o;
}

struct json_object *store_draft(const struct object *o)
{
    return tree_copy(o->json);
}

void store_set(struct store *s, struct object *o, struct json_object *json)
{
    struct json_object *old = o->json;

    unlink_owners(s, o);
    adopt(s, o, json);
    link_owners(s, o);
    publish(s, CHANGE_MODIFIED, o, old);
    json_object_put(old);
}

static void object_free(struct object *o)
{
    if (o->data_free)
        o->data_free(o->data);
    json_object_put(o->json);
    free(o->links);
    free(o->key);
    free(o->ns);
    free(o->name);
    free(o);
}

void store_remove(struct store *s, struct object *o)
{
    struct json_object *old = o->json;

    unlink_owners(s, o);
    lh_table_delete(s->by_key, o->key);
    lh_table_delete(s->by_uid, o->uid);
    TAILQ_REMOVE(&s->all[o->kind - kinds], o, entry);
    s->count[o->kind - kinds]--;
    adopt(s, o, tree_copy(old));
    publish(s, CHANGE_DELETED, o, old);
    json_object_put(old);
    object_free(o);
}

bool store_knows(const struct store *s, uint64_t version)
{
    return version >= s->version - s->ring_len;
}

const struct change *store_next_change(const struct store *s, uint64_t version)
{
    size_t back; /* how far from the end of the ring */

    if (version >= s->version)
        return NULL;
    back = (size_t)(s->version - version);
    if (back > s->ring_len)
        return NULL;
    return &s->ring[(s->ring_start + s->ring_len - back) % s->ring_size];
}

void store_compact(struct store *s)
{
    while (s->ring_len > 0)
        drop_oldest(s);
}

void store_free(struct store *s)
{
    if (!s)
        return;
    store_compact(s);
    for (size_t i = 0; i < kinds_count; i++)
        while (!TAILQ_EMPTY(&s->all[i])) {
            struct object *o = TAILQ_FIRST(&s->all[i]);

            TAILQ_REMOVE(&s->all[i], o, entry);
            unlink_owners(s, o);
            object_free(o);
        }
    lh_table_free(s->by_key);
    lh_table_free(s->by_uid);
    lh_table_free(s->by_owner);
    free(s->ring);
    free(s);
}
