#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "devcluster/kinds.h"

/* All objects, and the last changes to them. An object's JSON is never changed in place: whoever changes it makes a
 * draft, edits that and hands it back, so that what watches and history hold stays what it was. Each state is
 * serialised once, when it is stored.
 *
 * Listeners run inside the call that changed the store. They must not change it themselves (loop_defer for that). */

struct store;
struct owner_link;

struct object {
    const struct kind *kind;
    char *key; /* resource/namespace/name */
    char *ns;  /* "" for what has none */
    char *name;
    char uid[40];
    uint64_t version;
    struct json_object *json;
    const char *text; /* the same, serialised; lives as long as json */
    size_t len;

    /* For the controller that looks after this kind: freed with the object. */
    void *data;
    void (*data_free)(void *data);

    struct owner_link *links;
    size_t n_links;
    TAILQ_ENTRY(object) entry; /* its kind, in order of creation */
};
TAILQ_HEAD(objects, object);

/* An owner reference of an object, in the list of that owner's dependents. */
struct owner_link {
    struct object *object;
    struct owner_entry *of;
    TAILQ_ENTRY(owner_link) entry;
};
TAILQ_HEAD(owner_links, owner_link);

enum change_type { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };

struct change {
    uint64_t version;
    enum change_type type;
    const struct kind *kind;
    struct json_object *old;  /* NULL if it was added */
    struct json_object *json; /* the new state; of a deleted one the last, with the version of its end */
    const char *text;
    size_t len;
};

typedef void store_listen_fn(void *arg, const struct change *change, struct object *object);

/** `first`: the resourceVersion to count from; `changes` and `bytes`: how much history to keep. */
struct store *store_new(uint64_t first, size_t changes, size_t bytes);
void store_free(struct store *s);
DEFINE_CLEANUP(struct store, store_free)

void store_listen(struct store *s, store_listen_fn *fn, void *arg);

/** The version of the last change. */
uint64_t store_version(const struct store *s);

struct object *store_find(const struct store *s, const struct kind *kind, const char *ns, const char *name);
struct object *store_find_uid(const struct store *s, const char *uid);

/** All of a kind, oldest first; those of every namespace. Whoever removes while walking remembers the next one. */
struct objects *store_all(struct store *s, const struct kind *kind);
size_t store_count(const struct store *s, const struct kind *kind);

/** Those that name `uid` in their ownerReferences; NULL or an empty list if there are none. */
struct owner_links *store_dependents(const struct store *s, const char *uid);

/** Adds what must not be there yet (metadata.name, .namespace and .uid are set). Takes `json`. */
struct object *store_add(struct store *s, const struct kind *kind, struct json_object *json);

/** A copy to edit, for store_set(). */
struct json_object *store_draft(const struct object *o);
void store_set(struct store *s, struct object *o, struct json_object *json); /* takes json */

/** Removes and frees the object. */
void store_remove(struct store *s, struct object *o);

/** The change that follows `version`; NULL if that was the last. Before, ask whether it is still known. */
const struct change *store_next_change(const struct store *s, uint64_t version);

/** Whether every change after `version` is still in the history. */
bool store_knows(const struct store *s, uint64_t version);

/** Forgets the whole history, as an API server that compacted it. */
void store_compact(struct store *s);
