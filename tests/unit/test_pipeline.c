/* The fault matrix: each call to the cluster x each kind of fault x (took effect or not), and the faults of queue and
 * pods. Whatever happens: one result, no call, follower or timer left, Job and ConfigMap gone. */
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

/* --- what pods do ---------------------------------------------------------------------------------------------- */

static const struct pod_row {
    const char *name;
    struct fake_run run;
    const char *status, *reason;
    int attempts;
} pod_rows[] = {
    {"exit 3", {.run_ms = 100, .word = EXIT(3)}, "nonzero_exit", NULL, 1},
    {"signal 11", {.run_ms = 100, .word = SIGNAL(11)}, "signal", NULL, 1},
    {"timeout", {.run_ms = 100, .word = ENDED("timeout")}, "timeout", NULL, 1},
    {"too much output", {.run_ms = 100, .word = ENDED("output_limit")}, "output_limit", NULL, 1},
    {"too much on the disk", {.run_ms = 100, .word = ENDED("disk_limit")}, "disk_limit", NULL, 1},
    {"oom, the runner lives", {.run_ms = 100, .word = SIGNAL(9) ",\"oom\":true"}, "oom", NULL, 1},
    {"oom of a child", {.run_ms = 100, .word = EXIT(1) ",\"oom\":true"}, "oom", NULL, 1},
    {"killed by nobody, and the pod says oom",
     {.run_ms = 100, .word = SIGNAL(9) ",\"oom_suspected\":true", .end = {.cause = POD_OOM}},
     "oom",
     NULL,
     1},
    {"it killed itself", {.run_ms = 100, .word = SIGNAL(9) ",\"oom_suspected\":true"}, "signal", NULL, 1},
    {"oom of everything", {.run_ms = 100, .end = {.exit_code = 128, .cause = POD_OOM}}, "oom", NULL, 1},
    {"no memory for the runner", {.run_ms = 100, .end = {.exit_code = 70, .signal = -1}}, "oom", NULL, 1},
    {"the runner is killed", {.run_ms = 100, .end = {.exit_code = 137, .signal = 9}}, "infra_error", "disrupted", 3},
    {"the runner's exit code, and no report", {.run_ms = 100, .report = "Traceback"}, "infra_error", "log_lost", 3},
    {"a report that is not believed",
     {.run_ms = 100, .end = {.exit_code = 0, .signal = -1, .termination = "{\"execq_report\":1}"}},
     "infra_error",
     "disrupted",
     3},
    {"endless", {.run_ms = -1}, "timeout", NULL, 1},
    {"late end", {.run_ms = 9999, .word = EXIT(0)}, "ok", NULL, 1},
    {"long report", {.run_ms = 100, .word = EXIT(0), .long_report = true}, "ok", NULL, 1},
    {"long report, the log trails",
     {.run_ms = 100, .word = EXIT(0), .long_report = true, .log_trails = 3},
     "ok",
     NULL,
     1},
    {"long report, its log never comes",
     {.run_ms = 100, .word = EXIT(0), .long_report = true, .log_trails = 1000},
     "infra_error",
     "log_lost",
     3},
    {"the plan is refused",
     {.run_ms = 100, .report = "{\"execq_report\":1,\"error_at\":\"plan\",\"error\":\"plan: no\",\"wall_ms\":0}"},
     "infra_error",
     "internal",
     1},
    {"a file cannot be made",
     {.run_ms = 100, .report = "{\"execq_report\":1,\"error_at\":\"files\",\"error\":\"files: no\",\"wall_ms\":0}"},
     "invalid",
     NULL,
     1},
    {"no such program in the language's image",
     {.run_ms = 100, .word = "\"end\":\"not_started\",\"why\":\"python3: no such file\""},
     "infra_error",
     "start",
     1},
    {"stopped", {.run_ms = 100, .word = STOPPED}, "infra_error", "disrupted", 3},
    {"stopped by the pod's deadline",
     {.run_ms = 100, .word = STOPPED, .end = {.cause = POD_DEADLINE}},
     "infra_error",
     "deadline",
     3},
    {"stopped as the pod's disk is full",
     {.run_ms = 100, .word = STOPPED, .end = {.cause = POD_DISK_LIMIT}},
     "disk_limit",
     NULL,
     1},
    {"done, and then the pod was deleted",
     {.run_ms = 100, .word = EXIT(0), .end = {.cause = POD_DISRUPTED}},
     "ok",
     NULL,
     1},
    {"no pod", {.schedule_ms = -1}, "infra_error", "start", 3},
    {"never scheduled",
     {.start_ms = -1, .waiting = {.cause = POD_UNSCHEDULABLE, .message = "0/1 nodes"}},
     "infra_error",
     "unschedulable",
     3},
    {"image does not come", {.start_ms = -1, .waiting = {.cause = POD_IMAGE_PULL}}, "infra_error", "image_pull", 3},
    {"no such image",
     {.start_ms = -1, .waiting = {.cause = POD_IMAGE_PULL, .hopeless = true}},
     "infra_error",
     "image_pull",
     1},
    {"start error",
     {.run_ms = 0, .end = {.cause = POD_START_ERROR, .exit_code = 128, .signal = -1}},
     "infra_error",
     "start",
     3},
    {"no such command",
     {.run_ms = 0, .end = {.cause = POD_START_ERROR, .exit_code = 128, .signal = -1, .hopeless = true}},
     "infra_error",
     "start",
     1},
    {"evicted", {.run_ms = 50, .end = {.cause = POD_EVICTED}}, "infra_error", "evicted", 3},
    {"own disk", {.run_ms = 50, .end = {.cause = POD_DISK_LIMIT}}, "disk_limit", NULL, 1},
    {"disrupted", {.run_ms = 50, .end = {.cause = POD_DISRUPTED}}, "infra_error", "disrupted", 3},
    {"node lost", {.run_ms = 50, .end = {.cause = POD_NODE_LOST}}, "infra_error", "node_lost", 3},
    {"vanished", {.run_ms = 50, .vanish = true}, "infra_error", "disrupted", 3},
    {"refused pod",
     {.schedule_ms = -1,
      .event_reason = "FailedCreate",
      .event_message = "pods \"x-\" is forbidden: violates PodSecurity \"restricted:latest\""},
     "infra_error",
     "admission",
     1},
    {"pod refused in passing",
     {.schedule_ms = 7000,
      .run_ms = 100,
      .word = EXIT(0),
      .log = "x",
      .event_reason = "FailedCreate",
      .event_message = "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified"},
     "ok",
     NULL,
     1},
    {"pod refused in passing, again and again",
     {.schedule_ms = -1,
      .event_reason = "FailedCreate",
      .event_message = "Internal error occurred: etcdserver: timeout"},
     "infra_error",
     "start",
     3},
    {"mount fails",
     {.start_ms = -1, .event_reason = "FailedMount", .event_message = "configmap not found"},
     "infra_error",
     "mount",
     3},
};

static void test_pods(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pod_rows); i++) {
        const struct pod_row *row = &pod_rows[i];
        struct world w;

        world_begin(&w);
        fake_kube_run(w.kube, &row->run);
        world_run(&w, PAYLOAD);
        row_status(&w, row->name, row->status, row->reason);
        row_true(row->name, fake_queue_results(w.queue) == 1);
        row_true(row->name, fake_queue_charged(w.queue) == row->attempts - 1);
        world_end(&w, row->name, 0);
    }
}

/* A node that is gone keeps its pods Running: our clock runs out, and nobody is there to give the log. */
static void test_a_lost_node_is_no_timeout(void **state)
{
    struct fault away = {.kind = FAULT_TRANSIENT, .text = "no route to host"};
    struct fault forbidden = {.kind = FAULT_REFUSED, .code = 403, .text = "pods/log is forbidden"};
    struct fake_run endless = {.run_ms = -1, .log = "x"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &endless);
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &away, false, 1000000);
    world_run(&w, PAYLOAD);
    row_status(&w, "no answer", "infra_error", "node_lost");
    assert_int_equal(fake_queue_charged(w.queue), 2);
    world_end(&w, "no answer", 0);
    world_begin(&w);
    fake_kube_run(w.kube, &endless);
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &forbidden, false, 1000000);
    world_run(&w, PAYLOAD);
    row_status(&w, "refused", "infra_error", "log_lost");
    world_end(&w, "refused", 0);
}

/* With the watch broken, or ourselves stopped for a while, our clock runs out before the end is heard of: the pod
 * itself is asked before anybody is called late. */
static void test_an_end_that_was_not_seen(void **state)
{
    struct fault away = {.kind = FAULT_TRANSIENT, .text = "no route to host"};
    struct fake_run run_unseen = {.run_ms = 5000, .unseen = true, .word = EXIT(0), .log = "x"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &run_unseen);
    world_run(&w, PAYLOAD);
    row_status(&w, "unseen", "ok", NULL);
    assert_string_equal(world_result(&w, "stdout"), "x");
    world_end(&w, "unseen", 0);
    world_begin(&w);
    fake_kube_run(w.kube, &run_unseen);
    fake_kube_fault(w.kube, FAKE_LIST, KUBE_POD, &away, false, 1000000);
    world_run(&w, PAYLOAD);
    row_status(&w, "unseen, and no answer", "infra_error", "api");
    assert_int_equal(fake_queue_charged(w.queue), 2);
    world_end(&w, "unseen, and no answer", 0);
}

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

/* The events of a Job stay for an hour, and the Job that is made anew has its name. */
static void test_events_of_an_earlier_job(void **state)
{
    struct fake_run slow = {.schedule_ms = 7000,
                            .run_ms = 100,
                            .word = EXIT(0),
                            .log = "x",
                            .event_reason = "FailedCreate",
                            .event_message = "pods \"x-\" is forbidden: exceeded quota: q",
                            .event_uid = "of-a-job-that-is-gone"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &slow);
    world_run(&w, PAYLOAD);
    row_status(&w, "old event", "ok", NULL);
    assert_int_equal(fake_queue_count(w.queue, FAKE_DELAY), 0);
    world_end(&w, "old event", 0);
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

/* A long report that went with its pod. */
static void test_a_log_that_is_gone(void **state)
{
    struct fault f = {.kind = FAULT_GONE, .code = 404, .text = "pods \"x\" not found"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &(struct fake_run){.run_ms = 100, .word = EXIT(0), .long_report = true});
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &f, false, 1000000);
    world_run(&w, PAYLOAD);
    row_status(&w, "gone", "infra_error", "disrupted");
    world_end(&w, "gone", 0);
}

/* Without the right to list events it is not known why there is no pod, and that is said. */
static void test_events_that_cannot_be_listed(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "events is forbidden: User \"w\" cannot list"};
    struct fake_run none = {.schedule_ms = -1};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &none);
    fake_kube_fault(w.kube, FAKE_LIST, KUBE_EVENT, &f, false, 1000000);
    world_run(&w, PAYLOAD);
    row_status(&w, "no events", "infra_error", "start");
    assert_non_null(strstr(world_result(&w, "error.message"), "events is forbidden"));
    world_end(&w, "no events", 0);
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
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_a_lost_node_is_no_timeout),
        cmocka_unit_test(test_an_end_that_was_not_seen),
        cmocka_unit_test(test_quota_charges_nothing),
        cmocka_unit_test(test_missing_rights_charge_nothing),
        cmocka_unit_test(test_events_of_an_earlier_job),
        cmocka_unit_test(test_rights_that_stay_missing),
        cmocka_unit_test(test_a_log_that_is_gone),
        cmocka_unit_test(test_events_that_cannot_be_listed),
        cmocka_unit_test(test_a_job_without_a_uid),
        cmocka_unit_test(test_a_hopeless_request_is_no_trouble),
        cmocka_unit_test(test_clocks_that_differ),
        cmocka_unit_test(test_a_result_over_its_cap),
        cmocka_unit_test(test_retry_of_the_code),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
