#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A result as it came from Redis, for people and for the shell. */

struct outcome {
    char *id, *status;
    int exit_code, signal;  /* -1 where the result has none */
    char *reason, *message; /* of the error; NULL without one */
    struct buf out, err;
    bool merged;           /* `out` carries both streams */
    bool out_cut, err_cut; /* there was more of it */
    int64_t wall_ms;       /* -1: unknown */
    int attempts;          /* how many are listed */
};

/** Reads a result. Only id and status are insisted on: results of newer workers are readable too. */
int outcome_read(const char *json, size_t len, struct outcome *ret, struct fault *f);
void outcome_release(struct outcome *o);

/** What `run` and `result` end with; see enum exit_code. */
int outcome_exit_code(const struct outcome *o);

/** One line for people: "timeout after 2.0 s", "infra_error (image_pull): ...". The caller frees. */
char *outcome_verdict(const struct outcome *o);

/** Writes the streams to stdout and stderr, and the verdict to stderr unless the status is ok. */
void outcome_print(const struct outcome *o);

/** Prints a whole result: its JSON as it came, or as outcome_print(). Returns the exit code. */
int outcome_show(const char *json, size_t len, bool as_json);
