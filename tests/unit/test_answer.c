#include "unit/check.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "worker/answer.h"

#define T 1700000000000 /* a whole second: pods know no other times */

/* clang-format off */
static const struct {
    const char *name;
    int64_t created, over, pod_started, pod_finished, wall; /* ms after T, but for wall, which is a time span; -1: not known */
    int64_t started, finished;
} rows[] = {
    {"all agree",                  400, 3800, 1000, 3000, 1500,  2300, 3800},
    {"the runner's time counts",   400, 9000, 1000, 3000,  500,  3499, 3999},
    {"the pod's second is early", 1400, 3800, 1000, 3000, 2300,  1500, 3800},
    {"it took all the time",       400, 3800,    0, 3000, 9999,   400, 3800},
    {"the node is an hour ahead",  400, 3800, 3601000, 3603000, 1500, 2300, 3800},
    {"the node is an hour behind", 5000, 9000, -3599000, -3597000, 1500, 5000, 5000},
    {"no report",                  400, 3800, 1000, 3000,   -1,  1000, 3800},
    {"it never ended",             400, 3800, 1000,   -1,   -1,  1000,   -1},
    {"it never started",           400, 3800,   -1,   -1,   -1,    -1,   -1},
};
/* clang-format on */

static int64_t time_of(struct json_object *o, const char *name)
{
    struct json_object *v = json_object_object_get(field_peek(o, "times"), name);

    return v ? (int64_t)(json_object_get_double(v) * 1000 + 0.5) - T : -1;
}

static int64_t at(int64_t ms)
{
    return ms == -1 ? 0 : T + ms;
}

static void test_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct report report = {.wall_ms = rows[i].wall};
        struct run run = {.created_ms = at(rows[i].created), .report = rows[i].wall >= 0 ? &report : NULL};
        struct verdict v = {.status = STATUS_INFRA_ERROR, .exit_code = -1, .signal = -1};
        struct answer a = {.id = "a", .verdict = &v, .run = &run, .claimed_ms = T, .over_ms = at(rows[i].over)};
        struct buf out = BUF_INIT(4096);
        struct json_object *o = NULL;
        struct fault f;

        run.await.started_ms = at(rows[i].pod_started);
        run.await.finished_ms = at(rows[i].pod_finished);
        a.published_ms = a.over_ms + 1;
        assert_int_equal(answer_encode(&a, &out, &f), 0);
        assert_int_equal(field_parse(buf_str(&out), out.len, 8, &o, &f), 0);
        if (time_of(o, "started") != rows[i].started || time_of(o, "finished") != rows[i].finished)
            fail_msg("%s: %s", rows[i].name, buf_str(&out));
        json_object_put(o);
        buf_release(&out);
    }
}

/* What the code did not come to is the compiler's, and a stopped run's output is nobody's. */
static void test_whose_output(void **state)
{
    struct report_run compile = {.end = REPORT_EXIT, .exit_code = 1, .signal = -1}, run_of = compile;
    struct report report = {.compile = &compile};
    struct run run = {.report = &report};
    struct verdict v = {.status = STATUS_COMPILE_ERROR, .exit_code = 1, .signal = -1};
    char *none[] = {NULL}, *png[] = {(char *)"*.png", NULL};
    struct request request = {.outputs = none};
    struct answer a = {.id = "a", .request = &request, .verdict = &v, .run = &run};
    struct buf out = BUF_INIT(4096);
    struct fault f;

    (void)state;
    compile.out.bytes = (char *)"of the compiler";
    compile.out.len = strlen(compile.out.bytes);
    compile.err.bytes = run_of.err.bytes = (char *)"";
    run_of.out.bytes = (char *)"of the code";
    run_of.out.len = strlen(run_of.out.bytes);
    assert_int_equal(answer_encode(&a, &out, &f), 0);
    assert_non_null(strstr(buf_str(&out), "\"stdout\":\"of the compiler\""));
    assert_null(strstr(buf_str(&out), "\"compile\""));
    assert_null(strstr(buf_str(&out), "\"files\""));
    report.run = &run_of;
    v.status = STATUS_OK;
    request.outputs = png;
    buf_clear(&out);
    assert_int_equal(answer_encode(&a, &out, &f), 0);
    assert_non_null(strstr(buf_str(&out), "\"signal\":null,\"stdout\":\"of the code\""));
    assert_non_null(strstr(buf_str(&out), "\"compile\":{"));
    assert_non_null(strstr(buf_str(&out), "\"files\":{}")); /* asked for, and none there */
    v.status = STATUS_INFRA_ERROR;
    buf_clear(&out);
    assert_int_equal(answer_encode(&a, &out, &f), 0);
    assert_null(strstr(buf_str(&out), "of the code"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_whose_output)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
