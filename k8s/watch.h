#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/loop.h"

/* The body of a watch: JSON objects {type, object} one after the other. The decoder is pure: the same bytes, cut
 * anywhere, give the same events. A frame is the JSON value, whatever stands between two of them as white space. */

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

enum { WATCH_EVENT_MAX = 16 << 20 }; /* bytes of one event */

struct watch_event {
    enum watch_type type;
    struct json_object *object; /* for ERROR a Status */
    const char *version;        /* its resourceVersion; NULL if there is none */
};

/** `event` is borrowed. Returns whether it wants more. */
typedef bool watch_event_fn(void *arg, const struct watch_event *event);

/* What a watch itself looks at, the Status of an ERROR included. */
#define WATCH_KEEPS \
    "type", "object.metadata.resourceVersion", "object.code", "object.reason", "object.message", "object.details"

struct watch_decoder {
    const char *const *keep; /* members that somebody asks for, as in k8s/prune.h, and WATCH_KEEPS; NULL: all */
    struct buf value;        /* of the event that is not complete yet */
    struct buf pruned;
    int depth;
    bool in_string, escaped;
};

#define WATCH_DECODER_INIT(members)                                                                       \
    {                                                                                                     \
        .keep = (members), .value = {.ceiling = WATCH_EVENT_MAX}, .pruned = {.ceiling = WATCH_EVENT_MAX}, \
    }
void watch_decoder_release(struct watch_decoder *d);

/** Returns 0, 1 if `fn` wants no more (the rest is dropped), or -1: what came is no watch. After that, or after
 *  0 < result, the decoder is not fed again. */
int watch_decoder_feed(struct watch_decoder *d, const char *bytes, size_t len, watch_event_fn *fn, void *arg,
                       struct fault *f);

/* One watch request: from a resourceVersion on until it ends. */

struct watch;
struct api;

/** Runs exactly once, last, never after watch_cancel(). `f` NULL: the server ended it, as it does every few minutes;
 *  go on at the last version. FAULT_GONE: that version is too old, list again. */
typedef void watch_end_fn(void *arg, const struct fault *f);

/** `path`: of the request, copied. `keep`: as in the decoder, borrowed. `on_event` never sees ERROR. Never NULL. */
struct watch *watch_start(struct api *a, const char *path, const char *const keep[], int64_t limit_ms,
                          watch_event_fn *on_event, watch_end_fn *on_end, void *arg);
void watch_cancel(struct watch **w);
