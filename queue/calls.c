/* What is asked about a claim: kept until it is answered, sent again when the connection was lost (each step is
 * idempotent by the claim's token), and batched: what is ready in the same turn of the loop travels in one script
 * call. While BATCHES_OUT calls of a kind are on their way, what comes gathers for the next, so that batches grow
 * by themselves when Redis is the slower one. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/reply.h"
#include "queue/seat.h"

static void flush(void *arg);

static void free_call(struct call *c)
{
    free(c->token);
    free(c->id);
    free(c->text);
    free(c->blob);
    free(c->reply_to);
    free(c);
}

static void free_list(struct call_list *list)
{
    struct call *c;

    while ((c = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, c, entry);
        free_call(c);
    }
}

/* ---- answers ---- */

/* Whether the claim is settled by this answer: then it is not held any more. */
static bool settles(const struct call *c, enum queue_answer answer)
{
    if (answer == QUEUE_FAILED)
        return false;
    return c->kind != CALL_ADMIT || answer != QUEUE_DONE;
}

static void note_admitted(struct held *h, const struct call *c)
{
    free(h->id);
    free(h->digest);
    h->id = mem_string(c->id);
    h->digest = mem_string(c->text);
    h->ttl_s = c->ttl_s;
}

static void give_answer(struct queue *q, struct call *c, enum queue_answer answer, const struct queue_task *task,
                        const struct fault *f)
{
    struct held *h = c->token ? held_find(q, c->token) : NULL;

    q->pending--;
    if (h) {
        h->calls--;
        if (c->kind == CALL_ADMIT && answer == QUEUE_DONE)
            note_admitted(h, c);
        if (settles(c, answer))
            held_remove(q, c->token);
    }
    if (c->kind == CALL_DELAY && answer == QUEUE_DONE)
        lease_due(q, c->due_ms);
    if (c->state_fn)
        c->state_fn(c->arg, TASK_UNKNOWN, f);
    else if (c->alive_fn)
        c->alive_fn(c->arg, false, f);
    else if (c->admit_fn)
        c->admit_fn(c->arg, answer, task, f);
    else if (c->fn)
        c->fn(c->arg, answer, f);
    free_call(c);
}

static enum queue_task_state task_state(const char *word)
{
    static const char *const known[] = {"", "waiting", "running", "finished"};

    if (strcmp(word, "delayed") == 0)
        return TASK_WAITING;
    for (int i = TASK_WAITING; i <= TASK_FINISHED; i++)
        if (strcmp(word, known[i]) == 0)
            return (enum queue_task_state)i;
    return TASK_UNKNOWN;
}

static void answer_look(struct queue *q, struct call *c, const redisReply *reply)
{
    const char *text = reply_text(reply);

    q->pending--;
    if (c->alive_fn)
        c->alive_fn(c->arg, text && strncmp(text, "dead", 4) != 0, NULL);
    else
        c->state_fn(c->arg, text ? task_state(text) : TASK_UNKNOWN, NULL);
    free_call(c);
}

/* One item of a batch's answer. */
static void answer_one(struct queue *q, struct call *c, const redisReply *item)
{
    const char *word = reply_text(item);
    struct fault f = FAULT_INIT;
    struct task_reply t;

    if (c->kind == CALL_ADMIT && reply_task(item, &t) == 0) {
        struct queue_task task = {.attempt = (int)t.attempts,
                                  .infra = (int)t.infra,
                                  .code = (int)t.code,
                                  .losses = (int)t.losses,
                                  .history = t.history};

        give_answer(q, c, QUEUE_DONE, &task, NULL);
    } else if (word && strcmp(word, "done") == 0 && c->kind != CALL_ADMIT) {
        give_answer(q, c, QUEUE_DONE, NULL, NULL);
    } else if (word && strcmp(word, "duplicate") == 0) {
        give_answer(q, c, QUEUE_DUPLICATE, NULL, NULL);
    } else if (word && strcmp(word, "lost") == 0) {
        /* Of a call that was sent twice, the first may have done it and left nothing to tell that by. */
        bool may_be_done = c->sent > 1 && (c->kind == CALL_RELEASE || c->kind == CALL_BURY) && !c->id;

        give_answer(q, c, may_be_done ? QUEUE_DONE : QUEUE_LOST, NULL, NULL);
    } else {
        fault_set(&f, FAULT_REFUSED, "Redis: %.200s", word ? word : "an answer that is not understood");
        give_answer(q, c, QUEUE_FAILED, NULL, &f);
    }
}

/* ---- batches ---- */

static void take_back(struct queue *q, struct batch *b)
{
    struct call *c;

    while ((c = TAILQ_LAST(&b->calls, call_list))) {
        TAILQ_REMOVE(&b->calls, c, entry);
        TAILQ_INSERT_HEAD(&q->waiting[b->kind], c, entry);
    }
}

static void fail_list(struct queue *q, struct call_list *list, enum queue_answer answer, const struct fault *f)
{
    struct call *c;

    while ((c = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, c, entry);
        give_answer(q, c, answer, NULL, f);
    }
}

static void deal_out(struct queue *q, struct batch *b, const redisReply *reply)
{
    struct call *c;

    if (b->kind == CALL_LOOK && (c = TAILQ_FIRST(&b->calls))) {
        TAILQ_REMOVE(&b->calls, c, entry);
        answer_look(q, c, reply);
    }
    for (size_t i = 0; (c = TAILQ_FIRST(&b->calls)); i++) {
        TAILQ_REMOVE(&b->calls, c, entry);
        answer_one(q, c, reply_at(reply, i));
    }
}

static void on_batch(void *arg, redisReply *reply)
{
    struct batch *b = arg;
    struct queue *q = b->queue;
    struct fault f = FAULT_INIT;
    enum seat_trouble trouble = seat_judge(q, reply, &f);

    TAILQ_REMOVE(&q->batches, b, entry);
    q->out[b->kind]--;
    if (trouble == TROUBLE_NONE)
        deal_out(q, b, reply);
    else if (trouble == TROUBLE_LASTING || (b->kind == CALL_LOOK && trouble == TROUBLE_LOST))
        fail_list(q, &b->calls, QUEUE_FAILED, &f);
    else
        take_back(q, b);
    free(b);
    if (trouble == TROUBLE_PASSING)
        loop_after(q->loop, &q->flush_timer, RETRY_MS, flush, q);
    else
        calls_flush_soon(q);
    leave_go_on(q);
}

/* ---- sending ---- */

static struct batch *gather(struct queue *q, enum call_kind kind)
{
    size_t most = kind == CALL_LOOK ? 1 : BATCH_MAX, bytes = 0;
    struct batch *b = mem_new(struct batch);
    struct call *c;

    b->queue = q;
    b->kind = kind;
    TAILQ_INIT(&b->calls);
    for (size_t n = 0; n < most && (c = TAILQ_FIRST(&q->waiting[kind])); n++) {
        bytes += c->blob_len;
        if (n > 0 && bytes > BATCH_BYTES)
            break;
        TAILQ_REMOVE(&q->waiting[kind], c, entry);
        TAILQ_INSERT_TAIL(&b->calls, c, entry);
        c->sent++;
    }
    TAILQ_INSERT_TAIL(&q->batches, b, entry);
    q->out[kind]++;
    return b;
}

static int send_batch(struct queue *q, enum call_kind kind)
{
    struct batch *b = gather(q, kind);
    struct words w = {0};

    calls_write(q, b, &w);
    if (seat_send(q, &w, on_batch, b) == 0)
        return 0;
    TAILQ_REMOVE(&q->batches, b, entry); /* the connection is going: on_work_up() comes back here */
    q->out[kind]--;
    take_back(q, b);
    free(b);
    return -1;
}

/* Each goes to the head of its inbox, so the youngest has to go first for the old order to come out. */
static void sort_releases(struct call_list *list)
{
    struct call_list sorted = TAILQ_HEAD_INITIALIZER(sorted);
    struct call *c, *at;

    while ((c = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, c, entry);
        TAILQ_FOREACH (at, &sorted, entry)
            if (token_number(at->token) < token_number(c->token))
                break;
        if (at)
            TAILQ_INSERT_BEFORE(at, c, entry);
        else
            TAILQ_INSERT_TAIL(&sorted, c, entry);
    }
    TAILQ_CONCAT(list, &sorted, entry);
}

static void refuse_states(struct queue *q)
{
    struct fault f = FAULT_INIT;

    if (q->state == SEAT_READY)
        return;
    fault_set(&f, FAULT_TRANSIENT, "no connection to Redis");
    fail_list(q, &q->waiting[CALL_LOOK], QUEUE_FAILED, &f);
}

static void flush(void *arg)
{
    struct queue *q = arg;

    refuse_states(q);
    if (q->state != SEAT_READY)
        return;
    sort_releases(&q->waiting[CALL_RELEASE]);
    for (int kind = 0; kind < CALL_KINDS; kind++)
        while (!TAILQ_EMPTY(&q->waiting[kind]) && q->out[kind] < BATCHES_OUT)
            if (send_batch(q, (enum call_kind)kind) < 0)
                return;
}

void calls_flush_soon(struct queue *q)
{
    if (!q->flush_timer && (q->state == SEAT_READY || !TAILQ_EMPTY(&q->waiting[CALL_LOOK])))
        loop_defer(q->loop, &q->flush_timer, flush, q);
}

void calls_add(struct queue *q, struct call *c)
{
    struct held *h = c->token ? held_find(q, c->token) : NULL;

    q->pending++;
    if (h)
        h->calls++;
    TAILQ_INSERT_TAIL(&q->waiting[c->kind], c, entry);
    calls_flush_soon(q);
}

void calls_release(struct queue *q, const char *token, const char *id)
{
    struct call *c = mem_new(struct call);

    c->kind = CALL_RELEASE;
    c->token = mem_string(token);
    c->id = mem_string(id);
    calls_add(q, c);
}

/* ---- losing all ---- */

void calls_lose(struct queue *q)
{
    struct call_list all = TAILQ_HEAD_INITIALIZER(all);
    struct batch *b;

    for (int kind = 0; kind < CALL_KINDS; kind++)
        if (kind != CALL_LOOK)
            TAILQ_CONCAT(&all, &q->waiting[kind], entry);
    TAILQ_FOREACH (b, &q->batches, entry)
        if (b->kind != CALL_LOOK)
            TAILQ_CONCAT(&all, &b->calls, entry); /* its answer finds nobody */
    fail_list(q, &all, QUEUE_LOST, NULL);
}

void calls_free(struct queue *q)
{
    struct batch *b;

    loop_cancel(&q->flush_timer);
    for (int kind = 0; kind < CALL_KINDS; kind++)
        free_list(&q->waiting[kind]);
    while ((b = TAILQ_FIRST(&q->batches))) {
        TAILQ_REMOVE(&q->batches, b, entry);
        free_list(&b->calls);
        free(b);
    }
}
