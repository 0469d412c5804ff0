#include "unit/check.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "cli/cases.h"
#include "cli/options.h"
#include "cli/outcome.h"
#include "cli/snippet.h"

static void codes_and_verdicts(void **state)
{
    static const struct {
        const char *json;
        int code;
        const char *verdict;
    } table[] = {
        {"{\"id\":\"a\",\"status\":\"ok\",\"exit_code\":0}", 0, "ok"},
        {"{\"id\":\"a\",\"status\":\"nonzero_exit\",\"exit_code\":7}", 7, "exit code 7"},
        {"{\"id\":\"a\",\"status\":\"nonzero_exit\",\"exit_code\":null}", 1, "exit code -1"},
        {"{\"id\":\"a\",\"status\":\"signal\",\"signal\":11}", 139, "ended by signal 11"},
        {"{\"id\":\"a\",\"status\":\"timeout\",\"usage\":{\"wall_ms\":2049}}", 124, "timeout after 2.0 s"},
        {"{\"id\":\"a\",\"status\":\"oom\",\"exit_code\":137}", 137, "oom"},
        {"{\"id\":\"a\",\"status\":\"output_limit\"}", 123, "output_limit"},
        {"{\"id\":\"a\",\"status\":\"disk_limit\"}", 123, "disk_limit"},
        {"{\"id\":\"a\",\"status\":\"compile_error\"}", 123, "compile_error"},
        {"{\"id\":\"a\",\"status\":\"invalid\",\"error\":{\"message\":\"no code\"}}", 126, "invalid: no code"},
        {"{\"id\":\"a\",\"status\":\"rejected\"}", 126, "rejected"},
        {"{\"id\":\"a\",\"status\":\"cancelled\"}", 126, "cancelled"},
        {"{\"id\":\"a\",\"status\":\"expired\"}", 126, "expired"},
        {"{\"id\":\"a\",\"status\":\"infra_error\",\"error\":{\"reason\":\"image_pull\",\"message\":\"no such image\"}}",
         125, "infra_error (image_pull): no such image"},
        {"{\"id\":\"a\",\"status\":\"of_tomorrow\"}", 125, "of_tomorrow"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        _cleanup_(outcome_release)
        struct outcome o = {0};
        _cleanup_free_ char *verdict = NULL;
        struct fault f = FAULT_INIT;

        row_true(table[i].json, outcome_read(table[i].json, strlen(table[i].json), &o, &f) == 0);
        verdict = outcome_verdict(&o);
        assert_int_equal(outcome_exit_code(&o), table[i].code);
        assert_string_equal(verdict, table[i].verdict);
    }
}

static void streams(void **state)
{
    static const char json[] = "{\"id\":\"a\",\"status\":\"ok\",\"stdout_base64\":\"AP9h\",\"stdout_truncated\":true,"
                               "\"stderr\":\"\\u00e9\",\"attempts\":[{},{}],\"files_omitted\":3}";
    _cleanup_(outcome_release)
    struct outcome o = {0};
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(outcome_read(json, strlen(json), &o, &f), 0);
    assert_int_equal(o.out.len, 3);
    assert_memory_equal(o.out.data,
                        "\0\xff"
                        "a",
                        3);
    assert_true(o.out_cut);
    assert_false(o.err_cut);
    assert_string_equal(buf_str(&o.err), "\xc3\xa9");
    assert_true(!o.cases && !o.files && o.files_omitted == 3);
    assert_int_equal(o.attempts, 2);
}

static void a_table_of_cases(void **state)
{
    static const char json[] =
        "[{\"verdict\":\"passed\",\"status\":\"ok\",\"exit_code\":0,\"usage\":{\"wall_ms\":1021}},"
        "{\"verdict\":\"failed\",\"status\":\"signal\",\"signal\":11,\"exit_code\":null,\"usage\":{\"wall_ms\":3}},"
        "{\"verdict\":\"failed\",\"status\":\"nonzero_exit\",\"exit_code\":2},{\"verdict\":\"skipped\"},7]";
    _cleanup_(field_putp)
    struct json_object *cases = NULL;
    _cleanup_free_ char *text = NULL;
    struct fault f = FAULT_INIT;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    (void)state;
    assert_int_equal(field_parse(json, strlen(json), 8, &cases, &f), 0);
    cases_print(to, cases);
    fclose(to);
    assert_string_equal(text, "case  verdict    ended               time\n"
                              "   0  passed     ok                  1.021 s\n"
                              "   1  failed     ended by signal 11  0.003 s\n"
                              "   2  failed     exit code 2\n"
                              "   3  skipped\n"
                              "   4  unknown\n"
                              "5 cases: 1 passed, 2 failed, 1 skipped, 1 unknown\n");
}

static void what_is_no_result_is_refused(void **state)
{
    static const char *const table[] = {"",
                                        "{}",
                                        "[]",
                                        "{\"id\":\"a\"}",
                                        "{\"status\":\"ok\"}",
                                        "{\"id\":1,\"status\":\"ok\"}",
                                        "{\"id\":\"a\",\"status\":\"ok\",\"stdout_base64\":\"%%\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct outcome o = {0};
        struct fault f = FAULT_INIT;

        row_true(table[i], outcome_read(table[i], strlen(table[i]), &o, &f) == -1);
        assert_null(o.id);
    }
}

static void languages_by_extension(void **state)
{
    static const char *const table[][2] = {
        {"a.py", "python"}, {"dir.sh/a.py", "python"}, {"a.b.sh", "bash"}, {"/x/y.js", "node"}, {"-", "python"},
        {"Makefile", NULL}, {"dir.py/a", NULL},        {"a.zig", NULL},    {"a.c", "c"},        {"a.cc", "c++"},
        {"main.go", "go"},  {"Main.java", "java"},     {"a.rs", "rust"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const char *language = snippet_language(table[i][0]);

        row_true(table[i][0], table[i][1] ? language && strcmp(language, table[i][1]) == 0 : !language);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_verdicts),     cmocka_unit_test(streams),
        cmocka_unit_test(a_table_of_cases),       cmocka_unit_test(what_is_no_result_is_refused),
        cmocka_unit_test(languages_by_extension),
    };

    return cmocka_run_group_tests_name("cli/outcome", tests, NULL, NULL);
}
