#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* What an answer that is not 2xx means, pure. Its body is a Status object, or plain text from something in front of
 * the API server. The `reason` counts more than the code: 409 is AlreadyExists on a create, Conflict otherwise. */

/** Always returns -1 with the fault set: kind and `code` (HTTP) as in k8s/kube.h, retry_after_ms the larger of the
 *  header's and the Status's. */
int status_fault(int http_status, int64_t retry_after_ms, const char *body, size_t len, struct fault *f);
