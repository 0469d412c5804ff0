#include "queue/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/keys.h"

void words_release(struct words *w)
{
    for (size_t i = 0; i < w->copied; i++)
        free(w->copies[i]);
    free(w->copies);
    free(w->word);
    free(w->len);
    *w = (struct words){0};
}

void words_add(struct words *w, const void *bytes, size_t len)
{
    if (w->count == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        w->word = mem_resize(w->word, w->room, sizeof(*w->word));
        w->len = mem_resize(w->len, w->room, sizeof(*w->len));
    }
    w->word[w->count] = bytes;
    w->len[w->count++] = len;
    w->bytes += len;
}

void words_text(struct words *w, const char *s)
{
    words_add(w, s ? s : "", s ? strlen(s) : 0);
}

void words_copy(struct words *w, const char *s)
{
    if (w->copied == w->copies_room) {
        w->copies_room = w->copies_room ? w->copies_room * 2 : 64;
        w->copies = mem_resize(w->copies, w->copies_room, sizeof(*w->copies));
    }
    w->copies[w->copied] = mem_string(s);
    words_text(w, w->copies[w->copied++]);
}

void words_number(struct words *w, int64_t n)
{
    char s[32];

    snprintf(s, sizeof(s), "%lld", (long long)n);
    words_copy(w, s);
}

void words_script(struct words *w, enum script_id script)
{
    words_text(w, "EVALSHA");
    words_text(w, scripts[script].sha);
    w->keys_at = w->count;
    words_text(w, NULL);
}

void words_key(struct words *w, const char *queue, const char *suffix)
{
    char key[KEY_MAX];

    words_copy(w, key_of(key, queue, suffix));
}

void words_key_for(struct words *w, const char *queue, const char *kind, const char *name)
{
    char key[KEY_MAX];

    words_copy(w, key_for(key, queue, kind, name));
}

/* The number of keys is known only now: its word was left empty. */
void words_arguments(struct words *w)
{
    size_t keys = w->count - w->keys_at - 1;

    words_number(w, (int64_t)keys);
    w->count--;
    w->word[w->keys_at] = w->word[w->count];
    w->len[w->keys_at] = w->len[w->count];
}
