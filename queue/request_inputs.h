#pragma once
#include "queue/request.h"

/* Private to queue/request.c: what a request gives its run besides the code, and what it wants back. */

/** timeout_s of the request, or of one of its cases; `absent` where it is silent. */
int request_timeout(struct json_object *o, const struct request_limits *l, int64_t absent, int64_t *ret,
                    struct fault *f);

/** stdin, files, outputs, cases and stop_on_first_failure. Reads r->timeout_ms, which counts where a case is silent.
 *  `*spent` sums up the words of all command lines. `payload` is what `o` was read from: json-c ends a name at a NUL,
 *  so that paths have to be looked at in the original. */
int request_inputs(struct json_object *o, const char *payload, size_t len, const struct request_limits *l,
                   size_t *spent, struct request *r, struct fault *f);

void request_inputs_free(struct request *r); /* what request_inputs() put there */
