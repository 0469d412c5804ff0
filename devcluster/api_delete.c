#include "devcluster/api_delete.h"

#include <json-c/json.h>
#include <string.h>

#include "base/field.h"
#include "base/text.h"
#include "devcluster/api.h"
#include "devcluster/call.h"
#include "devcluster/cluster.h"
#include "devcluster/reaper.h"
#include "devcluster/selector.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"

static int read_propagation(struct call *call, enum propagation *ret, struct refusal *r)
{
    const char *word = tree_string(call->body, "propagationPolicy");

    if (!word)
        word = call_query(call, "propagationPolicy");
    if (!word && (tree_bool(call->body, "orphanDependents") || call_query_is_true(call, "orphanDependents")))
        word = "Orphan";
    if (!word)
        *ret = PROPAGATE_DEFAULT;
    else if (strcmp(word, "Background") == 0)
        *ret = PROPAGATE_BACKGROUND;
    else if (strcmp(word, "Foreground") == 0)
        *ret = PROPAGATE_FOREGROUND;
    else if (strcmp(word, "Orphan") == 0)
        *ret = PROPAGATE_ORPHAN;
    else
        return refuse(r, 422, "Invalid",
                      "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"%.40s\"",
                      word);
    return 0;
}

static int read_options(struct call *call, struct delete_options *ret, struct refusal *r)
{
    const char *grace = call_query(call, "gracePeriodSeconds");
    struct fault f = FAULT_INIT;

    if (call->body && !json_object_is_type(call->body, json_type_object))
        return refuse(r, 400, "BadRequest", "DeleteOptions must be a JSON object");
    ret->grace_s = tree_int(call->body, "gracePeriodSeconds", -1);
    if (ret->grace_s < 0 && grace && text_to_int(grace, 0, INT32_MAX, &ret->grace_s, &f) < 0)
        return refuse(r, 400, "BadRequest", "gracePeriodSeconds: %s", f.text);
    return read_propagation(call, &ret->propagation, r);
}

static int check_preconditions(struct call *call, const struct object *o, struct refusal *r)
{
    const char *uid = tree_string(call->body, "preconditions.uid");
    const char *version = tree_string(call->body, "preconditions.resourceVersion");
    const char *present = tree_string(o->json, "metadata.resourceVersion");

    if (uid && strcmp(uid, o->uid) != 0)
        return refuse(r, 409, "Conflict",
                      "Operation cannot be fulfilled on %s \"%s\": the UID in the precondition (%.40s) does not match "
                      "the UID in record (%s). The object might have been deleted and then recreated",
                      o->kind->resource, o->name, uid, o->uid);
    if (version && strcmp(version, present) != 0)
        return refuse(
            r, 409, "Conflict",
            "Operation cannot be fulfilled on %s \"%s\": the ResourceVersion in the precondition (%.40s) does "
            "not match the ResourceVersion in record (%s)",
            o->kind->resource, o->name, version, present);
    return 0;
}

static struct json_object *success(const struct kind *kind, const char *name, const char *uid)
{
    struct json_object *status = tree_new(), *details = tree_new();

    tree_set_string(status, "kind", "Status");
    tree_set_string(status, "apiVersion", "v1");
    tree_set(status, "metadata", tree_new());
    tree_set_string(status, "status", "Success");
    tree_set_string(details, "name", name);
    if (kind->group[0])
        tree_set_string(details, "group", kind->group);
    tree_set_string(details, "kind", kind->resource);
    tree_set_string(details, "uid", uid);
    tree_set(status, "details", details);
    return status;
}

/* The real server says so, and it is the trap that most clients of Jobs have stepped into. */
static void warn_of_orphans(struct call *call, const struct delete_options *options)
{
    if (call->route.kind == kind_job && options->propagation == PROPAGATE_DEFAULT)
        call_header(call, "Warning",
                    "299 - \"child pods are preserved by default when jobs are deleted; set "
                    "propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this "
                    "warning\"");
}

void api_delete_one(struct call *call, struct object *o)
{
    struct delete_options options;
    struct json_object *status;
    struct refusal r;

    if (read_options(call, &options, &r) < 0 || check_preconditions(call, o, &r) < 0) {
        call_refuse(call, &r);
        return;
    }
    warn_of_orphans(call, &options);
    status = success(o->kind, o->name, o->uid);
    if (reaper_delete(call->cluster, o, &options)) {
        json_object_put(status);
        call_send_object(call, 200, o);
    } else {
        call_send_json(call, 200, status);
    }
}

void api_delete_all(struct call *call, const struct selector *s)
{
    struct objects *all = store_all(call->cluster->store, call->route.kind);
    struct delete_options options;
    struct refusal r;
    struct object *o, *next;

    if (read_options(call, &options, &r) < 0) {
        call_refuse(call, &r);
        return;
    }
    warn_of_orphans(call, &options);
    for (o = TAILQ_FIRST(all); o; o = next) {
        next = TAILQ_NEXT(o, entry); /* deleting a thing removes none other of its kind within the call */
        if (api_in_scope(call, o, s))
            reaper_delete(call->cluster, o, &options);
    }
    call_send_json(call, 200, success(call->route.kind, "", ""));
}
