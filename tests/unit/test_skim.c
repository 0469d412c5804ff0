#include "check.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/skim.h"

/* How much of the text one value takes; -1: there is none in full. */
static void test_value(void **state)
{
    static const struct {
        const char *text;
        int taken;
    } rows[] = {
        {"1,", 1},
        {" -1.5e3 ]", 6},
        {"null}", 4},
        {"1", -1}, /* may be cut */
        {"", -1},
        {" ", -1},
        {",", -1},
        {"}", -1},
        {"\"\"", 2},
        {"\"a\" :", 3},
        {"\"\\\"\"x", 4},
        {"\"\\\\\"x", 4},
        {"\"\\\\\\\"\"x", 6},
        {"\"", -1},
        {"\"\\", -1},
        {"\"\\\"", -1},
        {"{}", 2},
        {"[[],{\"]\":\"}\"}] ]", 14},
        {"[1", -1},
        {"{\"a\":\"}", -1},
        {"[}", 2}, /* which bracket it is does not count */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = strlen(rows[i].text);
        char *bytes = mem_zero(len + 1, 1); /* ends where the text does: a look behind it is seen */
        struct skim s = {.at = bytes + 1, .end = bytes + 1 + len};
        const char *from;
        bool whole;

        memcpy(bytes + 1, rows[i].text, len);
        skim_space(&s);
        from = s.at;
        whole = skim_value(&s);
        row_true(rows[i].text, whole == (rows[i].taken >= 0));
        row_true(rows[i].text, !whole || s.at - from == rows[i].taken);
        free(bytes);
    }
}

static void test_members(void **state)
{
    static const char text[] = " {\"a\" : \"x\", \"b\\u0000\":[ 1, \" \\\" \" ] ,\"c\":12";
    struct skim_member m;
    struct skim s;
    char *got;

    (void)state;
    assert_true(skim_begin(&s, text, sizeof(text) - 1));
    assert_true(skim_next(&s, &m));
    assert_true(skim_member_is(&m, "a"));
    assert_false(skim_member_is(&m, "ab"));
    assert_false(skim_member_has_nul(&m));
    got = skim_member_text(&m);
    assert_string_equal(got, "x");
    free(got);
    assert_true(skim_next(&s, &m));
    assert_true(skim_member_has_nul(&m));
    assert_null(skim_member_text(&m));
    got = skim_member_compact(&m);
    assert_string_equal(got, "[1,\" \\\" \"]");
    free(got);
    assert_false(skim_next(&s, &m)); /* cut */
    assert_false(skim_begin(&s, "[1]", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
