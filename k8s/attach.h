#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* What a container prints from now on: its standard output, over the WebSocket of pods/NAME/attach, to which the
 * kubelet connects the container at once, while its word on how a container is comes once a second only. The server
 * frames the bytes (RFC 6455), and the first byte of each message names the stream [k8s.io/apimachinery,
 * util/remotecommand, v4.channel.k8s.io]. Nothing is ever sent: whoever has heard enough, closes. */

struct kube;
struct attach;

typedef void attach_bytes_fn(void *arg, const char *bytes, size_t len);

/** Runs exactly once, last, never after attach_cancel(). `opened`: the server had agreed, whatever came of it; then `f`
 *  is NULL if it ended the stream. Otherwise it refused: REFUSED with 403 where the right is missing, and as the
 *  kubelet pleases (mostly 500) where the container does not run; or it was not reached. Nothing is repeated. */
typedef void attach_end_fn(void *arg, bool opened, const struct fault *f);

/** `limit_ms`: of the whole, then FAULT_TIMEOUT. Never NULL. */
struct attach *attach_start(struct kube *k, const char *pod, const char *container, int64_t limit_ms,
                            attach_bytes_fn *on_bytes, attach_end_fn *on_end, void *arg);
void attach_cancel(struct attach **a); /* NULL in it is fine; also from the callbacks */

/* The frames, pure: the same bytes, cut anywhere, give the same output. */

struct attach_decoder {
    unsigned char head[10]; /* of a frame, so far */
    size_t have;
    uint64_t left; /* bytes of the frame's payload */
    bool inside;   /* a frame whose head is complete */
    bool data;     /* ... and which is no control frame */
    int channel;   /* of the message; -1: its first byte has yet to come */
};

/** A zeroed decoder is a new one. `fn` gets what belongs to the standard output. Returns 0, 1 when the server has
 * closed (nothing is fed any more), or -1: no such frames. */
int attach_decoder_feed(struct attach_decoder *d, const char *bytes, size_t len, attach_bytes_fn *fn, void *arg,
                        struct fault *f);
