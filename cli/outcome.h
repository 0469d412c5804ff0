#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json_types.h>

#include "base/buf.h"

/* A result as it came from Redis, for people and for the shell. */

struct outcome {
    char *id, *status;
    int exit_code, signal;  /* -1 where the result has none */
    char *reason, *message; /* of the error; NULL without one */
    struct buf out, err;
    bool out_cut, err_cut;     /* there was more of it */
    int64_t wall_ms;           /* -1: unknown */
    int attempts;              /* how many are listed */
    struct json_object *cases; /* array; NULL without cases */
    struct json_object *files; /* object of those that came back; NULL where none were asked for */
    int64_t files_omitted;
};

/** Reads a result. Only id and status are insisted on: results of newer workers are readable too. */
int outcome_read(const char *json, size_t len, struct outcome *ret, struct fault *f);
void outcome_release(struct outcome *o);

/** What `run` and `result` end with; see enum exit_code. */
int outcome_exit_code(const struct outcome *o);

/** The bytes that stand as text under one name or as base64 under the other; none at all is fine. The caller
 *  releases `into`, also after a fault. */
int outcome_bytes(struct json_object *o, const char *text, const char *base64, struct buf *into, struct fault *f);

/** How a run ended: "exit code 3", "ended by signal 9", "infra_error (quota)", "ok". The caller frees. */
char *outcome_ended(const char *status, int exit_code, int signal, const char *reason);

/** One line for people: "timeout after 2.0 s", "infra_error (image_pull): ...". The caller frees. */
char *outcome_verdict(const struct outcome *o);

/** Writes the streams to stdout and stderr, a table of cases to stdout, and the verdict to stderr unless the status
 *  is ok. */
void outcome_print(const struct outcome *o);

/* How a result is shown. */
struct outcome_view {
    bool as_json;           /* as it came, instead of outcome_print() */
    const char *output_dir; /* where its files are written; NULL: nowhere, they are listed or stand in the JSON */
    bool force;             /* over existing ones */
};

/** Shows a whole result and writes its files. Returns the exit code: EXIT_OURS if all else is well and a file could
 *  not be written. */
int outcome_show(const char *json, size_t len, const struct outcome_view *view);
