#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* Strict typed reads from JSON: json-c by itself turns a number into a string and a string into 0, so its getters
 * are used nowhere else. Faults are FAULT_INVALID and name the field. */

enum field_need { FIELD_OPTIONAL, FIELD_REQUIRED }; /* absent or null, optional: 0, outputs untouched */

/** Parses one JSON value that fills the bytes (white space around it is fine); UTF-8 is checked, depth is limited.
 *  The caller ends it with json_object_put(). */
int field_parse(const char *bytes, size_t len, int depth, struct json_object **ret_value, struct fault *f);
void field_putp(struct json_object **value); /* for _cleanup_ */

/** Fails unless `value` is an object all of whose names stand in `known` (ended by NULL). */
int field_only(struct json_object *value, const char *const known[], struct fault *f);

/** The reads: outputs are borrowed from `object`. A string may not hold a NUL; bytes may. */
int field_string(struct json_object *object, const char *name, enum field_need need, size_t max, const char **ret,
                 struct fault *f);
int field_bytes(struct json_object *object, const char *name, enum field_need need, size_t max, const char **ret,
                size_t *ret_len, struct fault *f);
int field_int(struct json_object *object, const char *name, enum field_need need, int64_t min, int64_t max,
              int64_t *ret, struct fault *f);
/** A whole or fractional number, in thousandths: seconds in, milliseconds out. */
int field_milli(struct json_object *object, const char *name, enum field_need need, int64_t min, int64_t max,
                int64_t *ret, struct fault *f);
int field_bool(struct json_object *object, const char *name, enum field_need need, bool *ret, struct fault *f);
int field_object(struct json_object *object, const char *name, enum field_need need, struct json_object **ret,
                 struct fault *f);
int field_array(struct json_object *object, const char *name, enum field_need need, size_t max,
                struct json_object **ret, struct fault *f);
/** Element `i` of an array, which must be a string without NUL. */
int field_element(struct json_object *array, size_t i, size_t max, const char **ret, struct fault *f);

/* For reading what a server says: a value of another type counts as absent, and nothing is an error. */
const char *field_peek_string(struct json_object *object, const char *name); /* NULL if absent */
/** A number beyond 2^53, which JSON does not carry exactly (RFC 8259 section 6), counts as absent too: seconds may be
 *  made milliseconds, and subtracted from a time, unchecked. */
int64_t field_peek_int(struct json_object *object, const char *name, int64_t absent);
bool field_peek_bool(struct json_object *object, const char *name);
struct json_object *field_peek(struct json_object *object, const char *name); /* object or array; NULL if absent */
