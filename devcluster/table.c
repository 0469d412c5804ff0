#include "devcluster/table.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "devcluster/tree.h"

enum { COLUMNS_MAX = 6, CELL_MAX = 128 };

typedef void cell_fn(struct json_object *object, char cell[CELL_MAX]);

typedef int64_t span_fn(struct json_object *object, int64_t now_ms); /* seconds; -1: unknown */

struct column {
    const char *name;
    cell_fn *cell;
    span_fn *span; /* where there is no cell: a time until now, which is since 1970 as in the objects */
};

static int64_t seconds_since(const char *time_text, int64_t now_ms)
{
    int64_t then = tree_time_parse(time_text);

    return then < 0 ? -1 : (now_ms - then) / 1000;
}

static void print_span(int64_t s, char cell[CELL_MAX])
{
    if (s < 0)
        snprintf(cell, CELL_MAX, "<unknown>");
    else if (s < 120)
        snprintf(cell, CELL_MAX, "%" PRId64 "s", s);
    else if (s < 7200)
        snprintf(cell, CELL_MAX, "%" PRId64 "m", s / 60);
    else if (s < 172800)
        snprintf(cell, CELL_MAX, "%" PRId64 "h", s / 3600);
    else
        snprintf(cell, CELL_MAX, "%" PRId64 "d", s / 86400);
}

static void cell_name(struct json_object *o, char cell[CELL_MAX])
{
    const char *name = tree_string(o, "metadata.name");

    snprintf(cell, CELL_MAX, "%s", name ? name : "");
}

static int64_t age(struct json_object *o, int64_t now_ms)
{
    return seconds_since(tree_string(o, "metadata.creationTimestamp"), now_ms);
}

static struct json_object *first_container(struct json_object *pod)
{
    struct json_object *list = tree_at(pod, "status.containerStatuses");

    return json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, 0) : NULL;
}

static void cell_ready(struct json_object *pod, char cell[CELL_MAX])
{
    snprintf(cell, CELL_MAX, "%d/1", tree_bool(first_container(pod), "ready"));
}

static void cell_pod_status(struct json_object *pod, char cell[CELL_MAX])
{
    struct json_object *c = first_container(pod);
    const char *word = tree_string(c, "state.terminated.reason");

    if (!word)
        word = tree_string(c, "state.waiting.reason");
    if (tree_string(pod, "status.reason"))
        word = tree_string(pod, "status.reason");
    if (!word)
        word = tree_string(pod, "status.phase");
    if (tree_string(pod, "metadata.deletionTimestamp"))
        word = "Terminating";
    snprintf(cell, CELL_MAX, "%s", word ? word : "");
}

static void cell_restarts(struct json_object *pod, char cell[CELL_MAX])
{
    (void)pod;
    snprintf(cell, CELL_MAX, "0");
}

static void cell_job_status(struct json_object *job, char cell[CELL_MAX])
{
    struct json_object *list = tree_at(job, "status.conditions");

    snprintf(cell, CELL_MAX, "Running");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        const char *type = field_peek_string(json_object_array_get_idx(list, i), "type");

        if (type && (strcmp(type, "Complete") == 0 || strcmp(type, "Failed") == 0))
            snprintf(cell, CELL_MAX, "%s", type);
    }
    if (tree_string(job, "metadata.deletionTimestamp"))
        snprintf(cell, CELL_MAX, "Terminating");
}

static void cell_completions(struct json_object *job, char cell[CELL_MAX])
{
    snprintf(cell, CELL_MAX, "%" PRId64 "/%" PRId64, tree_int(job, "status.succeeded", 0),
             tree_int(job, "spec.completions", 1));
}

static int64_t duration(struct json_object *job, int64_t now_ms)
{
    int64_t end = tree_time_parse(tree_string(job, "status.completionTime"));

    return seconds_since(tree_string(job, "status.startTime"), end < 0 ? now_ms : end);
}

static void cell_data(struct json_object *cm, char cell[CELL_MAX])
{
    struct json_object *data = tree_at(cm, "data"), *binary = tree_at(cm, "binaryData");

    snprintf(cell, CELL_MAX, "%d",
             (data ? json_object_object_length(data) : 0) + (binary ? json_object_object_length(binary) : 0));
}

static void cell_phase(struct json_object *o, char cell[CELL_MAX])
{
    const char *phase = tree_string(o, "status.phase");

    snprintf(cell, CELL_MAX, "%s", phase ? phase : "Ready");
}

static void cell_type(struct json_object *event, char cell[CELL_MAX])
{
    const char *v = tree_string(event, "type");

    snprintf(cell, CELL_MAX, "%s", v ? v : "");
}

static void cell_reason(struct json_object *event, char cell[CELL_MAX])
{
    const char *v = tree_string(event, "reason");

    snprintf(cell, CELL_MAX, "%s", v ? v : "");
}

static void cell_object(struct json_object *event, char cell[CELL_MAX])
{
    const char *kind = tree_string(event, "involvedObject.kind"), *name = tree_string(event, "involvedObject.name");

    snprintf(cell, CELL_MAX, "%s/%s", kind ? kind : "", name ? name : "");
}

static void cell_message(struct json_object *event, char cell[CELL_MAX])
{
    const char *v = tree_string(event, "message");

    snprintf(cell, CELL_MAX, "%s", v ? v : "");
}

/* clang-format off */
static const struct column
    pod_columns[] = {{"Name", cell_name, NULL}, {"Ready", cell_ready, NULL}, {"Status", cell_pod_status, NULL},
                     {"Restarts", cell_restarts, NULL}, {"Age", NULL, age}, {NULL, NULL, NULL}},
    job_columns[] = {{"Name", cell_name, NULL}, {"Status", cell_job_status, NULL}, {"Completions", cell_completions, NULL},
                     {"Duration", NULL, duration}, {"Age", NULL, age}, {NULL, NULL, NULL}},
    configmap_columns[] = {{"Name", cell_name, NULL}, {"Data", cell_data, NULL}, {"Age", NULL, age}, {NULL, NULL, NULL}},
    phase_columns[] = {{"Name", cell_name, NULL}, {"Status", cell_phase, NULL}, {"Age", NULL, age}, {NULL, NULL, NULL}},
    event_columns[] = {{"Last Seen", NULL, age}, {"Type", cell_type, NULL}, {"Reason", cell_reason, NULL},
                       {"Object", cell_object, NULL}, {"Message", cell_message, NULL}, {NULL, NULL, NULL}},
    other_columns[] = {{"Name", cell_name, NULL}, {"Age", NULL, age}, {NULL, NULL, NULL}};
/* clang-format on */

static const struct column *columns_of(const struct kind *kind)
{
    if (kind == kind_pod)
        return pod_columns;
    if (kind == kind_job)
        return job_columns;
    if (kind == kind_configmap)
        return configmap_columns;
    if (kind == kind_event)
        return event_columns;
    return kind == kind_node || kind == kind_namespace ? phase_columns : other_columns;
}

static struct json_object *row_of(const struct column *columns, struct json_object *item, int64_t now_ms)
{
    struct json_object *row = tree_new(), *cells = json_object_new_array(), *object = tree_new();
    char cell[CELL_MAX];

    for (; columns->name; columns++) {
        if (columns->cell)
            columns->cell(item, cell);
        else
            print_span(columns->span(item, now_ms), cell);
        json_object_array_add(cells, tree_text(cell));
    }
    tree_set(row, "cells", cells);
    tree_set_string(object, "kind", "PartialObjectMetadata");
    tree_set_string(object, "apiVersion", "meta.k8s.io/v1");
    tree_set(object, "metadata", json_object_get(tree_at(item, "metadata")));
    tree_set(row, "object", object);
    return row;
}

struct json_object *table_of(const struct kind *kind, struct json_object *const items[], size_t n, uint64_t version,
                             int64_t now_ms)
{
    struct json_object *table = tree_new(), *definitions = json_object_new_array(), *rows = json_object_new_array();
    const struct column *columns = columns_of(kind);
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, version);
    tree_set_string(table, "kind", "Table");
    tree_set_string(table, "apiVersion", "meta.k8s.io/v1");
    tree_set_string(tree_make(table, "metadata"), "resourceVersion", text);
    for (const struct column *c = columns; c->name; c++) {
        struct json_object *d = tree_new();

        tree_set_string(d, "name", c->name);
        tree_set_string(d, "type", "string");
        tree_set_string(d, "format", c->cell == cell_name ? "name" : "");
        tree_set_string(d, "description", "");
        tree_set_int(d, "priority", 0);
        json_object_array_add(definitions, d);
    }
    for (size_t i = 0; i < n; i++)
        json_object_array_add(rows, row_of(columns, items[i], now_ms));
    tree_set(table, "columnDefinitions", definitions);
    tree_set(table, "rows", rows);
    return table;
}
