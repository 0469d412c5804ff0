#include "unit/check.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/utf8.h"

static void whole_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        int want;
        int64_t value;
    } rows[] = {
        {"0", 0, 10, 0, 0},
        {"10", 0, 10, 0, 10},
        {"-3", -3, 10, 0, -3},
        {"007", 0, 10, 0, 7},
        {"11", 0, 10, -1, 0},
        {"-4", -3, 10, -1, 0},
        {"", 0, 10, -1, 0},
        {" 1", 0, 10, -1, 0},
        {"1 ", 0, 10, -1, 0},
        {"1x", 0, 10, -1, 0},
        {"x", 0, 10, -1, 0},
        {"1.0", 0, 10, -1, 0},
        {"0x1", 0, 10, -1, 0},
        {"-", -3, 10, -1, 0},
        {"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN},
        {"9223372036854775808", INT64_MIN, INT64_MAX, -1, 0},
        {"99999999999999999999999", INT64_MIN, INT64_MAX, -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fault f = FAULT_INIT;
        int64_t value = 77;

        row_true(rows[i].text, text_to_int(rows[i].text, rows[i].min, rows[i].max, &value, &f) == rows[i].want);
        row_true(rows[i].text, value == (rows[i].want == 0 ? rows[i].value : 77));
        row_true(rows[i].text, f.kind == (rows[i].want == 0 ? FAULT_NONE : FAULT_INVALID));
    }
}

typedef int reader(const char *s, int64_t *ret, struct fault *f);

static void quantities(void **state)
{
    static const struct {
        reader *read;
        const char *text;
        int64_t value; /* -1: refused */
    } rows[] = {
        {text_to_bytes, "0", 0},
        {text_to_bytes, "1048576", 1048576},
        {text_to_bytes, "512Mi", 536870912},
        {text_to_bytes, "1G", 1000000000},
        {text_to_bytes, "1Gi", 1073741824},
        {text_to_bytes, "2Ti", 2199023255552},
        {text_to_bytes, "3k", 3000},
        {text_to_bytes, "3Ki", 3072},
        {text_to_bytes, "1.5Ki", 1536},
        {text_to_bytes, "1e3", 1000},
        {text_to_bytes, "0.5", 1}, /* rounded up */
        {text_to_bytes, "1.1T", 1100000000000},
        {text_to_bytes, "512mi", -1},
        {text_to_bytes, "512MB", -1},
        {text_to_bytes, "Mi", -1},
        {text_to_bytes, "", -1},
        {text_to_bytes, "-1", -1},
        {text_to_bytes, "+1", -1},
        {text_to_bytes, " 1", -1},
        {text_to_bytes, "1 Mi", -1},
        {text_to_bytes, "0x10", -1},
        {text_to_bytes, "1P", -1},
        {text_to_bytes, "nan", -1},
        {text_to_bytes, "inf", -1},
        {text_to_bytes, "1e400", -1},
        {text_to_bytes, "99999Ti", -1},
        {text_to_milli_cpu, "500m", 500},
        {text_to_milli_cpu, "2", 2000},
        {text_to_milli_cpu, "0.5", 500},
        {text_to_milli_cpu, "0.0001", 1},
        {text_to_milli_cpu, "16.1", 16100}, /* 16.1 * 1000 is a little more than 16100 in binary */
        {text_to_milli_cpu, "500M", -1},
        {text_to_milli_cpu, "m", -1},
        {text_to_ms, "30", 30000},
        {text_to_ms, "30s", 30000},
        {text_to_ms, "250ms", 250},
        {text_to_ms, "5m", 300000},
        {text_to_ms, "1h", 3600000},
        {text_to_ms, "1.5s", 1500},
        {text_to_ms, "16.1s", 16100},
        {text_to_ms, "0", 0},
        {text_to_ms, "1d", -1},
        {text_to_ms, "-1s", -1},
        {text_to_ms, "s", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fault f = FAULT_INIT;
        int64_t value = -1;
        int r = rows[i].read(rows[i].text, &value, &f);

        if (value != rows[i].value)
            fail_msg("row \"%s\": %lld, not %lld", rows[i].text, (long long)value, (long long)rows[i].value);
        row_true(rows[i].text, r == (rows[i].value < 0 ? -1 : 0));
        row_true(rows[i].text, f.kind == (rows[i].value < 0 ? FAULT_INVALID : FAULT_NONE));
    }
}

static void names(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *extra;
        bool want;
    } rows[] = {
        {"abcXYZ019", 64, "", true}, {"", 64, "", false},       {"a.b", 64, "", false},     {"a.b", 64, ".-", true},
        {"abc", 3, "", true},        {"abcd", 3, "", false},    {"a b", 64, ".", false},    {"a\n", 64, ".", false},
        {"\xc3\xa4", 64, "", false}, {"a/b", 64, "._-", false}, {"{a}", 64, "._:-", false}, {"..", 64, ".", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        row_true(rows[i].text, text_is_name(rows[i].text, rows[i].max, rows[i].extra) == rows[i].want);
}

/* The boundaries of table 3-7 of the Unicode standard, from both sides. */
static void utf8(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        bool want;
    } rows[] = {
        {"empty", "", 0, true},
        {"ascii", "abc\x7f", 4, true},
        {"two", "\xc2\x80\xdf\xbf", 4, true},
        {"three", "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 12, true},
        {"four", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, true},
        {"nul", "a\0b", 3, false},
        {"lone continuation", "\x80", 1, false},
        {"overlong two", "\xc1\xbf", 2, false},
        {"overlong nul", "\xc0\x80", 2, false},
        {"overlong three", "\xe0\x9f\xbf", 3, false},
        {"overlong four", "\xf0\x8f\xbf\xbf", 4, false},
        {"first surrogate", "\xed\xa0\x80", 3, false},
        {"last surrogate", "\xed\xbf\xbf", 3, false},
        {"past the end", "\xf4\x90\x80\x80", 4, false},
        {"f5", "\xf5\x80\x80\x80", 4, false},
        {"ff", "\xff", 1, false},
        {"cut two", "\xc3", 1, false},
        {"cut three", "\xe2\x82", 2, false},
        {"cut four", "\xf0\x9f\x98", 3, false},
        {"bad third", "\xe2\x82\x41", 3, false},
        {"bad fourth", "\xf0\x9f\x98\x41", 4, false},
        {"second is a lead", "\xc3\xc3", 2, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        row_true(rows[i].name, utf8_is_valid(rows[i].bytes, rows[i].len) == rows[i].want);
}

static void the_floor_never_cuts_a_character(void **state)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4, 1 bytes */
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};

    (void)state;
    assert_int_equal(sizeof(text) - 1, COUNT_OF(want) - 1);
    for (size_t len = 0; len < COUNT_OF(want); len++) {
        assert_int_equal(utf8_floor(text, len), want[len]);
        assert_true(utf8_is_valid(text, utf8_floor(text, len)));
    }
    assert_int_equal(utf8_floor("\x80\x80\x80\x80\x80", 5), 5); /* no text at all: left as it is */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(quantities),
        cmocka_unit_test(names),
        cmocka_unit_test(utf8),
        cmocka_unit_test(the_floor_never_cuts_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
