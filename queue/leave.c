/* A clean end: what is still held goes back, what was handed in is answered, then the seat is given up. */
#include <hiredis/hiredis.h>

#include "queue/seat.h"

static void tell_left(void *arg)
{
    struct queue *q = arg;

    q->left_fn(q->left_arg);
}

static void done(struct queue *q)
{
    if (q->left)
        return;
    q->left = true;
    loop_defer(q->loop, &q->left_timer, tell_left, q);
}

void leave_lost(struct queue *q)
{
    done(q);
}

static void on_left(void *arg, redisReply *reply)
{
    struct queue *q = arg;
    struct fault f = FAULT_INIT;
    enum seat_trouble trouble = seat_judge(q, reply, &f);

    q->unregistering = false;
    if (trouble == TROUBLE_NONE || trouble == TROUBLE_LASTING)
        done(q);
    else
        leave_go_on(q);
}

static void unregister(struct queue *q)
{
    struct words w = {0};

    words_script(&w, SCRIPT_LEAVE);
    words_key(&w, q->name, "workers");
    words_key_for(&w, q->name, "worker", q->worker);
    words_key_for(&w, q->name, "claims", q->worker);
    words_arguments(&w);
    words_text(&w, q->worker);
    q->unregistering = seat_send(q, &w, on_left, q) == 0;
}

void leave_go_on(struct queue *q)
{
    if (q->leaving && !q->left && !q->unregistering && q->state == SEAT_READY && !q->claiming && q->pending == 0)
        unregister(q);
}

static void hand_back(struct queue *q, struct held *h)
{
    if (h->calls == 0)
        calls_release(q, h->token, h->id);
}

static void begin(void *arg)
{
    struct queue *q = arg;

    held_each(q, hand_back);
    leave_go_on(q);
}

void queue_leave(struct queue *q, loop_fn *fn, void *arg)
{
    q->leaving = true;
    q->want = 0;
    q->left_fn = fn;
    q->left_arg = arg;
    loop_defer(q->loop, &q->left_timer, begin, q);
}
