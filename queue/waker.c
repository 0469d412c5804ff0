/* Noticing that something came. `BLMOVE requests requests LEFT LEFT` is a blocking look: it moves the first element
 * to where it is. It wakes everybody who looks, and whoever claims first has it; the others come back to look after a
 * pause that grows with their number, so that a hundred idle workers are not woken by each single request: one of
 * them looks within a few milliseconds all the same. */
#include <hiredis/hiredis.h>
#include <string.h>

#include "queue/reply.h"
#include "queue/seat.h"

enum {
    LOOK_S = 5,
    WATCHDOG_MS = 1000, /* a look may take this much longer, then its connection is taken for dead */
    POLL_MS = 1000,     /* while nothing can wake us: Redis is full, or gives no second connection */
    SPREAD_MS = 2,      /* pause after a fruitless wake, for each other worker */
    SPREAD_MAX_MS = 1000,
};

static void on_look(void *arg, redisReply *reply);

static void on_pause(void *arg)
{
    struct queue *q = arg;

    waker_look(q);
}

static void on_poll(void *arg)
{
    struct queue *q = arg;

    q->inbox_empty = false;
    claim_soon(q);
}

static bool has_reason(const struct queue *q)
{
    return q->state == SEAT_READY && q->want > 0 && q->inbox_empty && !q->claiming && !q->looking && !q->look_timer &&
           !q->leaving;
}

static int send_look(struct queue *q)
{
    struct words w = {0};
    struct fault f = FAULT_INIT;
    int r;

    words_text(&w, "BLMOVE");
    seat_inboxes(q, &w);
    seat_inboxes(q, &w);
    words_text(&w, "LEFT");
    words_text(&w, "LEFT");
    words_number(&w, LOOK_S);
    r = conn_send(q->wait, (int)w.count, w.word, w.len, LOOK_S * 1000, on_look, q, &f);
    words_release(&w);
    return r;
}

static int64_t pause_after(struct queue *q)
{
    int64_t most = q->workers > 1 ? SPREAD_MS * (q->workers - 1) : 0;

    return loop_jitter(q->loop, most < SPREAD_MAX_MS ? most : SPREAD_MAX_MS);
}

void waker_look(struct queue *q)
{
    int64_t pause;

    if (!has_reason(q))
        return;
    if (q->wait_full || !conn_is_up(q->wait)) {
        q->wait_full = false; /* the next look tells whether it still is */
        loop_after(q->loop, &q->look_timer, POLL_MS, on_poll, q);
        return;
    }
    pause = q->woken && q->fruitless > 0 ? pause_after(q) : 0;
    q->woken = false;
    if (pause > 0)
        loop_after(q->loop, &q->look_timer, pause, on_pause, q);
    else
        q->looking = send_look(q) == 0;
}

static void on_look(void *arg, redisReply *reply)
{
    struct queue *q = arg;

    q->looking = false;
    if (!reply)
        return; /* on_wait_up() comes back */
    if (reply->type == REDIS_REPLY_ERROR) {
        /* Full (OOM), or not the server it was: a look can do nothing about either, the claims will tell. */
        q->wait_full = true;
        if (strncmp(reply->str, "OOM", 3) != 0)
            conn_restart(q->wait, "Redis does not let us wait");
    } else if (reply->type != REDIS_REPLY_NIL) {
        q->woken = true;
        q->inbox_empty = false;
        claim_soon(q);
        return;
    }
    waker_look(q);
}

/* What came while there was no connection woke nobody: a look at a list that is not empty returns at once. */
static void on_wait_up(void *arg)
{
    struct queue *q = arg;

    loop_cancel(&q->look_timer);
    waker_look(q);
}

static void on_wait_down(void *arg, const struct fault *f)
{
    struct queue *q = arg;

    (void)f; /* the working connection tells about the same server */
    q->looking = false;
    waker_look(q);
}

void waker_open(struct queue *q)
{
    struct conn_settings set = {.url = &q->url, .name = q->worker_base, .silence_ms = WATCHDOG_MS};
    struct conn_events on = {.on_up = on_wait_up, .on_down = on_wait_down, .arg = q};

    q->wait = conn_new(q->loop, &set, &on);
}

void waker_free(struct queue *q)
{
    loop_cancel(&q->look_timer);
    conn_free(q->wait);
}
