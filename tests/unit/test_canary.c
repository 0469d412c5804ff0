/* The canary in a cluster in memory. */
#include "unit/canary_world.h"

static void on_canary(void *arg, const struct finding *list, size_t count)
{
    struct world *w = arg;

    w->called++;
    memcpy(w->list, list, count * sizeof(*list));
    w->count = count;
}

static void start(struct world *w)
{
    w->canary = canary_start(&(struct canary_settings){.loop = w->loop,
                                                       .kube = w->cluster.kube,
                                                       .pods = w->cluster.pods,
                                                       .config = &w->config,
                                                       .limits = &w->limits,
                                                       .label = LABEL,
                                                       .runner_map = "execq-runner-x",
                                                       .timeout_s = 1},
                             on_canary, w);
}

static const struct finding *finding_of(const struct world *w, const char *check)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->list[i].check, check) == 0)
            return &w->list[i];
    fail_msg("nothing was found of %s", check);
    return NULL;
}

static void test_a_healthy_cluster(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "python");
    start(&w);
    assert_int_equal(fake_kube_calls(w.cluster.kube), 0); /* not before the call has returned */
    fake_loop_settle(w.loop);
    fake_loop_advance(w.loop, 50);
    assert_non_null(strstr(fake_kube_created(w.cluster.kube, KUBE_JOB), "\"execq.dev/installation\":\"canary\""));
    assert_non_null(strstr(fake_kube_created(w.cluster.kube, KUBE_JOB), "\"execq.dev/id\":\"canary:" LABEL ":"));
    /* A worker that dies now leaves them to nobody's sweeper. */
    assert_non_null(strstr(fake_kube_created(w.cluster.kube, KUBE_JOB), "\"ttlSecondsAfterFinished\":30,"));
    assert_int_equal(w.called, 0);
    assert_true(canary_holds(w.canary, world_last_job(&w)));
    assert_false(canary_holds(w.canary, "execq-x-1"));
    fake_loop_run_dry(w.loop, A_DAY);
    assert_false(canary_holds(w.canary, world_last_job(&w)));
    assert_int_equal(w.called, 1);
    assert_int_equal(w.count, 4);
    for (size_t i = 0; i < w.count; i++)
        if (w.list[i].state != FINDING_WELL)
            fail_msg("%s: %s", w.list[i].check, w.list[i].text);
    assert_true(finding_of(&w, "language python")->took_ms >= 100);
    assert_true(finding_of(&w, "timeout")->took_ms >= 1000);
    assert_int_equal(fake_kube_count(w.cluster.kube, FAKE_CREATE, KUBE_JOB), 4);
    assert_int_equal(fake_kube_count(w.cluster.kube, FAKE_DELETE, KUBE_JOB), 4);
    world_end(&w, "healthy", 0);
}

/* What producers are allowed is no bound for what the worker sends itself. */
static void test_maxima_do_not_count(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "python");
    w.limits.payload_max = 1024;
    w.limits.timeout_max_ms = 1;
    w.limits.memory_max_bytes = 1;
    start(&w);
    fake_loop_run_dry(w.loop, A_DAY);
    assert_int_equal(finding_worst(w.list, w.count), FINDING_WELL);
    world_end(&w, "small maxima", 0);
}

static void test_nothing_to_try(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, "");
    start(&w);
    fake_loop_run_dry(w.loop, A_DAY);
    assert_int_equal(w.called, 1);
    assert_int_equal(w.count, 0);
    world_end(&w, "nothing", 0);
}

/* clang-format off */
static const struct {
    const char *name, *id, *check;
    struct fake_run run;
    enum finding_state state;
} sick[] = {
    {"stderr in stdout", ":python", "language python", {.report = REPORT(EXIT(3) STREAM("stdout", "out\\nerr\\n", 8) "," QUIET)}, FINDING_BAD},
    {"the container's own exit code", ":python", "language python", {.end = {.exit_code = 3, .signal = -1}}, FINDING_PASSING},
    {"output of what is ended is lost", ":timeout", "timeout", {.report = REPORT(TIMEOUT STREAM("stdout", "", 0) "," QUIET)}, FINDING_PASSING},
    {"exit code 137 and no word of memory", ":memory", "memory", {.end = {.exit_code = 137, .signal = 9}}, FINDING_BAD},
    {"memory without a limit", ":memory", "memory", {.report = REPORT(EXIT(0) STREAM("stdout", "held\\n", 5) "," QUIET)}, FINDING_BAD},
    {"deleted while it takes memory", ":memory", "memory", {.run_ms = 50, .vanish = true}, FINDING_PASSING},
    {"evicted", ":memory", "memory", {.end = {.cause = POD_EVICTED}}, FINDING_PASSING},
    {"an open network", ":network", "network", {.report = REPORT(EXIT(0) STREAM("stdout", "open x\\nlooked\\n", 14) "," QUIET)}, FINDING_BAD},
    {"not scheduled", ":network", "network", {.start_ms = -1, .waiting = {.cause = POD_UNSCHEDULABLE, .message = "0/1 nodes"}}, FINDING_PASSING},
    {"not gVisor", ":network", "runtime-class", {.report = REPORT(EXIT(0) STREAM("stdout", "kernel Linux\\nlooked\\n", 20) "," QUIET)}, FINDING_WARNING},
};
/* clang-format on */

static void test_sick_clusters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sick); i++) {
        const struct finding *f;
        struct world w;

        world_begin(&w, "python");
        fake_kube_run_for(w.cluster.kube, sick[i].id, &sick[i].run);
        start(&w);
        fake_loop_run_dry(w.loop, A_DAY);
        row_true(sick[i].name, w.called == 1);
        f = finding_of(&w, sick[i].check);
        if (f->state != sick[i].state)
            fail_msg("row \"%s\": %s: %s", sick[i].name, finding_state_name(f->state), f->text);
        row_true(sick[i].name, finding_worst(w.list, w.count) == sick[i].state);
        row_true(sick[i].name, *f->advice || sick[i].state != FINDING_BAD);
        world_end(&w, sick[i].name, 0);
    }
}

/* What the one before has left, because it could not delete it, is in nobody's way. */
static void test_another_canary(void **state)
{
    const struct fault refused = {.kind = FAULT_REFUSED, .code = 403, .text = "ordered by the test"};
    struct world w;

    (void)state;
    world_begin(&w, "python");
    fake_kube_fault(w.cluster.kube, FAKE_DELETE, KUBE_JOB, &refused, false, 1000);
    for (int i = 0; i < 2; i++) {
        start(&w);
        fake_loop_run_dry(w.loop, A_DAY);
        assert_int_equal(w.called, i + 1);
        canary_free(TAKE(w.canary));
    }
    assert_int_equal(fake_kube_count(w.cluster.kube, FAKE_GET, KUBE_JOB), 0);
    assert_int_equal(fake_kube_count(w.cluster.kube, FAKE_CREATE, KUBE_JOB), 8);
    world_end(&w, "two", 16);
}

/* What the code cannot reach is only known where every report was in full isolation, and there was one. */
static void test_isolation(void **state)
{
    static const struct fake_run none = {.end = {.exit_code = 3, .signal = -1}};
    static const struct {
        const char *name;
        struct fake_run run;
        bool alone; /* no other probe reports */
        bool seen;
    } rows[] = {
        {"full", {.report = REPORT_IN("full", LOOKED)}, false, true},
        {"full, the only one", {.report = REPORT_IN("full", LOOKED)}, true, true},
        {"one with less", {.report = REPORT_IN("network", LOOKED)}, false, false},
        {"one with none", {.report = REPORT_IN("none", LOOKED)}, false, false},
        {"one did not report", {.end = {.exit_code = 3, .signal = -1}}, false, true},
        {"nobody did", {.end = {.exit_code = 3, .signal = -1}}, true, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;

        world_begin(&w, "python");
        fake_kube_run_for(w.cluster.kube, ":network", &rows[i].run);
        if (rows[i].alone) {
            fake_kube_run_for(w.cluster.kube, ":python", &none);
            fake_kube_run_for(w.cluster.kube, ":timeout", &none);
        }
        start(&w);
        fake_loop_run_dry(w.loop, A_DAY);
        row_true(rows[i].name, w.called == 1);
        row_true(rows[i].name, canary_saw_isolation(w.canary) == rows[i].seen);
        world_end(&w, rows[i].name, 0);
    }
}

/* Each call to the cluster fails for good; what was made all the same is deleted. */
static void test_faults(void **state)
{
    static const struct {
        enum fake_verb verb;
        enum kube_kind kind;
        enum fault_kind fault;
        enum finding_state state;
    } rows[] = {
        {FAKE_CREATE, KUBE_JOB, FAULT_TRANSIENT, FINDING_PASSING},
        {FAKE_CREATE, KUBE_JOB, FAULT_REFUSED, FINDING_BAD},
        {FAKE_CREATE, KUBE_CONFIGMAP, FAULT_TIMEOUT, FINDING_PASSING},
        {FAKE_DELETE, KUBE_JOB, FAULT_TRANSIENT, FINDING_WELL},
    };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        struct fault f = {.kind = rows[i / 2].fault, .text = "ordered"};
        struct world w;
        char row[32];

        snprintf(row, sizeof(row), "row %zu, %s", i / 2, i % 2 ? "done" : "not done");
        world_begin(&w, "python");
        fake_kube_fault(w.cluster.kube, rows[i / 2].verb, rows[i / 2].kind, &f, i % 2, 1000);
        start(&w);
        fake_loop_run_dry(w.loop, A_DAY);
        row_true(row, w.called == 1);
        row_true(row, finding_worst(w.list, w.count) == rows[i / 2].state);
        world_end(&w, row, rows[i / 2].verb == FAKE_DELETE && i % 2 == 0 ? 8 : 0);
    }
}

static void freed_at(int64_t ms)
{
    struct world w;
    char row[64];

    snprintf(row, sizeof(row), "freed at %d ms", (int)ms);
    world_begin(&w, "python");
    start(&w);
    fake_loop_advance(w.loop, ms);
    canary_free(TAKE(w.canary));
    row_true(row, fake_kube_live(w.cluster.kube) == 0);
    fake_loop_run_dry(w.loop, A_DAY); /* the pods of the fake go on */
    row_true(row, w.called <= 1);
    world_end(&w, row, fake_kube_objects(w.cluster.kube));
}

static void test_freed_at_any_time(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 1600; ms += 10)
        freed_at(ms);
}

static void test_stopped_at_any_time(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 1600; ms += 10) {
        struct world w;
        char row[32];

        snprintf(row, sizeof(row), "stopped at %d ms", (int)ms);
        world_begin(&w, "python");
        start(&w);
        fake_loop_advance(w.loop, ms);
        canary_stop(w.canary);
        canary_stop(w.canary);
        fake_loop_run_dry(w.loop, A_DAY);
        row_true(row, w.called == 1);
        row_true(row, finding_worst(w.list, w.count) == FINDING_WELL); /* of what had ended */
        /* a create that was cut off may take effect behind our back: not in this fake */
        world_end(&w, row, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_healthy_cluster),
        cmocka_unit_test(test_maxima_do_not_count),
        cmocka_unit_test(test_nothing_to_try),
        cmocka_unit_test(test_sick_clusters),
        cmocka_unit_test(test_another_canary),
        cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_freed_at_any_time),
        cmocka_unit_test(test_stopped_at_any_time),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests_name("canary", tests, NULL, NULL);
}
