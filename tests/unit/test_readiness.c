/* What comes before the first claim: the runner's ConfigMap, then the canary, again and again where they fail in
 * passing. */
#include "unit/canary_world.h"

static void on_change(void *arg)
{
    struct world *w = arg;

    w->changes++;
}

static void wait_for_it(struct world *w)
{
    w->readiness = readiness_new(&(struct readiness_settings){.loop = w->loop,
                                                              .cluster = &w->cluster,
                                                              .config = &w->config,
                                                              .limits = &w->limits,
                                                              .label = LABEL,
                                                              .on_change = on_change,
                                                              .arg = w});
    readiness_begin(w->readiness, "u1");
}

static int jobs(const struct world *w)
{
    return fake_kube_count(w->cluster.kube, FAKE_CREATE, KUBE_JOB);
}

static void test_first_the_map_then_the_canary(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "python");
    wait_for_it(&w);
    assert_false(readiness_is_ready(w.readiness));
    fake_loop_advance(w.loop, 15); /* get, not there, create */
    assert_int_equal(jobs(&w), 0);
    fake_loop_advance(w.loop, 10);
    assert_int_equal(jobs(&w), 4);
    assert_non_null(strstr(fake_kube_created(w.cluster.kube, KUBE_JOB), "\"execq.dev/installation\":\"u1\""));
    assert_true(readiness_holds(w.readiness, world_last_job(&w)));
    assert_false(readiness_is_ready(w.readiness));
    assert_true(readiness_is_busy(w.readiness));
    fake_loop_run_dry(w.loop, A_DAY);
    assert_true(readiness_is_ready(w.readiness));
    assert_true(readiness_saw_isolation(w.readiness));
    assert_false(readiness_is_busy(w.readiness));
    assert_false(readiness_holds(w.readiness, world_last_job(&w)));
    assert_true(w.changes > 0);
    /* the map is doubted: not ready until it is seen, and no second canary */
    readiness_doubt(w.readiness);
    assert_false(readiness_is_ready(w.readiness));
    fake_loop_run_dry(w.loop, A_DAY);
    assert_true(readiness_is_ready(w.readiness));
    assert_int_equal(jobs(&w), 4);
    world_end(&w, "ready", 1);
}

static void test_without_a_canary(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "");
    wait_for_it(&w);
    fake_loop_run_dry(w.loop, A_DAY);
    assert_true(readiness_is_ready(w.readiness));
    w.cluster.in_sight = false; /* nor while the pods cannot be listed */
    assert_false(readiness_is_ready(w.readiness));
    w.cluster.in_sight = true;
    assert_int_equal(jobs(&w), 0);
    assert_false(readiness_saw_isolation(w.readiness)); /* nobody looked */
    world_end(&w, "no canary", 1);
}

static void test_without_a_map(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "python");
    runner_map_free(TAKE(w.cluster.map));
    wait_for_it(&w);
    assert_false(readiness_is_ready(w.readiness));
    fake_loop_run_dry(w.loop, A_DAY);
    assert_true(readiness_is_ready(w.readiness));
    readiness_doubt(w.readiness); /* means nothing here */
    assert_true(readiness_is_ready(w.readiness));
    world_end(&w, "no map", 0);
}

static void test_again_until_it_passes(void **state)
{
    const struct fake_run evicted = {.run_ms = 50, .end = {.cause = POD_EVICTED}};
    struct world w;
    int before;

    (void)state;
    world_begin(&w, "python");
    fake_kube_run_for(w.cluster.kube, ":python", &evicted);
    wait_for_it(&w);
    fake_loop_advance(w.loop, 60000);
    assert_false(readiness_is_ready(w.readiness));
    assert_false(readiness_has_failed(w.readiness));
    before = jobs(&w);
    assert_in_range(before, 4 * 3, 4 * 7); /* pauses of 1, 2, 4, 8, 16, 30 s */
    fake_kube_run_for(w.cluster.kube, ":python", &good_python);
    fake_loop_run_dry(w.loop, A_DAY);
    assert_true(readiness_is_ready(w.readiness));
    assert_true(jobs(&w) <= before + 8);
    world_end(&w, "again", 1);
}

/* A timed-out program whose output never comes: more and more time, then it is called what it is. */
static void test_silence_is_bad_in_the_end(void **state)
{
    const struct fake_run silent = {.run_ms = 1000, .report = REPORT(TIMEOUT STREAM("stdout", "", 0) "," QUIET)};
    struct world w;

    (void)state;
    world_begin(&w, "python");
    fake_kube_run_for(w.cluster.kube, ":timeout", &silent);
    wait_for_it(&w);
    fake_loop_run_dry(w.loop, A_DAY);
    assert_true(readiness_has_failed(w.readiness));
    assert_int_equal(jobs(&w), 3 * 4); /* 1, 2 and 4 s */
    world_end(&w, "silence", 1);
}

static void test_bad_is_the_end(void **state)
{
    const struct fake_run killed = {.run_ms = 50, .end = {.exit_code = 137, .signal = 9}};
    struct world w;

    (void)state;
    world_begin(&w, "python");
    fake_kube_run_for(w.cluster.kube, ":memory", &killed);
    wait_for_it(&w);
    fake_loop_run_dry(w.loop, A_DAY);
    assert_true(readiness_has_failed(w.readiness));
    assert_false(readiness_is_ready(w.readiness));
    assert_false(readiness_is_busy(w.readiness));
    assert_int_equal(jobs(&w), 4);
    world_end(&w, "bad", 1);
}

static void test_stopped_on_the_way(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 2000; ms += 20) {
        struct world w;
        char row[32];

        snprintf(row, sizeof(row), "stopped at %d ms", (int)ms);
        world_begin(&w, "python");
        wait_for_it(&w);
        fake_loop_advance(w.loop, ms);
        readiness_stop(w.readiness);
        fake_loop_run_dry(w.loop, A_DAY);
        row_true(row, !readiness_is_busy(w.readiness));
        row_true(row, !readiness_has_failed(w.readiness));
        world_end(&w, row, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_the_map_then_the_canary),
        cmocka_unit_test(test_without_a_canary),
        cmocka_unit_test(test_without_a_map),
        cmocka_unit_test(test_again_until_it_passes),
        cmocka_unit_test(test_silence_is_bad_in_the_end),
        cmocka_unit_test(test_bad_is_the_end),
        cmocka_unit_test(test_stopped_on_the_way),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests_name("readiness", tests, NULL, NULL);
}
