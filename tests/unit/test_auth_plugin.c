/* Credentials that a plugin gives: when it is run, for how long what it gave is used, and what if it fails. */
#include "unit/auth_world.h"

#include "fake/fake_exec.h"

static void test_plugin(void **state)
{
    struct world *w = *state;
    int64_t end = loop_wall(w->loop) + 3600000;

    w->config.exec = &w->exec;
    world_start(w);
    assert_int_equal(fake_exec_runs(), 0); /* not before it is needed */
    ask(w);
    ask(w);
    assert_int_equal(fake_exec_runs(), 1); /* one run for both */
    assert_int_equal(got.times, 0);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 2);
    expect_header(w, "Authorization: Bearer t1");
    fake_loop_advance(w->loop, 3600000 - 301000);
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 1);
    fake_loop_advance(w->loop, 2000); /* early, and nobody waits for it */
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    expect_header(w, "Authorization: Bearer t1"); /* the old one is good still */
    assert_int_equal(fake_exec_runs(), 2);        /* and it is not run again at once */
    fake_loop_advance(w->loop, 1000);
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 3);
    fake_loop_advance(w->loop, 290000); /* within a call of its end */
    ask(w);
    fake_exec_give("t2", NULL, NULL, 0);
    fake_loop_settle(w->loop);
    assert_string_equal(got.header, "Authorization: Bearer t2");
    fake_loop_advance(w->loop, 100000000); /* without an end it stays until it is refused */
    expect_header(w, "Authorization: Bearer t2");
    assert_int_equal(fake_exec_runs(), 3);
}

static void test_plugin_refused(void **state)
{
    struct world *w = *state;
    uint64_t old;

    w->config.exec = &w->exec;
    world_start(w);
    ask(w);
    fake_exec_give("t1", w->one.client_cert, w->one.client_key, 0);
    fake_loop_settle(w->loop);
    assert_string_equal(got.cert, w->one.client_cert);
    old = got.serial;
    assert_false(auth_refused(w->auth, old)); /* it was run a moment ago: not again for every call */
    fake_loop_advance(w->loop, 10000);
    assert_true(auth_refused(w->auth, old));
    ask(w);
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_give(NULL, w->two.client_cert, w->two.client_key, 0);
    fake_loop_settle(w->loop);
    assert_string_equal(got.header, "");
    assert_string_equal(got.cert, w->two.client_cert);
    assert_true(auth_refused(w->auth, old)); /* said of the old ones: there are new ones */
    expect_header(w, "");
    assert_int_equal(fake_exec_runs(), 2);
}

/* As plugins do that keep their token until its very end: what they give is as good as ended. It is taken for what it
 * is, and the plugin is not run again and again for that. */
static void test_plugin_gives_what_ends(void **state)
{
    struct world *w = *state;
    int64_t end = loop_wall(w->loop) + 5000;

    w->config.exec = &w->exec;
    world_start(w);
    ask(w);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 1);
    assert_string_equal(got.header, "Authorization: Bearer t1");
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 1);
    fake_loop_advance(w->loop, 1000); /* once a second it is asked for a better one */
    ask(w);
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_settle(w->loop);
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 2);
    assert_false(auth_refused(w->auth, got.serial));
    fake_loop_advance(w->loop, 1000);
    ask(w);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    assert_string_equal(got.fault.text, "no luck"); /* what it gave before is no answer then */
    fake_loop_advance(w->loop, 1000);
    ask(w);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_advance(w->loop, 1000);
    assert_true(auth_refused(w->auth, got.serial)); /* not kept from asking by that it was run of late */
    ask(w);
    fake_exec_give("t2", NULL, NULL, end + 3600000);
    fake_loop_settle(w->loop);
    expect_header(w, "Authorization: Bearer t2");
    assert_int_equal(fake_exec_runs(), 5);
}

static void test_plugin_fails(void **state)
{
    struct world *w = *state;

    w->config.exec = &w->exec;
    world_start(w);
    ask(w);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 1);
    assert_string_equal(got.fault.text, "no luck");
    assert_int_equal(got.fault.code, AUTH_PLUGIN);
    ask(w); /* at once again: the same answer without a run */
    assert_int_equal(got.times, 2);
    assert_int_equal(fake_exec_runs(), 1);
    fake_loop_advance(w->loop, 1000);
    ask(w);
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    fake_loop_advance(w->loop, 1000);
    ask(w);
    assert_int_equal(fake_exec_runs(), 2); /* ever less often */
    fake_loop_advance(w->loop, 1000);
    ask(w);
    assert_int_equal(fake_exec_runs(), 3);
}

/* What the entry brings itself goes before the plugin. */
static void test_plugin_not_needed(void **state)
{
    struct world *w = *state;

    w->config.exec = &w->exec;
    w->config.token = TEXT("t");
    world_start(w);
    expect_header(w, "Authorization: Bearer t");
    assert_int_equal(fake_exec_runs(), 0);
}

static void test_cancel(void **state)
{
    struct world *w = *state;
    struct auth_wait *one, *two;

    w->config.exec = &w->exec;
    world_start(w);
    one = auth_ask(w->auth, on_credentials, NULL);
    auth_cancel(&one);
    auth_ask(w->auth, on_credentials, NULL);
    two = auth_ask(w->auth, on_credentials, NULL);
    fake_loop_settle(w->loop);
    auth_cancel(&two);
    auth_cancel(&two);
    fake_exec_give("t", NULL, NULL, 0);
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 1);
    fake_loop_advance(w->loop, 10000);
    assert_true(auth_refused(w->auth, got.serial));
    auth_ask(w->auth, on_credentials, NULL); /* and freed with this outstanding, its plugin at work */
    fake_loop_settle(w->loop);
    assert_true(fake_exec_running());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_plugin),       WITH_WORLD(test_plugin_refused),    WITH_WORLD(test_plugin_gives_what_ends),
        WITH_WORLD(test_plugin_fails), WITH_WORLD(test_plugin_not_needed), WITH_WORLD(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
