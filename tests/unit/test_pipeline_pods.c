/* What pods do and what becomes of it, and what of them cannot be seen: a node that is lost, an end that the watch did
 * not tell of, a log or events that are not to be had. */
#include "base/cleanup.h"
#include "base/log.h"
#include "unit/pipeline_world.h"

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
    {"told of nothing, but there", {.run_ms = 100, .blind = true, .word = EXIT(0), .log = "x"}, "ok", NULL, 1},
    {"told of nothing, and starts when its time to start is over",
     {.start_ms = 150000, .run_ms = 100, .assigned = true, .word = EXIT(0), .log = "x"},
     "ok",
     NULL,
     1},
    {"late to start, and to tell of its end",
     {.start_ms = 150000, .run_ms = 79000, .assigned = true, .word = EXIT(0), .log = "x"},
     "ok",
     NULL,
     1},
    {"told of nothing, and no node takes it", {.start_ms = -1, .blind = true}, "infra_error", "unschedulable", 3},
    {"told of nothing, and its image does not come",
     {.start_ms = -1, .blind = true, .waiting = {.cause = POD_IMAGE_PULL}},
     "infra_error",
     "image_pull",
     3},
    {"told of nothing but a refusal, and its image never comes",
     {.start_ms = -1,
      .blind = true,
      .waiting = {.cause = POD_IMAGE_PULL, .hopeless = true},
      .event_reason = "FailedCreate",
      .event_message = "pods \"x-\" is forbidden: violates PodSecurity"},
     "infra_error",
     "image_pull",
     1},
    {"gone before it started", {.start_ms = -1, .assigned = true, .vanish = true}, "infra_error", "disrupted", 3},
    {"taken away, and its end does not come", {.run_ms = -1, .taken = true, .log = "x"}, "infra_error", "disrupted", 3},
    {"starts later than that", {.start_ms = 190000, .run_ms = 100, .assigned = true}, "infra_error", "start", 3},
    {"told of its end a minute late", {.run_ms = 79000, .word = EXIT(0)}, "ok", NULL, 1},
    {"told of its end later than that", {.run_ms = 81000, .word = EXIT(0)}, "timeout", NULL, 1},
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
    {"pod refused before it was not, and the watch does not tell of it",
     {.run_ms = 20000,
      .blind = true,
      .word = EXIT(0),
      .log = "x",
      .event_reason = "FailedCreate",
      .event_message = "pods \"x-\" is forbidden: exceeded quota: q"},
     "ok",
     NULL,
     1},
    {"pod refused before it was not, and it waits",
     {.start_ms = 10000,
      .run_ms = 100,
      .blind = true,
      .word = EXIT(0),
      .log = "x",
      .event_reason = "FailedCreate",
      .event_message = "pods \"x-\" is forbidden: violates PodSecurity"},
     "ok",
     NULL,
     1},
    {"pod refused by one that has just started",
     {.schedule_ms = 20000,
      .run_ms = 100,
      .word = EXIT(0),
      .log = "x",
      .event_reason = "FailedCreate",
      .event_message = "pods \"x-\" is forbidden: not yet ready to handle request"},
     "ok",
     NULL,
     1},
    {"an old word of a mount is not why the image does not come",
     {.start_ms = -1,
      .assigned = true,
      .waiting = {.cause = POD_IMAGE_PULL},
      .event_reason = "FailedMount",
      .event_message = "configmap not found"},
     "infra_error",
     "image_pull",
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

/* The node answers when the runner's time is over, and not any more when the kubelet's is. */
static void test_a_node_that_goes_meanwhile(void **state)
{
    struct fault away = {.kind = FAULT_TRANSIENT, .text = "no route to host"};
    struct fake_run endless = {.run_ms = -1, .log = "x"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &endless);
    fake_queue_push(w.queue, PAYLOAD);
    fake_loop_advance(w.loop, 30000);
    assert_int_equal(fake_kube_count(w.kube, FAKE_LOG, KUBE_POD), 1);
    assert_int_equal(fake_queue_results(w.queue), 0);
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &away, false, 1000000);
    fake_loop_run_dry(w.loop, A_DAY);
    row_status(&w, "meanwhile", "infra_error", "node_lost");
    world_end(&w, "meanwhile", 0);
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

/* The API server is away when the time is over, or its kubelet has just started and does not know the pod yet. */
static void test_who_may_only_be_late(void **state)
{
    static const struct {
        const char *name;
        struct fake_run run;
        enum fake_verb verb;
        struct fault fault;
        int times;
        const char *status, *reason;
    } rows[] = {
        {"at the end of the run, no list",
         {.run_ms = 30000, .unseen = true, .word = EXIT(0)},
         FAKE_LIST,
         {.kind = FAULT_TRANSIENT, .text = "no route to host"},
         1,
         "ok",
         NULL},
        {"at the end of the start, no list",
         {.run_ms = 100, .blind = true, .word = EXIT(0)},
         FAKE_LIST,
         {.kind = FAULT_TRANSIENT, .text = "no route to host"},
         1,
         "ok",
         NULL},
        {"a node that does not answer at first",
         {.run_ms = 60000, .word = EXIT(0)},
         FAKE_LOG,
         {.kind = FAULT_TRANSIENT, .text = "no route to host"},
         1,
         "ok",
         NULL},
        {"a long report, and a kubelet that has just started",
         {.run_ms = 100, .word = EXIT(0), .long_report = true},
         FAKE_LOG,
         {.kind = FAULT_GONE, .code = 404, .text = "the server could not find the requested resource"},
         20,
         "ok",
         NULL},
        {"a long report, and an API server that has just started",
         {.run_ms = 100, .word = EXIT(0), .long_report = true},
         FAKE_LOG,
         {.kind = FAULT_TRANSIENT, .text = "no route to host"},
         20,
         "ok",
         NULL},
        {"a long report that nobody gives",
         {.run_ms = 100, .word = EXIT(0), .long_report = true},
         FAKE_LOG,
         {.kind = FAULT_TRANSIENT, .text = "no route to host"},
         1000000,
         "infra_error",
         "log_lost"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;

        world_begin(&w);
        fake_kube_run(w.kube, &rows[i].run);
        fake_kube_fault(w.kube, rows[i].verb, KUBE_POD, &rows[i].fault, false, rows[i].times);
        world_run(&w, PAYLOAD);
        row_status(&w, rows[i].name, rows[i].status, rows[i].reason);
        row_true(rows[i].name, fake_queue_charged(w.queue) == (rows[i].reason ? 2 : 0));
        world_end(&w, rows[i].name, 0);
    }
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
    assert_int_equal(fake_kube_count(w.kube, FAKE_LOG, KUBE_POD), 3); /* of three attempts */
    world_end(&w, "gone", 0);
}

/* What is certain is not asked again. */
static void test_a_refused_pod_is_not_waited_for(void **state)
{
    struct fake_run refused = {.schedule_ms = -1,
                               .event_reason = "FailedCreate",
                               .event_message = "pods \"x-\" is forbidden: violates PodSecurity"};
    struct fault forbidden = {.kind = FAULT_REFUSED, .code = 403, .text = "pods/log is forbidden"};
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &refused);
    world_run(&w, PAYLOAD);
    row_status(&w, "refused", "infra_error", "admission");
    assert_int_equal(fake_kube_count(w.kube, FAKE_LIST, KUBE_EVENT), 1);
    world_end(&w, "refused", 0);
    world_begin(&w);
    fake_kube_run(w.kube, &(struct fake_run){.run_ms = 100, .word = EXIT(0), .long_report = true});
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &forbidden, false, 1000000);
    world_run(&w, PAYLOAD);
    row_status(&w, "no right", "infra_error", "log_lost");
    assert_int_equal(fake_kube_count(w.kube, FAKE_LOG, KUBE_POD), 3); /* of three attempts */
    world_end(&w, "no right", 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_a_lost_node_is_no_timeout),
        cmocka_unit_test(test_a_node_that_goes_meanwhile),
        cmocka_unit_test(test_an_end_that_was_not_seen),
        cmocka_unit_test(test_who_may_only_be_late),
        cmocka_unit_test(test_events_of_an_earlier_job),
        cmocka_unit_test(test_a_log_that_is_gone),
        cmocka_unit_test(test_a_refused_pod_is_not_waited_for),
        cmocka_unit_test(test_events_that_cannot_be_listed),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
