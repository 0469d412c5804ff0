#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

/* Building JSON objects, a line a field. What is put belongs to the object it is put into. */

void put_value(struct json_object *o, const char *name, struct json_object *value);
void put_text(struct json_object *o, const char *name, const char *value); /* NULL: nothing is put */
void put_number(struct json_object *o, const char *name, int64_t value);
void put_flag(struct json_object *o, const char *name, bool value);

/** A new one, borrowed, to be filled. */
struct json_object *put_object(struct json_object *o, const char *name);
struct json_object *put_array(struct json_object *o, const char *name);
struct json_object *append_object(struct json_object *array);
void append_text(struct json_object *array, const char *value);
