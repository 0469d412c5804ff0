#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Whether PEM texts that were read again may replace those in use: a file may be caught while it is written. */

bool pem_has_certificate(const char *pem);
bool pem_is_pair(const char *cert, const char *key);

/** When the first certificate expires, in Unix milliseconds; 0 if that cannot be told. */
int64_t pem_end_ms(const char *pem);
