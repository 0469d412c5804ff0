#include "unit/check.h"

#include <json-c/json.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Every character beyond U+FFFF that is written as two escapes is that character; json-c loses one in thirty-two. */
static void pairs_of_escapes(void **state)
{
    static const char *const others[][2] = {
        /* clang-format off */
        {"\"a\\ud876\\uddd8b\\ud836\\udc00\"", "a\U0002d9d8" "b\U0001d800"},
        {"\"\\uD876\\uDDD8\"", "\U0002d9d8"},
        {"\"\\\\\\ud876\\uddd8\\n\"", "\\\U0002d9d8\n"},
        {"\"\\\\ud876\\\\uddd8\"", "\\ud876\\uddd8"},
        {"\"\\ud876x\"", "\ufffdx"},
        {"\"\\uddd8\"", "\ufffd"},
        /* clang-format on */
    };
    struct fault f = FAULT_INIT;

    (void)state;
    for (unsigned c = 0x10000; c < 0x110000; c++) {
        _cleanup_(field_putp)
        struct json_object *v = NULL;
        char text[16], want[5] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3f)),
                                  (char)(0x80 | (c >> 6 & 0x3f)), (char)(0x80 | (c & 0x3f))};
        int n = snprintf(text, sizeof(text), "\"\\u%04x\\u%04x\"", 0xd800 + ((c - 0x10000) >> 10),
                         0xdc00 + (c & 0x3ff));

        assert_int_equal(field_parse(text, (size_t)n, 2, &v, &f), 0);
        assert_string_equal(json_object_get_string(v), want);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        _cleanup_(field_putp)
        struct json_object *v = NULL;

        assert_int_equal(field_parse(others[i][0], strlen(others[i][0]), 2, &v, &f), 0);
        assert_string_equal(json_object_get_string(v), others[i][1]);
    }
    for (size_t len = 0; len < 14; len++) { /* cut off */
        _cleanup_free_ char *part = mem_bytes("\"\\ud876\\uddd8\"", len);
        struct json_object *v = NULL;

        assert_int_equal(field_parse(part, len, 2, &v, &f), -1);
    }
}

/* What counts as one JSON value: RFC 8259, and nothing that json-c would also let through. */
static void parsing(void **state)
{
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        {"{}", 0},
        {" \t\r\n{\"a\": [1, -2.5e3, \"x\", true, false, null]} \n", 0},
        {"1", 0},
        {"true", 0},
        {"null", 0},
        {"\"a\"", 0},
        {"[]", 0},
        {"\"\\u00e4\\n\\/\"", 0},
        {"\"\\ud83d\\ude00\"", 0},
        {"", -1},
        {" ", -1},
        {"{", -1},
        {"{\"a\"", -1},
        {"{\"a\":1", -1},
        {"[1,2", -1},
        {"\"a", -1},
        {"tru", -1},
        {"-", -1},
        {"{} {}", -1},
        {"{}x", -1},
        {"1 2", -1},
        {"[1,]", -1},
        {"{\"a\":1,}", -1},
        {"{a:1}", -1},
        {"{'a':1}", -1},
        {"'a'", -1},
        {"01", -1},
        {"-01", -1},
        {"1.", -1},
        {".5", -1},
        {"+1", -1},
        {"1e", -1},
        {"1e+", -1},
        {"0x1", -1},
        {"NaN", -1},
        {"Infinity", -1},
        {"-Infinity", -1},
        {"[NaN]", -1},
        {"[1,Infinity]", -1},
        {"[1.]", -1},
        {"[1.,2]", -1},
        {"[-00]", -1},
        {"[-0, -0.5, 0.0, 1e5, 1E-5]", 0},
        {"\"'NaN -01 1. /* \\\" N\"", 0},
        {"{\"a\\\\\":'1'}", -1},
        {"TRUE", -1},
        {"Null", -1},
        {"/* c */ {}", -1},
        {"{} // c", -1},
        {"\"\t\"", -1},
        {"\"\n\"", -1},
        {"\"\\x41\"", -1},
        {"\"\xff\"", -1},
        {"\"\xc3\"", -1},
        {"\"\xed\xa0\x80\"", -1},
        {"\xef\xbb\xbf{}", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        _cleanup_(field_putp)
        struct json_object *v = NULL;
        struct fault f = FAULT_INIT;

        row_true(rows[i].text, field_parse(rows[i].text, strlen(rows[i].text), 8, &v, &f) == rows[i].want);
        row_true(rows[i].text, f.kind == (rows[i].want == 0 ? FAULT_NONE : FAULT_INVALID));
        row_true(rows[i].text, rows[i].want == 0 || v == NULL);
    }
}

static void bytes_are_counted_not_terminated(void **state)
{
    _cleanup_(field_putp)
    struct json_object *v = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(field_parse("12345", 2, 8, &v, &f), 0);
    assert_int_equal(json_object_get_int(v), 12);
    assert_int_equal(field_parse("{}\0{}", 5, 8, &v, &f), -1);
    assert_int_equal(field_parse("\"a\0b\"", 5, 8, &v, &f), -1);
    assert_int_equal(field_parse("1\0", 2, 8, &v, &f), -1);
}

static void depth_is_limited(void **state)
{
    struct json_object *v = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(field_parse("[[[1]]]", 7, 4, &v, &f), 0);
    json_object_put(v);
    assert_int_equal(field_parse("[[[[1]]]]", 9, 4, &v, &f), -1);
    assert_int_equal(f.kind, FAULT_INVALID);
}

static struct json_object *parse(const char *text)
{
    struct json_object *v = NULL;
    struct fault f = FAULT_INIT;

    if (field_parse(text, strlen(text), 16, &v, &f) < 0)
        fail_msg("%s: %s", text, f.text);
    return v;
}

static void unknown_names_are_named(void **state)
{
    static const char *const known[] = {"a", "b", NULL};
    static const struct {
        const char *text;
        int want;
        const char *says;
    } rows[] = {
        {"{}", 0, ""},
        {"{\"a\":1,\"b\":null}", 0, ""},
        {"{\"a\":1,\"c\":2}", -1, "unknown field \"c\""},
        {"{\"\":1}", -1, "unknown field \"\""},
        {"{\"A\":1}", -1, "unknown field \"A\""},
        {"[]", -1, "must be a JSON object"},
        {"null", -1, "must be a JSON object"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        _cleanup_(field_putp)
        struct json_object *v = parse(rows[i].text);
        struct fault f = FAULT_INIT;

        row_true(rows[i].text, field_only(v, known, &f) == rows[i].want);
        assert_string_equal(f.text, rows[i].says);
    }
}

static void a_long_unknown_name_is_cut_between_characters(void **state)
{
    static const char *const known[] = {NULL};
    char text[200] = "{\"a";
    size_t len = strlen(text);
    struct fault f = FAULT_INIT;

    (void)state;
    for (int i = 0; i < 50; i++, len += 2)
        memcpy(text + len, "\xc3\xa4", 2);
    memcpy(text + len, "\":1}", 5);
    {
        _cleanup_(field_putp)
        struct json_object *v = parse(text);

        assert_int_equal(field_only(v, known, &f), -1);
        assert_true(utf8_is_valid(f.text, strlen(f.text)));
        assert_true(strlen(f.text) < 100);
    }
}

static const char everything[] =
    "{\"s\":\"text\",\"e\":\"\",\"n\":\"a\\u0000b\",\"i\":42,\"neg\":-7,\"d\":1.5,\"t\":true,"
    "\"o\":{\"x\":1},\"a\":[\"p\",2,\"q\\u0000\"],\"z\":null,\"big\":99999999999999999999,"
    "\"i64\":9223372036854775807,\"u64\":9223372036854775808,\"num\":\"12\"}";

static void strings(void **state)
{
    static const struct {
        const char *name;
        enum field_need need;
        size_t max;
        int want;
        const char *value;
    } rows[] = {
        {"s", FIELD_REQUIRED, 4, 0, "text"},  {"s", FIELD_REQUIRED, 3, -1, NULL},    {"e", FIELD_REQUIRED, 4, 0, ""},
        {"n", FIELD_OPTIONAL, 9, -1, NULL},   {"i", FIELD_OPTIONAL, 9, -1, NULL},    {"o", FIELD_OPTIONAL, 9, -1, NULL},
        {"t", FIELD_OPTIONAL, 9, -1, NULL},   {"z", FIELD_OPTIONAL, 9, 0, NULL},     {"z", FIELD_REQUIRED, 9, -1, NULL},
        {"none", FIELD_OPTIONAL, 9, 0, NULL}, {"none", FIELD_REQUIRED, 9, -1, NULL},
    };
    _cleanup_(field_putp)
    struct json_object *o = parse(everything);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fault f = FAULT_INIT;
        const char *got = NULL;

        row_true(rows[i].name, field_string(o, rows[i].name, rows[i].need, rows[i].max, &got, &f) == rows[i].want);
        row_true(rows[i].name, (got == NULL) == (rows[i].value == NULL));
        row_true(rows[i].name, !got || strcmp(got, rows[i].value) == 0);
        row_true(rows[i].name, rows[i].want == 0 || (f.kind == FAULT_INVALID && strstr(f.text, rows[i].name)));
    }
}

static void bytes_may_hold_nul(void **state)
{
    _cleanup_(field_putp)
    struct json_object *o = parse(everything);
    struct fault f = FAULT_INIT;
    const char *got = NULL;
    size_t len = 77;

    (void)state;
    assert_int_equal(field_bytes(o, "n", FIELD_REQUIRED, 3, &got, &len, &f), 0);
    assert_int_equal(len, 3);
    assert_memory_equal(got, "a\0b", 3);
    assert_int_equal(field_bytes(o, "n", FIELD_REQUIRED, 2, &got, &len, &f), -1);
    assert_int_equal(field_bytes(o, "i", FIELD_REQUIRED, 2, &got, &len, &f), -1);
    assert_int_equal(len, 3);
}

static void integers(void **state)
{
    static const struct {
        const char *name;
        int64_t min, max;
        int want;
        int64_t value;
    } rows[] = {
        {"i", 0, 100, 0, 42},         {"i", 42, 42, 0, 42}, {"i", 43, 100, -1, 0}, {"i", 0, 41, -1, 0},
        {"neg", -7, 0, 0, -7},        {"d", 0, 9, -1, 0},   {"num", 0, 99, -1, 0}, {"t", 0, 9, -1, 0},
        {"big", 0, INT64_MAX, -1, 0}, {"z", 0, 9, 0, 77},   {"none", 0, 9, 0, 77}, {"i64", 0, INT64_MAX, 0, INT64_MAX},
        {"u64", 0, INT64_MAX, -1, 0},
    };
    _cleanup_(field_putp)
    struct json_object *o = parse(everything);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fault f = FAULT_INIT;
        int64_t got = 77;

        row_true(rows[i].name,
                 field_int(o, rows[i].name, FIELD_OPTIONAL, rows[i].min, rows[i].max, &got, &f) == rows[i].want);
        row_true(rows[i].name, got == (rows[i].want == 0 ? rows[i].value : 77));
    }
}

static void thousandths(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        int want;
        int64_t value;
    } rows[] = {
        {"{\"v\":1}", 0, 5000, 0, 1000},
        {"{\"v\":1.5}", 0, 5000, 0, 1500},
        {"{\"v\":0.0014}", 0, 5000, 0, 1},
        {"{\"v\":16.1}", 0, 50000, 0, 16100},
        {"{\"v\":1767225600.123}", 0, INT64_MAX, 0, 1767225600123},
        {"{\"v\":5.001}", 0, 5000, -1, 0},
        {"{\"v\":-1}", 0, 5000, -1, 0},
        {"{\"v\":\"1\"}", 0, 5000, -1, 0},
        {"{\"v\":true}", 0, 5000, -1, 0},
        {"{\"v\":1e300}", 0, INT64_MAX, -1, 0},
        {"{\"v\":9223372036854775.807}", 0, INT64_MAX, -1, 0},
        {"{\"v\":-1e300}", INT64_MIN, INT64_MAX, -1, 0},
        {"{\"v\":1e400}", 0, INT64_MAX, -1, 0},
        {"{\"v\":null}", 0, 5000, 0, 77},
        {"{}", 0, 5000, 0, 77},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        _cleanup_(field_putp)
        struct json_object *o = parse(rows[i].text);
        struct fault f = FAULT_INIT;
        int64_t got = 77;

        row_true(rows[i].text, field_milli(o, "v", FIELD_OPTIONAL, rows[i].min, rows[i].max, &got, &f) == rows[i].want);
        row_true(rows[i].text, got == (rows[i].want == 0 ? rows[i].value : 77));
        row_true(rows[i].text, rows[i].want == 0 || (f.kind == FAULT_INVALID && strstr(f.text, "\"v\"")));
    }
}

static void a_required_number_must_be_there(void **state)
{
    _cleanup_(field_putp)
    struct json_object *o = parse("{\"v\":null}");
    struct fault f = FAULT_INIT;
    int64_t got = 77;

    (void)state;
    assert_int_equal(field_milli(o, "v", FIELD_REQUIRED, 0, 9, &got, &f), -1);
    assert_string_equal(f.text, "field \"v\" is missing");
    assert_int_equal(field_int(o, "w", FIELD_REQUIRED, 0, 9, &got, &f), -1);
    assert_string_equal(f.text, "field \"w\" is missing");
}

static void booleans_objects_and_arrays(void **state)
{
    _cleanup_(field_putp)
    struct json_object *o = parse(everything);
    struct json_object *got = NULL;
    struct fault f = FAULT_INIT;
    bool yes = false;
    const char *text = NULL;

    (void)state;
    assert_int_equal(field_bool(o, "t", FIELD_REQUIRED, &yes, &f), 0);
    assert_true(yes);
    assert_int_equal(field_bool(o, "none", FIELD_OPTIONAL, &yes, &f), 0);
    assert_true(yes);
    assert_int_equal(field_bool(o, "i", FIELD_OPTIONAL, &yes, &f), -1);
    assert_int_equal(field_object(o, "o", FIELD_REQUIRED, &got, &f), 0);
    assert_int_equal(field_peek_int(got, "x", 0), 1);
    assert_int_equal(field_object(o, "a", FIELD_OPTIONAL, &got, &f), -1);
    assert_int_equal(field_array(o, "a", FIELD_REQUIRED, 2, &got, &f), -1);
    assert_int_equal(field_array(o, "a", FIELD_REQUIRED, 3, &got, &f), 0);
    assert_int_equal(field_element(got, 0, 1, &text, &f), 0);
    assert_string_equal(text, "p");
    assert_int_equal(field_element(got, 0, 0, &text, &f), -1);
    assert_int_equal(field_element(got, 1, 9, &text, &f), -1);
    assert_int_equal(field_element(got, 2, 9, &text, &f), -1);
    assert_int_equal(field_element(got, 3, 9, &text, &f), -1);
    assert_string_equal(text, "p");
}

static void peeking_never_coerces(void **state)
{
    _cleanup_(field_putp)
    struct json_object *o = parse(everything);
    _cleanup_(field_putp)
    struct json_object *big = parse("{\"exact\":9007199254740992,\"more\":9007199254740993,"
                                    "\"least\":-9223372036854775808,\"unsigned\":18446744073709551615}");

    (void)state;
    assert_string_equal(field_peek_string(o, "s"), "text");
    assert_null(field_peek_string(o, "i"));
    assert_null(field_peek_string(o, "none"));
    assert_null(field_peek_string(NULL, "s"));
    assert_int_equal(field_peek_int(o, "i", -1), 42);
    assert_int_equal(field_peek_int(o, "num", -1), -1);
    assert_int_equal(field_peek_int(o, "d", -1), -1);
    assert_int_equal(field_peek_int(big, "exact", -1), INT64_C(1) << 53);
    assert_int_equal(field_peek_int(big, "more", -1), -1);
    assert_int_equal(field_peek_int(big, "least", -1), -1);
    assert_int_equal(field_peek_int(big, "unsigned", -1), -1);
    assert_true(field_peek_bool(o, "t"));
    assert_false(field_peek_bool(o, "i"));
    assert_non_null(field_peek(o, "o"));
    assert_non_null(field_peek(o, "a"));
    assert_null(field_peek(o, "s"));
    assert_null(field_peek(field_peek(o, "a"), "s"));
    assert_null(field_peek(NULL, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_escapes),
        cmocka_unit_test(parsing),
        cmocka_unit_test(bytes_are_counted_not_terminated),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(unknown_names_are_named),
        cmocka_unit_test(a_long_unknown_name_is_cut_between_characters),
        cmocka_unit_test(strings),
        cmocka_unit_test(bytes_may_hold_nul),
        cmocka_unit_test(integers),
        cmocka_unit_test(thousandths),
        cmocka_unit_test(a_required_number_must_be_there),
        cmocka_unit_test(booleans_objects_and_arrays),
        cmocka_unit_test(peeking_never_coerces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
