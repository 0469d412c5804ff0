/* The seat: registering (with a new session on every connection), beating, losing it; and promoting what is due,
 * because the beat is what tells when that is.
 *
 * A beat counts from when it was sent: the reaper's lease cannot begin earlier. Time is read when it is needed, never
 * kept by a timer alone: a process that was stopped finds its lease gone before anything else runs. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "queue/reply.h"
#include "queue/seat.h"

enum { DETAILS_TTL_S = 3600, PROMOTE_SOONEST_MS = 1 };

static void beat(void *arg);
static void promote(void *arg);

/* ---- confirmed ---- */

bool lease_fresh(const struct queue *q)
{
    return loop_now(q->loop) - q->confirmed < q->set.lease_ms / 2;
}

static void on_lease_end(void *arg)
{
    seat_tell_state(arg);
}

static void confirm(struct queue *q, int64_t now_ms)
{
    q->confirmed = q->beat_sent;
    q->clock_offset = now_ms - loop_now(q->loop);
    loop_after(q->loop, &q->lease_timer, q->confirmed + q->set.lease_ms - loop_now(q->loop), on_lease_end, q);
}

/* ---- beating ---- */

/* Whether it is over its cap in bytes is only guessed, once a beat: Redis samples a few entries. What is popped since
 * is taken off. */
static void note_inbox(struct queue *q, const struct beat_reply *r)
{
    int64_t most = q->set.inbox_max_bytes > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)q->set.inbox_max_bytes;

    q->bytes_over = r->bytes > most ? r->bytes - most : 0;
    q->in_quarantine = r->quarantined > 0;
    q->workers = r->workers;
    if (r->waiting > 0)
        q->inbox_empty = false; /* should have been noticed before: a look that Redis lost must not stall us */
    if (r->waiting > 0 || q->in_quarantine)
        claim_soon(q);
}

static void on_beat(void *arg, redisReply *reply)
{
    struct queue *q = arg;
    struct beat_reply r;
    struct fault f = FAULT_INIT;
    enum seat_trouble trouble = seat_judge(q, reply, &f);

    q->beating = false;
    if (trouble == TROUBLE_LASTING)
        seat_notice(q, "beat-refused", "%s", f.text);
    if (trouble == TROUBLE_AGAIN)
        beat(q);
    if (trouble != TROUBLE_NONE)
        return;
    if (reply_is(reply, "unregistered")) {
        lease_lose(q);
        return;
    }
    if (reply_beat(reply, &r) < 0) {
        seat_notice(q, "bad-reply", "the answer to a beat is not understood");
        return;
    }
    confirm(q, r.now_ms);
    lease_due(q, r.due_ms);
    note_inbox(q, &r);
    seat_tell_state(q);
}

static void send_beat(struct queue *q)
{
    struct words w = {0};

    words_script(&w, SCRIPT_BEAT);
    words_key(&w, q->name, "workers");
    words_key_for(&w, q->name, "worker", q->worker);
    words_key(&w, q->name, "delayed");
    words_key(&w, q->name, "quarantine");
    words_key(&w, q->name, "requests");
    words_arguments(&w);
    words_text(&w, q->worker);
    words_number(&w, DETAILS_TTL_S);
    q->beat_sent = loop_now(q->loop);
    q->beating = seat_send(q, &w, on_beat, q) == 0;
}

static void beat(void *arg)
{
    struct queue *q = arg;

    if (q->state != SEAT_READY)
        return;
    loop_after(q->loop, &q->beat_timer, q->set.beat_ms, beat, q);
    if (!q->beating)
        send_beat(q);
}

/* ---- Redis' own settings ---- */

static void on_memory(void *arg, redisReply *reply)
{
    static const char policy[] = "maxmemory_policy:", limit[] = "maxmemory:";
    const char *p = reply_text(reply), *l = p ? strstr(p, limit) : NULL;

    p = p ? strstr(p, policy) : NULL;
    if (!p || !l || l[sizeof(limit) - 1] == '0')
        return; /* forbidden to ask, or no limit: nothing is evicted */
    p += sizeof(policy) - 1;
    if (strncmp(p, "noeviction", 10) != 0)
        seat_notice(arg, "eviction",
                    "Redis may drop requests, records and results when it is full: maxmemory-policy is %.*s, must be "
                    "noeviction",
                    (int)strcspn(p, "\r\n"), p);
}

static void check_memory(struct queue *q)
{
    struct words w = {0};

    if (q->memory_checked)
        return;
    words_text(&w, "INFO");
    words_text(&w, "memory");
    q->memory_checked = seat_send(q, &w, on_memory, q) == 0;
}

/* ---- registering ---- */

static void lose_unseen(struct queue *q, struct held *h)
{
    char *token;

    if (h->seen || h->calls > 0) {
        h->seen = false;
        return;
    }
    token = mem_string(h->token);
    held_remove(q, token);
    q->on.on_lost(q->on.arg, token);
    free(token);
}

/* Redis says what this seat holds. What we do not know of came with an answer that was lost, or was settled in a
 * second that Redis lost: it goes back. What only we know of, Redis has forgotten or given to another. */
static void compare_claims(struct queue *q, const redisReply *reply)
{
    for (size_t i = 3; i + 1 < reply_count(reply); i += 2) {
        const char *token = reply_text(reply_at(reply, i)), *id = reply_text(reply_at(reply, i + 1));
        struct held *h = token ? held_find(q, token) : NULL;

        if (h)
            h->seen = true;
        else if (token)
            calls_release(q, token, id && *id ? id : NULL);
        if (token && token_number(token) > q->token_floor)
            q->token_floor = token_number(token);
    }
    held_each(q, lose_unseen);
}

static void registered(struct queue *q, const redisReply *reply, int64_t now_ms)
{
    const char *uid = reply_text(reply_at(reply, 2));

    q->state = SEAT_READY;
    q->registered = true;
    q->fault = (struct fault)FAULT_INIT;
    if (!q->uid)
        q->uid = mem_string(uid);
    confirm(q, now_ms);
    compare_claims(q, reply);
    check_memory(q);
    beat(q); /* also tells what is due, and whether something waits in quarantine */
    reaper_start(q);
    calls_flush_soon(q);
    claim_soon(q);
    seat_tell_state(q);
    leave_go_on(q);
}

static void retry_register(void *arg)
{
    struct queue *q = arg;

    if (q->state == SEAT_REGISTERING)
        lease_register(q);
}

static void refuse(struct queue *q, const struct fault *f)
{
    q->fault = *f;
    seat_tell_state(q);
    conn_restart(q->work, f->text);
}

static void on_register(void *arg, redisReply *reply)
{
    struct queue *q = arg;
    struct fault f = FAULT_INIT;
    enum seat_trouble trouble = seat_judge(q, reply, &f);
    const char *theirs = reply_text(reply_at(reply, 1));
    int64_t now_ms;

    if (trouble == TROUBLE_LOST)
        return;
    if (trouble == TROUBLE_AGAIN || trouble == TROUBLE_PASSING) {
        loop_after(q->loop, &q->retry_timer, trouble == TROUBLE_AGAIN ? 0 : RETRY_MS, retry_register, q);
        return;
    }
    if (trouble == TROUBLE_NONE && reply_is(reply, "unregistered")) {
        lease_lose(q);
        return;
    }
    if (trouble == TROUBLE_NONE && reply_is(reply, "protocol"))
        fault_set(&f, FAULT_REFUSED, "queue %.64s speaks protocol %.20s, this program speaks %d", q->name,
                  theirs ? theirs : "?", PROTOCOL);
    else if (trouble == TROUBLE_NONE &&
             (!reply_is(reply, "ok") || !reply_number(reply_at(reply, 1), &now_ms) || !reply_text(reply_at(reply, 2))))
        fault_set(&f, FAULT_BUG, "Redis' answer to the registration is not understood");
    if (f.kind != FAULT_NONE)
        refuse(q, &f);
    else
        registered(q, reply, now_ms);
}

static void random_hex(char ret[33])
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        abort(); /* cannot be on Linux, once the system is up */
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

void lease_register(struct queue *q)
{
    struct words w = {0};
    char uid[33];

    random_hex(uid); /* counts only if the queue has none yet */
    if (!*q->instance)
        random_hex(q->instance);
    q->state = SEAT_REGISTERING;
    q->session++;
    words_script(&w, SCRIPT_REGISTER);
    words_key(&w, q->name, "workers");
    words_key_for(&w, q->name, "worker", q->worker);
    words_key(&w, q->name, "meta");
    words_key(&w, q->name, "uid");
    words_key_for(&w, q->name, "claims", q->worker);
    words_key(&w, q->name, "in_flight");
    words_arguments(&w);
    words_text(&w, q->worker);
    words_number(&w, q->session);
    words_text(&w, q->registered ? "old" : "new");
    words_text(&w, q->details);
    words_number(&w, DETAILS_TTL_S);
    words_text(&w, uid);
    words_number(&w, PROTOCOL);
    words_text(&w, q->instance);
    q->beat_sent = loop_now(q->loop);
    seat_send(q, &w, on_register, q);
}

/* ---- losing it ---- */

static void lose_one(struct queue *q, struct held *h)
{
    char *token = mem_string(h->token);

    held_remove(q, token);
    q->on.on_lost(q->on.arg, token);
    free(token);
}

void lease_lose(struct queue *q)
{
    q->state = SEAT_REGISTERING;
    q->confirmed = INT64_MIN / 2;
    if (q->registered)
        seat_notice(q, "lease-lost", "%s is not registered any more: its claims are with others", q->worker);
    else
        seat_notice(q, "name-taken", "another worker has the name %s, or had it until lately", q->worker);
    q->registered = false;
    seat_tell_state(q);
    calls_lose(q);
    held_each(q, lose_one);
    free(q->worker);
    q->worker = mem_format("%s.%u", q->worker_base, ++q->generation + 1);
    if (q->leaving)
        leave_lost(q);
    else
        lease_register(q);
}

void lease_down(struct queue *q)
{
    q->beating = false;
    q->promoting = false;
    loop_cancel(&q->beat_timer);
    loop_cancel(&q->promote_timer);
    loop_cancel(&q->retry_timer);
}

/* ---- promoting ---- */

static void forget_due_ids(struct queue *q)
{
    for (size_t i = 0; i < q->due_count; i++)
        free(q->due_ids[i]);
    free(q->due_ids);
    q->due_ids = NULL;
    q->due_count = 0;
}

void lease_due(struct queue *q, int64_t due_ms)
{
    int64_t wait;

    if (due_ms < 0 || q->state != SEAT_READY || (q->promote_timer && q->due <= due_ms))
        return;
    q->due = due_ms;
    wait = due_ms - (loop_now(q->loop) + q->clock_offset);
    wait = wait > INT32_MAX ? INT32_MAX : wait;
    loop_after(q->loop, &q->promote_timer, wait < PROMOTE_SOONEST_MS ? PROMOTE_SOONEST_MS : wait, promote, q);
}

/* The answer names what is due now: the next call moves it. */
static void on_promoted(void *arg, redisReply *reply)
{
    struct queue *q = arg;
    struct fault f = FAULT_INIT;
    enum seat_trouble trouble = seat_judge(q, reply, &f);
    int64_t next = -1;

    q->promoting = false;
    forget_due_ids(q);
    if (trouble == TROUBLE_LASTING)
        seat_notice(q, "promote-refused", "%s", f.text);
    if (trouble != TROUBLE_NONE)
        return; /* the next beat tells again that something is due */
    if (reply_count(reply) > 3) {
        size_t n = reply_count(reply) - 3;

        q->due_ids = mem_zero(n, sizeof(char *));
        for (size_t i = 0; i < n; i++)
            if (reply_text(reply_at(reply, 3 + i)))
                q->due_ids[q->due_count++] = mem_string(reply_text(reply_at(reply, 3 + i)));
        promote(q);
    } else if (reply_number(reply_at(reply, 1), &next)) {
        lease_due(q, next);
    }
}

static void promote(void *arg)
{
    struct queue *q = arg;
    struct words w = {0};

    if (q->state != SEAT_READY || q->promoting)
        return;
    words_script(&w, SCRIPT_PROMOTE);
    words_key(&w, q->name, "delayed");
    words_key(&w, q->name, "stats");
    words_key(&w, q->name, "quarantine");
    seat_inboxes(q, &w);
    for (size_t i = 0; i < q->due_count; i++)
        words_key_for(&w, q->name, "task", q->due_ids[i]);
    words_arguments(&w);
    words_number(&w, SEAT_INBOXES);
    words_number(&w, KEEP_S);
    seat_inbox_names(q, &w);
    for (size_t i = 0; i < q->due_count; i++)
        words_text(&w, q->due_ids[i]);
    q->promoting = seat_send(q, &w, on_promoted, q) == 0;
}

void lease_free(struct queue *q)
{
    lease_down(q);
    loop_cancel(&q->lease_timer);
    forget_due_ids(q);
}
