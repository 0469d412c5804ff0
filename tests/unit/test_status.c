/* What a fault says of an HTTP status and the Status object that came with it. */
#include "check.h"

#include "base/cleanup.h"
#include "k8s/refusal.h"
#include "k8s/status.h"

static void test_statuses(void **state)
{
#define STATUS(reason, message) "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"
    static const struct {
        int status;
        const char *body;
        enum fault_kind kind;
        const char *says;
        bool quota, forbidden;
    } rows[] = {
        /* clang-format off */
        {400, STATUS("BadRequest", "container \\\"code\\\" in pod is waiting to start: ContainerCreating"), FAULT_REFUSED, "HTTP 400 BadRequest: container", false, false},
        {401, STATUS("Unauthorized", "Unauthorized"), FAULT_REFUSED, "HTTP 401", false, false},
        {403, STATUS("Forbidden", "jobs.batch is forbidden: User \\\"x\\\" cannot create"), FAULT_REFUSED, "cannot create", false, true},
        {403, STATUS("Forbidden", "pods \\\"a-long-name\\\" is forbidden: exceeded quota: q, requested: pods=1"), FAULT_REFUSED, "HTTP 403 Forbidden: exceeded quota: q", true, false},
        {403, STATUS("Forbidden", "pods \\\"a\\\" is forbidden: status unknown for quota: q"), FAULT_REFUSED, "unknown", true, false},
        {403, STATUS("Forbidden", "pods \\\"p\\\" is forbidden: User \\\"x\\\" cannot get resource \\\"pods/log\\\""), FAULT_REFUSED, "pods/log", false, true},
        {403, STATUS("Forbidden", "forbidden: User \\\"system:anonymous\\\" cannot get path \\\"/\\\""), FAULT_REFUSED, "cannot get path", false, true},
        {403, STATUS("Forbidden", "pods \\\"p\\\" is forbidden: violates PodSecurity \\\"restricted:latest\\\": forbidden: User \\\"x\\\" cannot"), FAULT_REFUSED, "violates", false, false},
        {403, STATUS("Forbidden", "jobs.batch \\\"j\\\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"), FAULT_REFUSED, "denied request", false, false},
        {404, STATUS("NotFound", "jobs.batch \\\"j\\\" not found"), FAULT_GONE, "not found", false, false},
        {404, "404 page not found", FAULT_GONE, "HTTP 404: 404 page not found", false, false},
        {409, STATUS("AlreadyExists", "jobs.batch \\\"j\\\" already exists"), FAULT_EXISTS, "already exists", false, false},
        {409, STATUS("Conflict", "the UID in the precondition does not match"), FAULT_REFUSED, "precondition", false, false},
        {409, "{\"reason\":\"Conflict\",\"message\":\"m\",\"details\":{\"kind\":\"resourcequotas\"}}", FAULT_TRANSIENT, "m", false, false},
        {410, STATUS("Expired", "too old resource version: 1 (2)"), FAULT_GONE, "too old", false, false},
        {413, "", FAULT_TOO_BIG, "HTTP 413", false, false},
        {422, STATUS("Invalid", "spec.template: Invalid value"), FAULT_REFUSED, "Invalid value", false, false},
        {429, "Too many requests, please try again later.\n", FAULT_THROTTLED, "Too many requests", false, false},
        {500, STATUS("InternalError", "Internal error occurred: failed calling webhook"), FAULT_TRANSIENT, "webhook", false, false},
        {500, STATUS("", "etcdserver: request is too large"), FAULT_TOO_BIG, "too large", false, false},
        {503, "<html>\r\n<b>no backend\x7f</b>\r\n</html>\r\n", FAULT_TRANSIENT, "HTTP 503: <html>  <b>no backend </b>  </html>", false, false},
        {504, STATUS("Timeout", "request did not complete"), FAULT_TIMEOUT, "did not complete", false, false},
        {408, "", FAULT_TIMEOUT, "HTTP 408", false, false},
        {302, "<a href=x>", FAULT_REFUSED, "a redirect", false, false},
        {418, "", FAULT_REFUSED, "HTTP 418", false, false},
        {500, "{\"reason\":7,\"message\":[]}", FAULT_TRANSIENT, "HTTP 500: {\"reason\":7", false, false},
        /* clang-format on */
    };
    struct fault f = FAULT_INIT;
    char big[2000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(status_fault(rows[i].status, 1000, rows[i].body, strlen(rows[i].body), &f), -1);
        if (f.kind != rows[i].kind || f.code != rows[i].status || !strstr(f.text, rows[i].says) ||
            refusal_is_quota(&f) != rows[i].quota || refusal_is_forbidden(&f) != rows[i].forbidden ||
            refusal_is_access(&f) != (rows[i].forbidden || rows[i].status == 401) || f.retry_after_ms != 1000)
            fail_msg("%d %s: %s %s", rows[i].status, rows[i].body, fault_kind_name(f.kind), f.text);
    }
    status_fault(500, 1000, "{\"details\":{\"retryAfterSeconds\":2}}", 35, &f);
    assert_int_equal(f.retry_after_ms, 2000);
    status_fault(500, 0, "{\"details\":{\"retryAfterSeconds\":-9999999999}}", 45, &f);
    assert_int_equal(f.retry_after_ms, 0);
    for (size_t i = 0; i + 1 < sizeof(big); i += 2)
        memcpy(big + i, "\xc3\xa4", 2);
    status_fault(500, 0, big, sizeof(big), &f);
    assert_true(strlen(f.text) > 250);
    assert_int_equal((unsigned char)f.text[strlen(f.text) - 1], 0xa4); /* no character cut in two */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
