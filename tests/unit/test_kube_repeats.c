/* What the client does when a call fails: which faults it repeats, after how long, on which connection, and when it
 * gives up. */
#include "unit/kube_world.h"

#include <json-c/json.h>

#include "base/cleanup.h"
#include "k8s/refusal.h"

static void test_repeats_what_passes(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    get_job(w, &o);
    fake_loop_settle(w->loop);
    fake_http_answer(0, 500, "");
    fake_loop_advance(w->loop, 201);
    assert_int_equal(fake_http_count(), 2);
    assert_false(fake_http_at(1)->fresh); /* a server that answers is not dead */
    fake_http_fail(1, FAULT_TRANSIENT, 0, "connection reset");
    fake_loop_advance(w->loop, 401);
    assert_int_equal(fake_http_count(), 3);
    assert_true(fake_http_at(2)->fresh);
    fake_http_answer(2, 200, "{broken");
    fake_loop_advance(w->loop, 801);
    assert_int_equal(fake_http_count(), 4);
    fake_http_answer(3, 200, "{\"v\":\"y\"}");
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_string_equal(o.text, "y");
    json_object_put(o.object);
}

static void test_gives_up_after_the_budget(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    answer_all(w, 503, "busy", 30000);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    assert_int_equal(o.fault.code, 503);
    assert_true(fake_http_count() > 6); /* pauses of at most 5 s */
    assert_int_equal(fake_http_open(), 0);
}

static void test_no_answer_at_all(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    get_job(w, &o);
    fake_loop_advance(w->loop, 11000);
    assert_int_equal(fake_http_count(), 2);
    assert_true(fake_http_at(1)->fresh);
    fake_loop_advance(w->loop, 18990);
    assert_int_equal(o.times, 0);
    fake_loop_advance(w->loop, 1000);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TIMEOUT);
    assert_int_equal(fake_http_open(), 0);
}

static void test_obeys_retry_after(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    get_job(w, &o);
    fake_loop_settle(w->loop);
    fake_http_answer_later(0, 429, 7000, "");
    fake_loop_advance(w->loop, 6999);
    assert_int_equal(fake_http_count(), 1);
    fake_loop_advance(w->loop, 202);
    assert_int_equal(fake_http_count(), 2);
    fake_http_answer_later(1, 503, 60000, ""); /* longer than there is time: said at once */
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    assert_int_equal(o.fault.retry_after_ms, 60000);
}

/* An API server that has just started refuses everyone for a moment, and that may be after it has been away. */
static void test_asks_again_for_a_right(void **state)
{
    static const char *const status =
        "{\"kind\":\"Status\",\"message\":\"configmaps is forbidden: User \\\"w\\\" cannot "
        "create resource \\\"configmaps\\\"\"}";
    struct world *w = *state;
    struct outcome o = {0};
    int sent;

    kube_create(w->kube, KUBE_CONFIGMAP, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    for (sent = 0; sent < 5; sent++) {
        fake_http_fail(sent, FAULT_TRANSIENT, 0, "connection refused");
        fake_loop_advance(w->loop, (200 << sent) + 1);
    }
    for (int i = 0; i < 6; i++, sent++) {
        fake_http_answer(sent, 403, status);
        fake_loop_advance(w->loop, 499);
        assert_int_equal(fake_http_count(), sent + 1);
        fake_loop_advance(w->loop, 1);
        assert_int_equal(fake_http_count(), sent + 2);
    }
    fake_http_answer(sent, 403, status);
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_true(refusal_is_forbidden(&o.fault));
    assert_int_equal(fake_http_count(), sent + 1);
}

static void test_does_not_repeat_what_stays(void **state)
{
    static const int stays[] = {302, 400, 401, 403, 404, 405, 409, 410, 413, 422};
    struct world *w = *state;

    for (size_t i = 0; i < COUNT_OF(stays); i++) {
        struct outcome o = {0};
        int before = fake_http_count();

        get_job(w, &o);
        answer_all(w, stays[i], "", 1000);
        assert_int_equal(o.times, 1);
        assert_int_equal(o.fault.code, stays[i]);
        assert_int_equal(fake_http_count(), before + 1);
    }
}

/* Its own first try took effect, and the answer was lost. */
static void test_create_meets_itself(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    fake_http_fail(0, FAULT_TRANSIENT, 0, "reset");
    fake_loop_advance(w->loop, 300);
    fake_http_answer(1, 409, "{\"reason\":\"AlreadyExists\"}");
    fake_loop_settle(w->loop);
    assert_int_equal(o.fault.kind, FAULT_EXISTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_repeats_what_passes),    WITH_WORLD(test_gives_up_after_the_budget),
        WITH_WORLD(test_no_answer_at_all),       WITH_WORLD(test_obeys_retry_after),
        WITH_WORLD(test_asks_again_for_a_right), WITH_WORLD(test_does_not_repeat_what_stays),
        WITH_WORLD(test_create_meets_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
