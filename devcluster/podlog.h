#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/fault.h"

/* A container's log file. At 10 MiB it starts over, as a rotated one does: only the current file is ever served. */

struct evbuffer;
struct podlog;

enum { PODLOG_MAX = 10 << 20, PODLOG_PIECE = 16 << 10 };

int podlog_open(const char *path, struct podlog **ret, struct fault *f);
void podlog_free(struct podlog *l); /* the file stays */
DEFINE_CLEANUP(struct podlog, podlog_free)

void podlog_add(struct podlog *l, const char *bytes, size_t len);
void podlog_clear(struct podlog *l);

/** Nothing more will be added: closes the file until someone reads. */
void podlog_close(struct podlog *l);

/** Appends to `to`: the last `tail` lines (-1: all), of those the first `limit` bytes (-1: all). A line of more than
 *  16 KiB counts as several, as in the file a container runtime writes. */
int podlog_read(struct podlog *l, int64_t tail, int64_t limit, struct evbuffer *to, struct fault *f);

/** The pure part: where the last `tail` lines begin. */
size_t podlog_tail(const char *text, size_t len, int64_t tail);
