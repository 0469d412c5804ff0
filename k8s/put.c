#include "k8s/put.h"

#include <json-c/json.h>

void put_value(struct json_object *o, const char *name, struct json_object *value)
{
    json_object_object_add(o, name, value);
}

void put_text(struct json_object *o, const char *name, const char *value)
{
    if (value)
        put_value(o, name, json_object_new_string(value));
}

void put_number(struct json_object *o, const char *name, int64_t value)
{
    put_value(o, name, json_object_new_int64(value));
}

void put_flag(struct json_object *o, const char *name, bool value)
{
    put_value(o, name, json_object_new_boolean(value));
}

struct json_object *put_object(struct json_object *o, const char *name)
{
    struct json_object *value = json_object_new_object();

    put_value(o, name, value);
    return value;
}

struct json_object *put_array(struct json_object *o, const char *name)
{
    struct json_object *value = json_object_new_array();

    put_value(o, name, value);
    return value;
}

struct json_object *append_object(struct json_object *array)
{
    struct json_object *value = json_object_new_object();

    json_object_array_add(array, value);
    return value;
}

void append_text(struct json_object *array, const char *value)
{
    json_object_array_add(array, json_object_new_string(value));
}
