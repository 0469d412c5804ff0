/* The fault matrix: each call to the cluster x each kind of fault x (took effect or not), what is refused for a while,
 * and clocks that differ. Whatever happens: one result, no call, follower or timer left, Job and ConfigMap gone. What
 * pods do: test_pipeline_pods.c. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "unit/pipeline_world.h"

static void test_runs_a_request(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    world_run(&w, PAYLOAD);
    row_status(&w, "plain", "ok", NULL);
    assert_string_equal(world_result(&w, "id"), "a1");
    assert_string_equal(world_result(&w, "stdout"), "42\n");
    assert_string_equal(world_result(&w, "exit_code"), "0");
    assert_int_equal(fake_queue_results(w.queue), 1);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_string_equal(world_result(&w, "usage.wall_ms"), "150");
    assert_int_equal(fake_kube_calls(w.kube), 3); /* Job, ConfigMap, delete */
    world_end(&w, "plain", 0);
}

/* The write rate makes a create wait, and one that is refused made nothing. */
static void test_says_when_the_job_was_made(void **state)
{
    struct fault refused = {.kind = FAULT_REFUSED, .code = 422, .text = "no"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_slow(w.kube, 5000);
    world_run(&w, PAYLOAD);
    row_status(&w, "slow", "ok", NULL);
    row_true("slow", atof(world_result(&w, "times.created")) - atof(world_result(&w, "times.claimed")) >= 5);
    row_true("slow", atof(world_result(&w, "times.started")) >= atof(world_result(&w, "times.created")));
    world_end(&w, "slow", 0);

    world_begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &refused, false, 100);
    world_run(&w, PAYLOAD);
    row_true("refused", strcmp(world_result(&w, "times.published"), "null") != 0);
    row_true("refused", strcmp(world_result(&w, "times.created"), "null") == 0);
    world_end(&w, "refused", 0);
}

/* --- the matrix ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum fake_verb verb;
    enum kube_kind kind;
} call[] = {
    {"create Job", FAKE_CREATE, KUBE_JOB},
    {"create ConfigMap", FAKE_CREATE, KUBE_CONFIGMAP},
    {"read log", FAKE_LOG, KUBE_POD}, /* the report of these pods is a long one */
    {"delete Job", FAKE_DELETE, KUBE_JOB},
};

static const enum fault_kind kinds[] = {FAULT_TRANSIENT, FAULT_THROTTLED, FAULT_TIMEOUT, FAULT_EXISTS, FAULT_GONE,
                                        FAULT_REFUSED,   FAULT_TOO_BIG,   FAULT_INVALID, FAULT_BUG};

static void one_fault(size_t c, enum fault_kind kind, bool done, int times)
{
    struct fault f = {.kind = kind, .text = "ordered"};
    bool deletes = call[c].verb == FAKE_DELETE;
    char row[128];
    struct world w;

    snprintf(row, sizeof(row), "%s: %s, %s, %d times", call[c].name, fault_kind_name(kind),
             done ? "took effect" : "did not", times);
    world_begin(&w);
    fake_kube_run(w.kube, &(struct fake_run){.run_ms = 100, .word = EXIT(0), .log = "42\n", .long_report = true});
    fake_kube_fault(w.kube, call[c].verb, call[c].kind, &f, done, times);
    world_run(&w, PAYLOAD);
    row_true(row, fake_queue_results(w.queue) == 1);
    if (deletes) {
        row_status(&w, row, "ok", NULL); /* the result does not depend on the cleaning up */
    } else if (times == 1 && kind != FAULT_REFUSED && kind != FAULT_TOO_BIG) {
        row_status(&w, row, "ok", NULL);
    } else if (times > 1) {
        row_status(&w, row, "infra_error", NULL);
    }
    /* A delete that failed is left to the sweeper and the TTL. */
    world_end(&w, row, deletes && !done ? (kind == FAULT_GONE || times >= 1 ? 2 : 0) : 0);
}

static void test_fault_matrix(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(call); c++)
        for (size_t k = 0; k < COUNT_OF(kinds); k++) {
            one_fault(c, kinds[k], false, 1);
            one_fault(c, kinds[k], true, 1);
        }
    for (size_t c = 0; c + 1 < COUNT_OF(call); c++)
        for (size_t k = 0; k < COUNT_OF(kinds); k++)
            one_fault(c, kinds[k], false, 1000000);
}

/* --- what is refused ------------------------------------------------------------------------------------------- */

/* A quota that frees up after minutes costs no attempt. */
static void test_quota_charges_nothing(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "exceeded quota: pods"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &f, false, 30);
    world_run(&w, PAYLOAD);
    row_status(&w, "quota", "ok", NULL);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_int_equal(w.troubles, 30);
    /* What was refused is not there to be deleted; and by the time a delete got through, the next try's Job may have
     * taken the name. */
    assert_int_equal(fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB), 1);
    world_end(&w, "quota", 0);
}

/* A Role that lacks a verb, for minutes: it costs no attempt, and fails no batch. */
static void test_missing_rights_charge_nothing(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "jobs.batch is forbidden: User \"w\" cannot create"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &f, false, 20);
    world_run(&w, PAYLOAD);
    row_status(&w, "rights", "ok", NULL);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_int_equal(w.troubles, 20);
    world_end(&w, "rights", 0);
}

/* ... but not for ever: after ten minutes it counts as a fault of our side. */
static void test_rights_that_stay_missing(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "jobs.batch is forbidden: User \"w\" cannot create"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &f, false, 1000000);
    world_run(&w, PAYLOAD);
    row_status(&w, "rights", "infra_error", "api");
    assert_int_equal(fake_queue_charged(w.queue), 2);
    assert_true(loop_now(w.loop) >= 600000 && loop_now(w.loop) < 700000);
    world_end(&w, "rights", 0);
}

static void test_a_job_without_a_uid(void **state)
{
    struct fake_run odd = {.no_uid = true};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &odd);
    world_run(&w, PAYLOAD);
    row_status(&w, "no uid", "infra_error", "api");
    assert_int_equal(fake_kube_count(w.kube, FAKE_CREATE, KUBE_CONFIGMAP), 0); /* nobody would own it */
    world_end(&w, "no uid", 0);
}

/* What is wrong with one request is no reason to take fewer. */
static void test_a_hopeless_request_is_no_trouble(void **state)
{
    struct fault f = {.kind = FAULT_TOO_BIG, .code = 413, .text = "request is too large"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_CONFIGMAP, &f, false, 1);
    world_run(&w, PAYLOAD);
    row_status(&w, "too large", "infra_error", "api");
    assert_int_equal(w.troubles, 0);
    world_end(&w, "too large", 0);
}

/* --- clocks ---------------------------------------------------------------------------------------------------- */

/* Redis' clock says when something is due, so it is the one to be asked, whatever ours shows. */
static void test_clocks_that_differ(void **state)
{
    static const int64_t ahead[] = {5000, -5000, 3600 * 1000, -3600 * 1000};
    struct fake_run vanishes = {.run_ms = 50, .vanish = true};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ahead); i++) {
        char payload[256], row[64];
        struct world w;

        snprintf(row, sizeof(row), "Redis ahead by %lld ms", (long long)ahead[i]);
        world_begin(&w);
        fake_queue_clock(w.queue, ahead[i]);
        snprintf(payload, sizeof(payload), "{\"id\":\"a1\",\"code\":\"x\",\"not_before\":%lld}",
                 (long long)(loop_wall(w.loop) + ahead[i]) / 1000 + 60);
        world_run(&w, payload);
        row_status(&w, row, "ok", NULL);
        row_true(row, fake_queue_count(w.queue, FAKE_DELAY) == 1);
        row_true(row, loop_now(w.loop) >= 59000 && loop_now(w.loop) < 65000);
        world_end(&w, row, 0);

        world_begin(&w);
        fake_queue_clock(w.queue, ahead[i]);
        fake_kube_run(w.kube, &vanishes);
        world_run(&w, PAYLOAD);
        row_status(&w, row, "infra_error", "disrupted");
        row_true(row, loop_now(w.loop) >= 1000 && loop_now(w.loop) < 15000); /* two delays of a second or two */
        world_end(&w, row, 0);

        world_begin(&w);
        fake_queue_clock(w.queue, ahead[i]);
        snprintf(payload, sizeof(payload), "{\"id\":\"a1\",\"code\":\"x\",\"deadline\":%lld}",
                 (long long)(loop_wall(w.loop) + ahead[i]) / 1000 + 10);
        world_run(&w, payload);
        row_status(&w, row, "ok", NULL);
        world_end(&w, row, 0);
    }
}

/* --- results that do not fit -------------------------------------------------------------------------------------- */

static void test_a_result_over_its_cap(void **state)
{
    static const char *const format[] = {"{\"id\":\"a1\",\"code\":\"x\",\"meta\":\"%s\"}",
                                         "{\"id\":\"a1\",\"code\":\"x\",\"meta\":\"%s\",\"language\":\"cobol\"}"};
    static const char *const status[] = {"infra_error", "rejected"};
    _cleanup_free_ char *meta = mem_zero(8192, 1);

    (void)state;
    memset(meta, 'm', 8191);
    for (size_t i = 0; i < COUNT_OF(format); i++) {
        _cleanup_free_ char *payload = mem_format(format[i], meta);
        struct world w;

        world_begin(&w);
        w.config.result_max = 4096;
        world_run(&w, payload);
        row_status(&w, status[i], status[i], NULL);
        row_true(status[i], strlen(fake_queue_result(w.queue)) <= 4096);
        world_end(&w, status[i], 0);
    }
}

static void test_retry_of_the_code(void **state)
{
    struct fake_run fails = {.run_ms = 100, .word = EXIT(1), .log = "no"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &fails);
    world_run(&w, "{\"id\":\"a1\",\"code\":\"x\",\"retry\":{\"code\":2}}");
    row_status(&w, "code retry", "nonzero_exit", NULL);
    assert_int_equal(fake_queue_charged(w.queue), 2);
    assert_int_equal(fake_kube_count(w.kube, FAKE_CREATE, KUBE_JOB), 3);
    assert_non_null(strstr(fake_queue_result(w.queue), "\"n\":3"));
    world_end(&w, "code retry", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_a_request),
        cmocka_unit_test(test_says_when_the_job_was_made),
        cmocka_unit_test(test_fault_matrix),
        cmocka_unit_test(test_quota_charges_nothing),
        cmocka_unit_test(test_missing_rights_charge_nothing),
        cmocka_unit_test(test_rights_that_stay_missing),
        cmocka_unit_test(test_a_job_without_a_uid),
        cmocka_unit_test(test_a_hopeless_request_is_no_trouble),
        cmocka_unit_test(test_clocks_that_differ),
        cmocka_unit_test(test_a_result_over_its_cap),
        cmocka_unit_test(test_retry_of_the_code),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
