/* What happens to the connection and to Redis itself, in every state. */
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "integration/seat.h"
#include "unit/check.h"

enum { STORM = 1000 };

static void cut_all(void)
{
    freeReplyObject(redis_do(server, "CLIENT KILL TYPE normal SKIPME yes"));
}

static long long calls_of(const char *command)
{
    char *stats = redis_string(server, "INFO commandstats"), name[64], *at;
    long long n = 0;

    snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
    at = strstr(stats, name);
    if (at)
        n = strtoll(at + strlen(name), NULL, 10);
    free(stats);
    return n;
}

static void push_many(const char *prefix, int n)
{
    for (int i = 0; i < n; i++) {
        char id[32];

        snprintf(id, sizeof(id), "%s%d", prefix, i);
        push_id(server, id);
    }
}

/* Each id has exactly one result, and nothing of it is left elsewhere. */
static void assert_all_answered(const char *prefix, int n)
{
    for (int i = 0; i < n; i++)
        if (redis_number(server, "LLEN " K("result:%s%d"), prefix, i) != 1)
            fail_msg("%s%d has %lld results", prefix, i, redis_number(server, "LLEN " K("result:%s%d"), prefix, i));
    assert_int_equal(redis_number(server, "LLEN " K("requests")), 0);
    assert_clean();
}

/* ---- scripts ---- */

static void script_flush(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a = seat_new(loop, &set);
    struct queue_claim *c;

    (void)state;
    loop_pass(loop, 1100); /* scripts are loaded at most once a second */
    freeReplyObject(redis_do(server, "SCRIPT FLUSH"));
    push_id(server, "f");
    c = next_claim(a, 1);
    loop_pass(loop, 1100);
    freeReplyObject(redis_do(server, "SCRIPT FLUSH"));
    assert_int_equal(do_admit(a, c, "f", NULL), QUEUE_DONE);
    freeReplyObject(redis_do(server, "SCRIPT FLUSH")); /* too soon for another load: still nothing is lost */
    assert_int_equal(do_finish(a, c, "f", "{}"), QUEUE_DONE);
    seat_leave(a);
    assert_all_answered("f", 0);
}

/* ---- the connection is cut in each state of a call: waiting, written, answered but not read, read ---- */

enum step { STEP_ADMIT, STEP_FINISH, STEP_DELAY, STEP_RELEASE, STEP_BURY, STEPS };

static void start(struct seat *s, const struct queue_claim *c, enum step step, struct answer *ret)
{
    switch (step) {
    case STEP_ADMIT:
        queue_admit(s->queue, c->token, "c", "d", 60, on_admit, ret);
        break;
    case STEP_FINISH:
        queue_finish(s->queue, c->token, "c", "{}", 2, 60, "batch", on_answer, ret);
        break;
    case STEP_DELAY:
        queue_delay(s->queue, c->token, "c", loop_wall(loop) + 60000, CHARGE_INFRA, "[]", on_answer, ret);
        break;
    case STEP_RELEASE:
        queue_release(s->queue, c->token, "c", on_answer, ret);
        break;
    default:
        queue_bury(s->queue, c->token, "cut", NULL, NULL, 0, 60, NULL, on_answer, ret);
    }
}

static void cut_at(enum step step, int turns)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a = seat_new(loop, &set);
    struct queue_claim *c;
    struct answer answer = {0};

    push_id(server, "c");
    c = next_claim(a, 1);
    if (step != STEP_ADMIT && step != STEP_BURY)
        assert_int_equal(do_admit(a, c, "c", NULL), QUEUE_DONE);
    start(a, c, step, &answer);
    for (int i = 0; i < turns; i++)
        loop_turn(loop);
    poll(NULL, 0, 2);
    cut_all();
    wait_until(loop, answer.times > 0);
    loop_pass(loop, 20);
    assert_int_equal(answer.times, 1);
    assert_int_equal(answer.answer, QUEUE_DONE);
    assert_int_equal(a->lost, 0);
    if (step == STEP_ADMIT)
        assert_int_equal(do_finish(a, c, "c", "{}"), QUEUE_DONE);
    if (step == STEP_ADMIT || step == STEP_FINISH)
        assert_int_equal(redis_number(server, "LLEN " K("result:c")), 1);
    if (step == STEP_FINISH)
        assert_int_equal(redis_number(server, "LLEN " K("reply:batch")), 1);
    if (step == STEP_DELAY) {
        assert_int_equal(redis_number(server, "HGET " K("task:c") " infra"), 1);
        assert_int_equal(redis_number(server, "ZREM " K("delayed") " c"), 1);
    }
    if (step == STEP_RELEASE)
        assert_int_equal(redis_number(server, "LLEN " K("requests")), 1);
    if (step == STEP_BURY)
        assert_int_equal(redis_number(server, "LLEN " K("dead")), 1);
    seat_leave(a);
    assert_clean();
}

static void cut_in_each_state(void **state)
{
    (void)state;
    for (int step = 0; step < STEPS; step++)
        for (int turns = 0; turns < 5; turns++) {
            empty_redis();
            cut_at((enum step)step, turns);
        }
}

/* An answer to a claim that never arrives must not leave anything with a worker that does not know of it. */
static void cut_while_claiming(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a = seat_new(loop, &set);

    (void)state;
    push_many("w", 20);
    queue_want(a->queue, 5, false);
    loop_turn(loop);
    poll(NULL, 0, 5);
    cut_all();
    wait_until(loop, !a->connected);
    seat_work(a, 5);
    wait_until(loop, a->finished == 20);
    for (size_t i = 0; i < a->claims; i++) /* what came before the cut */
        assert_int_equal(do_release(a, a->claim[i], NULL), QUEUE_DONE);
    wait_until(loop, redis_number(server, "HGET " K("stats") " finished") == 20);
    seat_leave(a);
    assert_all_answered("w", 20);
}

/* ---- storms ---- */

/* An empty inbox alone does not mean it: the answer to the last claim may still be on its way, and of what was pushed
 * twice the second may still wait. */
static bool is_done(const struct seat *a, const struct seat *b)
{
    return a->running + b->running == 0 && a->connected && b->connected &&
           redis_number(server, "HGET " K("stats") " finished") >= STORM &&
           redis_number(server, "LLEN " K("requests")) + redis_number(server, "ZCARD " K("in_flight")) == 0;
}

static void storm_of_cuts(void **state)
{
    struct queue_settings sa = seat_settings(server, "a"), sb = seat_settings(server, "b");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb);

    (void)state;
    push_many("s", STORM);
    push_many("s", STORM); /* each twice */
    seat_work(a, 7);
    seat_work(b, 50);
    for (int i = 0; i < 40 && redis_number(server, "HGET " K("stats") " finished") < STORM; i++) {
        loop_pass(loop, 1 + i % 7);
        cut_all();
        if (i % 10 == 0)
            loop_pass(loop, 300);
    }
    wait_until(loop, is_done(a, b));
    assert_int_equal(redis_number(server, "HGET " K("stats") " finished"), STORM);
    assert_int_equal(a->finished + b->finished, STORM);
    seat_leave(a);
    seat_leave(b);
    assert_all_answered("s", STORM);
}

/* kill -9 of Redis, again and again, with its append-only file. */
static void storm_of_kills(const char *options)
{
    struct redis_server *before = server;
    struct seat *a, *b;
    struct queue_settings sa, sb;

    server = redis_server_start(options);
    sa = seat_settings(server, "a");
    sb = seat_settings(server, "b");
    a = seat_new(loop, &sa);
    b = seat_new(loop, &sb);
    push_many("k", STORM);
    seat_work(a, 2);
    seat_work(b, 1);
    for (int i = 0; i < 6; i++) {
        size_t goal = a->finished + b->finished + STORM / 10;

        wait_until(loop, a->finished + b->finished >= goal);
        for (int turn = 0; turn < i; turn++)
            loop_turn(loop);
        assert_true(redis_number(server, "LLEN " K("requests")) > 0); /* in the middle of it */
        redis_server_kill(server);
        loop_pass(loop, 20);
        redis_server_again(server);
    }
    wait_until(loop, is_done(a, b));
    assert_int_equal(redis_number(server, "HGET " K("stats") " finished"), STORM);
    assert_int_equal(a->lost + b->lost, 0);
    seat_leave(a);
    seat_leave(b);
    assert_all_answered("k", STORM);
    redis_server_stop(server);
    server = before;
}

static void storm_of_kills_always(void **state)
{
    (void)state;
    storm_of_kills("appendonly yes appendfsync always");
}

static void storm_of_kills_everysec(void **state)
{
    (void)state;
    storm_of_kills("appendonly yes appendfsync everysec");
}

static bool token_after(const char *later, const char *earlier)
{
    return strtoll(later, NULL, 10) > strtoll(earlier, NULL, 10);
}

/* A Redis that forgets everything: the claims are gone, and what was pushed again is run. */
static void redis_forgets(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a = seat_new(loop, &set);
    struct answer late = {0};

    (void)state;
    push_many("g", 2);
    queue_want(a->queue, 2, false);
    wait_until(loop, a->claims == 2);
    assert_int_equal(do_admit(a, a->claim[0], "g0", NULL), QUEUE_DONE);
    freeReplyObject(redis_do(server, "FLUSHALL"));
    queue_finish(a->queue, a->claim[0]->token, "g0", "{}", 2, 60, NULL, on_answer, &late);
    wait_until(loop, a->lost + (size_t)late.times >= 2); /* the next beat tells */
    assert_int_equal(late.times, 1);
    assert_int_equal(late.answer, QUEUE_LOST);
    wait_until(loop, a->leased);
    push_id(server, "g0");
    assert_true(token_after(next_claim(a, 1)->token, a->claim[1]->token)); /* no number is given twice */
    assert_int_equal(do_admit(a, a->claim[2], "g0", NULL), QUEUE_DONE);
    assert_int_equal(do_finish(a, a->claim[2], "g0", "{}"), QUEUE_DONE);
    seat_leave(a);
}

/* ---- a Redis that is full, or not itself ---- */

static void full(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a;
    redisReply *r;
    int64_t begin;

    (void)state;
    set.reap_ms = 100000;
    a = seat_new(loop, &set);
    push_many("o", 100);
    freeReplyObject(redis_do(server, "CONFIG SET maxmemory 1"));
    r = redis_try(server, "RPUSH " K("requests") " x");
    assert_int_equal(r->type, REDIS_REPLY_ERROR); /* producers are told */
    freeReplyObject(r);
    cut_all();
    freeReplyObject(redis_do(server, "SCRIPT FLUSH"));
    seat_work(a, 10);
    wait_until(loop, a->finished == 100); /* and it is drained all the same, by who comes new as well */
    freeReplyObject(redis_do(server, "CONFIG RESETSTAT"));
    begin = loop_now(loop);
    loop_pass(loop, 2500);
    /* One beat and one claim a second, and no tight loop though nothing can wait. */
    assert_in_range(calls_of("evalsha"), 1, 4 + 3 * (loop_now(loop) - begin) / 1000);
    freeReplyObject(redis_do(server, "CONFIG SET maxmemory 0"));
    push_id(server, "o100");
    wait_until(loop, a->finished == 101);
    seat_leave(a);
    assert_all_answered("o", 101);
}

static void eviction_is_told(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a;

    (void)state;
    freeReplyObject(redis_do(server, "CONFIG SET maxmemory 100mb maxmemory-policy allkeys-lru"));
    a = seat_new(loop, &set);
    wait_until(loop, seat_was_told(a, "eviction"));
    seat_leave(a);
    freeReplyObject(redis_do(server, "CONFIG SET maxmemory 0 maxmemory-policy noeviction"));
    a = seat_new(loop, &set);
    loop_pass(loop, 50);
    assert_false(seat_was_told(a, "eviction"));
    seat_leave(a);
}

/* A server that becomes a replica answers READONLY and unblocks who waits: the seat comes back when it is over. */
static void becomes_a_replica(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a;

    (void)state;
    set.beat_ms = 50;
    a = seat_new(loop, &set);
    seat_work(a, 1);
    loop_pass(loop, 50);
    freeReplyObject(redis_do(server, "REPLICAOF 127.0.0.1 1"));
    wait_until(loop, !a->connected);
    loop_pass(loop, 200);
    freeReplyObject(redis_do(server, "REPLICAOF NO ONE"));
    wait_until(loop, a->connected);
    push_id(server, "m0");
    wait_until(loop, a->finished == 1);
    assert_int_equal(a->lost, 0);
    seat_leave(a);
    assert_all_answered("m", 1);
}

/* All that a worker needs of Redis; docs/protocol.md says the same. */
static void restricted_user(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    char url[256];
    struct seat *a;

    (void)state;
    freeReplyObject(redis_do(server,
                             "ACL SETUSER worker on >s%%3Cret ~execq:{t}:* -@all +@hash +@list +@sortedset "
                             "+@stream +@string +@scripting +del +expire +persist +exists +time +ping +memory|usage "
                             "+client|setname +info -script|flush -script|kill -function"));
    snprintf(url, sizeof(url), "redis+unix://worker:s%%253Cret@%s", server->url + strlen("redis+unix://"));
    set.url = url;
    a = seat_new(loop, &set);
    seat_work(a, 2);
    push_many("u", 10);
    wait_until(loop, a->finished == 10);
    loop_pass(loop, 100);
    assert_false(seat_was_told(a, "script-refused") || seat_was_told(a, "beat-refused"));
    seat_leave(a);
    assert_all_answered("u", 10);
    freeReplyObject(redis_do(server, "ACL DELUSER worker"));
}

static void wrong_password(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    char url[256];
    struct seat *a;

    (void)state;
    snprintf(url, sizeof(url), "redis+unix://nobody:hunter2@%s", server->url + strlen("redis+unix://"));
    set.url = url;
    a = seat_open(loop, &set);
    wait_until(loop, a->fault.kind == FAULT_REFUSED);
    assert_null(strstr(a->fault.text, "hunter2"));
    assert_int_equal(do_state(a, "x"), TASK_UNKNOWN); /* answered, though nobody is there to ask */
    seat_kill(a);
}

static bool cluster_is_ok(void)
{
    redisReply *r = redis_do(server, "CLUSTER INFO");
    bool ok = strstr(r->str, "cluster_state:ok") != NULL;

    freeReplyObject(r);
    return ok;
}

/* All keys of a step are in one slot, and declared. */
static void cluster(void **state)
{
    struct redis_server *before = server;
    struct queue_settings set;
    struct seat *a;

    (void)state;
    server = redis_server_start("cluster-enabled yes");
    freeReplyObject(redis_do(server, "CLUSTER ADDSLOTSRANGE 0 16383"));
    wait_until(loop, cluster_is_ok());
    set = seat_settings(server, "a");
    a = seat_new(loop, &set);
    push_many("c", 30);
    queue_want(a->queue, 3, false);
    wait_until(loop, a->claims == 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(do_admit(a, a->claim[i], ((const char *[]){"c0", "c1", "c2"})[i], NULL), QUEUE_DONE);
    assert_int_equal(do_delay(a, a->claim[0], "c0", 10, CHARGE_INFRA, "[]"), QUEUE_DONE);
    assert_int_equal(do_release(a, a->claim[1], "c1"), QUEUE_DONE);
    assert_int_equal(do_finish(a, a->claim[2], "c2", "{}"), QUEUE_DONE);
    seat_work(a, 10);
    wait_until(loop, a->finished == 29);
    seat_leave(a);
    assert_all_answered("c", 30);
    redis_server_stop(server);
    server = before;
}

/* ---- idle ---- */

static void idle_is_quiet(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a;
    int64_t begin, periods;

    (void)state;
    set.beat_ms = 5000;
    set.reap_ms = 10000;
    a = seat_new(loop, &set);
    seat_work(a, 10);
    loop_pass(loop, 200);
    freeReplyObject(redis_do(server, "CONFIG RESETSTAT"));
    begin = loop_now(loop);
    loop_pass(loop, 2000);
    periods = 1 + (loop_now(loop) - begin) / set.beat_ms;
    assert_in_range(calls_of("evalsha") + calls_of("blmove") + calls_of("hgetall"), 0, 4 * periods);
    push_id(server, "i0");
    wait_until(loop, a->finished == 1);
    periods = 1 + (loop_now(loop) - begin) / set.beat_ms;
    assert_in_range(calls_of("evalsha"), 3, 5 + 3 * periods); /* claim, admit, finish, and one that finds nothing */
    seat_leave(a);
    assert_all_answered("i", 1);
}

static size_t finished_by(struct seat *const crowd[], size_t n)
{
    size_t finished = 0;

    for (size_t i = 0; i < n; i++)
        finished += crowd[i]->finished;
    return finished;
}

/* Many idle workers, and a request now and then: each is done once, and none asks more than once for each. (How few
 * of them ask depends on the time between two.) */
static void idle_crowd(void **state)
{
    enum { CROWD = 40, PUSHES = 20 };
    struct seat *crowd[CROWD];

    (void)state;
    for (int i = 0; i < CROWD; i++) {
        char name[16];
        struct queue_settings set = seat_settings(server, name);

        snprintf(name, sizeof(name), "w%d", i);
        set.beat_ms = 5000;
        set.reap_ms = 100000;
        crowd[i] = seat_new(loop, &set);
        seat_work(crowd[i], 1);
    }
    loop_pass(loop, 300);
    freeReplyObject(redis_do(server, "CONFIG RESETSTAT"));
    for (int i = 0; i < PUSHES; i++) {
        char id[16];

        snprintf(id, sizeof(id), "n%d", i);
        push_id(server, id);
        loop_pass(loop, 5);
    }
    wait_until(loop, finished_by(crowd, CROWD) >= PUSHES);
    assert_int_equal(finished_by(crowd, CROWD), PUSHES);
    assert_int_equal(redis_number(server, "HGET " K("stats") " finished"), PUSHES);
    assert_in_range(calls_of("evalsha"), 3 * PUSHES, 3 * PUSHES + CROWD * PUSHES + 4 * CROWD);
    for (int i = 0; i < CROWD; i++)
        seat_leave(crowd[i]);
    assert_all_answered("n", PUSHES);
}

int main(void)
{
#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, test_open, test_close)
    const struct CMUnitTest tests[] = {
        FAULT_TEST(script_flush),
        FAULT_TEST(cut_in_each_state),
        FAULT_TEST(cut_while_claiming),
        FAULT_TEST(storm_of_cuts),
        FAULT_TEST(storm_of_kills_always),
        FAULT_TEST(storm_of_kills_everysec),
        FAULT_TEST(redis_forgets),
        FAULT_TEST(full),
        FAULT_TEST(eviction_is_told),
        FAULT_TEST(becomes_a_replica),
        FAULT_TEST(restricted_user),
        FAULT_TEST(wrong_password),
        FAULT_TEST(cluster),
        FAULT_TEST(idle_is_quiet),
        FAULT_TEST(idle_crowd),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
