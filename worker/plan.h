#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/request.h"
#include "worker/languages.h"

/* What the runner in the pod is to do, as the bytes of its plan (docs/runner.md): struct -> bytes, pure. */

/* What the operator says and the request does not. 0 leaves it to the runner's own default. */
struct plan_limits {
    int64_t total_ms; /* for everything in the pod */
    int64_t compile_timeout_ms;
    int64_t output_limit; /* a stream that gets longer ends the run */
    int64_t report_bytes; /* kept of all streams and files together */
    int64_t processes;
    bool announce; /* a short report is printed, too */
};

/** Appends the plan of a request. argv is the request's or else the language's, then args. The language's compile
 *  stage is run unless the request brings an argv of its own. Faults are FAULT_TOO_BIG (the buffer's ceiling; a
 *  record's eight digits) and FAULT_INVALID (neither side has an argv). */
int plan_write(const struct request *r, const struct language *language, const struct plan_limits *l, struct buf *out,
               struct fault *f);

/** Whether the plan has a compile stage. */
bool plan_compiles(const struct request *r, const struct language *language);

/** Appends the normal form in which outputs are compared; blanks are space, \t, \n, \v, \f, \r.
 *  exact: as it is. trimmed: without blanks at the end of lines and without empty lines at the end.
 *  tokens: the words, joined by one space. */
int plan_normal_form(const char *bytes, size_t len, enum request_compare mode, struct buf *out, struct fault *f);
