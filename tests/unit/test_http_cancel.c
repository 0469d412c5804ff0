/* Requests that are cancelled, or whose client is freed: at any time, and inside of callbacks. */
#include "unit/http_world.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

static void test_cancel_any_time(void **state)
{
    struct world *w = *state;
    struct http_ask a = get_ask(w);
    struct outcome o;

    for (int ms = -1; ms < 8; ms++) {
        outcome_init(&o, w);
        script_server_handle(w->server, ms % 2 ? script_silence : script_echo, NULL);
        o.in_done = NULL;
        o.request = http_start(w->http, &a, on_done, &o);
        if (ms >= 0)
            world_turn(w, ms);
        http_cancel(&o.request);
        assert_null(o.request);
        http_cancel(&o.request);
        ms == -1 ? world_turn(w, 5) : (void)0;
        assert_true(o.times <= 1);
        outcome_release(&o);
    }
}

static void cancel_itself(struct outcome *o)
{
    http_cancel(&o->request);
    loop_stop(o->world->loop);
}

static void cancel_other(struct outcome *o)
{
    http_cancel(&o->other);
    loop_stop(o->world->loop);
}

static void test_cancel_inside_callbacks(void **state)
{
    struct world *w = *state;
    struct http_ask a = get_ask(w);
    struct outcome one, two;

    script_server_handle(w->server, script_three_pieces, NULL);
    outcome_init(&one, w);
    a.on_bytes = on_bytes;
    one.in_bytes = cancel_itself;
    one.request = http_start(w->http, &a, on_done, &one);
    loop_run(w->loop);
    world_turn(w, 60); /* the rest would come now */
    assert_int_equal(one.times, 0);
    assert_int_equal(one.streamed.len, 5);
    outcome_release(&one);

    script_server_handle(w->server, script_echo, NULL);
    a.on_bytes = NULL;
    outcome_init(&one, w);
    outcome_init(&two, w);
    one.request = http_start(w->http, &a, on_done, &one);
    two.request = http_start(w->http, &a, on_done, &two);
    one.in_done = two.in_done = cancel_other;
    one.other = two.request;
    two.other = one.request;
    loop_run(w->loop);
    world_turn(w, 30);
    assert_int_equal(one.times + two.times, 1);
    outcome_release(&one);
    outcome_release(&two);
}

static void free_all(struct outcome *o)
{
    http_free(o->world->http);
    o->world->http = NULL;
    loop_stop(o->world->loop);
}

static void test_free_with_requests_outstanding(void **state)
{
    struct world *w = *state;
    struct http_ask a = get_ask(w), b = get_ask(w);
    struct outcome one, two;

    script_server_handle(w->server, script_three_pieces, NULL);
    outcome_init(&one, w);
    outcome_init(&two, w);
    a.on_bytes = on_bytes;
    one.in_bytes = free_all;
    http_start(w->http, &a, on_done, &one);
    http_start(w->http, &b, on_done, &two);
    loop_run(w->loop);
    world_turn(w, 50);
    assert_int_equal(one.times + two.times, 0);
    outcome_release(&one);
    outcome_release(&two);

    w->http = http_new(w->loop, 4);
    script_server_handle(w->server, script_echo, NULL);
    outcome_init(&one, w);
    one.in_done = free_all;
    http_start(w->http, &b, on_done, &one);
    loop_run(w->loop);
    assert_int_equal(one.times, 1);
    outcome_release(&one);
}

static int threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* "." and ".." */
}

/* A name server that does not answer holds nobody up: were the cancel to wait for the lookup, this would hang. */
static void test_cancel_during_name_lookup(void **state)
{
    struct world *w = *state;
    struct http_ask a = get_ask(w);
    struct outcome o;

    sem_init(&let_go, 0, 0);
    outcome_init(&o, w);
    a.url = "http://stuck.test/";
    o.request = http_start(w->http, &a, on_done, &o);
    world_turn(w, 20);
    http_cancel(&o.request);
    a.limit_ms = 50;
    o.request = http_start(w->http, &a, on_done, &o);
    loop_run(w->loop);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TIMEOUT);
    sem_post(&let_go);
    sem_post(&let_go);
    while (threads() > 1) /* libcurl's own that look names up: what they hold would count as leaked */
        usleep(1000);
    outcome_release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_cancel_any_time),
        WITH_WORLD(test_cancel_inside_callbacks),
        WITH_WORLD(test_free_with_requests_outstanding),
        WITH_WORLD(test_cancel_during_name_lookup),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
