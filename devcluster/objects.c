#include "devcluster/objects.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/field.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/defaults.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"
#include "devcluster/validate.h"

enum { EVENTS_MAX = 2000, GENERATED_BASE_MAX = 58, GENERATED_LEN = 5 };

/* Under generateName the server appends five characters to at most 58 of the base. */
static void generate_name(struct json_object *metadata)
{
    const char *name = field_peek_string(metadata, "name"), *base = field_peek_string(metadata, "generateName");
    char suffix[GENERATED_LEN + 1];
    _cleanup_free_ char *full = NULL;

    if ((name && name[0]) || !base || !base[0])
        return;
    tree_suffix(suffix, GENERATED_LEN);
    full = mem_format("%.*s%s", GENERATED_BASE_MAX, base, suffix);
    tree_set_string(metadata, "name", full);
}

static int check_place(struct cluster *c, const struct kind *kind, const char *ns, struct json_object *json,
                       struct refusal *r)
{
    const char *name = tree_string(json, "metadata.name");
    struct object *space;

    if (kind->namespaced) {
        space = store_find(c->store, kind_namespace, NULL, ns);
        if (!space)
            return refuse(r, 404, "NotFound", "namespaces \"%.63s\" not found", ns);
        if (tree_string(space->json, "metadata.deletionTimestamp"))
            return refuse(r, 403, "Forbidden",
                          "%s \"%.253s\" is forbidden: unable to create new content in namespace %s because it is "
                          "being terminated",
                          kind->resource, name, ns);
    }
    if (store_find(c->store, kind, ns, name))
        return refuse(r, 409, "AlreadyExists", "%s%s%s \"%.253s\" already exists", kind->resource,
                      kind->group[0] ? "." : "", kind->group, name);
    return 0;
}

int objects_create(struct cluster *c, const struct kind *kind, const char *ns, struct json_object *json, bool dry_run,
                   struct object **ret, struct json_object **ret_dry, struct refusal *r)
{
    _cleanup_(field_putp)
    struct json_object *own = json;

    if (!json_object_is_type(json, json_type_object))
        return refuse(r, 400, "BadRequest", "the object provided is unrecognized: it is no JSON object");
    if (!tree_at(json, "metadata"))
        tree_set(json, "metadata", tree_new());
    if (json_object_is_type(tree_at(json, "metadata"), json_type_object))
        generate_name(tree_at(json, "metadata"));
    if (validate_object(kind, ns, json, r) < 0)
        return -1;
    if (tree_string(json, "metadata.resourceVersion") && tree_string(json, "metadata.resourceVersion")[0])
        return refuse(r, 400, "BadRequest", "resourceVersion should not be set on objects to be created");
    if (check_place(c, kind, ns, json, r) < 0)
        return -1;
    defaults_fill(kind, ns, json, loop_wall(c->loop));
    if (dry_run)
        *ret_dry = TAKE(own);
    else
        *ret = store_add(c->store, kind, TAKE(own));
    return 0;
}

/* What nobody but the server sets is as it was. */
static void keep_system_fields(struct json_object *old, struct json_object *json)
{
    static const char *const kept[] = {
        "uid",  "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
        "name", "namespace"};
    struct json_object *from = tree_at(old, "metadata"), *to = tree_make(json, "metadata");

    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        struct json_object *value = NULL;

        json_object_object_get_ex(from, kept[i], &value);
        if (value)
            tree_set(to, kept[i], json_object_get(value));
        else
            json_object_object_del(to, kept[i]);
    }
    if (tree_at(old, "status"))
        tree_set(json, "status", json_object_get(tree_at(old, "status")));
}

int objects_update(struct cluster *c, struct object *o, struct json_object *json, struct refusal *r)
{
    _cleanup_(field_putp)
    struct json_object *own = json;
    const char *version = tree_string(json, "metadata.resourceVersion"), *name = tree_string(json, "metadata.name");

    if (!json_object_is_type(json, json_type_object) ||
        !json_object_is_type(tree_at(json, "metadata"), json_type_object))
        return refuse(r, 400, "BadRequest", "the object provided is unrecognized: it has no metadata");
    if (name && strcmp(name, o->name) != 0)
        return refuse(r, 400, "BadRequest", "the name of the object (%.64s) does not match the name on the URL (%.64s)",
                      name, o->name);
    if (version && version[0] && strcmp(version, tree_string(o->json, "metadata.resourceVersion")) != 0)
        return refuse(r, 409, "Conflict",
                      "Operation cannot be fulfilled on %s \"%.64s\": the object has been modified; please apply your "
                      "changes to the latest version and try again",
                      o->kind->resource, o->name);
    keep_system_fields(o->json, json);
    if (validate_object(o->kind, o->ns, json, r) < 0 || validate_update(o->kind, o->json, json, r) < 0)
        return -1;
    tree_set_string(json, "apiVersion", kind_api_version(o->kind));
    tree_set_string(json, "kind", o->kind->name);
    store_set(c->store, o, tree_copy(own)); /* a copy: it shares the status with the old state */
    return 0;
}

static void merge(struct json_object *target, struct json_object *patch)
{
    json_object_object_foreach(patch, key, value)
    {
        struct json_object *present = NULL;

        if (!value) {
            json_object_object_del(target, key);
        } else if (json_object_is_type(value, json_type_object)) {
            json_object_object_get_ex(target, key, &present);
            if (!json_object_is_type(present, json_type_object)) {
                present = tree_new();
                tree_set(target, key, present);
            }
            merge(present, value);
        } else {
            tree_set(target, key, tree_copy(value));
        }
    }
}

int objects_patch(struct cluster *c, struct object *o, struct json_object *patch, struct refusal *r)
{
    struct json_object *draft;

    if (!json_object_is_type(patch, json_type_object))
        return refuse(r, 400, "BadRequest", "a merge patch is a JSON object");
    draft = store_draft(o);
    merge(draft, patch);
    return objects_update(c, o, draft, r);
}

/* Events. */

static struct json_object *new_event(const struct object *about, const char *type, const char *reason, const char *text,
                                     const char *now)
{
    struct json_object *event = tree_new(), *involved = tree_new();
    char suffix[17], uid[TREE_UUID];
    _cleanup_free_ char *name = NULL;

    tree_suffix(suffix, 16);
    tree_uuid(uid);
    name = mem_format("%.230s.%s", about->name, suffix);
    tree_set_string(event, "kind", "Event");
    tree_set_string(event, "apiVersion", "v1");
    tree_set_string(tree_make(event, "metadata"), "name", name);
    tree_set_string(tree_at(event, "metadata"), "namespace", about->ns[0] ? about->ns : "default");
    tree_set_string(tree_at(event, "metadata"), "uid", uid);
    tree_set_string(tree_at(event, "metadata"), "creationTimestamp", now);
    tree_set_string(involved, "kind", about->kind->name);
    tree_set_string(involved, "apiVersion", kind_api_version(about->kind));
    tree_set_string(involved, "namespace", about->ns);
    tree_set_string(involved, "name", about->name);
    tree_set_string(involved, "uid", about->uid);
    tree_set(event, "involvedObject", involved);
    tree_set_string(event, "reason", reason);
    tree_set_string(event, "message", text);
    tree_set_string(event, "type", type);
    tree_set_string(event, "firstTimestamp", now);
    tree_set_string(event, "lastTimestamp", now);
    tree_set_int(event, "count", 1);
    return event;
}

void objects_event(struct cluster *c, const struct object *about, const char *type, const char *reason,
                   const char *format, ...)
{
    bool of_job = about->kind == kind_job;
    struct json_object *event;
    char text[1024], now[TREE_TIME];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tree_time(loop_wall(c->loop), now);
    event = new_event(about, type, reason, text, now);
    tree_set_string(event, "reportingComponent", of_job ? "job-controller" : "kubelet");
    tree_set_string(tree_make(event, "source"), "component", of_job ? "job-controller" : "kubelet");
    while (store_count(c->store, kind_event) >= EVENTS_MAX)
        store_remove(c->store, TAILQ_FIRST(store_all(c->store, kind_event)));
    store_add(c->store, kind_event, event);
}

static void add_first(struct cluster *c, const struct kind *kind, const char *ns, struct json_object *json)
{
    struct object *o;
    struct refusal r;

    if (objects_create(c, kind, ns, json, false, &o, NULL, &r) < 0)
        abort(); /* ours, and tested */
}

static struct json_object *named(const char *name)
{
    struct json_object *json = tree_new();

    tree_set_string(tree_make(json, "metadata"), "name", name);
    return json;
}

static struct json_object *node(int pods)
{
    struct json_object *json = named("devcluster"), *ready = tree_new();
    char text[16];

    snprintf(text, sizeof(text), "%d", pods);
    tree_set_string(tree_make(json, "metadata.labels"), "kubernetes.io/hostname", "devcluster");
    tree_set_string(tree_make(json, "metadata.labels"), "kubernetes.io/os", "linux");
    tree_set_string(tree_make(json, "status.capacity"), "pods", text);
    tree_set_string(tree_make(json, "status.allocatable"), "pods", text);
    tree_set_string(tree_make(json, "status.nodeInfo"), "kubeletVersion", "execq-devcluster-" EXECQ_VERSION);
    tree_set_string(tree_make(json, "status.nodeInfo"), "containerRuntimeVersion", "bubblewrap://");
    tree_set_string(ready, "type", "Ready");
    tree_set_string(ready, "status", "True");
    tree_set_string(ready, "reason", "KubeletReady");
    tree_set(tree_at(json, "status"), "conditions", tree_list(ready, NULL));
    return json;
}

void objects_first(struct cluster *c, int pods)
{
    static const char *const spaces[] = {"default", "kube-system"};

    for (size_t i = 0; i < COUNT_OF(spaces); i++) {
        add_first(c, kind_namespace, "", named(spaces[i]));
        add_first(c, kind_find("", "v1", "serviceaccounts"), spaces[i], named("default"));
    }
    add_first(c, kind_node, "", node(pods));
}
