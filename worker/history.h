#pragma once
#include <json-c/json_types.h>
#include <stdint.h>

/* What earlier attempts left in the record of the request, as JSON: {"attempts": [...], "barred_since": ms}. */

struct history {
    struct json_object *attempts; /* array, owned */
    int64_t barred_since_ms; /* since 1970, by Redis' clock: first refusal in a row by a quota or for want of access; 0:
                                none */
};

/** From the text that queue_task carries; NULL or what cannot be read gives an empty one. */
void history_read(struct history *h, const char *text);
void history_release(struct history *h);

/** Takes the entry over. */
void history_add(struct history *h, struct json_object *attempt);

/** The text for queue_delay(); the caller frees. */
char *history_text(const struct history *h);
