#include "k8s/yaml.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/mem.h"

enum { ANCHORS_MAX = 1000 };

struct anchor {
    char *name;
    struct json_object *value; /* NULL while it is being read */
    int nodes;                 /* what an alias of it stands for */
    bool done;
};

struct reader {
    yaml_parser_t parser;
    struct anchor *anchors;
    size_t n_anchors;
    int nodes, depth;
    struct fault *f;
};

static int read_value(struct reader *r, yaml_event_t *e, struct json_object **ret);

static int refuse(struct reader *r, const yaml_event_t *e, const char *what)
{
    return fault_set(r->f, FAULT_INVALID, "line %zu: %s", e->start_mark.line + 1, what);
}

static int next(struct reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e))
        return 0;
    return fault_set(r->f, FAULT_INVALID, "line %zu: not YAML: %s", r->parser.problem_mark.line + 1,
                     r->parser.problem ? r->parser.problem : "out of memory");
}

static int count(struct reader *r, const yaml_event_t *e, int nodes)
{
    r->nodes += nodes;
    return r->nodes > YAML_NODES_MAX ? refuse(r, e, "too many values, aliases included") : 0;
}

static bool is_one_of(const char *s, const char *const list[])
{
    for (; *list; list++)
        if (strcmp(s, *list) == 0)
            return true;
    return false;
}

/* The core schema's numbers, decimal only: what else YAML 1.1 takes for a number (octal, 1_000, 12:30) stays text. */
static struct json_object *to_number(const char *s)
{
    const char *digits = s + (*s == '-' || *s == '+');
    char *end;
    double d;
    long long n;

    if (strspn(digits, "0123456789") == strlen(digits) && *digits && (digits[0] != '0' || !digits[1])) {
        errno = 0;
        n = strtoll(s, &end, 10);
        return errno ? NULL : json_object_new_int64(n);
    }
    if (strspn(digits, "0123456789.eE+-") != strlen(digits) || !strpbrk(digits, "0123456789") ||
        !strpbrk(digits, ".eE") || strchr("eE", *digits))
        return NULL;
    d = strtod(s, &end);
    return *end || !isfinite(d) ? NULL : json_object_new_double(d);
}

static int read_scalar(struct reader *r, const yaml_event_t *e, struct json_object **ret)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    const char *s = (const char *)e->data.scalar.value, *tag = (const char *)e->data.scalar.tag;
    size_t len = e->data.scalar.length;

    if (tag && strcmp(tag, YAML_STR_TAG) != 0 && strcmp(tag, "!") != 0)
        return refuse(r, e, "a tag that is not understood");
    if (!tag && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strlen(s) == len) {
        if (is_one_of(s, nulls))
            return 0;
        if (is_one_of(s, trues) || is_one_of(s, falses)) {
            *ret = json_object_new_boolean(is_one_of(s, trues));
            return 0;
        }
        if ((*ret = to_number(s)))
            return 0;
    }
    *ret = json_object_new_string_len(s, (int)len);
    return 0;
}

/* Whether the value has an anchor, which is then the last of the list. */
static int new_anchor(struct reader *r, const yaml_event_t *e, bool *ret_anchored)
{
    const yaml_char_t *name = e->type == YAML_SCALAR_EVENT          ? e->data.scalar.anchor
                              : e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.anchor
                                                                    : e->data.sequence_start.anchor;

    *ret_anchored = name != NULL;
    if (!name)
        return 0;
    if (r->n_anchors >= ANCHORS_MAX)
        return refuse(r, e, "too many anchors");
    r->anchors = mem_resize(r->anchors, r->n_anchors + 1, sizeof(struct anchor));
    r->anchors[r->n_anchors++] = (struct anchor){.name = mem_string((const char *)name)};
    return 0;
}

static int read_alias(struct reader *r, const yaml_event_t *e, struct json_object **ret)
{
    for (size_t i = r->n_anchors; i-- > 0;) {
        struct anchor *a = &r->anchors[i];

        if (strcmp(a->name, (const char *)e->data.alias.anchor) != 0)
            continue;
        if (!a->done)
            return refuse(r, e, "an alias inside its own anchor");
        if (count(r, e, a->nodes) < 0)
            return -1;
        *ret = json_object_get(a->value);
        return 0;
    }
    return refuse(r, e, "an alias without its anchor");
}

static int read_pair(struct reader *r, yaml_event_t *key, struct json_object *map)
{
    struct json_object *value = NULL;
    const char *name;
    yaml_event_t e;
    int result;

    if (key->type != YAML_SCALAR_EVENT)
        return refuse(r, key, "a name must be a plain text");
    name = (const char *)key->data.scalar.value;
    if (strlen(name) != key->data.scalar.length)
        return refuse(r, key, "a name holds a NUL character");
    if (strcmp(name, "<<") == 0)
        return refuse(r, key, "merge keys are not supported");
    if (json_object_object_get_ex(map, name, NULL))
        return refuse(r, key, "the same name twice in one mapping");
    if (next(r, &e) < 0)
        return -1;
    result = read_value(r, &e, &value);
    yaml_event_delete(&e);
    if (result == 0)
        json_object_object_add(map, name, value);
    return result;
}

/* Up to the event that ends it. */
static int read_members(struct reader *r, bool mapping, struct json_object *into)
{
    for (;;) {
        struct json_object *value = NULL;
        yaml_event_t e;
        int result;

        if (next(r, &e) < 0)
            return -1;
        if (e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&e);
            return 0;
        }
        result = mapping ? read_pair(r, &e, into) : read_value(r, &e, &value);
        yaml_event_delete(&e);
        if (result < 0)
            return -1;
        if (!mapping)
            json_object_array_add(into, value);
    }
}

static int read_collection(struct reader *r, const yaml_event_t *e, struct json_object **ret)
{
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    struct json_object *into;

    if (r->depth >= YAML_DEPTH_MAX)
        return refuse(r, e, "nested too deeply");
    into = mapping ? json_object_new_object() : json_object_new_array();
    r->depth++;
    if (read_members(r, mapping, into) < 0) {
        json_object_put(into);
        return -1;
    }
    r->depth--;
    *ret = into;
    return 0;
}

/* `*ret` stays NULL for null. */
static int read_value(struct reader *r, yaml_event_t *e, struct json_object **ret)
{
    int before = r->nodes, result;
    struct json_object *value = NULL;
    size_t anchor = r->n_anchors; /* the list may move while what is below is read */
    bool anchored;

    if (e->type == YAML_ALIAS_EVENT)
        return read_alias(r, e, ret);
    if (e->type != YAML_SCALAR_EVENT && e->type != YAML_MAPPING_START_EVENT && e->type != YAML_SEQUENCE_START_EVENT)
        return refuse(r, e, "a value is missing");
    if (count(r, e, 1) < 0 || new_anchor(r, e, &anchored) < 0)
        return -1;
    result = e->type == YAML_SCALAR_EVENT ? read_scalar(r, e, &value) : read_collection(r, e, &value);
    if (result < 0)
        return -1;
    if (anchored) {
        r->anchors[anchor].value = json_object_get(value);
        r->anchors[anchor].nodes = r->nodes - before;
        r->anchors[anchor].done = true;
    }
    *ret = value;
    return 0;
}

static int read_stream(struct reader *r, struct json_object **ret)
{
    struct json_object *value = NULL;
    int result = 0, documents = 0;
    yaml_event_type_t type;

    do {
        yaml_event_t e;

        if (next(r, &e) < 0) {
            json_object_put(value);
            return -1;
        }
        type = e.type;
        if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            result = refuse(r, &e, "a second document");
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                 type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT)
            result = read_value(r, &e, &value);
        yaml_event_delete(&e);
    } while (result == 0 && type != YAML_STREAM_END_EVENT);
    if (result < 0)
        json_object_put(value);
    else
        *ret = value;
    return result;
}

int yaml_parse(const char *bytes, size_t len, struct json_object **ret_value, struct fault *f)
{
    struct reader r = {.f = f};
    int result;

    if (len > YAML_TEXT_MAX)
        return fault_set(f, FAULT_TOO_BIG, "more than %d bytes of YAML", YAML_TEXT_MAX);
    if (!yaml_parser_initialize(&r.parser))
        return fault_set(f, FAULT_BUG, "libyaml has no parser to give");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, len);
    result = read_stream(&r, ret_value);
    yaml_parser_delete(&r.parser);
    for (size_t i = 0; i < r.n_anchors; i++) {
        free(r.anchors[i].name);
        json_object_put(r.anchors[i].value);
    }
    free(r.anchors);
    return result;
}
