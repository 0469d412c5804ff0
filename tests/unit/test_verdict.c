#include "unit/check.h"

#include "base/cleanup.h"
#include "worker/verdict.h"

/* clang-format off */
static const struct {
    const char *name;
    struct pod_state pod;
    enum status status;
    enum reason reason;
    bool hopeless, has_log;
} ended[] = {
    {"exit 0", {.exit_code = 0, .signal = -1}, STATUS_OK, REASON_NONE, false, true},
    {"exit 1", {.exit_code = 1, .signal = -1}, STATUS_NONZERO_EXIT, REASON_NONE, false, true},
    {"killed", {.exit_code = 139, .signal = 11}, STATUS_SIGNAL, REASON_NONE, false, true},
    {"in time", {.exit_code = 0, .signal = -1, .started_ms = 1000, .finished_ms = 12000}, STATUS_OK, REASON_NONE, false, true},
    {"late", {.exit_code = 0, .signal = -1, .started_ms = 1000, .finished_ms = 13000}, STATUS_TIMEOUT, REASON_NONE, false, true},
    {"memory", {.cause = POD_OOM, .exit_code = 137, .signal = 9}, STATUS_OOM, REASON_NONE, false, true},
    {"memory, exit 0", {.cause = POD_OOM, .exit_code = 0, .signal = -1}, STATUS_OOM, REASON_NONE, false, true},
    {"disk", {.cause = POD_DISK_LIMIT}, STATUS_DISK_LIMIT, REASON_NONE, false, false},
    {"pod deadline while it ran", {.cause = POD_DEADLINE, .started_ms = 1000}, STATUS_TIMEOUT, REASON_NONE, false, true},
    {"pod deadline before it ran", {.cause = POD_DEADLINE}, STATUS_INFRA_ERROR, REASON_DEADLINE, false, false},
    {"no such command", {.cause = POD_START_ERROR, .exit_code = 128, .hopeless = true}, STATUS_INFRA_ERROR, REASON_START, true, false},
    {"runtime restarted", {.cause = POD_START_ERROR, .exit_code = 128}, STATUS_INFRA_ERROR, REASON_START, false, false},
    {"evicted", {.cause = POD_EVICTED}, STATUS_INFRA_ERROR, REASON_EVICTED, false, false},
    {"disrupted", {.cause = POD_DISRUPTED}, STATUS_INFRA_ERROR, REASON_DISRUPTED, false, false},
    {"node lost", {.cause = POD_NODE_LOST}, STATUS_INFRA_ERROR, REASON_NODE_LOST, false, false},
    {"node refused it", {.cause = POD_NODE_ADMISSION}, STATUS_INFRA_ERROR, REASON_UNSCHEDULABLE, false, false},
};
/* clang-format on */

static void test_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ended); i++) {
        struct verdict v;

        verdict_of_ended(&ended[i].pod, 10000, &v);
        row_true(ended[i].name, v.status == ended[i].status);
        row_true(ended[i].name, v.reason == ended[i].reason);
        row_true(ended[i].name, v.hopeless == ended[i].hopeless);
        row_true(ended[i].name, v.has_log == ended[i].has_log);
    }
}

static void test_waiting(void **state)
{
    struct pod_state pod = {.cause = POD_FINE, .scheduled = true};
    struct verdict v;

    (void)state;
    verdict_of_waiting(NULL, &v);
    assert_int_equal(v.reason, REASON_START);
    assert_non_null(strstr(v.message, "never got a pod"));
    verdict_of_waiting(&pod, &v);
    assert_int_equal(v.reason, REASON_START);
    pod.scheduled = false;
    verdict_of_waiting(&pod, &v);
    assert_int_equal(v.reason, REASON_UNSCHEDULABLE);
    pod = (struct pod_state){.cause = POD_IMAGE_PULL, .hopeless = true, .message = "no such image"};
    verdict_of_waiting(&pod, &v);
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
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
