/* Which call of the client goes when: writes that are held back, their rate, what goes before what, and how many are on
 * their way at once. */
#include "unit/kube_world.h"

#include <json-c/json.h>

#include "base/cleanup.h"

static void test_holds_writes(void **state)
{
    struct world *w = *state;
    struct outcome o = {0}, read = {0};

    w->may_write = false;
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_delete(w->kube, KUBE_JOB, "j", NULL, on_done, &o);
    get_job(w, &read);
    fake_loop_advance(w->loop, 60000); /* longer than any budget: held, it does not count */
    assert_int_equal(fake_http_count(), 3);
    assert_int_equal(read.times, 1); /* reads went on */
    assert_int_equal(o.times, 0);
    w->may_write = true;
    kube_resume(w->kube);
    w->may_write = false; /* taken back before it was sent */
    fake_loop_advance(w->loop, 1000);
    assert_int_equal(fake_http_count(), 3);
    w->may_write = true;
    kube_resume(w->kube);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), 5);
    w->may_write = false; /* nor is a repeat sent then; its budget ends it */
    fake_http_answer(3, 503, "");
    fake_http_answer(4, 200, "{}");
    fake_loop_advance(w->loop, 31000);
    assert_int_equal(fake_http_count(), 5);
    assert_int_equal(o.times, 2);
    json_object_put(o.object);
}

/* Leave that comes and goes between two looks of whoever would say so: nothing is held for ever. */
static void test_held_writes_ask_again(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    w->may_write = false;
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    fake_loop_advance(w->loop, 5000);
    assert_int_equal(fake_http_count(), 0);
    w->may_write = true; /* and nobody calls kube_resume() */
    fake_loop_advance(w->loop, 1000);
    assert_int_equal(fake_http_count(), 1);
    answer_all(w, 200, "{}", 0);
    assert_int_equal(o.times, 1);
    json_object_put(o.object);
}

static void test_write_rate(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    world_restart(w, &(struct kube_settings){.writes_per_second = 2, .connections = 100});
    for (int i = 0; i < 20; i++)
        kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), 10); /* what it may have saved up */
    fake_loop_advance(w->loop, 498);
    assert_int_equal(fake_http_count(), 10);
    for (int i = 0; i < 12; i++) { /* so that no budget ends */
        answer_all(w, 200, "{}", 490);
        fake_loop_advance(w->loop, 1);
    }
    assert_int_equal(fake_http_count(), 20);
    assert_int_equal(o.times, 20);
    json_object_put(o.object);
}

/* A ConfigMap that waits behind a batch's Jobs keeps its own Job's pod waiting, for seconds. */
static void test_new_jobs_come_last(void **state)
{
    static const char *const order[] = {"configmaps", "jobs/done", "configmaps", "jobs", "jobs", "jobs"};
    struct world *w = *state;
    struct outcome o = {0};

    w->may_write = false;
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_create(w->kube, KUBE_CONFIGMAP, "{}", 2, on_done, &o);
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_delete(w->kube, KUBE_JOB, "done", NULL, on_done, &o);
    kube_create(w->kube, KUBE_CONFIGMAP, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    w->may_write = true;
    kube_resume(w->kube);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), COUNT_OF(order));
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const char *url = fake_http_at((int)i)->url;

        row_true(url, strcmp(url + strlen(url) - strlen(order[i]), order[i]) == 0);
    }
}

static void test_lanes(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};
    struct kube_call *calls[6];

    world_restart(w, &(struct kube_settings){.connections = 2, .log_reads = 1});
    for (int i = 0; i < 4; i++)
        calls[i] = get_job(w, &o);
    calls[4] = kube_log(w->kube, "p", "c", 10, 0, on_done, &o);
    calls[5] = kube_log(w->kube, "p", "c", 10, 0, on_done, &o);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 3);
    fake_http_answer(0, 200, "{}");
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 3); /* the next took its place */
    kube_cancel(&calls[1]);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 3);
    kube_cancel(&calls[3]);
    kube_cancel(&calls[4]);
    kube_cancel(&calls[5]);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 1);
    answer_all(w, 200, "{}", 0);
    assert_int_equal(o.times, 2);
    json_object_put(o.object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_holds_writes), WITH_WORLD(test_held_writes_ask_again),
        WITH_WORLD(test_write_rate),   WITH_WORLD(test_new_jobs_come_last),
        WITH_WORLD(test_lanes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
