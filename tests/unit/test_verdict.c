#include "unit/check.h"

#include "base/cleanup.h"
#include "worker/verdict.h"

/* clang-format off */
static const struct {
    const char *name;
    struct pod_state pod;
    enum status status;
    enum reason reason;
    bool hopeless;
} ended[] = {
    {"exit 0 by nobody", {.exit_code = 0, .signal = -1}, STATUS_INFRA_ERROR, REASON_DISRUPTED, false},
    {"killed", {.exit_code = 137, .signal = 9}, STATUS_INFRA_ERROR, REASON_DISRUPTED, false},
    {"the runner: wrong arguments", {.exit_code = 64, .signal = -1}, STATUS_INFRA_ERROR, REASON_START, false},
    {"the runner: no memory", {.exit_code = 70, .signal = -1}, STATUS_OOM, REASON_NONE, false},
    {"the runner: no message", {.exit_code = 73, .signal = -1}, STATUS_INFRA_ERROR, REASON_START, false},
    {"the runner: no log", {.exit_code = 74, .signal = -1}, STATUS_INFRA_ERROR, REASON_LOG_LOST, false},
    {"the runner: unreadable", {.exit_code = 86, .signal = -1}, STATUS_INFRA_ERROR, REASON_LOG_LOST, false},
    {"memory, gVisor", {.cause = POD_OOM, .exit_code = 128, .signal = -1}, STATUS_OOM, REASON_NONE, false},
    {"memory, runc", {.cause = POD_OOM, .exit_code = 137, .signal = 9}, STATUS_OOM, REASON_NONE, false},
    {"disk", {.cause = POD_DISK_LIMIT}, STATUS_DISK_LIMIT, REASON_NONE, false},
    {"pod deadline while it ran", {.cause = POD_DEADLINE, .started_ms = 1000}, STATUS_INFRA_ERROR, REASON_DEADLINE, false},
    {"no such command", {.cause = POD_START_ERROR, .exit_code = 128, .hopeless = true}, STATUS_INFRA_ERROR, REASON_START, true},
    {"runtime restarted", {.cause = POD_START_ERROR, .exit_code = 128}, STATUS_INFRA_ERROR, REASON_START, false},
    {"evicted", {.cause = POD_EVICTED}, STATUS_INFRA_ERROR, REASON_EVICTED, false},
    {"disrupted", {.cause = POD_DISRUPTED}, STATUS_INFRA_ERROR, REASON_DISRUPTED, false},
    {"node lost", {.cause = POD_NODE_LOST}, STATUS_INFRA_ERROR, REASON_NODE_LOST, false},
    {"node refused it", {.cause = POD_NODE_ADMISSION}, STATUS_INFRA_ERROR, REASON_UNSCHEDULABLE, false},
};
/* clang-format on */

static void test_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ended); i++) {
        struct verdict v;

        verdict_of_ended(&ended[i].pod, &v);
        row_true(ended[i].name, v.status == ended[i].status);
        row_true(ended[i].name, v.reason == ended[i].reason);
        row_true(ended[i].name, v.hopeless == ended[i].hopeless);
        row_true(ended[i].name, v.exit_code == -1 && v.signal == -1); /* the container's, not the program's */
    }
}

/* --- reports of several runs ------------------------------------------------------------------------------------ */

#define DONE(code)                                          \
    {                                                       \
        .end = REPORT_EXIT, .exit_code = code, .signal = -1 \
    }

static void test_compile_stage(void **state)
{
    struct report_run well = DONE(0), bad = DONE(1), late = {.end = REPORT_TIMEOUT, .exit_code = -1, .signal = 15},
                      missing = {.end = REPORT_NOT_STARTED, .exit_code = -1, .signal = -1, .why = (char *)"no gcc"};
    struct pod_state pod = {.exit_code = REPORT_EXIT_CODE};
    struct request r = {.timeout_ms = 1000};
    struct report report = {.compile = &bad};
    struct verdict v;

    (void)state;
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_COMPILE_ERROR);
    assert_int_equal(v.exit_code, 1);
    report.compile = &late;
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_COMPILE_ERROR);
    assert_non_null(strstr(v.message, "compile-timeout"));
    report.compile = &missing; /* an image without a compiler is not the code's fault */
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_INFRA_ERROR);
    assert_int_equal(v.reason, REASON_START);
    assert_non_null(strstr(v.message, "no gcc"));
    r.image = (char *)"of-the-request";
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_INVALID);
    report.compile = &well;
    report.run = &bad;
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_NONZERO_EXIT);
}

static void test_cases(void **state)
{
    struct report_case cases[] = {
        {.verdict = REPORT_PASSED, .run = DONE(0)},
        {.verdict = REPORT_WRONG, .run = DONE(0)},
        {.verdict = REPORT_FAILED, .run = {.end = REPORT_SIGNAL, .exit_code = -1, .signal = 11}},
        {.verdict = REPORT_FAILED, .run = DONE(3)},
        {.verdict = REPORT_SKIPPED},
    };
    struct pod_state pod = {.exit_code = REPORT_EXIT_CODE};
    struct report report = {.cases = cases, .case_count = 2};
    struct request r = {.timeout_ms = 1000};
    struct verdict v;

    (void)state;
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_OK); /* a wrong answer is the case's verdict, not a failure of the run */
    assert_int_equal(v.exit_code, 0);
    report.case_count = COUNT_OF(cases);
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_SIGNAL); /* of the first that failed */
    assert_int_equal(v.signal, 11);
}

/* The pod was taken away amid the cases: those behind never ran, so whatever failed before them is not the answer. */
static void test_cases_that_were_stopped(void **state)
{
    struct report_case cases[] = {
        {.verdict = REPORT_FAILED, .run = DONE(3)},
        {.verdict = REPORT_FAILED, .run = {.end = REPORT_STOPPED, .exit_code = -1, .signal = 15}},
        {.verdict = REPORT_SKIPPED},
    };
    struct pod_state pod = {.exit_code = REPORT_EXIT_CODE};
    struct report report = {.cases = cases, .case_count = COUNT_OF(cases)};
    struct request r = {.timeout_ms = 1000};
    struct verdict v;

    (void)state;
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_INFRA_ERROR);
    assert_int_equal(v.reason, REASON_DISRUPTED);
    assert_false(v.hopeless);
    pod.cause = POD_DISK_LIMIT; /* by the code itself */
    verdict_of_report(&report, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_DISK_LIMIT);
}

/* The compile stage made it, or an earlier case deleted it: no fault of the image's. */
static void test_program_that_cannot_be_started(void **state)
{
    struct report_run well = DONE(0), missing = {.end = REPORT_NOT_STARTED,
                                                 .exit_code = -1,
                                                 .signal = -1,
                                                 .why = (char *)"cannot start /tmp/main"};
    struct report_case cases[] = {{.verdict = REPORT_PASSED, .run = DONE(0)},
                                  {.verdict = REPORT_FAILED, .run = missing}};
    struct pod_state pod = {.exit_code = REPORT_EXIT_CODE};
    struct report alone = {.compile = &well, .run = &missing},
                  second = {.compile = &well, .cases = cases, .case_count = COUNT_OF(cases)};
    struct request r = {.timeout_ms = 1000};
    struct verdict v;

    (void)state;
    verdict_of_report(&alone, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_INVALID);
    assert_non_null(strstr(v.message, "/tmp/main"));
    verdict_of_report(&second, &pod, &r, &v);
    assert_int_equal(v.status, STATUS_INVALID);
}

static void test_waiting(void **state)
{
    struct pod_state pod = {.cause = POD_FINE, .scheduled = true};
    struct verdict v;

    (void)state;
    verdict_of_unended(NULL, &v);
    assert_int_equal(v.reason, REASON_START);
    assert_non_null(strstr(v.message, "never got a pod"));
    verdict_of_unended(&pod, &v);
    assert_int_equal(v.reason, REASON_START);
    pod.scheduled = false;
    verdict_of_unended(&pod, &v);
    assert_int_equal(v.reason, REASON_UNSCHEDULABLE);
    pod = (struct pod_state){.cause = POD_IMAGE_PULL, .hopeless = true, .message = "no such image"};
    verdict_of_unended(&pod, &v);
    assert_int_equal(v.reason, REASON_IMAGE_PULL);
    assert_true(v.hopeless);
    assert_string_equal(v.message, "no such image");
}

/* clang-format off */
static const struct {
    struct fault f;
    enum reason reason;
    bool hopeless;
} faults[] = {
    {{.kind = FAULT_TRANSIENT, .code = 503}, REASON_API, false},
    {{.kind = FAULT_TIMEOUT}, REASON_API, false},
    {{.kind = FAULT_REFUSED, .code = 401}, REASON_API, false},
    {{.kind = FAULT_REFUSED, .code = 409}, REASON_API, false},
    {{.kind = FAULT_REFUSED, .code = 403, .text = "pods is forbidden: exceeded quota: q"}, REASON_QUOTA, false},
    {{.kind = FAULT_REFUSED, .code = 403, .text = "exceeded quota: q, requested: pods=2, used: pods=0, limited: pods=1"}, REASON_QUOTA, true},
    {{.kind = FAULT_REFUSED, .code = 403, .text = "jobs.batch is forbidden: User \"w\" cannot create"}, REASON_API, false},
    {{.kind = FAULT_REFUSED, .code = 403, .text = "forbidden"}, REASON_ADMISSION, true},
    {{.kind = FAULT_REFUSED, .code = 422}, REASON_ADMISSION, true},
    {{.kind = FAULT_TOO_BIG, .code = 413}, REASON_API, true},
};
/* clang-format on */

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct verdict v;

        verdict_of_fault(&faults[i].f, "create Job", &v);
        assert_int_equal(v.status, STATUS_INFRA_ERROR);
        assert_int_equal(v.reason, faults[i].reason);
        assert_int_equal(v.hopeless, faults[i].hopeless);
        assert_int_equal(strncmp(v.message, "create Job: ", 12), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_compile_stage),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cases_that_were_stopped),
        cmocka_unit_test(test_program_that_cannot_be_started),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
