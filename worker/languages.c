#include "worker/languages.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

static const char stage_end[] = "=>";

/* What is in these lines beside the obvious is there because of small pods on large nodes, where compilers and virtual
 * machines see more CPUs than they may use:
 * - go runs at most two compilers at once, or as many as the node has CPUs would share the pod's memory. It compiles
 *   what it needs of its standard library on the way, as the cache under HOME begins empty;
 * - javac and java take the small collector, javac only the quick compiler; java's heap is 60 percent of the pod's
 *   memory in place of 25;
 * - rustc without an edition means that of 2015. */
/* clang-format off */
static const char *const builtin[] = {
    "python=python:3.11-slim,code.py,python3,/app/code.py",
    "bash=debian:12-slim,code.sh,bash,/app/code.sh",
    "node=node:22-slim,code.js,node,/app/code.js",
    "go=golang:1.24,main.go,go,build,-p,2,-o,/tmp/main,/app/main.go,=>,/tmp/main",
    "c=gcc:14,main.c,gcc,-O2,-Wall,-o,/tmp/main,/app/main.c,-lm,=>,/tmp/main",
    "c++=gcc:14,main.cc,g++,-O2,-Wall,-std=gnu++20,-o,/tmp/main,/app/main.cc,=>,/tmp/main",
    "java=eclipse-temurin:21,Main.java,javac,-J-XX:+UseSerialGC,-J-XX:TieredStopAtLevel=1,-d,/tmp/classes,/app/Main.java,=>,java,-XX:+UseSerialGC,-XX:MaxRAMPercentage=60,-cp,/tmp/classes,Main",
    "rust=rust:1-slim,main.rs,rustc,-O,--edition=2021,-o,/tmp/main,/app/main.rs,=>,/tmp/main",
};
/* clang-format on */

void languages_init(struct languages *l)
{
    struct fault f;

    l->count = 0;
    for (size_t i = 0; i < COUNT_OF(builtin); i++)
        if (languages_set(l, builtin[i], &f) < 0)
            abort();
}

static void release_args(char *args[])
{
    for (size_t i = 0; args[i]; i++)
        free(args[i]);
}

static void release(struct language *language)
{
    free(language->name);
    free(language->image);
    free(language->file);
    release_args(language->compile);
    release_args(language->argv);
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

/* Arguments up to a lone "=>" or the end; returns whether it was "=>". What is left in `*rest` was too much. */
static bool read_stage(char *args[], const char **rest)
{
    size_t n = 0;

    while (**rest && **rest != ',') {
        size_t len = strcspn(*rest, ",");

        if (len == strlen(stage_end) && memcmp(*rest, stage_end, len) == 0) {
            free(next_field(rest));
            return true;
        }
        if (n == LANGUAGE_ARGS_MAX)
            break;
        args[n++] = next_field(rest);
    }
    return false;
}

static int read_argv(struct language *into, const char *rest, struct fault *f)
{
    if (read_stage(into->argv, &rest)) {
        memcpy(into->compile, into->argv, sizeof(into->compile));
        memset(into->argv, 0, sizeof(into->argv));
        if (!into->compile[0])
            return fault_set(f, FAULT_INVALID, "language %s: nothing before \"=>\"", into->name);
        if (read_stage(into->argv, &rest))
            return fault_set(f, FAULT_INVALID, "language %s: \"=>\" twice", into->name);
    }
    if (*rest || !into->argv[0])
        return fault_set(f, FAULT_INVALID,
                         "language %s needs IMAGE,FILE,RUN... or IMAGE,FILE,COMPILE...,=>,RUN... (at most %d of each)",
                         into->name, LANGUAGE_ARGS_MAX);
    return 0;
}

static int read_definition(struct language *into, const char *definition, struct fault *f)
{
    const char *equals = strchr(definition, '='), *rest;

    if (!equals)
        return fault_set(f, FAULT_INVALID, "\"%.60s\" is not NAME=IMAGE,FILE,RUN...", definition);
    into->name = mem_bytes(definition, (size_t)(equals - definition));
    rest = equals + 1;
    into->image = next_field(&rest);
    into->file = next_field(&rest);
    if (!text_is_name(into->name, 64, "._+-"))
        return fault_set(f, FAULT_INVALID, "\"%.60s\" is no name for a language", into->name);
    if (!into->image || !into->file)
        return fault_set(f, FAULT_INVALID, "language %s needs IMAGE,FILE,RUN...", into->name);
    if (!text_is_name(into->file, 64, "._-"))
        return fault_set(f, FAULT_INVALID, "language %s: \"%.60s\" is no plain file name", into->name, into->file);
    return read_argv(into, rest, f);
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

static void add_stage(struct buf *text, char *const args[])
{
    struct fault f;

    for (size_t i = 0; args[i]; i++)
        if (buf_addf(text, &f, ",%s", args[i]) < 0)
            abort(); /* no ceiling */
}

char *language_text(const struct language *language)
{
    struct buf text = BUF_INIT(SIZE_MAX / 2);
    struct fault f;

    if (buf_addf(&text, &f, "%s=%s,%s", language->name, language->image, language->file) < 0)
        abort();
    add_stage(&text, language->compile);
    if (language->compile[0])
        add_stage(&text, (char *const[]){(char *)(uintptr_t)stage_end, NULL});
    add_stage(&text, language->argv);
    return buf_take(&text, NULL);
}
