#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The small things that the runner needs of its own: it stands alone and links nothing but the C library. */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What the runner itself can end with. Every other code is not the runner's. */
enum {
    RUNNER_EXIT_REPORTED = 86, /* a report was written, whatever is in it */
    RUNNER_EXIT_USAGE = 64,    /* wrong arguments */
    RUNNER_EXIT_MEMORY = 70,   /* no memory for the runner's own few megabytes */
    RUNNER_EXIT_MESSAGE = 73,  /* the termination message could not be written */
    RUNNER_EXIT_LOG = 74,      /* the lines of a long report could not be written */
};

/* Borrowed bytes. */
struct span {
    const char *bytes;
    size_t len;
};

/* Why something could not be done, for people. */
struct why {
    char text[240];
};

/** Fills `w` as printf does and returns -1. */
int why_set(struct why *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** As why_set(), with ": " and the name of the error behind. */
int why_errno(struct why *w, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Bytes that grow. */
struct bytes {
    char *data;
    size_t len, cap;
};

/** Appends as much as keeps `b` at or under `most` bytes. */
void bytes_keep(struct bytes *b, const void *from, size_t len, size_t most);
void bytes_release(struct bytes *b);

/** Zeroed memory and realloc() that never return NULL: without memory the process ends with RUNNER_EXIT_MEMORY,
 *  and all it started with it. */
void *need_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *need_array(void *p, size_t count, size_t size) __attribute__((returns_nonnull));

/** Milliseconds on a clock that only goes forward. */
int64_t now_ms(void);
int64_t unix_ms(void); /* since 1970, as far as the node knows */

/** Whether the bytes are well-formed UTF-8 without a NUL. */
bool bytes_are_text(const char *bytes, size_t len);

/** The largest length <= `len` that does not cut a UTF-8 character in two at its end. */
size_t bytes_text_floor(const char *bytes, size_t len);
