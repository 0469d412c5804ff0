#include "devcluster/follow.h"

#include <event2/buffer.h>
#include <stdlib.h>

#include "base/mem.h"
#include "devcluster/call.h"

enum { BACKLOG_MAX = 8 << 20 };
enum { FRAME_BINARY = 0x82, FRAME_CLOSE = 0x88, LENGTH_64 = 127, CHANNEL_STDOUT = 1, CHANNEL_ERROR = 3 };

struct follower {
    struct followers *all;
    struct call *call;
    bool attached; /* gets frames */
    TAILQ_ENTRY(follower) entry;
};

static struct call *let_go(struct follower *one)
{
    struct call *call = one->call;

    call->on_gone = NULL;
    TAILQ_REMOVE(one->all, one, entry);
    free(one);
    return call;
}

static void on_gone(void *arg)
{
    let_go(arg);
}

static void add(struct followers *all, struct call *call, bool attached)
{
    struct follower *one = mem_new(struct follower);

    one->all = all;
    one->call = call;
    one->attached = attached;
    call->on_gone = on_gone;
    call->on_gone_arg = one;
    TAILQ_INSERT_TAIL(all, one, entry);
}

void follow_start(struct followers *all, struct call *call)
{
    add(all, call, false);
    call_begin(call, 200, "text/plain");
}

/* One frame of a message of its own, not masked (RFC 6455): how long it is, which channel, and what stands there. */
static void add_frame(struct evbuffer *to, unsigned char channel, const char *bytes, size_t len)
{
    unsigned char head[11] = {FRAME_BINARY, LENGTH_64};

    for (size_t i = 0; i < 8; i++)
        head[2 + i] = (unsigned char)((uint64_t)(len + 1) >> (56 - 8 * i));
    head[10] = channel;
    evbuffer_add(to, head, sizeof(head));
    evbuffer_add(to, bytes, len);
}

/* All channels show themselves first, as the kubelet's do. */
void follow_attach(struct followers *all, struct call *call)
{
    struct evbuffer *frames;

    if (call_switch(call, "websocket", "v4.channel.k8s.io") < 0) {
        call_refuse_text(call, 400, "only a WebSocket with the protocol v4.channel.k8s.io can be attached");
        return;
    }
    frames = evbuffer_new();
    for (unsigned char channel = 0; channel <= CHANNEL_ERROR; channel++)
        add_frame(frames, channel, "", 0);
    add(all, call, true);
    call_write(call, frames);
    evbuffer_free(frames);
}

void follow_send(struct followers *all, const char *bytes, size_t len)
{
    struct follower *one, *next;

    for (one = TAILQ_FIRST(all); one; one = next) {
        struct evbuffer *chunk = evbuffer_new();

        next = TAILQ_NEXT(one, entry);
        if (one->attached)
            add_frame(chunk, CHANNEL_STDOUT, bytes, len);
        else
            evbuffer_add(chunk, bytes, len);
        if (call_backlog(one->call) + len > BACKLOG_MAX)
            call_reset(let_go(one));
        else if (one->attached)
            call_write(one->call, chunk);
        else
            call_chunk(one->call, chunk);
        evbuffer_free(chunk);
    }
}

/* Who is attached hears that it is over, and hangs up. */
static void send_close(struct call *call)
{
    static const unsigned char frame[] = {FRAME_CLOSE, 2, 1000 >> 8, 1000 & 0xff};
    struct evbuffer *last = evbuffer_new();

    evbuffer_add(last, frame, sizeof(frame));
    call_write(call, last);
    evbuffer_free(last);
    call_stall(call);
}

void follow_end(struct followers *all)
{
    while (!TAILQ_EMPTY(all)) {
        struct follower *one = TAILQ_FIRST(all);
        bool attached = one->attached;
        struct call *call = let_go(one);

        if (attached)
            send_close(call);
        else
            call_end(call);
    }
}
