#pragma once
#include <stdbool.h>

/* Whether PEM texts that were read again may replace those in use: a file may be caught while it is written. */

bool pem_has_certificate(const char *pem);
bool pem_is_pair(const char *cert, const char *key);
