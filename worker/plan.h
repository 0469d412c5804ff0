#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/request.h"
#include "worker/languages.h"

/* What the runner in the pod is to do, as the bytes of its plan (docs/runner.md): struct -> bytes, pure. */

enum plan_compare { PLAN_EXACT, PLAN_TRIMMED, PLAN_TOKENS };

struct plan_input_file {
    const char *path; /* relative to cwd; the runner refuses what would lead out of it */
    const char *bytes;
    size_t len;
    unsigned mode; /* 0: 0644 */
};

struct plan_input_output {
    const char *glob;
    int64_t max_bytes; /* of each file; 0: the runner's 64 KiB */
};

struct plan_input_case {
    const char *in;
    size_t in_len;
    const char *const *args; /* behind argv and the request's args; ended by NULL, or NULL */
    const char *expected;    /* NULL: nothing is compared. Only a digest of it leaves this process */
    size_t expected_len;
    enum plan_compare compare;
    int64_t timeout_ms; /* 0: the request's */
};

/* What a request does not (yet) say. Everything is borrowed; 0 and NULL leave it to the runner's own default. */
struct plan_input {
    const char *cwd;       /* NULL: /work */
    const char *code_path; /* the code is written there, relative to cwd; NULL: argv finds it elsewhere */
    const char *const *compile_argv;
    int64_t compile_timeout_ms, total_ms, grace_ms;
    const char *in; /* stdin */
    size_t in_len;
    const struct plan_input_file *files;
    size_t file_count;
    const struct plan_input_output *outputs;
    size_t output_count;
    const struct plan_input_case *cases;
    size_t case_count;
    bool stop_on_first_failure;
    const char *const *scratch; /* folders whose content counts against disk_bytes; ended by NULL; NULL: cwd */
    int64_t cpu_ms, case_output_bytes, kill_output_bytes, report_bytes, file_size_bytes;
    int64_t processes, stack_bytes, address_bytes, open_files;
    bool network; /* leave the code the pod's network */
};

/** Appends the plan of a request. argv is the request's or else the language's, then args. Faults are FAULT_TOO_BIG
 *  (the buffer's ceiling; a record's eight digits) and FAULT_INVALID (neither side has an argv). */
int plan_write(const struct request *r, const struct language *language, const struct plan_input *more, struct buf *out,
               struct fault *f);

/** Appends the normal form in which outputs are compared; blanks are space, \t, \n, \v, \f, \r.
 *  exact: as it is. trimmed: without blanks at the end of lines and without empty lines at the end.
 *  tokens: the words, joined by one space. */
int plan_normal_form(const char *bytes, size_t len, enum plan_compare mode, struct buf *out, struct fault *f);
