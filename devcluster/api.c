#include "devcluster/api.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "devcluster/api_delete.h"
#include "devcluster/call.h"
#include "devcluster/cluster.h"
#include "devcluster/kubelet.h"
#include "devcluster/objects.h"
#include "devcluster/selector.h"
#include "devcluster/store.h"
#include "devcluster/table.h"
#include "devcluster/tree.h"
#include "devcluster/watch.h"

/* The object the URL names; answers 404 and returns NULL if there is none. */
static struct object *find_object(struct call *call)
{
    const struct kind *kind = call->route.kind;
    struct object *o = store_find(call->cluster->store, kind, call->route.ns, call->route.name);
    struct refusal r;

    if (!o) {
        refuse(&r, 404, "NotFound", "%s%s%s \"%s\" not found", kind->resource, kind->group[0] ? "." : "", kind->group,
               call->route.name);
        call_refuse(call, &r);
    }
    return o;
}

static void send_object(struct call *call, int code, const struct object *o)
{
    if (call_wants_table(call))
        call_send_json(call, code, table_of(o->kind, &o->json, 1, o->version, loop_wall(call->cluster->loop)));
    else
        call_send_object(call, code, o);
}

static void do_get(struct call *call)
{
    const struct object *o = find_object(call);

    if (o)
        send_object(call, 200, o);
}

/* list */

bool api_in_scope(const struct call *call, const struct object *o, const struct selector *s)
{
    return (!call->route.ns[0] || strcmp(call->route.ns, o->ns) == 0) && selector_matches(s, o->json);
}

static void send_table(struct call *call, const struct selector *s)
{
    struct objects *all = store_all(call->cluster->store, call->route.kind);
    struct json_object **items = mem_zero(store_count(call->cluster->store, call->route.kind), sizeof(*items));
    struct object *o;
    size_t n = 0;

    TAILQ_FOREACH (o, all, entry)
        if (api_in_scope(call, o, s))
            items[n++] = o->json;
    call_send_json(
        call, 200,
        table_of(call->route.kind, items, n, store_version(call->cluster->store), loop_wall(call->cluster->loop)));
    free(items);
}

static void send_list(struct call *call, const struct selector *s)
{
    const struct kind *kind = call->route.kind;
    struct evbuffer *body = evbuffer_new();
    struct object *o;
    bool first = true;

    evbuffer_add_printf(body,
                        "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRIu64
                        "\"},\"items\":[",
                        kind->name, kind_api_version(kind), store_version(call->cluster->store));
    TAILQ_FOREACH (o, store_all(call->cluster->store, kind), entry) {
        if (!api_in_scope(call, o, s))
            continue;
        if (!first)
            evbuffer_add(body, ",", 1);
        evbuffer_add(body, o->text, o->len);
        first = false;
    }
    evbuffer_add(body, "]}\n", 3);
    call_send(call, 200, "application/json", body);
}

static int read_selector(struct call *call, struct selector **ret, struct fault *f)
{
    return selector_parse(call_query(call, "labelSelector"), call_query(call, "fieldSelector"),
                          call->route.kind->fields, ret, f);
}

/* A version from the future is answered as by a server whose cache has not got there. */
static bool check_version(struct call *call)
{
    const char *text = call_query(call, "resourceVersion");
    struct fault f = FAULT_INIT;
    int64_t version;

    if (!text || !text[0])
        return true;
    if (text_to_int(text, 0, INT64_MAX, &version, &f) < 0) {
        call_refuse_text(call, 400, "resourceVersion: Invalid value: must be a number");
        return false;
    }
    if ((uint64_t)version > store_version(call->cluster->store)) {
        struct refusal r;

        refuse(&r, 504, "Timeout", "Timeout: Too large resource version: %" PRId64 ", current: %" PRIu64, version,
               store_version(call->cluster->store));
        r.retry_after_s = 1;
        call_refuse(call, &r);
        return false;
    }
    return true;
}

static void do_list(struct call *call)
{
    _cleanup_(selector_freep)
    struct selector *s = NULL;
    struct fault f = FAULT_INIT;

    if (read_selector(call, &s, &f) < 0)
        call_refuse_text(call, 400, f.text);
    else if (!check_version(call))
        return;
    else if (call_wants_table(call))
        send_table(call, s);
    else
        send_list(call, s);
}

static void do_watch(struct call *call)
{
    struct selector *s = NULL;
    struct fault f = FAULT_INIT;
    _cleanup_free_ char *fields = NULL;
    const char *given = call_query(call, "fieldSelector");

    /* watch on one object is short for a field selector */
    if (call->route.name[0])
        fields = mem_format("metadata.name=%s", call->route.name);
    if (selector_parse(call_query(call, "labelSelector"), fields ? fields : given, call->route.kind->fields, &s, &f) <
        0) {
        call_refuse_text(call, 400, f.text);
        return;
    }
    if (!check_version(call)) {
        selector_free(s);
        return;
    }
    watches_start(call->cluster->watches, call, s);
}

/* create, update, patch */

static bool read_dry_run(struct call *call, bool *ret)
{
    const char *value = call_query(call, "dryRun");

    if (value && strcmp(value, "All") != 0) {
        call_refuse_text(call, 422, "dryRun: Unsupported value: supported values: \"All\"");
        return false;
    }
    *ret = value != NULL;
    return true;
}

static void do_create(struct call *call)
{
    struct object *o = NULL;
    struct json_object *dry = NULL;
    struct refusal r;
    bool dry_run;

    if (!read_dry_run(call, &dry_run))
        return;
    if (objects_create(call->cluster, call->route.kind, call->route.ns, TAKE(call->body), dry_run, &o, &dry, &r) < 0)
        call_refuse(call, &r);
    else if (dry)
        call_send_json(call, 201, dry);
    else
        send_object(call, 201, o);
}

static void do_change(struct call *call)
{
    struct object *o = find_object(call);
    struct refusal r;
    int result;

    if (!o)
        return;
    if (call->verb == VERB_UPDATE)
        result = objects_update(call->cluster, o, TAKE(call->body), &r);
    else
        result = objects_patch(call->cluster, o, call->body, &r);
    if (result < 0)
        call_refuse(call, &r);
    else
        send_object(call, 200, o);
}

/* delete, log */

static void do_delete(struct call *call)
{
    struct object *o = find_object(call);

    if (o)
        api_delete_one(call, o);
}

static void do_delete_all(struct call *call)
{
    _cleanup_(selector_freep)
    struct selector *s = NULL;
    struct fault f = FAULT_INIT;

    if (read_selector(call, &s, &f) < 0)
        call_refuse_text(call, 400, f.text);
    else
        api_delete_all(call, s);
}

static void do_log(struct call *call)
{
    struct object *o = find_object(call);

    if (o)
        kubelet_log(call->cluster->kubelet, o, call);
}

static void do_attach(struct call *call)
{
    struct object *o = find_object(call);

    if (o)
        kubelet_attach(call->cluster->kubelet, o, call);
}

void api_handle(struct call *call)
{
    if (!(call->route.kind->verbs & VERB_BIT(call->verb)) && call->verb < VERB_LOG) {
        call_refuse_text(call, 405, "the server does not allow this method on the requested resource");
        return;
    }
    switch (call->verb) {
    case VERB_GET:
        do_get(call);
        break;
    case VERB_LIST:
        do_list(call);
        break;
    case VERB_WATCH:
        do_watch(call);
        break;
    case VERB_CREATE:
        do_create(call);
        break;
    case VERB_UPDATE:
    case VERB_PATCH:
        do_change(call);
        break;
    case VERB_DELETE:
        do_delete(call);
        break;
    case VERB_DELETECOLLECTION:
        do_delete_all(call);
        break;
    case VERB_LOG:
        do_log(call);
        break;
    case VERB_ATTACH:
        do_attach(call);
        break;
    case VERB_COUNT:
        break;
    }
}
