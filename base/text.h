#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* Numbers, sizes and names as people write them, read strictly: the whole string or nothing. */

int text_to_int(const char *s, int64_t min, int64_t max, int64_t *ret, struct fault *f);

/** Kubernetes quantities of memory and disk: "512Mi", "1G", "1048576" -> bytes. */
int text_to_bytes(const char *s, int64_t *ret_bytes, struct fault *f);

/** Kubernetes quantities of CPU: "500m", "2", "0.5" -> thousandths of a CPU. */
int text_to_milli_cpu(const char *s, int64_t *ret_milli, struct fault *f);

/** Seconds with an optional unit: "30", "30s", "250ms", "5m", "1h", "1.5s" -> milliseconds. */
int text_to_ms(const char *s, int64_t *ret_ms, struct fault *f);

/** Whether `s` has 1 to `max` characters of A-Z a-z 0-9 and those in `extra`. */
bool text_is_name(const char *s, size_t max, const char *extra);
