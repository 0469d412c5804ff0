#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "runner/bytes.h"
#include "runner/compare.h"

/* What to run, read from the bytes of a plan (docs/runner.md is the page on the format). Pure.
 *
 *   execq-plan 1 LF
 *   NAME SP LENGTH LF BYTES LF      any number of records
 *   end 0 LF LF                     and nothing behind it: a plan that was cut is refused
 */

enum {
    PLAN_BYTES_MAX = 8 << 20,
    PLAN_ARGS_MAX = 4096,   /* of one command line */
    PLAN_ENV_MAX = 1024,    /* variables */
    PLAN_FILES_MAX = 1024,  /* files to create */
    PLAN_OUTPUTS_MAX = 64,  /* globs */
    PLAN_SCRATCH_MAX = 8,   /* folders that count for disk-bytes */
    PLAN_CASES_MAX = 4096,  /* test cases */
    PLAN_PATH_MAX = 1024,   /* bytes of a path or glob */
    PLAN_DEPTH_MAX = 32,    /* folders of a path */
    PLAN_MS_MAX = 86400000, /* one day: of every duration */
};

struct plan_file {
    const char *path; /* relative, no part of it is "", "." or ".." */
    int64_t mode;
    struct span content;
};

struct plan_output {
    const char *glob;
    int64_t max_bytes; /* of each file */
};

struct plan_case {
    struct span in;
    const char **args; /* behind argv; ended by NULL */
    bool has_digest;
    unsigned char digest[SHA256_BYTES]; /* of the expected output in the normal form of `mode` */
    enum compare_mode mode;
    int64_t timeout_ms; /* 0: the plan's */
};

/* Strings end with NUL and borrow from the bytes that were parsed. 0 in a limit: none. */
struct plan {
    const char **argv, **compile_argv; /* ended by NULL; compile_argv NULL: nothing to compile */
    const char **env;                  /* NAME=VALUE, over what the runner was started with; ended by NULL */
    const char *cwd;
    struct span in;
    struct plan_file *files;
    struct plan_output *outputs;
    struct plan_case *cases; /* if there are any, each is a run of its own instead of the one without cases */
    const char **scratch;    /* ended by NULL; cwd where the plan names none */
    size_t file_count, output_count, case_count;
    int64_t timeout_ms, compile_timeout_ms, total_ms, grace_ms;
    int64_t cpu_ms, output_bytes, case_output_bytes, kill_output_bytes, report_bytes;
    int64_t file_size_bytes, disk_bytes, processes, stack_bytes, core_bytes, address_bytes, open_files;
    int64_t network, isolate, stop_on_first_failure, announce; /* 0 or 1 */
};

/** Reads a plan. `bytes` holds `len` bytes, is written to, and must live as long as the plan. On failure nothing
 *  has to be released and `why` names the record. */
int plan_parse(char *bytes, size_t len, struct plan *ret_plan, struct why *why);
void plan_release(struct plan *p);
