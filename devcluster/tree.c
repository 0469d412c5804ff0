#include "devcluster/tree.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/field.h"

enum { NAME_MAX_LEN = 64 };

/* Cuts the next name off a dotted path; NULL when it was the last. */
static const char *next_name(const char *path, char name[NAME_MAX_LEN])
{
    const char *dot = strchr(path, '.');
    size_t len = dot ? (size_t)(dot - path) : strlen(path);

    snprintf(name, NAME_MAX_LEN, "%.*s", (int)len, path);
    return dot ? dot + 1 : NULL;
}

struct json_object *tree_at(struct json_object *root, const char *path)
{
    char name[NAME_MAX_LEN];

    while (path && root) {
        struct json_object *child = NULL;

        path = next_name(path, name);
        if (!json_object_is_type(root, json_type_object))
            return NULL;
        json_object_object_get_ex(root, name, &child);
        root = child;
    }
    return root;
}

/* The object that holds the last name of the path, and that name. */
static struct json_object *parent_of(struct json_object *root, const char *path, const char **ret_last)
{
    const char *dot = strrchr(path, '.');
    char way[256];

    *ret_last = dot ? dot + 1 : path;
    if (!dot)
        return json_object_is_type(root, json_type_object) ? root : NULL;
    snprintf(way, sizeof(way), "%.*s", (int)(dot - path), path);
    root = tree_at(root, way);
    return json_object_is_type(root, json_type_object) ? root : NULL;
}

const char *tree_string(struct json_object *root, const char *path)
{
    const char *last;
    struct json_object *parent = parent_of(root, path, &last);

    return parent ? field_peek_string(parent, last) : NULL;
}

int64_t tree_int(struct json_object *root, const char *path, int64_t absent)
{
    const char *last;
    struct json_object *parent = parent_of(root, path, &last);

    return parent ? field_peek_int(parent, last, absent) : absent;
}

bool tree_bool(struct json_object *root, const char *path)
{
    const char *last;
    struct json_object *parent = parent_of(root, path, &last);

    return parent && field_peek_bool(parent, last);
}

static struct json_object *make(struct json_object *root, const char *path, bool array)
{
    char name[NAME_MAX_LEN];

    while (path) {
        struct json_object *child = NULL;
        bool want_array;

        path = next_name(path, name);
        want_array = !path && array;
        json_object_object_get_ex(root, name, &child);
        if (!json_object_is_type(child, want_array ? json_type_array : json_type_object)) {
            child = want_array ? json_object_new_array() : json_object_new_object();
            json_object_object_add(root, name, child);
        }
        root = child;
    }
    return root;
}

struct json_object *tree_make(struct json_object *root, const char *path)
{
    return make(root, path, false);
}

struct json_object *tree_make_array(struct json_object *root, const char *path)
{
    return make(root, path, true);
}

void tree_set(struct json_object *object, const char *name, struct json_object *value)
{
    json_object_object_add(object, name, value);
}

void tree_set_string(struct json_object *object, const char *name, const char *value)
{
    json_object_object_add(object, name, json_object_new_string(value));
}

void tree_set_int(struct json_object *object, const char *name, int64_t value)
{
    json_object_object_add(object, name, json_object_new_int64(value));
}

void tree_set_bool(struct json_object *object, const char *name, bool value)
{
    json_object_object_add(object, name, json_object_new_boolean(value));
}

void tree_default(struct json_object *object, const char *name, struct json_object *value)
{
    struct json_object *present = NULL;

    if (json_object_object_get_ex(object, name, &present) && present)
        json_object_put(value);
    else
        json_object_object_add(object, name, value);
}

void tree_default_string(struct json_object *object, const char *name, const char *value)
{
    tree_default(object, name, json_object_new_string(value));
}

void tree_default_int(struct json_object *object, const char *name, int64_t value)
{
    tree_default(object, name, json_object_new_int64(value));
}

struct json_object *tree_new(void)
{
    return json_object_new_object();
}

struct json_object *tree_list(struct json_object *first, ...)
{
    struct json_object *list = json_object_new_array();
    va_list args;

    va_start(args, first);
    for (struct json_object *v = first; v; v = va_arg(args, struct json_object *))
        json_object_array_add(list, v);
    va_end(args);
    return list;
}

struct json_object *tree_text(const char *value)
{
    return json_object_new_string(value ? value : "");
}

struct json_object *tree_copy(struct json_object *value)
{
    struct json_object *copy = NULL;

    if (value && json_object_deep_copy(value, &copy, NULL) < 0)
        abort(); /* out of memory, as in mem.c */
    return copy;
}

int64_t tree_strings_len(struct json_object *map)
{
    int64_t sum = 0;

    if (!json_object_is_type(map, json_type_object))
        return 0;
    json_object_object_foreach(map, name, value)
    {
        (void)name;
        if (json_object_is_type(value, json_type_string))
            sum += json_object_get_string_len(value);
    }
    return sum;
}

void tree_time(int64_t wall_ms, char ret[TREE_TIME])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(ret, TREE_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t tree_time_parse(const char *text)
{
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

    return end ? (int64_t)timegm(&tm) * 1000 : -1;
}

static void random_bytes(void *bytes, size_t len)
{
    if (getrandom(bytes, len, 0) != (ssize_t)len)
        abort(); /* a kernel that has no randomness for 256 bytes after boot does not exist */
}

void tree_uuid(char ret[TREE_UUID])
{
    unsigned char b[16];

    random_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(ret, TREE_UUID, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void tree_suffix(char *ret, unsigned len)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";

    random_bytes(ret, len);
    for (unsigned i = 0; i < len; i++)
        ret[i] = letters[(unsigned char)ret[i] % (sizeof(letters) - 1)];
    ret[len] = '\0';
}
