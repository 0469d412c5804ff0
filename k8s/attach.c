#include "k8s/attach.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "k8s/api.h"
#include "k8s/kube_inside.h"

enum { OPCODE_MORE = 0, OPCODE_TEXT = 1, OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };
enum { RESERVED = 0x70, MASKED = 0x80, LENGTH_16 = 126, LENGTH_64 = 127 };
enum { CHANNEL_STDOUT = 1 };
enum { REFUSAL_MAX = 64 << 10, KEY_BYTES = 16 };

struct attach {
    struct api_call *call;
    char *path, *key;
    const char *header[6];
    struct attach_decoder decoder;
    attach_bytes_fn *on_bytes;
    attach_end_fn *on_end;
    void *arg;
    bool opened;
    bool calling, cancelled; /* inside on_bytes; ended, there or by on_end */
};

/* --- frames ------------------------------------------------------------------------------------------------------ */

static size_t head_size(const struct attach_decoder *d)
{
    size_t length = d->have < 2 ? 0 : d->head[1] & 0x7f;

    return length == LENGTH_16 ? 4 : length == LENGTH_64 ? 10 : 2;
}

static uint64_t payload_size(const struct attach_decoder *d)
{
    uint64_t n = 0;

    for (size_t i = 2; i < d->have; i++)
        n = n << 8 | d->head[i];
    return d->have == 2 ? d->head[1] & 0x7f : n;
}

/* The head is complete. Returns as attach_decoder_feed(). */
static int open_frame(struct attach_decoder *d, struct fault *f)
{
    int opcode = d->head[0] & 0x0f;

    if (d->head[0] & RESERVED || d->head[1] & MASKED)
        return fault_set(f, FAULT_INVALID, "not the frames of a WebSocket server");
    switch (opcode) {
    case OPCODE_TEXT:
    case OPCODE_BINARY:
        d->channel = -1;
        d->data = true;
        break;
    case OPCODE_MORE:
        d->data = true;
        break;
    case OPCODE_PING:
    case OPCODE_PONG:
        d->data = false;
        break;
    case OPCODE_CLOSE:
        return 1;
    default:
        return fault_set(f, FAULT_INVALID, "a WebSocket frame of the unknown kind %d", opcode);
    }
    d->left = payload_size(d);
    d->inside = true;
    return 0;
}

static void take_payload(struct attach_decoder *d, const char *bytes, size_t n, attach_bytes_fn *fn, void *arg)
{
    if (!d->data)
        return;
    if (d->channel < 0) {
        d->channel = (unsigned char)*bytes++;
        n--;
    }
    if (d->channel == CHANNEL_STDOUT && n > 0)
        fn(arg, bytes, n);
}

int attach_decoder_feed(struct attach_decoder *d, const char *bytes, size_t len, attach_bytes_fn *fn, void *arg,
                        struct fault *f)
{
    while (len > 0) {
        size_t n = 1;
        int result;

        if (!d->inside) {
            d->head[d->have++] = (unsigned char)*bytes;
            if (d->have == head_size(d) && (result = open_frame(d, f)) != 0)
                return result;
        } else {
            n = d->left < len ? (size_t)d->left : len;
            take_payload(d, bytes, n, fn, arg);
            d->left -= n;
        }
        if (d->inside && d->left == 0) {
            d->inside = false;
            d->have = 0;
        }
        bytes += n;
        len -= n;
    }
    return 0;
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

static void release(struct attach *a)
{
    api_cancel(&a->call);
    free(a->path);
    free(a->key);
    free(a);
}

static void end(struct attach *a, const struct fault *f)
{
    a->cancelled = true; /* a cancel from the callback finds nothing to do */
    a->on_end(a->arg, a->opened, f);
    release(a);
}

static void pass(void *arg, const char *bytes, size_t len)
{
    struct attach *a = arg;

    if (!a->cancelled)
        a->on_bytes(a->arg, bytes, len);
}

static void on_bytes(void *arg, const char *bytes, size_t len)
{
    struct attach *a = arg;
    struct fault f = FAULT_INIT;
    int result;

    a->opened = true;
    a->calling = true;
    result = attach_decoder_feed(&a->decoder, bytes, len, pass, a, &f);
    a->calling = false;
    if (a->cancelled)
        release(a);
    else if (result != 0)
        end(a, result < 0 ? &f : NULL);
}

static void on_done(void *arg, const struct http_reply *reply, const struct fault *f)
{
    struct attach *a = arg;

    a->call = NULL;
    if (reply)
        a->opened = true;
    end(a, f);
}

/* The answer to the key, which keeps caches from answering, is not looked at: the way to the server is TLS. */
static char *make_key(void)
{
    unsigned char random[KEY_BYTES];
    struct buf key = BUF_INIT(64);
    struct fault ignored = FAULT_INIT;

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        memset(random, 0, sizeof(random)); /* it only has to be a key */
    buf_add_string(&key, "Sec-WebSocket-Key: ", &ignored);
    digest_base64_encode(random, sizeof(random), &key, &ignored);
    return buf_take(&key, NULL);
}

struct attach *attach_start(struct kube *k, const char *pod, const char *container, int64_t limit_ms,
                            attach_bytes_fn *on_bytes_, attach_end_fn *on_end, void *arg)
{
    struct attach *a = mem_new(struct attach);
    struct api_ask ask = {.lane = API_WATCH,
                          .method = "GET",
                          .header = a->header,
                          .limit_ms = limit_ms,
                          .max = REFUSAL_MAX,
                          .on_bytes = on_bytes};

    a->on_bytes = on_bytes_;
    a->on_end = on_end;
    a->arg = arg;
    a->path = kube_attach_path(k, pod, container);
    a->key = make_key();
    a->header[0] = "Connection: Upgrade";
    a->header[1] = "Upgrade: websocket";
    a->header[2] = "Sec-WebSocket-Version: 13";
    a->header[3] = "Sec-WebSocket-Protocol: v4.channel.k8s.io";
    a->header[4] = a->key;
    ask.path = a->path;
    a->call = api_start(kube_api(k), &ask, on_done, a);
    return a;
}

void attach_cancel(struct attach **attach)
{
    struct attach *a = TAKE(*attach);

    if (!a || a->cancelled)
        return;
    a->cancelled = true;
    if (!a->calling)
        release(a);
}
