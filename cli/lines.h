#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* Reads a file line by line without ever holding more than one line of a bounded length. */

struct lines;

struct line {
    const char *bytes; /* without the line end; borrowed until the next call */
    size_t len;        /* of what is here */
    off_t offset;      /* where it begins in the file */
    size_t number;     /* from 1 */
    bool too_long;     /* only its first bytes are here */
    bool torn;         /* the file ended before the line did */
};

/** `fd` is borrowed; it is read by offset, so its position does not matter. */
struct lines *lines_new(int fd, size_t line_max);
void lines_free(struct lines *l);
DEFINE_CLEANUP(struct lines, lines_free)

/** 1: `ret` is filled; 0: the end; -1: a fault. */
int lines_next(struct lines *l, struct line *ret, struct fault *f);

/** Where the line that came last ends, its line end included. */
off_t lines_end(const struct lines *l);

/** Exactly `len` bytes at `offset`, into an emptied buffer. */
int lines_read_at(int fd, off_t offset, size_t len, struct buf *into, struct fault *f);
