#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

/* JSON trees as Kubernetes objects: reads and writes by dotted path, and the small values that stand in them. Reads
 * never fail: what is absent or of another type counts as absent. Label and annotation names hold dots, so those are
 * read with field_peek_string() from their own map. */

enum { TREE_TIME = 32, TREE_UUID = 37 };

/** The value at "spec.template.spec", borrowed; NULL if any part of the way is missing. */
struct json_object *tree_at(struct json_object *root, const char *path);
const char *tree_string(struct json_object *root, const char *path); /* NULL if absent */
int64_t tree_int(struct json_object *root, const char *path, int64_t absent);
bool tree_bool(struct json_object *root, const char *path);

/** As tree_at(), but creates the objects that are missing (and replaces what is no object). Never NULL. */
struct json_object *tree_make(struct json_object *root, const char *path);

/** The array at `path`, created when missing. */
struct json_object *tree_make_array(struct json_object *root, const char *path);

void tree_set(struct json_object *object, const char *name, struct json_object *value); /* takes the value */
void tree_set_string(struct json_object *object, const char *name, const char *value);
void tree_set_int(struct json_object *object, const char *name, int64_t value);
void tree_set_bool(struct json_object *object, const char *name, bool value);

/** Sets what is not there yet. */
void tree_default(struct json_object *object, const char *name, struct json_object *value); /* takes the value */
void tree_default_string(struct json_object *object, const char *name, const char *value);
void tree_default_int(struct json_object *object, const char *name, int64_t value);

/** Objects and arrays in one expression; the values are taken. tree_list() ends with NULL. */
struct json_object *tree_new(void);
struct json_object *tree_list(struct json_object *first, ...) __attribute__((sentinel));
struct json_object *tree_text(const char *value);

/** A deep copy, owned by the caller. */
struct json_object *tree_copy(struct json_object *value);

/** How many bytes all string values of a map have together. */
int64_t tree_strings_len(struct json_object *map);

/** Writes milliseconds since 1970 as "2026-11-21T09:15:04Z"; reads it back, -1 if it is no such time. */
void tree_time(int64_t wall_ms, char ret[TREE_TIME]);
int64_t tree_time_parse(const char *text);

/** A random (version 4) UUID. */
void tree_uuid(char ret[TREE_UUID]);

/** `len` characters as Kubernetes puts behind generated names (no vowels, no look-alikes), NUL-terminated. */
void tree_suffix(char *ret, unsigned len);
