#pragma once
#include <stddef.h>

#include "base/fault.h"

/* The languages that a request may name: image, file name of the code under /app, and what runs it. */

enum { LANGUAGES_MAX = 64, LANGUAGE_ARGS_MAX = 16 };

struct language {
    char *name, *image, *file;
    char *compile[LANGUAGE_ARGS_MAX + 1]; /* runs first, and must end well; empty: no such stage. Ended by NULL */
    char *argv[LANGUAGE_ARGS_MAX + 1];    /* ended by NULL */
};

struct languages {
    struct language list[LANGUAGES_MAX];
    size_t count;
};

/** The built-in table. */
void languages_init(struct languages *l);
void languages_release(struct languages *l);

/** Adds or replaces one: "NAME=IMAGE,FILE,ARGV0,ARGV1,...". */
int languages_set(struct languages *l, const char *definition, struct fault *f);

const struct language *languages_find(const struct languages *l, const char *name);
