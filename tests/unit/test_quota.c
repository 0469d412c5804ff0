#include "unit/check.h"

#include "base/cleanup.h"
#include "k8s/quota.h"

static const struct {
    const char *message;
    bool never;
} rows[] = {
    {"", false},
    {"exceeded quota: q", false},
    {"exceeded quota: q, requested: pods=1, used: pods=10, limited: pods=10", false},
    {"exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0", false}, /* shut */
    {"exceeded quota: q, requested: pods=2, used: pods=0, limited: pods=1", true},
    {"pods \"x\" is forbidden: exceeded quota: q, requested: limits.memory=4Gi, used: limits.memory=0, limited: "
     "limits.memory=2Gi",
     true},
    {"exceeded quota: q, requested: limits.memory=2Gi, used: limits.memory=1Gi, limited: limits.memory=2Gi", false},
    {"exceeded quota: q, requested: limits.cpu=500m, used: limits.cpu=2, limited: limits.cpu=2", false},
    {"exceeded quota: q, requested: limits.cpu=3,limits.memory=1Gi, used: limits.cpu=0,limits.memory=2Gi, limited: "
     "limits.cpu=2,limits.memory=2Gi",
     true},
    {"exceeded quota: q, requested: limits.cpu=1,limits.memory=3Gi, used: limits.cpu=0,limits.memory=2Gi, limited: "
     "limits.cpu=2,limits.memory=2Gi",
     true},
    {"exceeded quota: q, requested: memory=1Gi, used: memory=0, limited: limits.memory=1",
     false}, /* another resource */
    {"exceeded quota: q, requested: limits.memory=4Gi, used: limits.memory=0, limited: limits.mem", false}, /* cut */
    {"exceeded quota: q, requested: limits.memory=x, used: , limited: limits.memory=1", false},
    {"limited: a=1, requested: a=2", false},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        row_true(rows[i].message, quota_never_fits(rows[i].message) == rows[i].never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
