#include "unit/check.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "base/mem.h"
#include "worker/attempt.h"
#include "worker/history.h"
#include "worker/report.h"

static char *name_of(const char *uid, const char *queue, const char *id, int number)
{
    struct config config = {.queue = (char *)(uintptr_t)queue};
    struct request request = {.id = (char *)(uintptr_t)id};
    struct attempt a = {.config = &config, .request = &request, .uid = uid, .number = number};
    char name[ATTEMPT_NAME_MAX];

    attempt_name(&a, name);
    return mem_string(name);
}

/* A name must be a DNS label, the same for the same, and another for anything else. */
static void test_names(void **state)
{
    char *names[] = {
        name_of("u1", "q", "a1", 1), name_of("u1", "q", "a1", 2),  name_of("u2", "q", "a1", 1),
        name_of("u1", "p", "a1", 1), name_of("u1", "q", "a1:", 1), name_of("u1", "q", "A1", 1),
    };
    char *again = name_of("u1", "q", "a1", 1);

    (void)state;
    assert_string_equal(names[0], again);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(strncmp(names[i], "execq-", 6), 0);
        assert_int_equal(strlen(names[i]), 6 + 32 + 2);
        for (const char *c = names[i]; *c; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-');
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(names[i], names[k]);
    }
    assert_int_equal(strncmp(names[0], names[1], 38), 0); /* attempts of one request differ in the number only */
    for (size_t i = 0; i < COUNT_OF(names); i++)
        free(names[i]);
    free(again);
}

static void test_history(void **state)
{
    struct history h, back;
    char *text;

    (void)state;
    history_read(&h, NULL);
    history_add(&h, json_object_new_string("first"));
    h.barred_since_ms = 12345;
    text = history_text(&h);
    history_read(&back, text);
    assert_int_equal(json_object_array_length(back.attempts), 1);
    assert_int_equal(back.barred_since_ms, 12345);
    history_release(&h);
    history_release(&back);
    free(text);
}

static void test_history_that_cannot_be_read(void **state)
{
    static const char *const texts[] = {"", "[]", "{", "{\"attempts\":3}", "{\"attempts\":{},\"barred_since\":\"x\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct history h;

        history_read(&h, texts[i]);
        row_true(texts[i], h.attempts && json_object_array_length(h.attempts) == 0);
        row_true(texts[i], h.barred_since_ms == 0);
        history_release(&h);
    }
}

/* The runner is never asked for a report that would not be taken from it: as JSON it has up to twice its bytes. */
static void test_reports_that_can_be_taken(void **state)
{
    static const struct {
        int64_t result_max;
        const char *record;
    } table[] = {{4 << 20, "report-bytes 7\n4194304\n"}, {64 << 20, "report-bytes 8\n14680064\n"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct config config = {.queue = (char *)"q", .result_max = table[i].result_max, .run_as = 1000};
        struct language language = {.file = (char *)"f", .argv = {(char *)"sh"}};
        char *none[] = {NULL};
        struct request_env no_env = {0};
        struct request request = {.id = (char *)"a", .code = (char *)"", .args = none, .env = &no_env, .outputs = none};
        struct attempt a = {.config = &config,
                            .request = &request,
                            .language = &language,
                            .uid = "u",
                            .worker = "w",
                            .token = "1",
                            .number = 1};
        struct buf out = BUF_INIT(1 << 20);
        struct json_object *o = NULL;
        struct fault f = FAULT_INIT;

        if (attempt_configmap(&a, "uid", &out, &f) < 0 || field_parse(buf_str(&out), out.len, 8, &o, &f) < 0)
            fail_msg("%s", f.text);
        row_true(table[i].record, strstr(field_peek_string(field_peek(o, "data"), ".plan"), table[i].record));
        json_object_put(o);
        buf_release(&out);
    }
    assert_true(REPORT_KEPT_MAX * 2 + (4 << 20) <= REPORT_BYTES_MAX);
}

/* The last of many cases that all have to be killed has its whole time, too. */
static void test_time_for_cases(void **state)
{
    struct config config = {.timeout_max_ms = 3600000, .compile_timeout_ms = 60000};
    struct request_case cases[20];
    struct request request = {.timeout_ms = 5000, .cases = cases, .case_count = COUNT_OF(cases)};
    struct language language = {.argv = {(char *)"sh"}};
    struct attempt a = {.config = &config, .request = &request, .language = &language};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cases[i] = (struct request_case){.timeout_ms = 1000};
    assert_true(attempt_run_ms(&a) >= (int64_t)COUNT_OF(cases) * (1000 + 200)); /* the runner's grace-ms */
    assert_true(attempt_run_ms(&a) <= (int64_t)COUNT_OF(cases) * 2000);
    config.timeout_max_ms = 12100; /* in the middle of a case */
    assert_int_equal(attempt_run_ms(&a), 12100);
    request.case_count = 0;
    assert_int_equal(attempt_run_ms(&a), 5000);
    language.compile[0] = (char *)"cc";
    assert_int_equal(attempt_run_ms(&a), 65000);
    request.argv = (char *[]){(char *)"sh", NULL}; /* its own command: nothing is compiled */
    assert_int_equal(attempt_run_ms(&a), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_history_that_cannot_be_read),
        cmocka_unit_test(test_reports_that_can_be_taken),
        cmocka_unit_test(test_time_for_cases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
