#pragma once
#include <stddef.h>

#include "base/fault.h"

/* The languages that a request may name: image, file name of the code under /app, what makes a program of it (if
 * anything has to), and what runs it. The pod has a read-only root and a read-only /app; /tmp (HOME, TMPDIR) and /work
 * (the working directory) can be written to. */

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

/** Adds or replaces one: "NAME=IMAGE,FILE,RUN..." or, with a compile stage, "NAME=IMAGE,FILE,COMPILE...,=>,RUN...":
 *  an argument between two commas, a lone "=>" before the run. */
int languages_set(struct languages *l, const char *definition, struct fault *f);

/** The same text again: languages_set() makes an equal one of it. The caller frees it. */
char *language_text(const struct language *language);

const struct language *languages_find(const struct languages *l, const char *name);
