#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A result as it is published (docs/protocol.md lists the fields): struct -> bytes, pure. */

/* The order is the order of docs/protocol.md: the code's, the caller's, ours. */
enum status {
    STATUS_OK,
    STATUS_NONZERO_EXIT,
    STATUS_SIGNAL,
    STATUS_TIMEOUT,
    STATUS_OOM,
    STATUS_OUTPUT_LIMIT,
    STATUS_DISK_LIMIT,
    STATUS_COMPILE_ERROR,
    STATUS_INVALID,
    STATUS_REJECTED,
    STATUS_CANCELLED,
    STATUS_EXPIRED,
    STATUS_INFRA_ERROR,
};

enum reason { /* of an infra_error */
              REASON_NONE,
              REASON_API,
              REASON_QUOTA,
              REASON_ADMISSION,
              REASON_UNSCHEDULABLE,
              REASON_IMAGE_PULL,
              REASON_MOUNT,
              REASON_START,
              REASON_EVICTED,
              REASON_DISRUPTED,
              REASON_NODE_LOST,
              REASON_LOG_LOST,
              REASON_DEADLINE,
              REASON_POISON,
              REASON_INTERNAL,
};

const char *status_name(enum status s);
const char *reason_name(enum reason r); /* "" for REASON_NONE */
bool status_is_code(enum status s);     /* ok ... compile_error: what the code did */

struct result_stream {
    const char *bytes; /* borrowed; NULL: the field is left out */
    size_t len;
    bool truncated;
    int64_t total; /* bytes the program wrote, if known; -1 otherwise */
};

/* One test case; where it did not run only the verdict comes out. */
struct result_case {
    const char *verdict; /* "passed", "wrong", "failed", "skipped", "unchecked" */
    bool ran;
    enum status status;
    int exit_code, signal;
    struct result_stream out, err;
    int64_t wall_ms, cpu_ms, max_rss_bytes;
};

/* The compile stage that went before the run. If it is what failed, it is the result itself and does not stand here. */
struct result_compile {
    int exit_code;
    struct result_stream out, err;
    int64_t wall_ms, cpu_ms, max_rss_bytes;
};

struct result_file {
    const char *path; /* bytes outside UTF-8 come out as U+FFFD; what is then equal to one before it gets " (N)" */
    struct result_stream content; /* total: the size of the file */
};

/* Everything is borrowed. A number of -1 and a time of 0 mean: not known, and come out as null or are left out. */
struct result {
    const char *id;
    enum status status;
    int exit_code, signal;
    struct result_stream out, err;
    const struct result_compile *compile; /* NULL: none */
    const struct result_case *cases;      /* NULL: the request had none */
    size_t case_count;
    const struct result_file *files; /* NULL: the request asked for none */
    size_t file_count;
    int64_t files_omitted; /* matched a glob of `outputs` and found no room; comes out if above 0 */
    int64_t wall_ms, cpu_ms, max_rss_bytes;
    int64_t queued_ms, claimed_ms, created_ms, started_ms, finished_ms, published_ms; /* since 1970 */
    struct json_object *attempts;                                                     /* array, or NULL */
    enum reason reason;
    const char *message; /* NULL: no error object */
    bool retryable;
    const char *worker;
    struct json_object *meta;
    const char *trace;
};

#define RESULT_INIT                                                                                   \
    {                                                                                                 \
        .exit_code = -1, .signal = -1, .out.total = -1, .err.total = -1, .wall_ms = -1, .cpu_ms = -1, \
        .max_rss_bytes = -1                                                                           \
    }

/** Appends the result as one line of JSON (no line end). Text that is not UTF-8 goes out as *_base64. If the whole
 *  would be over the buffer's ceiling, streams and contents of files are cut and say so: each may have an equal share
 *  of the room, and what the small ones leave goes to the others. FAULT_TOO_BIG only if that does not help. */
int result_encode(const struct result *r, struct buf *out, struct fault *f);

/** One entry of `attempts`; the caller adds it to its array. Strings may be NULL. */
struct json_object *result_attempt(int64_t n, const char *job, const char *pod, const char *node, const char *status,
                                   const char *reason, int64_t started_ms);
