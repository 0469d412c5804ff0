#pragma once
#include <stdint.h>

/* Times as Kubernetes writes them. */

/** RFC 3339 ("2026-11-21T09:15:04Z", with or without a fraction) -> milliseconds since 1970; 0 if it is none. */
int64_t pod_time(const char *text);
