/* The fault matrix: each call to the cluster x each kind of fault x (took effect or not), and the faults of queue and
 * pods. Whatever happens: one result, no call, follower or timer left, Job and ConfigMap gone. */
#include "unit/check.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake/fake_attach.h"
#include "fake/fake_kube.h"
#include "fake/fake_loop.h"
#include "fake/fake_queue.h"
#include "worker/early.h"
#include "worker/pipeline.h"

#define PAYLOAD "{\"id\":\"a1\",\"code\":\"print(6*7)\",\"timeout_s\":10}"
#define LABEL   "test-worker"
#define A_DAY   (24 * 3600 * 1000)

/* What the runner says. */
#define EXIT(code) "\"end\":\"exit\",\"exit_code\":" #code
#define SIGNAL(n)  "\"end\":\"signal\",\"signal\":" #n
#define ENDED(how) "\"end\":\"" how "\",\"signal\":15"
#define STOPPED    ENDED("stopped")

struct world {
    struct loop *loop;
    struct queue *queue;
    struct kube *kube;
    struct pods *pods;
    struct early *early;
    struct config config;
    struct request_limits limits;
    struct pipeline_context context;
    struct pipeline *current; /* the last one that was started and is not done */
    int running, troubles;
};

static void on_done(void *arg, struct pipeline *p)
{
    struct world *w = arg;

    w->running--;
    if (w->current == p)
        w->current = NULL;
    pipeline_free(p);
}

static void on_claim(void *arg, struct queue_claim *claim)
{
    struct world *w = arg;

    w->running++;
    w->current = pipeline_start(&w->context, claim, on_done, w);
}

static void on_trouble(void *arg, enum reason reason)
{
    struct world *w = arg;

    (void)reason;
    w->troubles++;
}

static void begin(struct world *w)
{
    char *const argv[] = {(char *)"execq-worker", NULL}, *const environment[] = {NULL};
    enum config_action action;
    struct fault f = FAULT_INIT;

    *w = (struct world){0};
    assert_int_equal(config_load(&w->config, 1, argv, environment, &action, &f), 0);
    assert_int_equal(loop_new(&w->loop, &f), 0);
    w->queue = fake_queue_new(w->loop, on_claim, w);
    w->kube = fake_kube_new(w->loop);
    w->pods = fake_pods_new(w->kube, LABEL);
    w->early = early_new(w->loop, w->kube);
    fake_attach_is(w->loop, NULL);
    w->limits = (struct request_limits){
        .payload_max = 1 << 20,
        .timeout_ms = 300000,
        .cpu_milli = 500,
        .memory_bytes = 512 << 20,
        .disk_bytes = 256 << 20,
        .output_bytes = 1 << 20,
        .result_ttl_s = 3600,
        .retry_infra = 2,
        .retry_max = 10,
    };
    w->context = (struct pipeline_context){
        .loop = w->loop,
        .config = &w->config,
        .limits = &w->limits,
        .queue = w->queue,
        .kube = w->kube,
        .pods = w->pods,
        .early = w->early,
        .label = LABEL,
        .on_trouble = on_trouble,
        .arg = w,
    };
}

/* Nothing is left: what every row ends with. */
static void end(struct world *w, const char *row, size_t objects)
{
    row_true(row, w->running == 0);
    row_true(row, fake_kube_live(w->kube) == 0);
    row_true(row, fake_queue_open(w->queue) == 0);
    row_true(row, fake_attach_live() == 0);
    row_true(row, fake_kube_objects(w->kube) == objects);
    row_true(row, fake_loop_pending(w->loop) == 0);
    early_free(w->early);
    pods_free(w->pods);
    kube_free(w->kube);
    fake_queue_free(w->queue);
    loop_free(w->loop);
    config_release(&w->config);
}

static void run(struct world *w, const char *payload)
{
    fake_queue_push(w->queue, payload);
    fake_loop_run_dry(w->loop, A_DAY);
}

/* A field of the last result, as text; "null" if there is none. `path` is a name, or two with a dot. */
static const char *result_field(struct world *w, const char *path)
{
    static char text[2048];
    struct json_object *root = json_tokener_parse(fake_queue_result(w->queue)), *v = root;
    char name[64];
    const char *dot = strchr(path, '.');

    snprintf(name, sizeof(name), "%.*s", dot ? (int)(dot - path) : 60, path);
    json_object_object_get_ex(root, name, &v);
    if (v != root && dot)
        v = field_peek(root, name) ? json_object_object_get(v, dot + 1) : NULL;
    snprintf(text, sizeof(text), "%s", v && v != root ? json_object_get_string(v) : "null");
    json_object_put(root);
    return text;
}

static void row_status(struct world *w, const char *row, const char *status, const char *reason)
{
    const char *is = result_field(w, "status");

    if (strcmp(is, status) != 0)
        fail_msg("row \"%s\": status %s, not %s: %s", row, is, status, fake_queue_result(w->queue));
    is = result_field(w, "error.reason");
    if (reason && strcmp(is, reason) != 0)
        fail_msg("row \"%s\": reason %s, not %s", row, is, reason);
}

static void test_runs_a_request(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    run(&w, PAYLOAD);
    row_status(&w, "plain", "ok", NULL);
    assert_string_equal(result_field(&w, "id"), "a1");
    assert_string_equal(result_field(&w, "stdout"), "42\n");
    assert_string_equal(result_field(&w, "exit_code"), "0");
    assert_int_equal(fake_queue_results(w.queue), 1);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_string_equal(result_field(&w, "usage.wall_ms"), "150");
    assert_int_equal(fake_kube_calls(w.kube), 3); /* Job, ConfigMap, delete */
    end(&w, "plain", 0);
}

/* --- the early word ----------------------------------------------------------------------------------------------- */

#define EARLY(word)                                               \
    "\n{\"execq_report\":1,\"isolation\":\"full\",\"run\":{" word \
    ",\"wall_ms\":70,\"cpu_ms\":20,\"max_rss_bytes\":4096,"       \
    "\"stdout\":\"early\\n\",\"stdout_bytes\":6,\"stderr\":\"\",\"stderr_bytes\":0},\"wall_ms\":80}\n"

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
                                  .start_ms = 300,
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

        begin(&w);
        early_allow(w.early, true);
        fake_attach_is(w.loop, &script);
        fake_kube_run(w.kube, &slow);
        run(&w, PAYLOAD);
        row_status(&w, rows[i].name, rows[i].status, NULL);
        row_true(rows[i].name, strcmp(result_field(&w, "stdout"), rows[i].out) == 0);
        row_true(rows[i].name, fake_attach_count() == 1);
        row_true(rows[i].name, fake_kube_calls(w.kube) == 3);
        heard = strcmp(rows[i].out, "early\n") == 0;
        row_true(rows[i].name, (loop_now(w.loop) < 15000) == heard);
        row_true(rows[i].name, strcmp(result_field(&w, "times.started"), "null") != 0);
        if (heard) {
            double started = atof(result_field(&w, "times.started")),
                   finished = atof(result_field(&w, "times.finished"));

            row_true(rows[i].name, finished - started > 0.079 && finished - started < 0.081);
            row_true(rows[i].name, atof(result_field(&w, "times.published")) - finished < 0.1);
        }
        end(&w, rows[i].name, 0);
    }
}

/* Nobody listens to a pod that was there before, and nobody where it is not allowed. */
static void test_does_not_listen(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    run(&w, PAYLOAD);
    row_status(&w, "not allowed", "ok", NULL);
    assert_int_equal(fake_attach_count(), 0);
    end(&w, "not allowed", 0);

    begin(&w);
    early_allow(w.early, true);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB,
                    &(struct fault){.kind = FAULT_EXISTS, .code = 409, .text = "already exists"}, true, 1);
    run(&w, PAYLOAD);
    row_status(&w, "found", "ok", NULL);
    assert_int_equal(fake_attach_count(), 0);
    end(&w, "found", 0);
}

/* The write rate makes a create wait, and one that is refused made nothing. */
static void test_says_when_the_job_was_made(void **state)
{
    struct fault refused = {.kind = FAULT_REFUSED, .code = 422, .text = "no"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_slow(w.kube, 5000);
    run(&w, PAYLOAD);
    row_status(&w, "slow", "ok", NULL);
    row_true("slow", atof(result_field(&w, "times.created")) - atof(result_field(&w, "times.claimed")) >= 5);
    row_true("slow", atof(result_field(&w, "times.started")) >= atof(result_field(&w, "times.created")));
    end(&w, "slow", 0);

    begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &refused, false, 100);
    run(&w, PAYLOAD);
    row_true("refused", strcmp(result_field(&w, "times.published"), "null") != 0);
    row_true("refused", strcmp(result_field(&w, "times.created"), "null") == 0);
    end(&w, "refused", 0);
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
    begin(&w);
    fake_kube_run(w.kube, &(struct fake_run){.run_ms = 100, .word = EXIT(0), .log = "42\n", .long_report = true});
    fake_kube_fault(w.kube, call[c].verb, call[c].kind, &f, done, times);
    run(&w, PAYLOAD);
    row_true(row, fake_queue_results(w.queue) == 1);
    if (deletes) {
        row_status(&w, row, "ok", NULL); /* the result does not depend on the cleaning up */
    } else if (times == 1 && kind != FAULT_REFUSED && kind != FAULT_TOO_BIG) {
        row_status(&w, row, "ok", NULL);
    } else if (times > 1) {
        row_status(&w, row, "infra_error", NULL);
    }
    /* A delete that failed is left to the sweeper and the TTL. */
    end(&w, row, deletes && !done ? (kind == FAULT_GONE || times >= 1 ? 2 : 0) : 0);
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

        begin(&w);
        fake_kube_run(w.kube, &row->run);
        run(&w, PAYLOAD);
        row_status(&w, row->name, row->status, row->reason);
        row_true(row->name, fake_queue_results(w.queue) == 1);
        row_true(row->name, fake_queue_charged(w.queue) == row->attempts - 1);
        end(&w, row->name, 0);
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
    begin(&w);
    fake_kube_run(w.kube, &endless);
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &away, false, 1000000);
    run(&w, PAYLOAD);
    row_status(&w, "no answer", "infra_error", "node_lost");
    assert_int_equal(fake_queue_charged(w.queue), 2);
    end(&w, "no answer", 0);
    begin(&w);
    fake_kube_run(w.kube, &endless);
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &forbidden, false, 1000000);
    run(&w, PAYLOAD);
    row_status(&w, "refused", "infra_error", "log_lost");
    end(&w, "refused", 0);
}

/* With the watch broken, or ourselves stopped for a while, our clock runs out before the end is heard of: the pod
 * itself is asked before anybody is called late. */
static void test_an_end_that_was_not_seen(void **state)
{
    struct fault away = {.kind = FAULT_TRANSIENT, .text = "no route to host"};
    struct fake_run run_unseen = {.run_ms = 5000, .unseen = true, .word = EXIT(0), .log = "x"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_run(w.kube, &run_unseen);
    run(&w, PAYLOAD);
    row_status(&w, "unseen", "ok", NULL);
    assert_string_equal(result_field(&w, "stdout"), "x");
    end(&w, "unseen", 0);
    begin(&w);
    fake_kube_run(w.kube, &run_unseen);
    fake_kube_fault(w.kube, FAKE_LIST, KUBE_POD, &away, false, 1000000);
    run(&w, PAYLOAD);
    row_status(&w, "unseen, and no answer", "infra_error", "api");
    assert_int_equal(fake_queue_charged(w.queue), 2);
    end(&w, "unseen, and no answer", 0);
}

/* A quota that frees up after minutes costs no attempt. */
static void test_quota_charges_nothing(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "exceeded quota: pods"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &f, false, 30);
    run(&w, PAYLOAD);
    row_status(&w, "quota", "ok", NULL);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_int_equal(w.troubles, 30);
    /* What was refused is not there to be deleted; and by the time a delete got through, the next try's Job may have
     * taken the name. */
    assert_int_equal(fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB), 1);
    end(&w, "quota", 0);
}

/* A Role that lacks a verb, for minutes: it costs no attempt, and fails no batch. */
static void test_missing_rights_charge_nothing(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "jobs.batch is forbidden: User \"w\" cannot create"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &f, false, 20);
    run(&w, PAYLOAD);
    row_status(&w, "rights", "ok", NULL);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_int_equal(w.troubles, 20);
    end(&w, "rights", 0);
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
    begin(&w);
    fake_kube_run(w.kube, &slow);
    run(&w, PAYLOAD);
    row_status(&w, "old event", "ok", NULL);
    assert_int_equal(fake_queue_count(w.queue, FAKE_DELAY), 0);
    end(&w, "old event", 0);
}

/* ... but not for ever: after ten minutes it counts as a fault of our side. */
static void test_rights_that_stay_missing(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "jobs.batch is forbidden: User \"w\" cannot create"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_JOB, &f, false, 1000000);
    run(&w, PAYLOAD);
    row_status(&w, "rights", "infra_error", "api");
    assert_int_equal(fake_queue_charged(w.queue), 2);
    assert_true(loop_now(w.loop) >= 600000 && loop_now(w.loop) < 700000);
    end(&w, "rights", 0);
}

/* A long report that went with its pod. */
static void test_a_log_that_is_gone(void **state)
{
    struct fault f = {.kind = FAULT_GONE, .code = 404, .text = "pods \"x\" not found"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_run(w.kube, &(struct fake_run){.run_ms = 100, .word = EXIT(0), .long_report = true});
    fake_kube_fault(w.kube, FAKE_LOG, KUBE_POD, &f, false, 1000000);
    run(&w, PAYLOAD);
    row_status(&w, "gone", "infra_error", "disrupted");
    end(&w, "gone", 0);
}

/* Without the right to list events it is not known why there is no pod, and that is said. */
static void test_events_that_cannot_be_listed(void **state)
{
    struct fault f = {.kind = FAULT_REFUSED, .code = 403, .text = "events is forbidden: User \"w\" cannot list"};
    struct fake_run none = {.schedule_ms = -1};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_run(w.kube, &none);
    fake_kube_fault(w.kube, FAKE_LIST, KUBE_EVENT, &f, false, 1000000);
    run(&w, PAYLOAD);
    row_status(&w, "no events", "infra_error", "start");
    assert_non_null(strstr(result_field(&w, "error.message"), "events is forbidden"));
    end(&w, "no events", 0);
}

static void test_a_job_without_a_uid(void **state)
{
    struct fake_run odd = {.no_uid = true};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_run(w.kube, &odd);
    run(&w, PAYLOAD);
    row_status(&w, "no uid", "infra_error", "api");
    assert_int_equal(fake_kube_count(w.kube, FAKE_CREATE, KUBE_CONFIGMAP), 0); /* nobody would own it */
    end(&w, "no uid", 0);
}

/* What is wrong with one request is no reason to take fewer. */
static void test_a_hopeless_request_is_no_trouble(void **state)
{
    struct fault f = {.kind = FAULT_TOO_BIG, .code = 413, .text = "request is too large"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_fault(w.kube, FAKE_CREATE, KUBE_CONFIGMAP, &f, false, 1);
    run(&w, PAYLOAD);
    row_status(&w, "too large", "infra_error", "api");
    assert_int_equal(w.troubles, 0);
    end(&w, "too large", 0);
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
        begin(&w);
        fake_queue_clock(w.queue, ahead[i]);
        snprintf(payload, sizeof(payload), "{\"id\":\"a1\",\"code\":\"x\",\"not_before\":%lld}",
                 (long long)(loop_wall(w.loop) + ahead[i]) / 1000 + 60);
        run(&w, payload);
        row_status(&w, row, "ok", NULL);
        row_true(row, fake_queue_count(w.queue, FAKE_DELAY) == 1);
        row_true(row, loop_now(w.loop) >= 59000 && loop_now(w.loop) < 65000);
        end(&w, row, 0);

        begin(&w);
        fake_queue_clock(w.queue, ahead[i]);
        fake_kube_run(w.kube, &vanishes);
        run(&w, PAYLOAD);
        row_status(&w, row, "infra_error", "disrupted");
        row_true(row, loop_now(w.loop) >= 1000 && loop_now(w.loop) < 15000); /* two delays of a second or two */
        end(&w, row, 0);

        begin(&w);
        fake_queue_clock(w.queue, ahead[i]);
        snprintf(payload, sizeof(payload), "{\"id\":\"a1\",\"code\":\"x\",\"deadline\":%lld}",
                 (long long)(loop_wall(w.loop) + ahead[i]) / 1000 + 10);
        run(&w, payload);
        row_status(&w, row, "ok", NULL);
        end(&w, row, 0);
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

        begin(&w);
        w.config.result_max = 4096;
        run(&w, payload);
        row_status(&w, status[i], status[i], NULL);
        row_true(status[i], strlen(fake_queue_result(w.queue)) <= 4096);
        end(&w, status[i], 0);
    }
}

/* --- requests that are not run ---------------------------------------------------------------------------------- */

static const struct {
    const char *payload, *status;
    int buried;
} refused[] = {
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":1}", "invalid", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"nonsense\":1}", "invalid", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"network\":true}", "rejected", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"language\":\"cobol\"}", "rejected", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"image\":\"evil:latest\"}", "rejected", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"deadline\":1000}", "expired", 0},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct world w;

        begin(&w);
        run(&w, refused[i].payload);
        row_status(&w, refused[i].payload, refused[i].status, NULL);
        row_true(refused[i].payload, fake_queue_results(w.queue) == 1);
        row_true(refused[i].payload,
                 strcmp(fake_queue_reply_to(w.queue), "r") == 0); /* who waits there, waits for it */
        row_true(refused[i].payload, fake_queue_count(w.queue, FAKE_BURY) == refused[i].buried);
        row_true(refused[i].payload, fake_kube_calls(w.kube) == 0);
        end(&w, refused[i].payload, 0);
    }
}

static void test_garbage_goes_to_dead(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    run(&w, "{\"id\":");
    assert_int_equal(fake_queue_results(w.queue), 0);
    assert_int_equal(fake_queue_count(w.queue, FAKE_BURY), 1);
    assert_non_null(strstr(fake_queue_dead(w.queue), "not JSON"));
    end(&w, "garbage", 0);
}

static void test_not_before(void **state)
{
    char payload[256];
    struct world w;

    (void)state;
    begin(&w);
    snprintf(payload, sizeof(payload), "{\"id\":\"a1\",\"code\":\"x\",\"not_before\":%lld}",
             (long long)loop_wall(w.loop) / 1000 + 60);
    run(&w, payload);
    row_status(&w, "not_before", "ok", NULL);
    assert_int_equal(fake_queue_count(w.queue, FAKE_DELAY), 1);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_true(loop_now(w.loop) >= 60000);
    end(&w, "not_before", 0);
}

/* --- adoption ------------------------------------------------------------------------------------------------------
 */

/* The Job that our worker would create, as JSON; the caller frees. */
static char *our_job(void)
{
    struct world w;
    char *json;

    begin(&w);
    run(&w, PAYLOAD);
    json = mem_string(fake_kube_job(w.kube));
    end(&w, "our job", 0);
    return json;
}

/* With one of its strings replaced; takes `json` over. */
static char *altered(char *json, const char *from, const char *to)
{
    char *at = strstr(json, from), *new;

    assert_non_null(at);
    new = mem_format("%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
    free(json);
    return new;
}

static void test_adopts(void **state)
{
    char *job = altered(our_job(), "\"execq.dev/worker\":\"" LABEL "\"", "\"execq.dev/worker\":\"another\"");
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_plant_job(w.kube, job, false);
    run(&w, PAYLOAD);
    row_status(&w, "adopt", "ok", NULL);
    assert_int_equal(fake_kube_count(w.kube, FAKE_CREATE, KUBE_JOB), 1);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    end(&w, "adopt", 0);
    free(job);
}

/* Given back while its code runs, and taken up again by a worker of the same name: the code's time goes on. */
static void taken_up_again(int64_t ahead_ms)
{
    struct fake_run endless = {.run_ms = -1, .log = "x"};
    struct world w;

    begin(&w);
    fake_queue_clock(w.queue, ahead_ms);
    fake_kube_clock(w.kube, ahead_ms);
    fake_kube_run(w.kube, &endless);
    fake_queue_push(w.queue, PAYLOAD);
    fake_loop_advance(w.loop, 8000);
    pipeline_hand_back(w.current);
    fake_loop_advance(w.loop, 100);
    assert_int_equal(w.running, 0);
    run(&w, PAYLOAD);
    row_status(&w, "own", "timeout", NULL);
    assert_true(loop_now(w.loop) >= 19000 && loop_now(w.loop) < 22000); /* 10 s, and 10 for the runner to say so */
    end(&w, "own", 0);
}

static void test_adopts_its_own(void **state)
{
    (void)state;
    taken_up_again(0);
    taken_up_again(3600 * 1000); /* the cluster and Redis agree on the time, and we do not */
    taken_up_again(-3600 * 1000);
}

static void test_clears_what_is_not_ours(void **state)
{
    static const struct {
        const char *name, *from, *to;
        bool deleting;
    } rows[] = {
        {"other request", "\"execq.dev/digest\":\"", "\"execq.dev/digest\":\"00", false},
        {"other installation", "\"execq.dev/installation\":\"", "\"execq.dev/installation\":\"x", false},
        {"being deleted", "\"execq.dev/token\":\"", "\"execq.dev/token\":\"9", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *job = altered(our_job(), rows[i].from, rows[i].to);
        struct world w;

        begin(&w);
        fake_kube_plant_job(w.kube, job, rows[i].deleting);
        run(&w, PAYLOAD);
        row_status(&w, rows[i].name, "ok", NULL);
        row_true(rows[i].name, fake_queue_charged(w.queue) == 0);
        end(&w, rows[i].name, 0);
        free(job);
    }
}

static void test_clears_an_old_configmap(void **state)
{
    struct json_object *job = NULL;
    char *json = our_job();
    struct world w;

    (void)state;
    job = json_tokener_parse(json);
    begin(&w);
    fake_kube_plant_configmap(w.kube, field_peek_string(field_peek(job, "metadata"), "name"), "uid-of-an-old-job");
    run(&w, PAYLOAD);
    row_status(&w, "old ConfigMap", "ok", NULL);
    end(&w, "old ConfigMap", 0);
    json_object_put(job);
    free(json);
}

/* --- claims that are lost or given back, at every moment ------------------------------------------------------- */

static void test_queue_says_no(void **state)
{
    static const enum queue_answer answers[] = {QUEUE_LOST, QUEUE_FAILED};

    (void)state;
    for (int c = FAKE_ADMIT; c <= FAKE_FINISH; c++)
        for (size_t i = 0; i < COUNT_OF(answers); i++) {
            char row[64];
            struct world w;

            snprintf(row, sizeof(row), "call %d answer %d", c, (int)answers[i]);
            begin(&w);
            fake_queue_answer(w.queue, (enum fake_queue_call)c, answers[i], 1);
            run(&w, PAYLOAD);
            row_true(row, fake_queue_results(w.queue) == 0);
            if (answers[i] == QUEUE_LOST) { /* not ours any more: nothing in the cluster may be touched */
                row_true(row, fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB) == 0);
                end(&w, row, c == FAKE_FINISH ? 2 : 0);
            } else { /* ours still, and nobody else would ever settle it */
                row_true(row, strstr(fake_queue_dead(w.queue), "ordered by the test") != NULL);
                end(&w, row, 0);
            }
        }
}

/* At each millisecond of a run: forget, or hand back. */
static void test_interrupted_anywhere(void **state)
{
    const struct fake_attach script = {.bytes = EARLY(EXIT(0)), .bytes_ms = 100, .end_ms = 2000, .opened = true};
    const struct fake_run slow = {.schedule_ms = 20,
                                  .start_ms = 300,
                                  .assigned = true,
                                  .run_ms = 800,
                                  .end = {.exit_code = 0, .signal = -1},
                                  .word = EXIT(0)};

    (void)state;
    for (int64_t at = 0; at < 1240; at += 5)
        for (int forget = 0; forget < 2; forget++) {
            bool listens = at >= 620; /* a run of which the runner is heard at 930 ms */
            char row[64];
            struct world w;
            int deletes;

            snprintf(row, sizeof(row), "%s at %d ms", forget ? "forget" : "hand back", (int)at);
            begin(&w);
            early_allow(w.early, listens);
            fake_attach_is(w.loop, &script);
            if (listens)
                fake_kube_run(w.kube, &slow);
            fake_queue_push(w.queue, PAYLOAD);
            fake_loop_advance(w.loop, at);
            deletes = fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB);
            if (w.current && forget)
                pipeline_forget(w.current);
            else if (w.current)
                pipeline_hand_back(w.current);
            fake_loop_run_dry(w.loop, A_DAY);
            row_true(row, w.running == 0);
            row_true(row, fake_kube_live(w.kube) == 0);
            row_true(row, fake_queue_results(w.queue) + fake_queue_count(w.queue, FAKE_RELEASE) <= 1);
            if (forget) {
                row_true(row, fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB) == deletes);
                row_true(row, fake_queue_count(w.queue, FAKE_RELEASE) == 0);
            } else {
                row_true(row, fake_queue_results(w.queue) + fake_queue_count(w.queue, FAKE_RELEASE) == 1);
                row_true(row, fake_queue_open(w.queue) == 0);
            }
            if (fake_queue_results(w.queue) && !forget)
                row_true(row, fake_kube_objects(w.kube) == 0);
            row_true(row, fake_loop_pending(w.loop) == 0);
            row_true(row, fake_attach_live() == 0);
            early_free(w.early);
            pods_free(w.pods);
            kube_free(w.kube);
            fake_queue_free(w.queue);
            loop_free(w.loop);
            config_release(&w.config);
        }
}

static void test_retry_of_the_code(void **state)
{
    struct fake_run fails = {.run_ms = 100, .word = EXIT(1), .log = "no"};
    struct world w;

    (void)state;
    begin(&w);
    fake_kube_run(w.kube, &fails);
    run(&w, "{\"id\":\"a1\",\"code\":\"x\",\"retry\":{\"code\":2}}");
    row_status(&w, "code retry", "nonzero_exit", NULL);
    assert_int_equal(fake_queue_charged(w.queue), 2);
    assert_int_equal(fake_kube_count(w.kube, FAKE_CREATE, KUBE_JOB), 3);
    assert_non_null(strstr(fake_queue_result(w.queue), "\"n\":3"));
    end(&w, "code retry", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_a_request),
        cmocka_unit_test(test_hears_the_runner),
        cmocka_unit_test(test_does_not_listen),
        cmocka_unit_test(test_says_when_the_job_was_made),
        cmocka_unit_test(test_fault_matrix),
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_a_lost_node_is_no_timeout),
        cmocka_unit_test(test_an_end_that_was_not_seen),
        cmocka_unit_test(test_quota_charges_nothing),
        cmocka_unit_test(test_missing_rights_charge_nothing),
        cmocka_unit_test(test_rights_that_stay_missing),
        cmocka_unit_test(test_a_log_that_is_gone),
        cmocka_unit_test(test_events_of_an_earlier_job),
        cmocka_unit_test(test_events_that_cannot_be_listed),
        cmocka_unit_test(test_a_job_without_a_uid),
        cmocka_unit_test(test_a_hopeless_request_is_no_trouble),
        cmocka_unit_test(test_clocks_that_differ),
        cmocka_unit_test(test_a_result_over_its_cap),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_garbage_goes_to_dead),
        cmocka_unit_test(test_not_before),
        cmocka_unit_test(test_adopts),
        cmocka_unit_test(test_adopts_its_own),
        cmocka_unit_test(test_clears_what_is_not_ours),
        cmocka_unit_test(test_clears_an_old_configmap),
        cmocka_unit_test(test_queue_says_no),
        cmocka_unit_test(test_interrupted_anywhere),
        cmocka_unit_test(test_retry_of_the_code),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
