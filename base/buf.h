#pragma once
#include <stddef.h>

#include "base/fault.h"

/* Growing bytes, born with a ceiling: whatever is fed from outside goes through one of these. The bytes are always
 * followed by a NUL, which does not count. */

struct buf {
    char *data; /* NULL until the first byte: use buf_str() where a string is needed */
    size_t len;
    size_t cap;
    size_t ceiling;
};

/** The most that `b` will ever hold. */
#define BUF_INIT(most)    \
    {                     \
        .ceiling = (most) \
    }

void buf_init(struct buf *b, size_t ceiling);
void buf_release(struct buf *b); /* back to empty, ceiling kept; also a cleanup */

/** Appends. Past the ceiling nothing is appended and the fault is FAULT_TOO_BIG. */
int buf_add(struct buf *b, const void *bytes, size_t len, struct fault *f);
int buf_add_string(struct buf *b, const char *s, struct fault *f);
int buf_addf(struct buf *b, struct fault *f, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Appends as much as fits and returns how many bytes that was. */
size_t buf_fill(struct buf *b, const void *bytes, size_t len);

/** Drops bytes from the front (at most all). */
void buf_consume(struct buf *b, size_t len);

/** Empties, keeps the memory. */
void buf_clear(struct buf *b);

/** The bytes as a C string, "" when empty; borrowed until the next change. */
const char *buf_str(const struct buf *b);

/** The memory, which the caller now owns and frees; `b` is empty afterwards. Never NULL. */
char *buf_take(struct buf *b, size_t *ret_len);
