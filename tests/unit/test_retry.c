#include "unit/check.h"

#include "base/cleanup.h"
#include "worker/retry.h"

static char *const only_evicted[] = {(char *)"evicted", NULL};
static char *const only_timeout[] = {(char *)"timeout", NULL};

/* clang-format off */
static const struct {
    const char *name;
    struct retry_case c;
    bool again;
    enum queue_charge charge;
} rows[] = {
    {"ok", {.status = STATUS_OK, .infra = 2, .code = 9, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"ours, first", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .infra = 2, .left_ms = INT64_MAX}, true, CHARGE_INFRA},
    {"ours, last", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .infra = 2, .infra_used = 1, .left_ms = INT64_MAX}, true, CHARGE_INFRA},
    {"ours, used up", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .infra = 2, .infra_used = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"ours, not wanted", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"hopeless", {.status = STATUS_INFRA_ERROR, .reason = REASON_IMAGE_PULL, .hopeless = true, .infra = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"poison", {.status = STATUS_INFRA_ERROR, .reason = REASON_POISON, .infra = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"internal", {.status = STATUS_INFRA_ERROR, .reason = REASON_INTERNAL, .infra = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"listed", {.status = STATUS_INFRA_ERROR, .reason = REASON_EVICTED, .infra = 1, .on = only_evicted, .left_ms = INT64_MAX}, true, CHARGE_INFRA},
    {"not listed", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .infra = 1, .on = only_evicted, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"quota is free", {.status = STATUS_INFRA_ERROR, .reason = REASON_QUOTA, .infra = 2, .infra_used = 2, .left_ms = INT64_MAX}, true, CHARGE_NOTHING},
    {"quota that is too small", {.status = STATUS_INFRA_ERROR, .reason = REASON_QUOTA, .hopeless = true, .infra = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"quota for too long", {.status = STATUS_INFRA_ERROR, .reason = REASON_QUOTA, .infra = 2, .waited_ms = QUOTA_PATIENCE_MS, .left_ms = INT64_MAX}, true, CHARGE_INFRA},
    {"quota for too long, used up", {.status = STATUS_INFRA_ERROR, .reason = REASON_QUOTA, .infra = 2, .infra_used = 2, .waited_ms = QUOTA_PATIENCE_MS, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"no access is free", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .access = true, .infra = 2, .infra_used = 2, .left_ms = INT64_MAX}, true, CHARGE_NOTHING},
    {"no access for too long", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .access = true, .infra = 2, .waited_ms = QUOTA_PATIENCE_MS, .left_ms = INT64_MAX}, true, CHARGE_INFRA},
    {"no access, and a deadline", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .access = true, .left_ms = 2000}, false, CHARGE_NOTHING},
    {"code, by default", {.status = STATUS_NONZERO_EXIT, .infra = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"code, wanted", {.status = STATUS_NONZERO_EXIT, .code = 1, .left_ms = INT64_MAX}, true, CHARGE_CODE},
    {"code, used up", {.status = STATUS_NONZERO_EXIT, .code = 1, .code_used = 1, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"code, listed", {.status = STATUS_TIMEOUT, .code = 1, .on = only_timeout, .left_ms = INT64_MAX}, true, CHARGE_CODE},
    {"code, not listed", {.status = STATUS_OOM, .code = 1, .on = only_timeout, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"invalid", {.status = STATUS_INVALID, .infra = 2, .code = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"expired", {.status = STATUS_EXPIRED, .infra = 2, .code = 2, .left_ms = INT64_MAX}, false, CHARGE_NOTHING},
    {"after the deadline", {.status = STATUS_INFRA_ERROR, .reason = REASON_API, .infra = 2, .left_ms = 400}, false, CHARGE_INFRA},
};
/* clang-format on */

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct retry_plan plan = retry_decide(&rows[i].c, 0x80000000u);

        row_true(rows[i].name, plan.again == rows[i].again);
        row_true(rows[i].name, !plan.again || plan.charge == rows[i].charge);
    }
}

static int64_t delay(int used, uint32_t random)
{
    struct retry_case c = {.status = STATUS_INFRA_ERROR,
                           .reason = REASON_NODE_LOST,
                           .infra = 100,
                           .infra_used = used,
                           .left_ms = INT64_MAX};

    return retry_decide(&c, random).delay_ms;
}

static void test_delays_double_up_to_a_cap(void **state)
{
    (void)state;
    assert_int_equal(delay(0, 0), 1000);
    assert_int_equal(delay(1, 0), 2000);
    assert_int_equal(delay(4, 0), 16000);
    assert_int_equal(delay(5, 0), 30000);
    assert_int_equal(delay(90, 0), 30000);
    for (uint32_t r = 0; r < 16; r++) { /* at most half of it is taken off */
        assert_in_range(delay(2, r << 28), 2000, 4000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_delays_double_up_to_a_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
