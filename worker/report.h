#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fault.h"

/* What the runner in the pod reported (docs/runner.md): bytes -> struct, strict and pure. A report counts only when
 * the container ended with the runner's own exit code: before that, the code could write what it liked. */

enum {
    REPORT_EXIT_CODE = 86,
    REPORT_BYTES_MAX = 32 << 20, /* of the whole JSON */
    REPORT_KEPT_MAX = 14 << 20,  /* of streams and files in it: as JSON twice as much, and 4 MiB for all the rest */
    REPORT_LINES_MAX = 4096,     /* that it may be spread over in the log */
    REPORT_LINE_MAX = 16383,     /* bytes of each */
};

enum report_isolation { REPORT_ISOLATION_NONE, REPORT_ISOLATION_NETWORK, REPORT_ISOLATION_FULL };

enum report_end {
    REPORT_EXIT,
    REPORT_SIGNAL,
    REPORT_TIMEOUT,
    REPORT_CPU_LIMIT,
    REPORT_OUTPUT_LIMIT,
    REPORT_DISK_LIMIT,
    REPORT_STOPPED,
    REPORT_NOT_STARTED,
};

enum report_case_verdict {
    REPORT_PASSED,    /* exit code 0 and the expected output */
    REPORT_WRONG,     /* exit code 0, another output */
    REPORT_FAILED,    /* it did not end with exit code 0 */
    REPORT_SKIPPED,   /* it was not run */
    REPORT_UNCHECKED, /* exit code 0, and nothing was expected */
};

struct report_stream {
    char *bytes; /* never NULL; a NUL stands behind */
    size_t len;
    int64_t total; /* bytes that were written */
    bool truncated;
};

struct report_run {
    enum report_end end;
    int exit_code, signal; /* -1: none */
    char *why;             /* what could not be started, and why; else NULL */
    bool oom;              /* the kernel killed something of it for want of memory */
    bool oom_suspected;    /* SIGKILL from nobody knows whom: memory, or the code itself */
    bool leftovers;        /* something would not die */
    int64_t wall_ms, cpu_ms, max_rss_bytes;
    struct report_stream out, err;
};

struct report_case {
    enum report_case_verdict verdict;
    struct report_run run; /* zero if it was skipped */
};

struct report_file {
    char *path;
    struct report_stream content; /* total: the size of the file */
};

struct report {
    char *error, *error_at; /* the runner could run nothing: why, and at what ("plan", "files"); else NULL */
    enum report_isolation isolation;
    bool network;                     /* the code had whatever network the pod has */
    struct report_run *compile, *run; /* NULL: did not run */
    struct report_case *cases;
    size_t case_count;
    struct report_file *files; /* sorted by path */
    size_t file_count;
    int64_t files_omitted;
    bool files_cut_short;
    int64_t wall_ms;  /* of everything the runner did */
    int64_t clock_ms; /* when that was over, since 1970 by the node's clock; 0: not told */
    bool again;       /* it was announced before: the second time comes a moment after that */
};

/* Where the rest of a long report is: the last `lines` lines of the container's log. */
struct report_pointer {
    int64_t lines, bytes;
    char digest[DIGEST_HEX]; /* of the lines without their ends */
};

/** Reads a termination message. Either it is the whole report (`*ret_report`, which the caller frees), or it says
 *  where the report is (`*ret_report` stays NULL, `ret_pointer` is filled). FAULT_INVALID: no runner wrote this. */
int report_read(const char *message, size_t len, int exit_code, struct report **ret_report,
                struct report_pointer *ret_pointer, struct fault *f);

/** Puts a long report together from the end of the log. FAULT_TRANSIENT: these are not the lines that were written,
 *  reading the log again may help. FAULT_INVALID: they are, and they are no report. */
int report_join(const struct report_pointer *p, const char *tail, size_t len, struct report **ret_report,
                struct fault *f);

void report_free(struct report *r); /* NULL is fine */
DEFINE_CLEANUP(struct report, report_free)
