/* Claiming: as many as are welcome in one call, one call at a time. What the last one left in the inbox is asked for
 * at once; when it left nothing, the waker takes over. */
#include <stdlib.h>

#include "base/mem.h"
#include "queue/reply.h"
#include "queue/seat.h"

enum { CLAIM_BYTES = 4 * 1024 * 1024 };

static void on_claims(void *arg, struct redisReply *reply);
static void on_time(void *arg);

static bool may_claim(const struct queue *q)
{
    return q->state == SEAT_READY && !q->claiming && !q->leaving && q->want > 0 && lease_fresh(q);
}

static void send_claim(struct queue *q)
{
    struct words w = {0};

    q->asked = q->want < BATCH_MAX ? q->want : BATCH_MAX;
    words_script(&w, SCRIPT_CLAIM);
    words_key(&w, q->name, "workers");
    words_key_for(&w, q->name, "worker", q->worker);
    words_key_for(&w, q->name, "claims", q->worker);
    words_key(&w, q->name, "in_flight");
    words_key(&w, q->name, "meta");
    words_key(&w, q->name, "stats");
    words_key(&w, q->name, "quarantine");
    seat_inboxes(q, &w);
    words_arguments(&w);
    words_text(&w, q->worker);
    words_number(&w, q->session);
    words_number(&w, q->asked);
    words_text(&w, q->alone ? "alone" : "");
    words_number(&w, (int64_t)q->set.payload_max);
    words_number(&w, HEAD_MAX);
    words_number(&w, (int64_t)q->set.inbox_max_count);
    words_number(&w, CLAIM_BYTES);
    words_number(&w, q->token_floor);
    seat_inbox_names(q, &w);
    q->claiming = seat_send(q, &w, on_claims, q) == 0;
}

static void try(void *arg)
{
    struct queue *q = arg;

    if (may_claim(q) && (!q->inbox_empty || (q->alone && q->in_quarantine)))
        send_claim(q);
    waker_look(q);
}

void claim_soon(struct queue *q)
{
    if (!q->claim_timer)
        loop_defer(q->loop, &q->claim_timer, try, q);
}

static void on_time(void *arg)
{
    struct queue *q = arg;

    q->inbox_empty = false;
    try(q);
}

/* ---- what came ---- */

static struct queue_claim *make_claim(struct queue *q, const struct claim_reply *r, int64_t now_ms)
{
    struct queue_claim *c = mem_new(struct queue_claim);

    c->token = mem_string(r->token);
    c->payload = mem_bytes(r->payload, r->len);
    c->len = r->len;
    c->full_len = (size_t)r->full_len;
    c->oversized = c->full_len > q->set.payload_max;
    c->over_cap = r->over_cap || q->bytes_over > 0;
    c->quarantined = r->quarantined;
    c->claimed_ms = now_ms;
    return c;
}

/* What was welcome when it was asked for may not be any more: it goes back to where it was. */
static void deliver(struct queue *q, const struct claim_reply *r, int64_t now_ms)
{
    struct queue_claim *c = make_claim(q, r, now_ms);

    held_add(q, c->token);
    if (token_number(c->token) > q->token_floor)
        q->token_floor = token_number(c->token);
    q->bytes_over -= q->bytes_over > 0 ? r->full_len : 0;
    if (q->want == 0 || (c->quarantined && !q->alone)) {
        calls_release(q, c->token, NULL);
        queue_claim_free(c);
        return;
    }
    q->want = c->quarantined ? 0 : q->want - 1; /* it is to run alone: no more until queue_want() says so */
    q->alone = false;
    q->on.on_claim(q->on.arg, c);
}

static void deliver_all(struct queue *q, const struct redisReply *reply, const struct claims_reply *r)
{
    struct claim_reply one;

    q->inbox_empty = r->left == 0;
    q->fruitless = r->count > 0 ? 0 : q->fruitless + 1;
    if (r->count == 0 || r->count < q->asked)
        q->in_quarantine = false; /* as far as we know: the next beat says more */
    for (size_t i = 0; i < r->count; i++)
        if (reply_claim(reply, i, &one) == 0)
            deliver(q, &one, r->now_ms);
        else
            seat_notice(q, "bad-reply", "a claim of Redis' answer is not understood");
}

static void on_claims(void *arg, struct redisReply *reply)
{
    struct queue *q = arg;
    struct claims_reply r;
    struct fault f = FAULT_INIT;
    enum seat_trouble trouble = seat_judge(q, reply, &f);

    q->claiming = false;
    if (trouble == TROUBLE_LASTING)
        seat_notice(q, "claim-refused", "%s", f.text);
    if (trouble == TROUBLE_PASSING || trouble == TROUBLE_LASTING) {
        loop_after(q->loop, &q->claim_timer, RETRY_MS, on_time, q);
        return;
    }
    if (trouble == TROUBLE_NONE && reply_is(reply, "unregistered")) {
        lease_lose(q);
        return;
    }
    if (trouble == TROUBLE_NONE && reply_is(reply, "session")) {
        lease_register(q);
        return;
    }
    if (trouble == TROUBLE_NONE && reply_claims(reply, &r) == 0)
        deliver_all(q, reply, &r);
    claim_soon(q);
    leave_go_on(q);
}

void claim_down(struct queue *q)
{
    q->claiming = false;
    q->inbox_empty = false;
    loop_cancel(&q->claim_timer);
}

void claim_free(struct queue *q)
{
    loop_cancel(&q->claim_timer);
}
