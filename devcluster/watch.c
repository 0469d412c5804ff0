#include "devcluster/watch.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "devcluster/call.h"
#include "devcluster/cluster.h"
#include "devcluster/faults.h"
#include "devcluster/options.h"
#include "devcluster/selector.h"
#include "devcluster/store.h"
#include "devcluster/table.h"
#include "devcluster/tree.h"

enum { BACKLOG_MAX = 8 << 20, TIMEOUT_MIN_S = 1800, LAST_BOOKMARK_MS = 2000 };

struct watch {
    struct watches *all;
    struct call *call; /* NULL once it has ended: then the watch waits to be freed */
    struct selector *selector;
    char ns[64];
    const struct kind *kind;
    bool bookmarks, table;
    bool half;     /* on order: the first event is cut in two */
    uint64_t sent; /* the version of the last event */
    struct loop_timer *end, *bookmark, *dead;
    TAILQ_ENTRY(watch) entry;
};

struct watches {
    struct cluster *cluster;
    struct evbuffer *line;
    size_t open;
    TAILQ_HEAD(, watch) list;
};

static const char *const change_name[] = {"ADDED", "MODIFIED", "DELETED"};

size_t watches_open(const struct watches *w)
{
    return w->open;
}

static void watch_free(void *arg)
{
    struct watch *w = arg;

    TAILQ_REMOVE(&w->all->list, w, entry);
    if (w->call)
        w->all->open--;
    loop_cancel(&w->end);
    loop_cancel(&w->bookmark);
    loop_cancel(&w->dead);
    selector_free(w->selector);
    free(w);
}

/* The call is over, or is about to be: nothing more is written. Others may be walking the list, so the rest waits. */
static struct call *let_go(struct watch *w)
{
    struct call *call = w->call;

    call->on_gone = NULL;
    w->call = NULL;
    w->all->open--;
    loop_cancel(&w->end);
    loop_cancel(&w->bookmark);
    loop_defer(w->all->cluster->loop, &w->dead, watch_free, w);
    return call;
}

static void on_gone(void *arg)
{
    struct watch *w = arg;

    let_go(w);
}

static void on_timeout(void *arg)
{
    call_end(let_go(arg));
}

/* Sends what stands in the line buffer. */
static void flush(struct watch *w)
{
    struct evbuffer *line = w->all->line;

    if (call_backlog(w->call) + evbuffer_get_length(line) > BACKLOG_MAX) {
        log_warning("watch-cut", STR("resource", w->kind->resource), STR("why", "the client does not read"));
        evbuffer_drain(line, evbuffer_get_length(line));
        call_reset(let_go(w));
        return;
    }
    call_chunk(w->call, line);
}

static void send_bookmark(struct watch *w, bool initial_end)
{
    evbuffer_add_printf(w->all->line,
                        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
                        "\"resourceVersion\":\"%" PRIu64 "\",\"creationTimestamp\":null%s}}}\n",
                        w->kind->name, kind_api_version(w->kind), store_version(w->all->cluster->store),
                        initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    flush(w);
}

static void arm_bookmark(struct watch *w);

static void on_bookmark(void *arg)
{
    struct watch *w = arg;

    send_bookmark(w, false);
    if (w->call)
        arm_bookmark(w);
}

static void arm_bookmark(struct watch *w)
{
    if (w->bookmarks && !w->table)
        loop_after(w->all->cluster->loop, &w->bookmark, w->all->cluster->options->bookmark_ms, on_bookmark, w);
}

static void send_error(struct watch *w, const char *text)
{
    struct refusal r;
    struct json_object *status;

    refuse(&r, 410, "Expired", "%s", text);
    status = refusal_status(&r, NULL, NULL);
    evbuffer_add_printf(w->all->line, "{\"type\":\"ERROR\",\"object\":%s}\n",
                        json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN));
    json_object_put(status);
    flush(w);
    if (w->call)
        call_end(let_go(w));
}

/* What is on order for this event; true if the watch has ended by it. */
static bool break_event(struct watch *w, struct json_object *json)
{
    struct fault_hit hit = faults_of_event(w->all->cluster->faults, w->kind->resource,
                                           tree_string(json, "metadata.name"));
    struct evbuffer *line = w->all->line, *half;

    switch (w->half ? ACTION_HALF_LINE : hit.action) {
    case ACTION_410_EVENT:
        evbuffer_drain(line, evbuffer_get_length(line));
        send_error(w, "too old resource version: the history is gone");
        return true;
    case ACTION_HALF_LINE:
        half = evbuffer_new();
        evbuffer_remove_buffer(line, half, evbuffer_get_length(line) / 2);
        call_cut_after(let_go(w), half);
        evbuffer_free(half);
        break;
    case ACTION_CUT_WATCH:
        call_cut(let_go(w));
        break;
    default:
        return false;
    }
    evbuffer_drain(line, evbuffer_get_length(line));
    return true;
}

static void send_event(struct watch *w, enum change_type type, struct json_object *json, const char *text, size_t len)
{
    struct evbuffer *line = w->all->line;

    evbuffer_add_printf(line, "{\"type\":\"%s\",\"object\":", change_name[type]);
    if (w->table) {
        struct json_object *table = table_of(w->kind, &json, 1, store_version(w->all->cluster->store),
                                             loop_wall(w->all->cluster->loop));
        const char *printed = json_object_to_json_string_ext(table, JSON_C_TO_STRING_PLAIN);

        evbuffer_add(line, printed, strlen(printed));
        json_object_put(table);
    } else {
        evbuffer_add(line, text, len);
    }
    evbuffer_add(line, "}\n", 2);
    if (!break_event(w, json))
        flush(w);
}

/* A change as this watch sees it: what starts to match has been added, what no longer does has been deleted. */
static void send_change(struct watch *w, const struct change *c)
{
    bool before, after;

    if (c->kind != w->kind || c->version <= w->sent)
        return;
    if (w->ns[0] && strcmp(w->ns, tree_string(c->json, "metadata.namespace")) != 0)
        return;
    w->sent = c->version;
    before = c->old && selector_matches(w->selector, c->old);
    after = c->type != CHANGE_DELETED && selector_matches(w->selector, c->json);
    if (c->type == CHANGE_DELETED && !before)
        return;
    if (!before && !after)
        return;
    send_event(w, !after ? CHANGE_DELETED : before ? CHANGE_MODIFIED : CHANGE_ADDED, c->json, c->text, c->len);
}

static void on_change(void *arg, const struct change *change, struct object *o)
{
    struct watches *all = arg;
    struct watch *w, *next;

    (void)o;
    for (w = TAILQ_FIRST(&all->list); w; w = next) {
        next = TAILQ_NEXT(w, entry);
        if (w->call)
            send_change(w, change);
    }
}

struct watches *watches_new(struct cluster *c)
{
    struct watches *w = mem_new(struct watches);

    w->cluster = c;
    w->line = evbuffer_new();
    TAILQ_INIT(&w->list);
    store_listen(c->store, on_change, w);
    return w;
}

void watches_free(struct watches *w)
{
    struct watch *one;

    if (!w)
        return;
    while ((one = TAILQ_FIRST(&w->list))) {
        if (one->call)
            one->call->on_gone = NULL;
        watch_free(one);
    }
    evbuffer_free(w->line);
    free(w);
}

/* Starting. */

static void send_present(struct watch *w)
{
    struct store *store = w->all->cluster->store;
    struct object *o;

    TAILQ_FOREACH (o, store_all(store, w->kind), entry) {
        if (!w->call)
            return;
        if ((!w->ns[0] || strcmp(w->ns, o->ns) == 0) && selector_matches(w->selector, o->json))
            send_event(w, CHANGE_ADDED, o->json, o->text, o->len);
    }
    w->sent = store_version(store);
}

static void send_history(struct watch *w, uint64_t from)
{
    struct store *store = w->all->cluster->store;
    const struct change *c;
    char text[128];

    if (!store_knows(store, from)) {
        snprintf(text, sizeof(text), "too old resource version: %" PRIu64 " (%" PRIu64 ")", from, store_version(store));
        send_error(w, text);
        return;
    }
    w->sent = from;
    while (w->call && (c = store_next_change(store, from))) {
        from = c->version;
        send_change(w, c);
    }
}

static int64_t read_timeout(struct watch *w)
{
    const char *text = call_query(w->call, "timeoutSeconds");
    struct loop *loop = w->all->cluster->loop;
    struct fault f;
    int64_t s = 0;

    if (!text || text_to_int(text, 0, INT32_MAX, &s, &f) < 0 || s == 0)
        s = TIMEOUT_MIN_S + loop_jitter(loop, TIMEOUT_MIN_S);
    return s * 1000;
}

void watches_start(struct watches *all, struct call *call, struct selector *s)
{
    struct watch *w = mem_new(struct watch);
    const char *version = call_query(call, "resourceVersion");
    bool initial = call_query_is_true(call, "sendInitialEvents");
    struct fault f;
    int64_t from = 0;

    w->all = all;
    w->call = call;
    w->selector = s;
    w->kind = call->route.kind;
    w->bookmarks = call_query_is_true(call, "allowWatchBookmarks");
    w->table = call_wants_table(call);
    w->half = call->fault == ACTION_HALF_BODY;
    snprintf(w->ns, sizeof(w->ns), "%s", call->route.ns);
    TAILQ_INSERT_TAIL(&all->list, w, entry);
    all->open++;
    call->on_gone = on_gone;
    call->on_gone_arg = w;
    if (call->fault == ACTION_LOSE_REPLY) {
        call_reset(let_go(w));
        return;
    }
    call_begin(call, 200, "application/json");
    loop_after(all->cluster->loop, &w->end, read_timeout(w), on_timeout, w);
    arm_bookmark(w);
    if (!version || text_to_int(version, 0, INT64_MAX, &from, &f) < 0 || from == 0 || initial)
        send_present(w);
    else
        send_history(w, (uint64_t)from);
    if (w->call && initial && w->bookmarks)
        send_bookmark(w, true);
}
