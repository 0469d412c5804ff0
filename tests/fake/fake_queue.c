#include "fake_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MOST_CLAIMS = 64 };

struct held {
    char token[32];
    char *payload;
};

struct queue {
    struct loop *loop;
    void (*on_claim)(void *arg, struct queue_claim *claim);
    void *arg;
    struct held held[MOST_CLAIMS];
    int tokens, calls[FAKE_CALLS], results, charged;
    struct {
        enum queue_answer answer;
        int times;
    } ordered[FAKE_CALLS];
    bool finished, lease_lost;
    int attempt, infra, code;
    int64_t clock_ahead_ms;
    char *history, *result, *reply_to, *dead;
};

struct queue *fake_queue_new(struct loop *l, void (*on_claim)(void *arg, struct queue_claim *claim), void *arg)
{
    struct queue *q = mem_new(struct queue);

    *q = (struct queue){.loop = l, .on_claim = on_claim, .arg = arg, .attempt = 1};
    return q;
}

void fake_queue_free(struct queue *q)
{
    for (int i = 0; i < MOST_CLAIMS; i++)
        free(q->held[i].payload);
    free(q->history);
    free(q->result);
    free(q->reply_to);
    free(q->dead);
    free(q);
}

static struct held *find(struct queue *q, const char *token)
{
    for (int i = 0; i < MOST_CLAIMS; i++)
        if (q->held[i].payload && strcmp(q->held[i].token, token) == 0)
            return &q->held[i];
    return NULL;
}

/* What Redis refuses for good stays claimed. */
static void settle(struct queue *q, const char *token, enum queue_answer a)
{
    struct held *h = find(q, token);

    if (a == QUEUE_FAILED)
        return;
    free(h->payload);
    h->payload = NULL;
}

/* Something that happens later. */
struct later {
    struct queue *q;
    char *payload;
    queue_answer_fn *fn;
    queue_admit_fn *admit_fn;
    void *arg;
    enum queue_answer answer;
    struct loop_timer *timer;
};

static void claim_now(void *arg)
{
    struct later *later = arg;
    struct queue *q = later->q;
    struct queue_claim *c = mem_new(struct queue_claim);
    int i = 0;

    while (q->held[i].payload)
        i++;
    snprintf(q->held[i].token, sizeof(q->held[i].token), "t%d", ++q->tokens);
    q->held[i].payload = later->payload;
    c->token = mem_string(q->held[i].token);
    c->payload = mem_string(later->payload);
    c->len = c->full_len = strlen(later->payload);
    c->claimed_ms = loop_wall(q->loop) + q->clock_ahead_ms;
    free(later);
    q->on_claim(q->arg, c);
}

static void push_after(struct queue *q, char *payload, int64_t ms)
{
    struct later *later = mem_new(struct later);

    later->q = q;
    later->payload = payload;
    loop_after(q->loop, &later->timer, ms, claim_now, later);
}

void fake_queue_push(struct queue *q, const char *payload)
{
    push_after(q, mem_string(payload), 0);
}

static void answer_now(void *arg)
{
    struct later later = *(struct later *)arg;
    struct fault f = {.kind = FAULT_BUG, .text = "ordered by the test"};
    struct queue_task task = {
        .attempt = later.q->attempt, .infra = later.q->infra, .code = later.q->code, .history = later.q->history};

    free(arg);
    if (later.admit_fn)
        later.admit_fn(later.arg, later.answer, &task, later.answer == QUEUE_FAILED ? &f : NULL);
    else
        later.fn(later.arg, later.answer, later.answer == QUEUE_FAILED ? &f : NULL);
}

static enum queue_answer ordered(struct queue *q, enum fake_queue_call call)
{
    q->calls[call]++;
    if (q->ordered[call].times <= 0)
        return QUEUE_DONE;
    q->ordered[call].times--;
    return q->ordered[call].answer;
}

static void answer(struct queue *q, enum queue_answer a, queue_answer_fn *fn, queue_admit_fn *admit_fn, void *arg)
{
    struct later *later = mem_new(struct later);

    *later = (struct later){.q = q, .fn = fn, .admit_fn = admit_fn, .arg = arg, .answer = a};
    loop_after(q->loop, &later->timer, 1, answer_now, later);
}

void queue_admit(struct queue *q, const char *token, const char *id, const char *digest, int64_t record_ttl_s,
                 queue_admit_fn *fn, void *arg)
{
    enum queue_answer a = ordered(q, FAKE_ADMIT);

    (void)id;
    (void)digest;
    (void)record_ttl_s;
    if (a == QUEUE_DONE && q->finished)
        a = QUEUE_DUPLICATE;
    if (a != QUEUE_DONE)
        settle(q, token, a);
    answer(q, a, NULL, fn, arg);
}

static void set_string(char **at, const void *bytes, size_t len)
{
    free(*at);
    *at = mem_bytes(bytes, len);
}

void queue_finish(struct queue *q, const char *token, const char *id, const void *result, size_t len, int64_t ttl_s,
                  const char *reply_to, queue_answer_fn *fn, void *arg)
{
    enum queue_answer a = ordered(q, FAKE_FINISH);

    (void)id;
    (void)ttl_s;
    settle(q, token, a);
    if (a == QUEUE_DONE) {
        q->finished = true;
        q->results++;
        set_string(&q->result, result, len);
        set_string(&q->reply_to, reply_to ? reply_to : "", reply_to ? strlen(reply_to) : 0);
    }
    answer(q, a, fn, NULL, arg);
}

void queue_delay(struct queue *q, const char *token, const char *id, int64_t due_ms, enum queue_charge charge,
                 const char *history, queue_answer_fn *fn, void *arg)
{
    enum queue_answer a = ordered(q, FAKE_DELAY);
    char *payload;

    (void)id;
    if (a == QUEUE_DONE) {
        payload = TAKE(find(q, token)->payload);
        q->attempt += charge != CHARGE_NOTHING;
        q->infra += charge == CHARGE_INFRA;
        q->code += charge == CHARGE_CODE;
        q->charged += charge != CHARGE_NOTHING;
        if (history)
            set_string(&q->history, history, strlen(history));
        push_after(q, payload, due_ms - loop_wall(q->loop) - q->clock_ahead_ms);
    } else {
        settle(q, token, a);
    }
    answer(q, a, fn, NULL, arg);
}

void queue_release(struct queue *q, const char *token, const char *id, queue_answer_fn *fn, void *arg)
{
    enum queue_answer a = ordered(q, FAKE_RELEASE);

    (void)id;
    settle(q, token, a);
    answer(q, a, fn, NULL, arg);
}

void queue_bury(struct queue *q, const char *token, const char *reason, const char *id, const void *result, size_t len,
                int64_t ttl_s, const char *reply_to, queue_answer_fn *fn, void *arg)
{
    enum queue_answer a = ordered(q, FAKE_BURY);

    (void)ttl_s;
    settle(q, token, a);
    set_string(&q->dead, reason, strlen(reason));
    if (a == QUEUE_DONE && id) {
        q->results++;
        set_string(&q->result, result, len);
        set_string(&q->reply_to, reply_to ? reply_to : "", reply_to ? strlen(reply_to) : 0);
    }
    answer(q, a, fn, NULL, arg);
}

void queue_claim_free(struct queue_claim *c)
{
    if (!c)
        return;
    free(c->token);
    free(c->payload);
    free(c);
}

bool queue_may_write(const struct queue *q)
{
    return !q->lease_lost;
}

const char *queue_uid(const struct queue *q)
{
    (void)q;
    return "test-installation";
}

const char *queue_worker(const struct queue *q)
{
    (void)q;
    return "test-worker";
}

void fake_queue_answer(struct queue *q, enum fake_queue_call call, enum queue_answer a, int times)
{
    q->ordered[call].answer = a;
    q->ordered[call].times = times;
}

void fake_queue_clock(struct queue *q, int64_t ahead_ms)
{
    q->clock_ahead_ms = ahead_ms;
}

void fake_queue_lease(struct queue *q, bool held)
{
    q->lease_lost = !held;
}

int fake_queue_count(const struct queue *q, enum fake_queue_call call)
{
    return q->calls[call];
}

int fake_queue_results(const struct queue *q)
{
    return q->results;
}

int fake_queue_charged(const struct queue *q)
{
    return q->charged;
}

const char *fake_queue_result(const struct queue *q)
{
    return q->result ? q->result : "";
}

const char *fake_queue_reply_to(const struct queue *q)
{
    return q->reply_to ? q->reply_to : "";
}

const char *fake_queue_dead(const struct queue *q)
{
    return q->dead ? q->dead : "";
}

size_t fake_queue_open(const struct queue *q)
{
    size_t n = 0;

    for (int i = 0; i < MOST_CLAIMS; i++)
        n += q->held[i].payload != NULL;
    return n;
}
