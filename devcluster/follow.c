#include "devcluster/follow.h"

#include <event2/buffer.h>
#include <stdlib.h>

#include "base/mem.h"
#include "devcluster/call.h"

enum { BACKLOG_MAX = 8 << 20 };

struct follower {
    struct followers *all;
    struct call *call;
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

void follow_start(struct followers *all, struct call *call)
{
    struct follower *one = mem_new(struct follower);

    one->all = all;
    one->call = call;
    call->on_gone = on_gone;
    call->on_gone_arg = one;
    TAILQ_INSERT_TAIL(all, one, entry);
    call_begin(call, 200, "text/plain");
}

void follow_send(struct followers *all, const char *bytes, size_t len)
{
    struct follower *one, *next;

    for (one = TAILQ_FIRST(all); one; one = next) {
        struct evbuffer *chunk = evbuffer_new();

        next = TAILQ_NEXT(one, entry);
        evbuffer_add(chunk, bytes, len);
        if (call_backlog(one->call) + len > BACKLOG_MAX)
            call_reset(let_go(one));
        else
            call_chunk(one->call, chunk);
        evbuffer_free(chunk);
    }
}

void follow_end(struct followers *all)
{
    while (!TAILQ_EMPTY(all))
        call_end(let_go(TAILQ_FIRST(all)));
}
