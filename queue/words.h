#pragma once
#include <stddef.h>
#include <stdint.h>

#include "queue/script.h"

/* The words of one Redis command, collected. Numbers and formatted keys are copied; all else is borrowed and has to
 * live until the command is sent. */

struct words {
    const char **word;
    size_t *len;
    char **copies;
    size_t count, room, copied, copies_room;
    size_t keys_at; /* where the number of keys stands, see words_keys() */
    size_t bytes;
};

void words_release(struct words *w); /* also a cleanup */

void words_add(struct words *w, const void *bytes, size_t len);
void words_text(struct words *w, const char *s); /* NULL: "" */
void words_number(struct words *w, int64_t n);
void words_copy(struct words *w, const char *s);

/** Begins EVALSHA; keys follow, then words_arguments(), then arguments. */
void words_script(struct words *w, enum script_id script);
void words_key(struct words *w, const char *queue, const char *suffix);
void words_key_for(struct words *w, const char *queue, const char *kind, const char *name);
void words_arguments(struct words *w);
