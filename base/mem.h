#pragma once
#include <stddef.h>

#include "base/cleanup.h"

/* Memory for our own small things. Running out of it ends the process: a worker that dies loses nothing, its
 * claims go to another. Whatever is sized by input has a ceiling (buf) and is refused before it gets here. */

/** Zeroed memory, never NULL; the caller frees with free(). */
void *mem_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/** As realloc(), never NULL. */
void *mem_resize(void *p, size_t count, size_t size) __attribute__((returns_nonnull));

/** A copy that the caller frees; NULL for NULL. */
char *mem_string(const char *s);

/** A NUL-terminated copy of `len` bytes; never NULL. */
char *mem_bytes(const void *bytes, size_t len) __attribute__((returns_nonnull));

/** printf into memory that the caller frees; never NULL. */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/** Overwrites a secret before it is freed; NULL is fine. */
void mem_wipe(void *p, size_t len);

#define mem_new(type) ((type *)mem_zero(1, sizeof(type)))
