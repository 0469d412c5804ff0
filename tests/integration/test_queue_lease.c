/* Seats that die, stall, come back and leave. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "integration/seat.h"
#include "unit/check.h"

/* A seat whose lease is short enough for a test. */
static struct queue_settings quick(const char *worker)
{
    struct queue_settings set = seat_settings(server, worker);

    set.lease_ms = 400;
    set.beat_ms = 40;
    set.reap_ms = 40;
    return set;
}

/* One that beats so seldom that others take it for dead, while it is sure of itself. */
static struct queue_settings sluggish(const char *worker)
{
    struct queue_settings set = seat_settings(server, worker);

    set.beat_ms = 20000;
    set.reap_ms = 60000;
    return set;
}

static void wait_for_claims(struct seat *s, size_t n)
{
    queue_want(s->queue, (unsigned)(n - s->claims), false);
    wait_until(loop, s->claims >= n);
}

static struct queue_claim *claim_alone(struct seat *s)
{
    size_t before = s->claims;

    queue_want(s->queue, 1, true);
    wait_until(loop, s->claims > before);
    return s->claim[before];
}

static void unadmitted_goes_back_in_order(void **state)
{
    struct queue_settings sa = sluggish("a"), sb = quick("b");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb);

    (void)state;
    for (int i = 0; i < 40; i++) {
        char id[8];

        snprintf(id, sizeof(id), "o%d", i);
        push_id(server, id);
    }
    wait_for_claims(a, 30);
    seat_kill(a);
    wait_until(loop, redis_number(server, "LLEN " K("requests")) == 40);
    wait_for_claims(b, 40);
    for (int i = 0; i < 40; i++) {
        char id[8];

        snprintf(id, sizeof(id), "\"o%d\"", i);
        assert_non_null(strstr(b->claim[i]->payload, id));
    }
    wait_until(loop, seat_was_told(b, "worker-dead") && seat_was_told(b, "recovered"));
    assert_int_equal(redis_number(server, "HLEN " K("losses")), 30);
    assert_true(redis_number(server, "TTL " K("losses")) > 0);
    seat_leave(b);
    freeReplyObject(redis_do(server, "DEL " K("requests")));
}

static void who_lives(void **state)
{
    struct queue_settings sa = sluggish("a"), sb = quick("b"), sc = quick("c");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb), *c = seat_new(loop, &sc);

    (void)state;
    assert_true(do_alive(b, "a") && do_alive(b, "b") && do_alive(b, "c"));
    assert_false(do_alive(b, "nobody"));
    seat_leave(c);
    assert_false(do_alive(b, "c"));
    seat_kill(a);
    wait_until(loop, seat_was_told(b, "worker-dead"));
    assert_false(do_alive(b, "a"));
    seat_leave(b);
}

static void admitted_goes_on(void **state)
{
    struct queue_settings sa = sluggish("a"), sb = quick("b");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb);
    struct queue_claim *c;
    struct answer admitted;

    (void)state;
    push_id(server, "x");
    c = next_claim(a, 1);
    assert_int_equal(do_admit(a, c, "x", NULL), QUEUE_DONE);
    seat_kill(a);
    c = next_claim(b, 1);
    assert_int_equal(do_admit(b, c, "x", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.losses, 1);
    assert_int_equal(admitted.task.attempt, 1); /* a loss is nobody's retry */
    assert_int_equal(do_finish(b, c, "x", "{}"), QUEUE_DONE);
    seat_leave(b);
    assert_int_equal(redis_number(server, "LLEN " K("result:x")), 1);
}

/* The dead one was not dead: whatever it still sends changes nothing. */
static void zombie(void **state)
{
    struct queue_settings sa = sluggish("a"), sb = quick("b");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb);
    struct queue_claim *ca, *cb, *idle;
    char *result;

    (void)state;
    push_id(server, "z");
    push_id(server, "idle");
    queue_want(a->queue, 2, false);
    wait_until(loop, a->claims == 2);
    ca = a->claim[0];
    idle = a->claim[1];
    assert_int_equal(do_admit(a, ca, "z", NULL), QUEUE_DONE);
    cb = next_claim(b, 1);
    assert_int_equal(do_finish(a, ca, "z", "\"zombie, waiting\""), QUEUE_LOST);
    assert_int_equal(do_admit(b, cb, "z", NULL), QUEUE_DONE);
    assert_int_equal(do_finish(a, ca, "z", "\"zombie, running\""), QUEUE_LOST);
    assert_int_equal(do_delay(a, ca, "z", 0, CHARGE_INFRA, "[]"), QUEUE_LOST);
    assert_int_equal(do_release(a, ca, "z"), QUEUE_LOST);
    assert_int_equal(do_bury(a, ca, "zombie", NULL, NULL), QUEUE_LOST);
    assert_int_equal(do_finish(b, cb, "z", "\"right\""), QUEUE_DONE);
    assert_int_equal(do_finish(a, ca, "z", "\"zombie, finished\""), QUEUE_LOST);
    result = redis_string(server, "LINDEX " K("result:z") " 0");
    assert_string_equal(result, "\"right\"");
    free(result);
    assert_int_equal(redis_number(server, "LLEN " K("result:z")), 1);
    assert_int_equal(a->lost, 0); /* it was answered instead */

    /* It hears of it when it asks for more: the rest is lost, and it begins anew under the next name. */
    cb = next_claim(b, 1);
    assert_int_equal(do_finish(b, cb, "idle", "{}"),
                     QUEUE_DONE); /* without admission: Redis forgot, the claim is ours */
    queue_want(a->queue, 1, false);
    push_id(server, "next");
    wait_until(loop, a->lost == 1);
    assert_string_equal(a->last_lost, idle->token);
    assert_true(seat_was_told(a, "lease-lost"));
    wait_until(loop, a->claims == 3);
    assert_string_equal(queue_worker(a->queue), "a.2");
    assert_int_equal(do_admit(a, a->claim[2], "next", NULL), QUEUE_DONE);
    assert_int_equal(do_finish(a, a->claim[2], "next", "{}"), QUEUE_DONE);
    seat_leave(a);
    seat_leave(b);
}

/* A call that waits for its answer when the lease is lost is answered so, once. */
static void lost_while_asking(void **state)
{
    struct queue_settings sa = sluggish("a");
    struct seat *a = seat_new(loop, &sa);
    struct answer one = {0}, two = {0};

    (void)state;
    push_id(server, "q1");
    push_id(server, "q2");
    wait_for_claims(a, 2);
    freeReplyObject(redis_do(server, "HSET " K("workers") " a dead"));
    freeReplyObject(redis_do(server, "DEL " K("claims:a") " " K("in_flight")));
    queue_want(a->queue, 1, false);
    queue_admit(a->queue, a->claim[0]->token, "q1", "d", 60, on_admit, &one);
    push_id(server, "q3");
    wait_until(loop, one.times == 1 && a->claims == 3);
    assert_int_equal(one.answer, QUEUE_LOST);
    assert_int_equal(a->lost, 1);
    assert_string_equal(a->last_lost, a->claim[1]->token);
    queue_finish(a->queue, a->claim[1]->token, "q2", "{}", 2, 60, NULL, on_answer, &two);
    wait_until(loop, two.times == 1);
    assert_int_equal(one.times, 1);
    seat_leave(a);
    freeReplyObject(redis_do(server, "DEL " K("requests") " " K("workers")));
}

static struct json_object *json_of(char *text)
{
    struct json_object *o = NULL;
    struct fault f = FAULT_INIT;

    assert_non_null(text);
    if (field_parse(text, strlen(text), 8, &o, &f) < 0)
        fail_msg("%s in %s", f.text, text);
    free(text);
    return o;
}

static void kill_holder(const char *name, const char *id, bool admit, bool alone)
{
    struct queue_settings set = sluggish(name);
    struct seat *s = seat_new(loop, &set);
    struct queue_claim *c = alone ? claim_alone(s) : next_claim(s, 1);

    assert_int_equal(c->quarantined, alone);
    if (admit)
        assert_int_equal(do_admit(s, c, id, NULL), QUEUE_DONE);
    seat_kill(s);
}

static void poison(void **state)
{
    static const char payload[] = "{\"id\":\"p\",\"code\":\"x\",\"meta\":{\"n\":123456789012345678901234567890},"
                                  "\"reply_to\":\"batch\",\"result_ttl_s\":42,\"trace\":"
                                  "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}";
    struct queue_settings sb = quick("b");
    struct seat *b = seat_new(loop, &sb);
    _cleanup_(field_putp)
    struct json_object *o = NULL;

    (void)state;
    redis_push(server, K("requests"), payload, strlen(payload));
    kill_holder("a1", "p", true, false);
    wait_until(loop, redis_number(server, "LLEN " K("requests")) == 1);
    kill_holder("a2", "p", true, false);
    wait_until(loop, redis_number(server, "LLEN " K("quarantine")) == 1);
    wait_until(loop, seat_was_told(b, "quarantine"));
    queue_want(b->queue, 5, false); /* not alone: it is not for this one */
    loop_pass(loop, 150);
    assert_int_equal(b->claims, 0);
    queue_want(b->queue, 0, false);
    kill_holder("a3", "p", true, true);
    wait_until(loop, redis_number(server, "LLEN " K("result:p")) == 1);
    wait_until(loop, seat_was_told(b, "poison"));
    o = json_of(redis_string(server, "LINDEX " K("result:p") " 0"));
    assert_string_equal(field_peek_string(o, "status"), "infra_error");
    assert_string_equal(field_peek_string(field_peek(o, "error"), "reason"), "poison");
    assert_non_null(field_peek_string(o, "trace"));
    {
        char *text = redis_string(server, "LINDEX " K("reply:batch") " 0");

        assert_non_null(strstr(text, "123456789012345678901234567890"));
        free(text);
    }
    assert_int_equal(redis_number(server, "LLEN " K("dead")), 1);
    assert_int_equal(redis_number(server, "LLEN " K("quarantine")), 0);
    assert_int_equal(do_state(b, "p"), TASK_FINISHED);
    assert_in_range(redis_number(server, "TTL " K("result:p")), 40, 42); /* as it asked for */
    seat_leave(b);
}

static void survives_quarantine(void **state)
{
    struct queue_settings sb = quick("b");
    struct seat *b = seat_new(loop, &sb);
    struct queue_claim *c;
    struct answer admitted;

    (void)state;
    push_id(server, "s");
    kill_holder("a1", "s", true, false);
    wait_until(loop, redis_number(server, "LLEN " K("requests")) == 1);
    kill_holder("a2", "s", true, false);
    wait_until(loop, redis_number(server, "LLEN " K("quarantine")) == 1);
    c = claim_alone(b);
    assert_int_equal(do_release(b, c, NULL), QUEUE_DONE); /* back to where it was */
    assert_int_equal(redis_number(server, "LLEN " K("quarantine")), 1);
    c = claim_alone(b);
    assert_int_equal(do_admit(b, c, "s", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.losses, 2);
    assert_int_equal(do_delay(b, c, "s", 0, CHARGE_INFRA, "[]"), QUEUE_DONE);
    c = claim_alone(b);
    assert_true(c->quarantined);
    assert_int_equal(do_admit(b, c, "s", &admitted), QUEUE_DONE);
    assert_int_equal(do_finish(b, c, "s", "{}"), QUEUE_DONE);
    seat_leave(b);
}

/* What kills the parser has no id yet: it is known by its bytes. */
static void poison_without_id(void **state)
{
    struct queue_settings sb = quick("b");
    struct seat *b = seat_new(loop, &sb);
    _cleanup_(field_putp)
    struct json_object *o = NULL;

    (void)state;
    redis_push(server, K("requests"), "]]]]", 4);
    kill_holder("a1", NULL, false, false);
    wait_until(loop, redis_number(server, "LLEN " K("requests")) == 1);
    kill_holder("a2", NULL, false, false);
    wait_until(loop, redis_number(server, "LLEN " K("quarantine")) == 1);
    kill_holder("a3", NULL, false, true);
    wait_until(loop, redis_number(server, "LLEN " K("dead")) == 1);
    o = json_of(redis_string(server, "LINDEX " K("dead") " 0"));
    assert_string_equal(field_peek_string(o, "reason"), "poison");
    assert_string_equal(field_peek_string(o, "payload"), "]]]]");
    wait_until(loop, redis_number(server, "EXISTS " K("claims:a3")) == 0);
    seat_leave(b);
}

/* While Redis stands still nobody's counter moves: that is nobody's death. */
static void redis_stalls(void **state)
{
    struct queue_settings sa = quick("a"), sb = quick("b");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb);

    (void)state;
    push_id(server, "r");
    next_claim(a, 1);
    loop_pass(loop, 100);
    assert_true(queue_may_write(a->queue));
    redis_server_pause(server, true);
    wait_until(loop, !a->leased && !b->leased); /* a whole lease without a confirmed beat */
    assert_false(queue_may_write(a->queue));
    loop_pass(loop, 500);
    redis_server_pause(server, false);
    wait_until(loop, a->leased && b->leased);
    assert_true(queue_may_write(a->queue));
    loop_pass(loop, 300);
    assert_int_equal(a->lost + b->lost, 0);
    assert_string_equal(queue_worker(a->queue), "a");
    assert_string_equal(queue_worker(b->queue), "b");
    assert_int_equal(do_admit(a, a->claim[0], "r", NULL), QUEUE_DONE);
    assert_int_equal(do_finish(a, a->claim[0], "r", "{}"), QUEUE_DONE);
    seat_leave(a);
    seat_leave(b);
}

/* A reaper that died after it had marked one dead: the next goes on with it, and forgets it in the end. */
static void reaper_died(void **state)
{
    struct queue_settings sa = sluggish("a"), sb = quick("b");
    struct seat *a = seat_new(loop, &sa), *b;

    (void)state;
    push_id(server, "h");
    next_claim(a, 1);
    seat_kill(a);
    freeReplyObject(redis_do(server, "HSET " K("workers") " a %s", "dead 1700000000000"));
    sb.lease_ms = 60000; /* it would not mark it so soon */
    b = seat_new(loop, &sb);
    next_claim(b, 1);
    wait_until(loop, redis_number(server, "HEXISTS " K("workers") " a") == 0);
    assert_int_equal(do_finish(b, b->claim[0], "h", "{}"), QUEUE_DONE);
    seat_leave(b);
}

static void retired_stays_known(void **state)
{
    struct queue_settings sa = sluggish("a"), sb = quick("b");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb);
    char *mark;

    (void)state;
    seat_kill(a);
    wait_until(loop, seat_was_told(b, "worker-dead"));
    loop_pass(loop, 200);
    mark = redis_string(server, "HGET " K("workers") " a");
    assert_memory_equal(mark, "dead ", 5); /* for ten minutes: a late claim would be found */
    free(mark);
    seat_leave(b);
}

/* What only hands can do: an entry that nobody holds, and a holder that nobody knows. */
static void reconciled(void **state)
{
    struct queue_settings sb = quick("b");
    struct seat *b;

    (void)state;
    freeReplyObject(redis_do(server, "ZADD " K("in_flight") " 1700000000000 7:nobody"));
    freeReplyObject(redis_do(server, "ZADD " K("in_flight") " 1700000000000 8:ghost"));
    freeReplyObject(redis_do(server, "HSET " K("claims:ghost") " 8:ghost %s", "requests\n{\"id\":\"g\"}"));
    b = seat_new(loop, &sb);
    next_claim(b, 1);
    assert_string_equal(b->claim[0]->payload, "{\"id\":\"g\"}");
    wait_until(loop, redis_number(server, "ZCARD " K("in_flight")) == 1);
    assert_int_equal(do_finish(b, b->claim[0], "g", "{}"), QUEUE_DONE);
    seat_leave(b);
}

/* Two of one name, or one that came back too soon after a crash: no request may be passed on uncounted. */
static void same_name(void **state)
{
    struct queue_settings first = sluggish("a"), second = quick("a");
    struct seat *a = seat_new(loop, &first), *b;
    struct answer admitted;

    (void)state;
    push_id(server, "n");
    next_claim(a, 1);
    assert_int_equal(do_admit(a, a->claim[0], "n", NULL), QUEUE_DONE);
    b = seat_new(loop, &second);
    assert_true(seat_was_told(b, "name-taken"));
    assert_string_equal(queue_worker(b->queue), "a.2");
    seat_kill(a);
    next_claim(b, 1);
    assert_int_equal(do_admit(b, b->claim[0], "n", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.losses, 1);
    assert_int_equal(do_finish(b, b->claim[0], "n", "{}"), QUEUE_DONE);
    seat_leave(b);
}

static void one_identity(void **state)
{
    struct queue_settings sa = quick("a"), sb = quick("b");
    struct seat *a = seat_new(loop, &sa), *b = seat_new(loop, &sb);

    (void)state;
    assert_string_equal(queue_uid(a->queue), queue_uid(b->queue));
    seat_leave(a);
    seat_leave(b);
}

static void other_protocol(void **state)
{
    struct queue_settings sa = quick("a");
    struct seat *a;

    (void)state;
    freeReplyObject(redis_do(server, "HSET " K("meta") " protocol 99"));
    a = seat_open(loop, &sa);
    wait_until(loop, a->fault.kind == FAULT_REFUSED);
    assert_non_null(strstr(a->fault.text, "99"));
    assert_false(a->connected);
    freeReplyObject(redis_do(server, "HSET " K("meta") " protocol 1")); /* it asks again by itself */
    wait_until(loop, a->connected);
    seat_leave(a);
}

static void bad_settings(void **state)
{
    struct queue_settings good = quick("a"), set;
    struct queue_events on = {0};
    struct queue *q = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
#define REFUSED(field, value)                                 \
    set = good;                                               \
    set.field = (value);                                      \
    assert_int_equal(queue_new(loop, &set, &on, &q, &f), -1); \
    assert_int_equal(f.kind, FAULT_INVALID)
    REFUSED(name, "a{b");
    REFUSED(worker, "a:b");
    REFUSED(url, "http://x");
    REFUSED(beat_ms, 0);
    REFUSED(lease_ms, 100);
    REFUSED(payload_max, 0);
    REFUSED(payload_max, 3 << 20);
    assert_null(q);
}

int main(void)
{
#define LEASE_TEST(name) cmocka_unit_test_setup_teardown(name, test_open, test_close)
    const struct CMUnitTest tests[] = {
        LEASE_TEST(unadmitted_goes_back_in_order),
        LEASE_TEST(who_lives),
        LEASE_TEST(admitted_goes_on),
        LEASE_TEST(zombie),
        LEASE_TEST(lost_while_asking),
        LEASE_TEST(poison),
        LEASE_TEST(survives_quarantine),
        LEASE_TEST(poison_without_id),
        LEASE_TEST(redis_stalls),
        LEASE_TEST(reaper_died),
        LEASE_TEST(retired_stays_known),
        LEASE_TEST(reconciled),
        LEASE_TEST(same_name),
        LEASE_TEST(one_identity),
        LEASE_TEST(other_protocol),
        LEASE_TEST(bad_settings),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
