/* The seat against a real redis-server: what each step does, and that it is done once. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "integration/seat.h"
#include "unit/check.h"

static struct seat *a; /* most tests need one only */

static int open_seat(void **state)
{
    struct queue_settings set = seat_settings(server, "a");

    test_open(state);
    a = seat_new(loop, &set);
    return 0;
}

static int close_seat(void **state)
{
    seat_leave(a);
    assert_int_equal(redis_number(server, "EXISTS " K("workers")), 0);
    assert_int_equal(redis_number(server, "EXISTS " K("worker:a")), 0);
    return test_close(state);
}

static long long stat_of(const char *name)
{
    return redis_number(server, "HGET " K("stats") " %s", name);
}

static void one_request(void **state)
{
    struct answer admitted;
    struct queue_claim *c;
    char *text;

    (void)state;
    push_id(server, "x1");
    c = next_claim(a, 3);
    assert_string_equal(c->payload, "{\"id\": \"x1\", \"code\": \"print(1)\"}");
    assert_false(c->oversized || c->over_cap || c->quarantined);
    assert_int_equal(redis_number(server, "ZCARD " K("in_flight")), 1);
    assert_int_equal(do_state(a, "x1"), TASK_UNKNOWN);
    assert_int_equal(do_admit(a, c, "x1", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.attempt, 1);
    assert_null(admitted.task.history);
    assert_int_equal(do_state(a, "x1"), TASK_RUNNING);
    assert_int_equal(do_finish(a, c, "x1", "{\"id\":\"x1\"}"), QUEUE_DONE);
    assert_int_equal(do_state(a, "x1"), TASK_FINISHED);
    assert_int_equal(redis_number(server, "LLEN " K("result:x1")), 1);
    text = redis_string(server, "LINDEX " K("result:x1") " 0");
    assert_string_equal(text, "{\"id\":\"x1\"}");
    free(text);
    assert_int_equal(redis_number(server, "TTL " K("result:x1")), 600);
    assert_int_equal(redis_number(server, "TTL " K("task:x1")), 600);
    assert_int_equal(strlen(queue_uid(a->queue)), 32);
    assert_int_equal(stat_of("finished"), 1);
}

/* Two hundred at once: in order, in batches, none lost. */
static void batches(void **state)
{
    struct answer admitted[200] = {0}, finished[200] = {0};
    char id[16];
    int done = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "b%d", i);
        push_id(server, id);
    }
    queue_want(a->queue, 200, false);
    wait_until(loop, a->claims == 200);
    freeReplyObject(redis_do(server, "CONFIG RESETSTAT"));
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "\"b%d\"", i);
        assert_non_null(strstr(a->claim[i]->payload, id));
        snprintf(id, sizeof(id), "b%d", i);
        queue_admit(a->queue, a->claim[i]->token, id, "digest", 60, on_admit, &admitted[i]);
    }
    wait_until(loop, admitted[199].times == 1);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(admitted[i].answer, QUEUE_DONE);
        snprintf(id, sizeof(id), "b%d", i);
        queue_finish(a->queue, a->claim[i]->token, id, "{}", 2, 60, NULL, on_answer, &finished[i]);
    }
    wait_until(loop, finished[199].times == 1);
    for (int i = 0; i < 200; i++)
        done += admitted[i].times == 1 && finished[i].times == 1 && finished[i].answer == QUEUE_DONE;
    assert_int_equal(done, 200);
    assert_int_equal(stat_of("finished"), 200);
    {
        char *stats = redis_string(server, "INFO commandstats"), *calls = strstr(stats, "cmdstat_evalsha:calls=");

        assert_non_null(calls);
        assert_in_range(strtol(calls + strlen("cmdstat_evalsha:calls="), NULL, 10), 8, 40);
        free(stats);
    }
}

static void duplicates(void **state)
{
    struct queue_claim *c, *again;

    (void)state;
    push_id(server, "d");
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "d", NULL), QUEUE_DONE);
    push_id(server, "d");
    again = next_claim(a, 1);
    assert_int_equal(do_admit(a, again, "d", NULL), QUEUE_DUPLICATE); /* while it runs */
    assert_int_equal(do_finish(a, c, "d", "{}"), QUEUE_DONE);
    push_id(server, "d");
    again = next_claim(a, 1);
    assert_int_equal(do_admit(a, again, "d", NULL), QUEUE_DUPLICATE); /* when it is finished */
    freeReplyObject(redis_do(server, "DEL " K("result:d")));
    redis_push(server, K("requests"), "{\"id\":\"d\"}", 10);
    again = next_claim(a, 1);
    assert_int_equal(do_admit(a, again, "d", NULL), QUEUE_DUPLICATE); /* another request of that id; the result taken */
    assert_int_equal(redis_number(server, "EXISTS " K("result:d")), 0);
    assert_int_equal(stat_of("duplicates"), 3);
    assert_int_equal(stat_of("finished"), 1);
}

static void delayed_is_taken(void **state)
{
    struct queue_claim *c;
    struct answer admitted;

    (void)state;
    push_id(server, "w");
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "w", NULL), QUEUE_DONE);
    assert_int_equal(do_delay(a, c, "w", 300, CHARGE_INFRA, "[{\"n\":1}]"), QUEUE_DONE);
    assert_int_equal(do_state(a, "w"), TASK_WAITING);
    push_id(server, "w"); /* the very same request: it must not run before its time */
    assert_int_equal(do_admit(a, next_claim(a, 1), "w", NULL), QUEUE_DUPLICATE);
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "w", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.attempt, 2);
    assert_int_equal(admitted.task.infra, 1);
    assert_int_equal(admitted.task.code, 0);
    assert_string_equal(admitted.history, "[{\"n\":1}]");
    assert_int_equal(do_delay(a, c, "w", -5, CHARGE_CODE, "[]"), QUEUE_DONE);
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "w", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.attempt, 3);
    assert_int_equal(admitted.task.code, 1);
    assert_int_equal(do_delay(a, c, "w", 1, CHARGE_NOTHING, "[]"), QUEUE_DONE);
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "w", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.attempt, 3);
    assert_int_equal(admitted.task.infra, 1);
    assert_int_equal(do_finish(a, c, "w", "{}"), QUEUE_DONE);
    assert_int_equal(redis_number(server, "HEXISTS " K("task:w") " payload"), 0);
}

static void not_before_its_time(void **state)
{
    struct queue_claim *c;
    int64_t due;

    (void)state;
    push_id(server, "t");
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "t", NULL), QUEUE_DONE);
    due = loop_wall(loop) + 250;
    assert_int_equal(do_delay(a, c, "t", 250, CHARGE_NOTHING, NULL), QUEUE_DONE);
    c = next_claim(a, 1);
    assert_true(c->claimed_ms >= due);
    assert_int_equal(do_admit(a, c, "t", NULL), QUEUE_DONE);
    assert_int_equal(do_finish(a, c, "t", "{}"), QUEUE_DONE);
}

/* More than one promotion moves at a time. */
static void many_due(void **state)
{
    enum { MANY = 250 };
    struct answer answers[MANY] = {0};
    int64_t due = loop_wall(loop) + 200;
    char id[16];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "m%d", i);
        push_id(server, id);
    }
    queue_want(a->queue, MANY, false);
    wait_until(loop, a->claims == MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "m%d", i);
        queue_admit(a->queue, a->claim[i]->token, id, "digest", 60, on_admit, &answers[i]);
    }
    wait_until(loop, answers[MANY - 1].times == 1);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "m%d", i);
        queue_delay(a->queue, a->claim[i]->token, id, due, CHARGE_NOTHING, "[]", on_answer, &answers[i]);
    }
    wait_until(loop, answers[MANY - 1].times == 2);
    wait_until(loop, redis_number(server, "LLEN " K("requests")) == MANY);
    assert_int_equal(stat_of("promoted"), MANY);
    freeReplyObject(redis_do(server, "DEL " K("requests")));
}

static void release_order(void **state)
{
    char *first;
    struct answer answers[4] = {0}, admitted;

    (void)state;
    for (int i = 0; i < 6; i++)
        push_id(server, ((const char *[]){"r0", "r1", "r2", "r3", "r4", "r5"})[i]);
    queue_want(a->queue, 4, false);
    wait_until(loop, a->claims == 4);
    assert_int_equal(do_admit(a, a->claim[1], "r1", NULL), QUEUE_DONE);
    for (int i = 0; i < 4; i++)
        queue_release(a->queue, a->claim[i]->token, i == 1 ? "r1" : NULL, on_answer, &answers[i]);
    wait_until(loop, answers[3].times == 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(answers[i].answer, QUEUE_DONE);
    assert_int_equal(redis_number(server, "LLEN " K("requests")), 6);
    for (int i = 0; i < 6; i++) {
        char id[8];

        snprintf(id, sizeof(id), "\"r%d\"", i);
        first = redis_string(server, "LINDEX " K("requests") " %d", i);
        assert_non_null(strstr(first, id));
        free(first);
    }
    assert_int_equal(do_state(a, "r1"), TASK_WAITING);
    queue_want(a->queue, 2, false);
    wait_until(loop, a->claims == 6);
    assert_int_equal(do_admit(a, a->claim[5], "r1", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.attempt, 1); /* nobody was charged */
    assert_int_equal(admitted.task.losses, 0);
    assert_int_equal(do_finish(a, a->claim[5], "r1", "{}"), QUEUE_DONE);
    assert_int_equal(do_release(a, a->claim[4], NULL), QUEUE_DONE);
    assert_int_equal(do_release(a, a->claim[0], NULL), QUEUE_LOST); /* was released before */
}

static struct json_object *dead_entry(long long i)
{
    char *text = redis_string(server, "LINDEX " K("dead") " %lld", i);
    struct json_object *o = NULL;
    struct fault f = FAULT_INIT;

    assert_non_null(text);
    if (field_parse(text, strlen(text), 4, &o, &f) < 0)
        fail_msg("%s in %s", f.text, text);
    free(text);
    return o;
}

/* clang-format off */
static const struct burial {
    const char *name, *payload;
    size_t len;
    const char *text, *hex; /* how it stands in `dead` */
} burials[] = {
    {"malformed",    "{\"id\": ",             7,  "{\"id\": ",            NULL},
    {"quotes",       "a\"\\/\n\t\x01",        7,  "a\"\\/\n\t\x01",       NULL},
    {"two bytes",    "\xc3\xa4",              2,  "\xc3\xa4",             NULL},
    {"three bytes",  "\xe2\x82\xac\xee\x80\x80", 6, "\xe2\x82\xac\xee\x80\x80", NULL},
    {"four bytes",   "\xf0\x9f\x98\x80",      4,  "\xf0\x9f\x98\x80",     NULL},
    {"lone byte",    "a\xff",                 2,  NULL,                   "61ff"},
    {"surrogate",    "\xed\xa0\x80",          3,  NULL,                   "eda080"},
    {"overlong",     "\xc0\xaf",              2,  NULL,                   "c0af"},
    {"overlong 3",   "\xe0\x80\xaf",          3,  NULL,                   "e080af"},
    {"beyond",       "\xf4\x90\x80\x80",      4,  NULL,                   "f4908080"},
    {"joined",       "\xe2\xc3\xa4\x82\xac",  5,  NULL,                   "e2c3a482ac"},
    {"cut",          "\xe2\x82",              2,  NULL,                   "e282"},
};
/* clang-format on */

static void bury_without_id(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(burials); i++) {
        const struct burial *b = &burials[i];
        _cleanup_(field_putp)
        struct json_object *o = NULL;

        redis_push(server, K("requests"), b->payload, b->len);
        assert_int_equal(do_bury(a, next_claim(a, 1), "no good", NULL, NULL), QUEUE_DONE);
        o = dead_entry(-1);
        row_true(b->name, strcmp(field_peek_string(o, "reason"), "no good") == 0);
        row_true(b->name, field_peek_int(o, "bytes", -1) == (int64_t)b->len);
        row_true(b->name, strlen(field_peek_string(o, "sha1")) == 40);
        row_true(b->name, !field_peek_bool(o, "cut"));
        row_true(b->name, b->text ? strcmp(field_peek_string(o, "payload"), b->text) == 0
                                  : strcmp(field_peek_string(o, "payload_hex"), b->hex) == 0);
    }
    assert_int_equal(stat_of("buried"), COUNT_OF(burials));
}

static void bury_with_id(void **state)
{
    _cleanup_(field_putp)
    struct json_object *o = NULL;
    struct queue_claim *c;

    (void)state;
    push_id(server, "v");
    assert_int_equal(do_bury(a, next_claim(a, 1), "bad field", "v", "{\"id\":\"v\"}"), QUEUE_DONE);
    assert_int_equal(redis_number(server, "LLEN " K("result:v")), 1);
    assert_int_equal(do_state(a, "v"), TASK_FINISHED);
    o = dead_entry(0);
    assert_string_equal(field_peek_string(o, "id"), "v");
    push_id(server, "v");
    assert_int_equal(do_bury(a, next_claim(a, 1), "bad again", "v", "{}"), QUEUE_DUPLICATE);
    assert_int_equal(redis_number(server, "LLEN " K("result:v")), 1); /* not answered twice */
    assert_int_equal(redis_number(server, "LLEN " K("dead")), 2);
    push_id(server, "v");
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "v", NULL), QUEUE_DUPLICATE);
}

static void wait_for_claims(size_t n)
{
    queue_want(a->queue, (unsigned)n, false);
    wait_until(loop, a->claims >= n);
}

static void dead_is_capped(void **state)
{
    struct queue_settings set = seat_settings(server, "b");
    struct seat *b;
    char payload[2000];
    long long bytes = 0;

    (void)state;
    memset(payload, 'x', sizeof(payload));
    set.dead_max_count = 5;
    set.dead_max_bytes = 9000;
    b = seat_new(loop, &set);
    for (int i = 0; i < 9; i++) {
        redis_push(server, K("requests"), payload, 10);
        assert_int_equal(do_bury(b, next_claim(b, 1), "small", NULL, NULL), QUEUE_DONE);
    }
    assert_int_equal(redis_number(server, "LLEN " K("dead")), 5);
    for (int i = 0; i < 9; i++) {
        redis_push(server, K("requests"), payload, sizeof(payload));
        assert_int_equal(do_bury(b, next_claim(b, 1), "large", NULL, NULL), QUEUE_DONE);
    }
    assert_int_equal(redis_number(server, "LLEN " K("dead")), 4);
    for (int i = 0; i < 4; i++) {
        char *entry = redis_string(server, "LINDEX " K("dead") " %d", i);

        bytes += (long long)strlen(entry);
        free(entry);
    }
    assert_int_equal(redis_number(server, "HGET " K("meta") " dead_bytes"), bytes);
    freeReplyObject(redis_do(server, "DEL " K("dead"))); /* by an operator: the sum begins anew */
    redis_push(server, K("requests"), payload, 10);
    assert_int_equal(do_bury(b, next_claim(b, 1), "small", NULL, NULL), QUEUE_DONE);
    assert_in_range(redis_number(server, "HGET " K("meta") " dead_bytes"), 10, 300);
    seat_leave(b);
}

static void oversized(void **state)
{
    size_t len = (1 << 20) + 7;
    char *payload = mem_zero(len + 1, 1);
    _cleanup_(field_putp)
    struct json_object *o = NULL;

    (void)state;
    memset(payload, 'y', len);
    redis_push(server, K("requests"), payload, len);
    wait_for_claims(1);
    assert_true(a->claim[0]->oversized);
    assert_int_equal(a->claim[0]->len, 4096);
    assert_int_equal(a->claim[0]->full_len, len);
    assert_int_equal(do_release(a, a->claim[0], NULL), QUEUE_DONE); /* goes back whole */
    wait_for_claims(2);
    assert_int_equal(a->claim[1]->full_len, len);
    assert_int_equal(do_bury(a, a->claim[1], "too large", NULL, NULL), QUEUE_DONE);
    o = dead_entry(0);
    assert_int_equal(field_peek_int(o, "bytes", -1), len);
    assert_true(field_peek_bool(o, "cut"));
    assert_int_equal(strlen(field_peek_string(o, "payload")), 4096);
    free(payload);
}

static void over_cap_by_count(void **state)
{
    struct queue_settings set = seat_settings(server, "b");
    struct seat *b;

    (void)state;
    set.inbox_max_count = 3;
    b = seat_new(loop, &set);
    for (int i = 0; i < 5; i++)
        push_id(server, "c");
    freeReplyObject(redis_do(server, "PING"));
    queue_want(b->queue, 5, false);
    wait_until(loop, b->claims == 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(b->claim[i]->over_cap, i < 2);
    seat_leave(b);
    freeReplyObject(redis_do(server, "DEL " K("requests")));
}

static void over_cap_by_bytes(void **state)
{
    struct queue_settings set = seat_settings(server, "b");
    struct seat *b;
    char payload[20000];
    size_t over = 0;

    (void)state;
    memset(payload, 'x', sizeof(payload));
    set.inbox_max_bytes = 100000;
    set.beat_ms = 20;
    b = seat_new(loop, &set);
    for (int i = 0; i < 20; i++)
        redis_push(server, K("requests"), payload, sizeof(payload));
    loop_pass(loop, 200); /* a beat tells how large it is */
    queue_want(b->queue, 20, false);
    wait_until(loop, b->claims == 20);
    for (int i = 0; i < 20; i++)
        over += b->claim[i]->over_cap;
    assert_in_range(over, 10, 18); /* 400 kB, of which 100 may stay; Redis' own share is in it */
    assert_false(b->claim[19]->over_cap);
    seat_leave(b);
    freeReplyObject(redis_do(server, "DEL " K("requests")));
}

static void replies(void **state)
{
    struct answer done[3] = {0};

    (void)state;
    freeReplyObject(redis_do(server, "SET " K("reply:string") " x"));
    freeReplyObject(redis_do(server, "SET " K("result:p2") " x")); /* ours alone: gives way */
    freeReplyObject(redis_do(server, "RPUSH " K("result:p1") " old"));
    for (int i = 0; i < 3; i++)
        push_id(server, ((const char *[]){"p0", "p1", "p2"})[i]);
    wait_for_claims(3);
    for (int i = 0; i < 3; i++) {
        const char *id = ((const char *[]){"p0", "p1", "p2"})[i];

        assert_int_equal(do_admit(a, a->claim[i], id, NULL), QUEUE_DONE);
        queue_finish(a->queue, a->claim[i]->token, id, "{}", 2, 600, i < 2 ? "batch" : "string", on_answer, &done[i]);
    }
    wait_until(loop, done[2].times == 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(done[i].answer, QUEUE_DONE);
    assert_int_equal(redis_number(server, "LLEN " K("reply:batch")), 2);
    assert_int_equal(redis_number(server, "TTL " K("reply:batch")), 600);
    assert_int_equal(redis_number(server, "LLEN " K("result:p1")), 1);
    assert_int_equal(redis_number(server, "LLEN " K("result:p2")), 1);
    assert_int_equal(stat_of("reply_errors"), 1);
}

/* One bad key among many is an answer of its own. */
static void one_bad_item(void **state)
{
    struct answer admitted[3] = {0};

    (void)state;
    freeReplyObject(redis_do(server, "SET " K("task:k1") " x"));
    for (int i = 0; i < 3; i++)
        push_id(server, ((const char *[]){"k0", "k1", "k2"})[i]);
    wait_for_claims(3);
    for (int i = 0; i < 3; i++)
        queue_admit(a->queue, a->claim[i]->token, ((const char *[]){"k0", "k1", "k2"})[i], "d", 60, on_admit,
                    &admitted[i]);
    wait_until(loop, admitted[2].times == 1);
    assert_int_equal(admitted[0].answer, QUEUE_DONE);
    assert_int_equal(admitted[1].answer, QUEUE_FAILED);
    assert_non_null(strstr(admitted[1].fault.text, "WRONGTYPE"));
    assert_int_equal(admitted[2].answer, QUEUE_DONE);
    assert_int_equal(do_finish(a, a->claim[0], "k0", "{}"), QUEUE_DONE);
    assert_int_equal(do_finish(a, a->claim[2], "k2", "{}"), QUEUE_DONE);
    assert_int_equal(do_release(a, a->claim[1], NULL), QUEUE_DONE);
}

/* What was asked for and is not welcome any more goes back. */
static void unwelcome(void **state)
{
    (void)state;
    queue_want(a->queue, 5, false);
    loop_pass(loop, 20);
    for (int i = 0; i < 5; i++)
        push_id(server, "u");
    loop_turn(loop);
    queue_want(a->queue, 0, false);
    wait_until(loop, redis_number(server, "LLEN " K("requests")) + (long long)a->claims == 5 &&
                         redis_number(server, "ZCARD " K("in_flight")) == (long long)a->claims);
}

/* Leaving hands back what is held, admitted or not; seat_leave() in the teardown checks that nothing is left. */
static void leaving_hands_back(void **state)
{
    struct queue_settings set = seat_settings(server, "b");
    struct seat *b = seat_new(loop, &set);

    (void)state;
    push_id(server, "l1");
    push_id(server, "l2");
    queue_want(b->queue, 2, false);
    wait_until(loop, b->claims == 2);
    assert_int_equal(do_admit(b, b->claim[1], "l2", NULL), QUEUE_DONE);
    seat_leave(b);
    assert_int_equal(redis_number(server, "LLEN " K("requests")), 2);
    assert_int_equal(redis_number(server, "HEXISTS " K("workers") " b"), 0);
    wait_for_claims(2);
    assert_non_null(strstr(a->claim[0]->payload, "l1"));
    assert_int_equal(do_admit(a, a->claim[1], "l2", NULL), QUEUE_DONE);
    assert_int_equal(do_finish(a, a->claim[1], "l2", "{}"), QUEUE_DONE);
}

static void late_claim_of_an_old_connection(void **state)
{
    redisReply *r;
    char *sha;

    (void)state;
    push_id(server, "s");
    /* What the connection before this one asked for, and Redis reads only now. */
    sha = redis_string(server, "HGET " K("worker:a") " session");
    assert_int_equal(strtol(sha, NULL, 10), 1);
    free(sha);
    freeReplyObject(redis_do(server, "HSET " K("worker:a") " session 2"));
    queue_want(a->queue, 1, false);
    wait_until(loop, a->claims == 1); /* it registers again, as the same worker, and then it may */
    assert_string_equal(queue_worker(a->queue), "a");
    assert_int_equal(a->lost, 0);
    r = redis_do(server, "HGET " K("worker:a") " session");
    assert_string_equal(r->str, "2");
    freeReplyObject(r);
}

int main(void)
{
#define SEAT_TEST(name) cmocka_unit_test_setup_teardown(name, open_seat, close_seat)
    const struct CMUnitTest tests[] = {
        SEAT_TEST(one_request),         SEAT_TEST(batches),
        SEAT_TEST(duplicates),          SEAT_TEST(delayed_is_taken),
        SEAT_TEST(not_before_its_time), SEAT_TEST(many_due),
        SEAT_TEST(release_order),       SEAT_TEST(bury_without_id),
        SEAT_TEST(bury_with_id),        SEAT_TEST(dead_is_capped),
        SEAT_TEST(oversized),           SEAT_TEST(over_cap_by_count),
        SEAT_TEST(over_cap_by_bytes),   SEAT_TEST(replies),
        SEAT_TEST(one_bad_item),        SEAT_TEST(unwelcome),
        SEAT_TEST(leaving_hands_back),  SEAT_TEST(late_claim_of_an_old_connection),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
