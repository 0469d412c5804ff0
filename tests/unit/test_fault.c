#include "unit/check.h"

#include <errno.h>

#include "base/fault.h"
#include "base/utf8.h"

static void fault_set_fills_everything(void **state)
{
    struct fault f = {.kind = FAULT_BUG, .code = 9, .retry_after_ms = 9, .text = "old"};

    (void)state;
    assert_int_equal(fault_set(&f, FAULT_GONE, "no %s", "pod"), -1);
    assert_int_equal(f.kind, FAULT_GONE);
    assert_int_equal(f.code, 0);
    assert_int_equal(f.retry_after_ms, 0);
    assert_string_equal(f.text, "no pod");
}

static void errno_becomes_a_kind(void **state)
{
    static const struct {
        int error;
        enum fault_kind kind;
    } rows[] = {
        {ENOENT, FAULT_INVALID},    {EACCES, FAULT_INVALID},       {ENOTDIR, FAULT_INVALID},
        {EINVAL, FAULT_INVALID},    {EEXIST, FAULT_EXISTS},        {EFBIG, FAULT_TOO_BIG},
        {ETIMEDOUT, FAULT_TIMEOUT}, {ECONNRESET, FAULT_TRANSIENT}, {EAGAIN, FAULT_TRANSIENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault f = FAULT_INIT;
        char want[256];

        assert_int_equal(fault_errno(&f, rows[i].error, "open %s", "x"), -1);
        snprintf(want, sizeof(want), "open x: %s", strerror(rows[i].error));
        row_true(want, f.kind == rows[i].kind);
        row_true(want, f.code == rows[i].error);
        assert_string_equal(f.text, want);
    }
}

static void wrapping_puts_words_in_front_and_keeps_the_rest(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    fault_set(&f, FAULT_THROTTLED, "HTTP 429");
    f.code = 429;
    f.retry_after_ms = 1500;
    assert_int_equal(fault_wrap(&f, "create job %d", 7), -1);
    assert_int_equal(fault_wrap(&f, "attempt %d", 2), -1);
    assert_string_equal(f.text, "attempt 2: create job 7: HTTP 429");
    assert_int_equal(f.kind, FAULT_THROTTLED);
    assert_int_equal(f.code, 429);
    assert_int_equal(f.retry_after_ms, 1500);
}

static void a_long_text_is_cut_and_terminated(void **state)
{
    struct fault f = FAULT_INIT;
    char longer[600];

    (void)state;
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    fault_set(&f, FAULT_BUG, "%s", longer);
    assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
    fault_wrap(&f, "%s", "b");
    assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
    assert_memory_equal(f.text, "b: aaaa", 7);
    fault_errno(&f, ENOENT, "%s", longer);
    assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
}

/* The text ends up in results, which are UTF-8: a character cut in two would make them unreadable. */
static void a_cut_leaves_whole_characters(void **state)
{
    struct fault f = FAULT_INIT;
    char euros[301];

    (void)state;
    for (size_t i = 0; i < 300; i += 3)
        memcpy(euros + i, "\xe2\x82\xac", 3);
    euros[300] = '\0';
    for (int shift = 0; shift < 4; shift++) {
        fault_set(&f, FAULT_BUG, "%.*s%s", shift, "aaaa", euros);
        assert_true(utf8_is_valid(f.text, strlen(f.text)));
        fault_wrap(&f, "%.*s", shift, "bbbb");
        assert_true(utf8_is_valid(f.text, strlen(f.text)));
        fault_errno(&f, ENOENT, "%.*s%s", shift, "aaaa", euros);
        assert_true(utf8_is_valid(f.text, strlen(f.text)));
    }
}

static void only_three_kinds_pass(void **state)
{
    (void)state;
    for (int kind = FAULT_NONE; kind <= FAULT_BUG; kind++) {
        struct fault f = {.kind = (enum fault_kind)kind};
        bool passing = kind == FAULT_TRANSIENT || kind == FAULT_THROTTLED || kind == FAULT_TIMEOUT;

        row_true(fault_kind_name(f.kind), fault_is_passing(&f) == passing);
    }
}

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = FAULT_NONE; a <= FAULT_BUG; a++) {
        assert_non_null(fault_kind_name((enum fault_kind)a));
        for (int b = FAULT_NONE; b < a; b++)
            assert_string_not_equal(fault_kind_name((enum fault_kind)a), fault_kind_name((enum fault_kind)b));
    }
    assert_string_equal(fault_kind_name((enum fault_kind)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault_set_fills_everything),
        cmocka_unit_test(errno_becomes_a_kind),
        cmocka_unit_test(wrapping_puts_words_in_front_and_keeps_the_rest),
        cmocka_unit_test(a_long_text_is_cut_and_terminated),
        cmocka_unit_test(a_cut_leaves_whole_characters),
        cmocka_unit_test(only_three_kinds_pass),
        cmocka_unit_test(every_kind_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
