/* A pipeline that listens to its runner (worker/early.h): what is heard counts, and what is learned. */
#include <stdlib.h>

#include "base/log.h"
#include "unit/pipeline_world.h"

/* What is heard counts, and the pod, which takes its time to end, is not waited for. */
static void test_hears_the_runner(void **state)
{
    static const struct {
        const char *name, *bytes, *status, *out;
    } rows[] = {
        {"well", EARLY(EXIT(0)), "ok", "early\n"},
        {"not so well", EARLY(EXIT(3)), "nonzero_exit", "early\n"},
        {"its time is over", EARLY(ENDED("timeout")), "timeout", "early\n"},
        {"a signal", EARLY(SIGNAL(11)), "signal", "early\n"},
        /* The pod says what it was. */
        {"killed by nobody knows whom", EARLY("\"end\":\"signal\",\"signal\":9,\"oom_suspected\":true"), "oom", "42\n"},
        {"stopped", EARLY(STOPPED), "oom", "42\n"},
        {"nothing", NULL, "oom", "42\n"},
    };
    const struct fake_run slow = {.schedule_ms = 20,
                                  .start_ms = 2000, /* as the watch tells it: later than the runner does */
                                  .assigned = true,
                                  .run_ms = 15000,
                                  .end = {.exit_code = 0, .signal = -1, .cause = POD_OOM},
                                  .word = "\"end\":\"signal\",\"signal\":9,\"oom_suspected\":true",
                                  .log = "42\n"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct fake_attach script = {.bytes = rows[i].bytes, .bytes_ms = 100, .end_ms = 2000, .opened = true};
        struct world w;
        bool heard;

        world_begin(&w);
        early_allow(w.early, true);
        fake_attach_is(w.loop, &script);
        fake_kube_run(w.kube, &slow);
        world_run(&w, PAYLOAD);
        row_status(&w, rows[i].name, rows[i].status, NULL);
        row_true(rows[i].name, strcmp(world_result(&w, "stdout"), rows[i].out) == 0);
        row_true(rows[i].name, fake_attach_count() == 1);
        row_true(rows[i].name, fake_kube_calls(w.kube) == 3);
        heard = strcmp(rows[i].out, "early\n") == 0;
        row_true(rows[i].name, (loop_now(w.loop) < 15000) == heard);
        row_true(rows[i].name, strcmp(world_result(&w, "times.started"), "null") != 0);
        if (heard) {
            double started = atof(world_result(&w, "times.started")),
                   finished = atof(world_result(&w, "times.finished"));

            row_true(rows[i].name, finished - started > 0.079 && finished - started < 0.081);
            row_true(rows[i].name, atof(world_result(&w, "times.published")) - finished < 0.1);
        }
        world_end(&w, rows[i].name, 0);
    }
}

/* The runner is told whether anybody listens; nobody does to a pod that was there before. */
#define ANNOUNCE "announce 1\\n1\\n" /* of the plan, as JSON has it */

static void test_does_not_listen(void **state)
{
    const struct fake_run assigned = {
        .schedule_ms = 20, .start_ms = 2000, .assigned = true, .run_ms = 100, .word = EXIT(0), .log = "42\n"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &assigned);
    world_run(&w, PAYLOAD);
    assert_null(strstr(fake_kube_created(w.kube, KUBE_CONFIGMAP), ANNOUNCE));
    row_status(&w, "not allowed", "ok", NULL);
    assert_int_equal(fake_attach_count(), 0);
    world_end(&w, "not allowed", 0);

    world_begin(&w);
    early_allow(w.early, true);
    fake_kube_run(w.kube, &assigned);
    world_run(&w, PAYLOAD);
    assert_non_null(strstr(fake_kube_created(w.kube, KUBE_CONFIGMAP), ANNOUNCE));
    assert_int_equal(fake_attach_count(), 1);
    world_end(&w, "allowed", 0);

    world_begin(&w);
    early_allow(w.early, true);
    fake_kube_run(w.kube, &assigned);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB,
                    &(struct fault){.kind = FAULT_EXISTS, .code = 409, .text = "already exists"}, true, 1);
    world_run(&w, PAYLOAD);
    row_status(&w, "found", "ok", NULL);
    assert_int_equal(fake_attach_count(), 0);
    world_end(&w, "found", 0);
}

/* Every end teaches: after two tries in a row that heard nothing the next attempt is left out. */
static void test_learns(void **state)
{
    const struct fake_attach silent = {.end_ms = 2000, .opened = true};
    const struct fake_run assigned = {
        .schedule_ms = 20, .start_ms = 300, .assigned = true, .run_ms = 1000, .word = EXIT(1), .log = "no"};
    struct world w;

    (void)state;
    world_begin(&w);
    early_allow(w.early, true);
    fake_kube_run(w.kube, &assigned);
    fake_attach_is(w.loop, &silent);
    world_run(&w, "{\"id\":\"a1\",\"code\":\"x\",\"retry\":{\"code\":3}}");
    row_status(&w, "silent", "nonzero_exit", NULL);
    assert_int_equal(fake_kube_count(w.kube, FAKE_CREATE, KUBE_JOB), 4);
    assert_int_equal(fake_attach_count(), 3);
    world_end(&w, "silent", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hears_the_runner),
        cmocka_unit_test(test_does_not_listen),
        cmocka_unit_test(test_learns),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
