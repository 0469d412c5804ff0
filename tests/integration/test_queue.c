/* The seat against a real redis-server: what a step does, and that each is done once. */
#include <event2/event.h>
#include <stdlib.h>

#include "integration/seat.h"
#include "unit/check.h"

static struct redis_server *server;
static struct loop *loop;

#define K(name) "execq:{t}:" name

static int open_all(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    server = redis_server_start("");
    return loop_new(&loop, &f);
}

static int close_all(void **state)
{
    (void)state;
    redis_server_stop(server);
    loop_free(loop);
    libevent_global_shutdown();
    return 0;
}

static int flush(void **state)
{
    (void)state;
    freeReplyObject(redis_do(server, "FLUSHALL"));
    freeReplyObject(redis_do(server, "CONFIG RESETSTAT"));
    return 0;
}

/* Nothing may be left behind by whoever is through with his work. */
static int assert_clean(void **state)
{
    redisReply *r = redis_do(server, "KEYS " K("claims:*"));

    (void)state;
    assert_int_equal(r->elements, 0);
    freeReplyObject(r);
    assert_int_equal(redis_number(server, "ZCARD " K("in_flight")), 0);
    assert_int_equal(redis_number(server, "ZCARD " K("delayed")), 0);
    return 0;
}

static void one_request(void **state)
{
    struct queue_settings set = seat_settings(server, "a");
    struct seat *a = seat_new(loop, &set);
    struct queue_claim *c;
    struct answer admitted;
    char *text;

    (void)state;
    push_id(server, "x1");
    c = next_claim(a, 3);
    assert_string_equal(c->payload, "{\"id\": \"x1\", \"code\": \"print(1)\"}");
    assert_false(c->oversized || c->over_cap || c->quarantined);
    assert_int_equal(redis_number(server, "ZCARD " K("in_flight")), 1);
    assert_int_equal(do_admit(a, c, "x1", &admitted), QUEUE_DONE);
    assert_int_equal(admitted.task.attempt, 1);
    assert_string_equal(admitted.history, "");
    assert_int_equal(do_state(a, "x1"), TASK_RUNNING);
    assert_int_equal(do_finish(a, c, "x1", "{\"id\":\"x1\"}"), QUEUE_DONE);
    assert_int_equal(do_state(a, "x1"), TASK_FINISHED);
    assert_int_equal(redis_number(server, "LLEN " K("result:x1")), 1);
    text = redis_string(server, "LINDEX " K("result:x1") " 0");
    assert_string_equal(text, "{\"id\":\"x1\"}");
    free(text);
    assert_int_equal(redis_number(server, "TTL " K("result:x1")), 600);
    assert_int_equal(redis_number(server, "TTL " K("task:x1")), 600);
    assert_true(strlen(queue_uid(a->queue)) == 32);
    seat_leave(a);
    assert_int_equal(redis_number(server, "EXISTS " K("workers")), 0);
    assert_int_equal(redis_number(server, "EXISTS " K("worker:a")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_request, flush, assert_clean),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
