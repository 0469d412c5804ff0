#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "runner/bytes.h"
#include "runner/child.h"
#include "runner/compare.h"

/* One run of one program from its start to the end of everything it left behind. */

enum run_end {
    RUN_EXITED,       /* exit_code */
    RUN_SIGNALED,     /* signal */
    RUN_TIMEOUT,      /* wall time */
    RUN_CPU_LIMIT,    /* CPU time */
    RUN_OUTPUT_LIMIT, /* a stream went past kill_output_bytes */
    RUN_DISK_LIMIT,   /* the scratch folders did past disk_bytes */
    RUN_STOPPED,      /* the runner was told to stop (SIGTERM) */
    RUN_NOT_STARTED,  /* why */
};

struct run_spec {
    const char **argv, **env;
    const char *cwd;
    struct span in;
    int64_t timeout_ms, grace_ms;
    int64_t output_bytes, kill_output_bytes; /* of each stream: kept; the code is killed past it, 0: never */
    int64_t disk_bytes;                      /* 0: not looked at */
    const char **scratch;
    struct child_limits limits;
    bool network;
    const char *hide[2];
    struct compare *compare; /* fed with all of stdout, kept or not; NULL: nobody asks */
};

struct run_stream {
    struct bytes kept;
    int64_t total; /* bytes written, whatever was kept */
};

struct run_result {
    enum run_end end;
    int exit_code, signal; /* -1: none */
    struct run_stream out, err;
    int64_t wall_ms, cpu_ms, max_rss_bytes;
    bool oom;           /* the kernel counted a kill for want of memory */
    bool oom_suspected; /* SIGKILL from nobody knows whom, and no counter to ask */
    bool leftovers;     /* something would not die */
    struct why why;
};

/** Runs it. `*level` is the isolation to try first; where the kernel refuses it, the next lower one is tried and
 *  kept in it. */
void run_program(const struct run_spec *spec, enum isolation *level, struct run_result *ret);
void run_result_release(struct run_result *r);

/** Once, before anything runs: what SIGCHLD, SIGTERM and SIGINT do. */
void run_init(void);

/** Whether the runner was told to stop. */
bool run_stopped(void);
