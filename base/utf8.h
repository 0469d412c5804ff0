#pragma once
#include <stdbool.h>
#include <stddef.h>

/** Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms) without a NUL. */
bool utf8_is_valid(const char *bytes, size_t len);

/** The largest length <= `len` that does not cut a character in two at its end. */
size_t utf8_floor(const char *bytes, size_t len);
