#pragma once
#include "base/buf.h"

/* Small local files: configuration, tokens, certificates. They are read on the loop's thread, as they lie on a
 * local disk or in the memory of a pod; what cannot be read at once (a FIFO) reads as empty. */

enum { FILE_READ_MAX = 1 << 20 };

/** Appends the whole file to `b`, as far as its ceiling; the fault names the path. */
int file_read(const char *path, struct buf *b, struct fault *f);

/** The same, without white space around it; nothing at all is a fault. */
int file_read_trimmed(const char *path, struct buf *b, struct fault *f);
