#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fault.h"

/* A request as a producer pushed it (docs/protocol.md lists the fields): bytes -> struct, pure. */

enum {
    REQUEST_ID_MAX = 128,
    REQUEST_NAME_MAX = 64,
    REQUEST_LIST_MAX = 256,   /* entries of argv, args, env, files */
    REQUEST_OUTPUTS_MAX = 64, /* globs */
    REQUEST_CASES_MAX = 1024,
    REQUEST_NODES_MAX = 65536, /* objects and arrays, wherever they stand */
};

/** What the operator allows, and what counts where a request is silent. 0 in a maximum means: no limit. */
struct request_limits {
    size_t payload_max; /* bytes of the whole request; the ConfigMap's 1 MiB is the upper bound */
    int64_t timeout_ms, timeout_max_ms;
    int64_t cpu_milli, cpu_max_milli;
    int64_t memory_bytes, memory_max_bytes;
    int64_t disk_bytes, disk_max_bytes;
    int64_t output_bytes, output_max_bytes; /* a stream */
    int64_t result_ttl_s, result_ttl_max_s;
    unsigned retry_infra, retry_code, retry_max; /* further attempts */
};

struct request_env {
    char *name, *value;
};

/* Bytes that a producer gave as text or in base64; a NUL stands behind them. NULL: not given. */
struct request_bytes {
    char *bytes;
    size_t len;
};

struct request_file {
    char *path; /* below the working directory: no empty part, no "." or "..", no NUL */
    struct request_bytes content;
    unsigned mode; /* 0: not given (a mode of 0 is refused) */
};

enum request_compare { EXPECT_EXACT, EXPECT_TRIMMED, EXPECT_TOKENS };

struct request_case {
    struct request_bytes in;       /* stdin */
    char **args;                   /* behind argv and the request's args; never NULL, ended by NULL */
    struct request_bytes expected; /* bytes NULL: nothing is compared */
    enum request_compare compare;
    int64_t timeout_ms; /* the request's where the case is silent */
};

struct request {
    char *id;
    char *code; /* may hold NULs */
    size_t code_len;
    char *language;             /* "python" where the request is silent */
    char *image;                /* NULL: the language's */
    char **argv;                /* NULL: the language's; ended by NULL, as is args */
    char **args;                /* appended to argv; never NULL */
    struct request_env *env;    /* ended by a NULL name; never NULL */
    struct request_bytes in;    /* stdin */
    struct request_file *files; /* sorted by path */
    size_t file_count;
    char **outputs; /* globs of files to bring back; never NULL, ended by NULL */
    struct request_case *cases;
    size_t case_count;
    bool stop_on_first_failure;
    int64_t timeout_ms; /* of the run, or of each case that does not say otherwise */
    int64_t cpu_milli, memory_bytes, disk_bytes, output_bytes;
    int64_t submitted_ms, not_before_ms, deadline_ms; /* milliseconds since 1970; 0: not given */
    int64_t result_ttl_s;
    unsigned retry_infra, retry_code;
    char **retry_on;          /* names of statuses and reasons to which `retry` is narrowed; NULL: all it covers */
    char *reply_to;           /* NAME of reply:NAME, or NULL */
    char *trace;              /* a traceparent, or NULL */
    struct json_object *meta; /* writes itself as it came, and is nothing else; NULL if absent */
    char digest[DIGEST_HEX];  /* SHA-256 of the payload: tells a repeat from another request with the same id */
};

/** Reads a whole request. Unknown fields, wrong types and what is over a limit are faults that name the field
 *  (FAULT_INVALID: does not follow the contract; FAULT_REFUSED: well-formed, but over what the operator allows).
 *
 *  `ret_id` gets the id as soon as one that is fit for use was read, even if the rest is at fault, so that an
 *  answer can be addressed; the caller frees it. It stays NULL otherwise. It may be the same on success. */
int request_parse(const char *payload, size_t len, const struct request_limits *limits, struct request **ret_request,
                  char **ret_id, struct fault *f);

/** The id and reply_to in the first bytes of a request that is too large to be taken whole. NULL, NULL where they
 *  do not stand there in full. The caller frees both. */
void request_peek(const char *head, size_t len, char **ret_id, char **ret_reply_to);

void request_free(struct request *r); /* NULL is fine */
DEFINE_CLEANUP(struct request, request_free)
