#include "worker/history.h"

#include <json-c/json.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"

void history_read(struct history *h, const char *text)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    struct json_object *attempts;
    struct fault f;

    *h = (struct history){0};
    if (text && field_parse(text, strlen(text), 8, &root, &f) < 0)
        root = NULL;
    attempts = field_peek(root, "attempts");
    h->attempts = json_object_is_type(attempts, json_type_array) ? json_object_get(attempts) : json_object_new_array();
    h->barred_since_ms = field_peek_int(root, "barred_since", 0);
}

void history_release(struct history *h)
{
    json_object_put(h->attempts);
    *h = (struct history){0};
}

void history_add(struct history *h, struct json_object *attempt)
{
    json_object_array_add(h->attempts, attempt);
}

char *history_text(const struct history *h)
{
    struct json_object *root = json_object_new_object();
    char *text;

    json_object_object_add(root, "attempts", json_object_get(h->attempts));
    if (h->barred_since_ms)
        json_object_object_add(root, "barred_since", json_object_new_int64(h->barred_since_ms));
    text = mem_string(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(root);
    return text;
}
