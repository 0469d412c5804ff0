#pragma once
#include "queue/result.h"

/* Private to queue/result.c: how much of each stream finds room in a result, and how it is written. */

/* What goes out of a stream: the first `len` bytes, as text or as base64. */
struct result_cut {
    const struct result_stream *stream;
    size_t len;
    bool text;
};

/* What the members are called. */
struct result_stream_names {
    const char *text, *base64, *truncated, *bytes;
};

/** At most the first `len` bytes of the stream. Text that is cut keeps its last character whole. */
struct result_cut result_cut_at(const struct result_stream *s, size_t len);

/** How much longer the members of a stream may get when it is not cut to nothing, its bytes not counted. */
size_t result_cut_slack(const struct result_cut *whole);

/** Cuts what does not fit: each may have an equal share of the room, and what the small ones leave of theirs goes to
 *  the others. n log n. */
void result_cut_share(struct result_cut *cuts, size_t n, size_t room);

/** Adds the members; none where the stream has no bytes. */
void result_cut_put(struct json_object *o, const struct result_cut *c, const struct result_stream_names *names);
