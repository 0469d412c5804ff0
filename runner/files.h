#pragma once
#include "runner/bytes.h"
#include "runner/plan.h"

/* Files into the working directory before the run, and out of it when everything has ended. No link is followed in
 * either direction. */

enum {
    FILES_OUT_MAX = 256,     /* files that are collected */
    FILES_LOOK_MAX = 100000, /* entries that are looked at */
    FILES_LOOK_MS = 3000,    /* and for how long */
};

struct found_file {
    char *path; /* relative; any bytes but NUL */
    struct bytes content;
    int64_t size; /* of the file; more than content.len if it was cut */
};

struct found_files {
    struct found_file *list; /* by path */
    size_t count;
    size_t omitted; /* matched, but there was no room for them, or they could not be read */
    bool cut_short; /* there was too much to look at */
};

/** Creates the plan's files and their folders; a file that is there already is replaced. */
int files_create(const struct plan *p, struct why *why);

/** Collects what the plan's globs ask for, `*budget` bytes at most, which is lowered by what was kept. Only when
 *  nothing else runs any more. */
void files_collect(const struct plan *p, int64_t *budget, struct found_files *ret);
void files_release(struct found_files *f);
