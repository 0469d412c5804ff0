/* Taking over from the dead. Every seat looks at all workers' counters now and then. One that stood still for a whole
 * lease, on our own clock and while our own looks were answered promptly, is marked dead in Redis, for all to see;
 * then whoever looks takes its claims from it, so that a reaper that dies half-way is no loss.
 *
 *   look -> for each dead one: survey -> recover, in batches -> next */
#include <hiredis/hiredis.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "queue/reply.h"
#include "queue/request.h"
#include "queue/result.h"
#include "queue/seat.h"

enum { SURVEY_MAX = 1000, RECOVER_MAX = 16, RESULT_MAX = 4 << 20 };

static void look(void *arg);
static void next_dead(struct queue *q);
static void recover(struct queue *q);

static void forget_peers(struct queue *q)
{
    for (size_t i = 0; i < q->peer_count; i++) {
        free(q->peers[i].name);
        free(q->peers[i].beats);
    }
    free(q->peers);
    q->peers = NULL;
    q->peer_count = 0;
}

static void forget_estate(struct queue *q)
{
    for (size_t i = 0; i < q->estate_count; i++) {
        free(q->estate[i].token);
        free(q->estate[i].id);
    }
    free(q->estate);
    q->estate = NULL;
    q->estate_count = q->estate_at = 0;
}

static void end_round(struct queue *q)
{
    for (size_t i = 0; i < q->dead_count; i++)
        free(q->dead[i]);
    free(q->dead);
    q->dead = NULL;
    q->dead_count = 0;
    forget_estate(q);
    q->reaping = false;
}

/* An answer that begins a step: whether to go on with it. The round ends where it is; the next begins anew. */
static bool goes_on(struct queue *q, const redisReply *reply)
{
    struct fault f = FAULT_INIT;
    enum seat_trouble trouble = seat_judge(q, reply, &f);

    if (trouble == TROUBLE_NONE)
        return true;
    if (trouble == TROUBLE_LASTING)
        seat_notice(q, "reap-refused", "%s", f.text);
    end_round(q);
    return false;
}

/* ---- looking ---- */

static const struct peer *find_peer(const struct queue *q, const char *name)
{
    for (size_t i = 0; i < q->peer_count; i++)
        if (strcmp(q->peers[i].name, name) == 0)
            return &q->peers[i];
    return NULL;
}

static void ignore_reply(void *arg, redisReply *reply)
{
    (void)arg;
    (void)reply;
}

static void retire(struct queue *q, const struct peer *p)
{
    struct words w = {0};

    words_script(&w, SCRIPT_RETIRE);
    words_key(&w, q->name, "workers");
    words_key_for(&w, q->name, "worker", p->name);
    words_arguments(&w);
    words_text(&w, p->name);
    words_text(&w, p->beats);
    seat_send(q, &w, ignore_reply, q);
    seat_notice(q, "worker-dead", "%.80s has not moved for %lld ms: its claims are taken over", p->name,
                (long long)q->set.lease_ms);
}

static void add_dead(struct queue *q, const char *name)
{
    q->dead = mem_resize(q->dead, q->dead_count + 1, sizeof(char *));
    q->dead[q->dead_count++] = mem_string(name);
}

/* One worker of the list. `still` says whether the last look counts: then its counter is held against this one. */
static void judge_peer(struct queue *q, const char *name, const char *beats, bool still, struct peer *ret)
{
    const struct peer *before = still ? find_peer(q, name) : NULL;

    ret->name = mem_string(name);
    ret->beats = mem_string(beats);
    ret->still_since = before && strcmp(before->beats, beats) == 0 ? before->still_since : q->look_sent;
    if (strncmp(beats, "dead", 4) == 0) {
        add_dead(q, name);
    } else if (q->look_sent - ret->still_since >= q->set.lease_ms && strcmp(name, q->worker) != 0) {
        retire(q, ret);
        add_dead(q, name); /* the survey comes behind on the same connection, and looks whether it is so */
    }
}

static void on_look(void *arg, redisReply *reply)
{
    struct queue *q = arg;
    int64_t now = loop_now(q->loop);
    size_t n = reply_count(reply) / 2, used = 0;
    struct peer *peers;
    bool still;

    if (!goes_on(q, reply))
        return;
    /* While Redis or we stood still ourselves, nobody's counter could be seen to move. */
    still = now - q->look_sent < q->set.lease_ms / 4 &&
            q->look_sent - q->look_before < q->set.lease_ms / 2 + q->set.reap_ms * 2;
    peers = mem_zero(n + 1, sizeof(*peers));
    for (size_t i = 0; i < n; i++) {
        const char *name = reply_text(reply_at(reply, 2 * i)), *beats = reply_text(reply_at(reply, 2 * i + 1));

        if (name && beats)
            judge_peer(q, name, beats, still, &peers[used++]);
    }
    forget_peers(q);
    q->peers = peers;
    q->peer_count = used;
    next_dead(q);
}

static void look(void *arg)
{
    struct queue *q = arg;
    struct words w = {0};

    if (q->state != SEAT_READY)
        return;
    loop_after(q->loop, &q->reap_timer, q->set.reap_ms + loop_jitter(q->loop, q->set.reap_ms / 4), look, q);
    if (q->reaping)
        return;
    reaper_sweep(q);
    words_text(&w, "HGETALL");
    words_key(&w, q->name, "workers");
    q->look_before = q->look_sent;
    q->look_sent = loop_now(q->loop);
    q->reaping = seat_send(q, &w, on_look, q) == 0;
}

/* ---- what a dead worker holds ---- */

static int by_age(const void *a, const void *b) /* the youngest first: each goes to the head of its inbox */
{
    int64_t x = token_number(((const struct estate *)a)->token), y = token_number(((const struct estate *)b)->token);

    return x < y ? 1 : x > y ? -1 : 0;
}

static void on_survey(void *arg, redisReply *reply)
{
    struct queue *q = arg;
    size_t n = reply_count(reply) / 2;

    if (!goes_on(q, reply))
        return;
    q->estate = mem_zero(n + 1, sizeof(*q->estate));
    for (size_t i = 0; i < n; i++) {
        const char *token = reply_text(reply_at(reply, 2 * i)), *id = reply_text(reply_at(reply, 2 * i + 1));

        if (token && id)
            q->estate[q->estate_count++] = (struct estate){.token = mem_string(token), .id = mem_string(id)};
    }
    qsort(q->estate, q->estate_count, sizeof(*q->estate), by_age);
    recover(q);
}

static void survey(struct queue *q)
{
    struct words w = {0};
    const char *name = q->dead[q->dead_count - 1];

    words_script(&w, SCRIPT_SURVEY);
    words_key(&w, q->name, "workers");
    words_key_for(&w, q->name, "claims", name);
    words_arguments(&w);
    words_text(&w, name);
    words_number(&w, FORGET_DEAD_MS);
    words_number(&w, SURVEY_MAX);
    if (seat_send(q, &w, on_survey, q) < 0)
        end_round(q);
}

static void next_dead(struct queue *q)
{
    if (q->dead_count > 0)
        survey(q);
    else
        end_round(q);
}

/* ---- poison ---- */

/* Another worker's settings said how long the result may live; these are the usual ones. */
enum { TTL_S = 3600, TTL_MAX_S = 86400 };

static const struct request_limits no_limits = {.payload_max = SIZE_MAX};

/* What the result says back, as far as the request can be read: it was admitted once, so it can, unless this worker
 * is stricter than the dead one. */
static void poison_result(struct queue *q, const char *id, const char *history, const struct request *r,
                          struct buf *out)
{
    struct result result = RESULT_INIT;
    struct fault f = FAULT_INIT;
    _cleanup_(field_putp)
    struct json_object *told = NULL;
    struct json_object *attempts;

    if (*history && field_parse(history, strlen(history), 8, &told, &f) < 0)
        told = NULL;
    attempts = field_peek(told, "attempts");
    result.id = id;
    result.status = STATUS_INFRA_ERROR;
    result.reason = REASON_POISON;
    result.message = "three workers died while they had this request, the last one had nothing else to do";
    result.published_ms = loop_wall(q->loop);
    result.attempts = json_object_is_type(attempts, json_type_array) ? attempts : NULL;
    result.worker = q->worker;
    if (r) {
        result.queued_ms = r->submitted_ms;
        result.meta = r->meta;
        result.trace = r->trace;
    }
    if (result_encode(&result, out, &f) < 0) { /* a history or meta of that size */
        result.attempts = result.meta = NULL;
        result_encode(&result, out, &f);
    }
}

static void bury_poison(struct queue *q, const struct estate *e, const char *history, const redisReply *payload)
{
    _cleanup_(request_freep)
    struct request *r = NULL;
    _cleanup_(buf_release)
    struct buf result = BUF_INIT(RESULT_MAX);
    _cleanup_free_ char *id = NULL;
    struct fault f = FAULT_INIT;
    struct words w = {0};
    struct call c = {.kind = CALL_BURY, .token = e->token, .id = e->id, .text = "poison", .ttl_s = TTL_S};

    if (request_parse(payload->str, payload->len, &no_limits, &r, &id, &f) < 0)
        r = NULL;
    poison_result(q, e->id, history, r, &result);
    c.blob = (char *)buf_str(&result);
    c.blob_len = result.len;
    c.reply_to = r ? r->reply_to : NULL;
    if (r && r->result_ttl_s > 0)
        c.ttl_s = r->result_ttl_s < TTL_MAX_S ? r->result_ttl_s : TTL_MAX_S;
    calls_write_bury(q, q->dead[q->dead_count - 1], &c, &w);
    seat_send(q, &w, ignore_reply, q); /* if it is lost, the claim is still there for the next look */
    seat_notice(q, "poison", "%s killed a worker that had nothing else to do: it is dead", e->id);
}

/* ---- recovering ---- */

static void on_recover_one(struct queue *q, const struct estate *e, const redisReply *item)
{
    const char *what = reply_text(reply_at(item, 0)), *history = reply_text(reply_at(item, 1));

    if (what && strcmp(what, "poison") == 0 && history && reply_text(reply_at(item, 2))) {
        bury_poison(q, e, history, reply_at(item, 2));
    } else if (what && strcmp(what, "quarantine") == 0) {
        seat_notice(q, "quarantine", "%s saw two workers die: it will run alone", *e->id ? e->id : "a request");
    } else if (what && strncmp(what, "error", 5) == 0) {
        seat_notice(q, "recover-failed", "%s: %.160s", *e->id ? e->id : e->token, what);
    }
}

static void on_recover(void *arg, redisReply *reply)
{
    struct queue *q = arg;

    if (!goes_on(q, reply))
        return;
    for (size_t i = 0; i < q->estate_asked; i++)
        on_recover_one(q, &q->estate[q->estate_at + i], reply_at(reply, i));
    seat_notice(q, "recovered", "%zu claims of %.80s", q->estate_asked, q->dead[q->dead_count - 1]);
    q->estate_at += q->estate_asked;
    recover(q);
}

static void write_recover(struct queue *q, struct words *w)
{
    const char *name = q->dead[q->dead_count - 1];
    const struct estate *e = q->estate + q->estate_at;

    words_script(w, SCRIPT_RECOVER);
    words_key(w, q->name, "workers");
    words_key_for(w, q->name, "claims", name);
    words_key(w, q->name, "in_flight");
    words_key(w, q->name, "stats");
    words_key(w, q->name, "dead");
    words_key(w, q->name, "meta");
    words_key(w, q->name, "losses");
    words_key(w, q->name, "quarantine");
    seat_inboxes(q, w);
    for (size_t i = 0; i < q->estate_asked; i++)
        words_key_for(w, q->name, *e[i].id ? "task" : "claims", *e[i].id ? e[i].id : name);
    words_arguments(w);
    words_text(w, name);
    words_number(w, SEAT_INBOXES);
    words_number(w, KEEP_S);
    words_number(w, (int64_t)q->set.payload_max);
    words_number(w, HEAD_MAX);
    words_number(w, (int64_t)q->set.dead_max_count);
    words_number(w, (int64_t)q->set.dead_max_bytes);
    seat_inbox_names(q, w);
    for (size_t i = 0; i < q->estate_asked; i++) {
        words_text(w, e[i].token);
        words_text(w, e[i].id);
    }
}

/* The next batch of what was surveyed; when there is none, the next dead one. What a survey of SURVEY_MAX left
 * is for the next round. */
static void recover(struct queue *q)
{
    struct words w = {0};

    q->estate_asked = q->estate_count - q->estate_at;
    if (q->estate_asked > RECOVER_MAX)
        q->estate_asked = RECOVER_MAX;
    if (q->estate_asked == 0) {
        forget_estate(q);
        free(q->dead[--q->dead_count]);
        next_dead(q);
        return;
    }
    write_recover(q, &w);
    if (seat_send(q, &w, on_recover, q) < 0)
        end_round(q);
}

/* ---- the whole ---- */

void reaper_start(struct queue *q)
{
    if (!q->reap_timer)
        loop_after(q->loop, &q->reap_timer, loop_jitter(q->loop, q->set.reap_ms), look, q);
}

void reaper_down(struct queue *q)
{
    loop_cancel(&q->reap_timer);
    forget_peers(q);
    end_round(q);
}

void reaper_free(struct queue *q)
{
    reaper_down(q);
}
