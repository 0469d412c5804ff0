#include "worker/languages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

static const char *const builtin[] = {
    "python=python:3.11-slim,code.py,python3,/app/code.py",
    "bash=debian:12-slim,code.sh,bash,/app/code.sh",
    "node=node:22-slim,code.js,node,/app/code.js",
};

void languages_init(struct languages *l)
{
    struct fault f;

    l->count = 0;
    for (size_t i = 0; i < COUNT_OF(builtin); i++)
        if (languages_set(l, builtin[i], &f) < 0)
            abort();
}

static void release(struct language *language)
{
    free(language->name);
    free(language->image);
    free(language->file);
    for (size_t i = 0; language->argv[i]; i++)
        free(language->argv[i]);
    *language = (struct language){0};
}

void languages_release(struct languages *l)
{
    while (l->count > 0)
        release(&l->list[--l->count]);
}

static struct language *slot_for(struct languages *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->list[i].name, name) == 0)
            return &l->list[i];
    return l->count < LANGUAGES_MAX ? &l->list[l->count] : NULL;
}

/* The next field up to a comma, as a copy; NULL when there is none or it is empty. */
static char *next_field(const char **rest)
{
    size_t len = strcspn(*rest, ",");
    char *field = len ? mem_bytes(*rest, len) : NULL;

    *rest += len;
    if (**rest == ',')
        (*rest)++;
    return field;
}

static int read_definition(struct language *into, const char *definition, struct fault *f)
{
    const char *equals = strchr(definition, '='), *rest;
    size_t n = 0;

    if (!equals)
        return fault_set(f, FAULT_INVALID, "\"%.60s\" is not NAME=IMAGE,FILE,ARGV...", definition);
    into->name = mem_bytes(definition, (size_t)(equals - definition));
    rest = equals + 1;
    into->image = next_field(&rest);
    into->file = next_field(&rest);
    while (*rest && n < LANGUAGE_ARGS_MAX && (into->argv[n] = next_field(&rest)))
        n++;
    if (!text_is_name(into->name, 64, "._+-"))
        return fault_set(f, FAULT_INVALID, "\"%.60s\" is no name for a language", into->name);
    if (!into->image || !into->file || n == 0 || *rest)
        return fault_set(f, FAULT_INVALID, "language %s needs IMAGE,FILE,ARGV... (at most %d of ARGV)", into->name,
                         LANGUAGE_ARGS_MAX);
    if (!text_is_name(into->file, 64, "._-"))
        return fault_set(f, FAULT_INVALID, "language %s: \"%.60s\" is no plain file name", into->name, into->file);
    return 0;
}

int languages_set(struct languages *l, const char *definition, struct fault *f)
{
    struct language new = {0}, *slot;

    if (read_definition(&new, definition, f) < 0) {
        release(&new);
        return -1;
    }
    slot = slot_for(l, new.name);
    if (!slot) {
        release(&new);
        return fault_set(f, FAULT_TOO_BIG, "more than %d languages", LANGUAGES_MAX);
    }
    if (slot == &l->list[l->count])
        l->count++;
    else
        release(slot);
    *slot = new;
    return 0;
}

const struct language *languages_find(const struct languages *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->list[i].name, name) == 0)
            return &l->list[i];
    return NULL;
}
