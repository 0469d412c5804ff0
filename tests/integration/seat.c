#include "integration/seat.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/mem.h"
#include "queue/request.h"
#include "unit/check.h"

struct redis_server *server;
struct loop *loop;

int group_open(void **state)
{
    (void)state;
    server = redis_server_start("");
    return 0;
}

int group_close(void **state)
{
    (void)state;
    redis_server_stop(server);
    libevent_global_shutdown();
    return 0;
}

void empty_redis(void)
{
    freeReplyObject(redis_do(server, "FLUSHALL"));
    freeReplyObject(redis_do(server, "CONFIG RESETSTAT"));
}

int test_open(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    if (loop_new(&loop, &f) < 0) /* what a failed test left stays on its own loop */
        fail_msg("%s", f.text);
    empty_redis();
    return 0;
}

void assert_clean(void)
{
    redisReply *r = redis_do(server, "KEYS " K("claims:*"));

    assert_int_equal(r->elements, 0);
    freeReplyObject(r);
    assert_int_equal(redis_number(server, "ZCARD " K("in_flight")), 0);
    assert_int_equal(redis_number(server, "ZCARD " K("delayed")), 0);
}

int test_close(void **state)
{
    (void)state;
    loop_free(loop);
    loop = NULL;
    assert_clean();
    return 0;
}

/* ---- a worker ---- */

struct job {
    struct seat *seat;
    struct queue_claim *claim;
    char *id;
};

static void end_job(struct job *j)
{
    j->seat->running--;
    queue_claim_free(j->claim);
    free(j->id);
    queue_want(j->seat->queue, j->seat->room - (unsigned)j->seat->running, j->seat->running == 0);
    free(j);
}

static void on_finished(void *arg, enum queue_answer answer, const struct fault *f)
{
    struct job *j = arg;

    (void)f;
    j->seat->finished += answer == QUEUE_DONE;
    j->seat->gone += answer != QUEUE_DONE;
    end_job(j);
}

static void on_admitted(void *arg, enum queue_answer answer, const struct queue_task *task, const struct fault *f)
{
    struct job *j = arg;

    (void)task;
    (void)f;
    if (answer == QUEUE_DONE) {
        queue_finish(j->seat->queue, j->claim->token, j->id, "{}", 2, 600, NULL, on_finished, j);
        return;
    }
    j->seat->duplicates += answer == QUEUE_DUPLICATE;
    j->seat->gone += answer != QUEUE_DUPLICATE;
    end_job(j);
}

static void run(struct seat *s, struct queue_claim *c)
{
    struct job *j = mem_new(struct job);
    char digest[DIGEST_HEX], *reply_to = NULL;

    j->seat = s;
    j->claim = c;
    s->running++;
    request_peek(c->payload, c->len, &j->id, &reply_to);
    free(reply_to);
    digest_sha256_hex(c->payload, c->len, digest);
    queue_admit(s->queue, c->token, j->id, digest, 600, on_admitted, j);
}

void seat_work(struct seat *s, unsigned room)
{
    s->works = true;
    s->room = room;
    queue_want(s->queue, room, true);
}

/* ---- what a seat is told ---- */

static void on_claim(void *arg, struct queue_claim *c)
{
    struct seat *s = arg;

    if (s->works) {
        run(s, c);
        return;
    }
    assert_true(s->claims < SEAT_CLAIMS);
    s->claim[s->claims++] = c;
}

static void on_lost(void *arg, const char *token)
{
    struct seat *s = arg;

    s->lost++;
    snprintf(s->last_lost, sizeof(s->last_lost), "%s", token);
}

static void on_state(void *arg, bool connected, bool leased, const struct fault *f)
{
    struct seat *s = arg;

    s->connected = connected;
    s->leased = leased;
    s->state_changes++;
    if (f)
        s->fault = *f;
}

static void on_notice(void *arg, const char *event, const char *text)
{
    struct seat *s = arg;

    (void)text;
    snprintf(s->notice[s->notices++ % 64], 32, "%s", event);
}

bool seat_was_told(const struct seat *s, const char *event)
{
    for (size_t i = 0; i < s->notices && i < 64; i++)
        if (strcmp(s->notice[i], event) == 0)
            return true;
    return false;
}

struct queue_settings seat_settings(const struct redis_server *s, const char *worker)
{
    return (struct queue_settings){
        .url = s->url,
        .name = "t",
        .worker = worker,
        .details = "{\"slots\":1}",
        .lease_ms = 60000,
        .beat_ms = 1000,
        .reap_ms = 50,
        .payload_max = 1 << 20,
        .dead_max_count = 10000,
        .dead_max_bytes = 256 << 20,
        .inbox_max_count = 1000000,
        .inbox_max_bytes = 1 << 30,
    };
}

struct seat *seat_open(struct loop *l, const struct queue_settings *settings)
{
    struct seat *s = mem_new(struct seat);
    struct queue_events on = {
        .on_claim = on_claim, .on_lost = on_lost, .on_state = on_state, .on_notice = on_notice, .arg = s};
    struct fault f = FAULT_INIT;

    s->loop = l;
    if (queue_new(l, settings, &on, &s->queue, &f) < 0)
        fail_msg("%s", f.text);
    return s;
}

struct seat *seat_new(struct loop *l, const struct queue_settings *settings)
{
    struct seat *s = seat_open(l, settings);

    wait_until(l, s->connected && s->leased);
    return s;
}

void seat_kill(struct seat *s)
{
    queue_free(s->queue);
    for (size_t i = 0; i < s->claims; i++)
        queue_claim_free(s->claim[i]);
    free(s);
}

static void on_left(void *arg)
{
    *(bool *)arg = true;
}

void seat_leave(struct seat *s)
{
    bool left = false;

    queue_leave(s->queue, on_left, &left);
    wait_until(s->loop, left);
    seat_kill(s);
}

static void nothing(void *arg)
{
    (void)arg;
}

void loop_turn(struct loop *l)
{
    struct loop_timer *tick = NULL;

    loop_after(l, &tick, 2, nothing, NULL);
    event_base_loop(loop_base(l), EVLOOP_ONCE);
    loop_cancel(&tick);
}

void loop_pass(struct loop *l, int64_t ms)
{
    int64_t end = loop_now(l) + ms;

    while (loop_now(l) < end)
        loop_turn(l);
}

void on_answer(void *arg, enum queue_answer answer, const struct fault *f)
{
    struct answer *a = arg;

    a->times++;
    a->answer = answer;
    if (f)
        a->fault = *f;
}

void on_admit(void *arg, enum queue_answer answer, const struct queue_task *task, const struct fault *f)
{
    struct answer *a = arg;

    on_answer(arg, answer, f);
    if (task) {
        a->task = *task;
        snprintf(a->history, sizeof(a->history), "%s", task->history ? task->history : "");
    }
}

static void on_task_state(void *arg, enum queue_task_state state, const struct fault *f)
{
    struct answer *a = arg;

    on_answer(arg, f ? QUEUE_FAILED : QUEUE_DONE, f);
    a->state = state;
}

enum queue_answer do_admit(struct seat *s, const struct queue_claim *c, const char *id, struct answer *ret)
{
    struct answer a = {0};
    char digest[DIGEST_HEX];

    digest_sha256_hex(c->payload, c->len, digest);
    queue_admit(s->queue, c->token, id, digest, 3600, on_admit, &a);
    assert_int_equal(a.times, 0);
    wait_until(s->loop, a.times > 0);
    if (ret)
        *ret = a;
    return a.answer;
}

enum queue_answer do_finish(struct seat *s, const struct queue_claim *c, const char *id, const char *result)
{
    struct answer a = {0};

    queue_finish(s->queue, c->token, id, result, strlen(result), 600, NULL, on_answer, &a);
    assert_int_equal(a.times, 0);
    wait_until(s->loop, a.times > 0);
    return a.answer;
}

enum queue_answer do_delay(struct seat *s, const struct queue_claim *c, const char *id, int64_t ms,
                           enum queue_charge charge, const char *history)
{
    struct answer a = {0};

    queue_delay(s->queue, c->token, id, loop_wall(s->loop) + ms, charge, history, on_answer, &a);
    wait_until(s->loop, a.times > 0);
    return a.answer;
}

enum queue_answer do_release(struct seat *s, const struct queue_claim *c, const char *id)
{
    struct answer a = {0};

    queue_release(s->queue, c->token, id, on_answer, &a);
    wait_until(s->loop, a.times > 0);
    return a.answer;
}

enum queue_answer do_bury(struct seat *s, const struct queue_claim *c, const char *reason, const char *id,
                          const char *result)
{
    struct answer a = {0};

    queue_bury(s->queue, c->token, reason, id, result, result ? strlen(result) : 0, 600, NULL, on_answer, &a);
    wait_until(s->loop, a.times > 0);
    return a.answer;
}

enum queue_task_state do_state(struct seat *s, const char *id)
{
    struct answer a = {0};

    queue_task_state(s->queue, id, on_task_state, &a);
    wait_until(s->loop, a.times > 0);
    return a.state;
}

static void on_alive(void *arg, bool alive, const struct fault *f)
{
    struct answer *a = arg;

    on_answer(arg, f ? QUEUE_FAILED : QUEUE_DONE, f);
    a->alive = alive;
}

bool do_alive(struct seat *s, const char *worker)
{
    struct answer a = {0};

    queue_worker_alive(s->queue, worker, on_alive, &a);
    wait_until(s->loop, a.times > 0);
    assert_int_equal(a.answer, QUEUE_DONE);
    return a.alive;
}

void push_id(struct redis_server *s, const char *id)
{
    char payload[256];

    snprintf(payload, sizeof(payload), "{\"id\": \"%s\", \"code\": \"print(1)\"}", id);
    redis_push(s, "execq:{t}:requests", payload, strlen(payload));
}

struct queue_claim *next_claim(struct seat *s, unsigned want)
{
    size_t before = s->claims;

    queue_want(s->queue, want, false);
    wait_until(s->loop, s->claims > before);
    return s->claim[before];
}
