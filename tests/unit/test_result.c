#include "queue/result.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "unit/check.h"

/* Encodes, and reads it again. */
static struct json_object *encode(const struct result *r, size_t ceiling, size_t *ret_len)
{
    struct buf b = BUF_INIT(ceiling);
    struct fault f = FAULT_INIT;
    struct json_object *o = NULL;

    if (result_encode(r, &b, &f) < 0)
        fail_msg("%s", f.text);
    assert_null(memchr(b.data, '\n', b.len));
    assert_true(b.len <= ceiling);
    if (ret_len)
        *ret_len = b.len;
    if (field_parse(b.data, b.len, 32, &o, &f) < 0)
        fail_msg("%s in %s", f.text, buf_str(&b));
    buf_release(&b);
    return o;
}

static bool is_null(struct json_object *o, const char *name)
{
    struct json_object *v = o; /* anything but NULL */

    return json_object_object_get_ex(o, name, &v) && !v;
}

static bool has(struct json_object *o, const char *name)
{
    return json_object_object_get_ex(o, name, NULL);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(status_name(STATUS_OK), "ok");
    assert_string_equal(status_name(STATUS_INFRA_ERROR), "infra_error");
    assert_string_equal(reason_name(REASON_NONE), "");
    assert_string_equal(reason_name(REASON_INTERNAL), "internal");
    for (int i = 0; i <= STATUS_INFRA_ERROR; i++)
        assert_true(*status_name((enum status)i));
    for (int i = 1; i <= REASON_INTERNAL; i++)
        assert_true(*reason_name((enum reason)i));
    assert_true(status_is_code(STATUS_OK) && status_is_code(STATUS_COMPILE_ERROR));
    assert_false(status_is_code(STATUS_INVALID) || status_is_code(STATUS_INFRA_ERROR));
}

static void least(void **state)
{
    struct result r = RESULT_INIT;
    _cleanup_(field_putp)
    struct json_object *o = NULL;

    (void)state;
    r.id = "a";
    r.status = STATUS_EXPIRED;
    o = encode(&r, 4096, NULL);
    assert_string_equal(field_peek_string(o, "status"), "expired");
    assert_true(is_null(o, "exit_code") && is_null(o, "signal") && is_null(field_peek(o, "usage"), "wall_ms"));
    assert_true(is_null(field_peek(o, "times"), "queued"));
    assert_false(has(o, "stdout") || has(o, "stderr") || has(o, "error") || has(o, "meta") || has(o, "compile"));
    assert_false(has(o, "cases") || has(o, "files") || has(o, "files_omitted"));
    assert_int_equal(json_object_array_length(field_peek(o, "attempts")), 0);
}

static void all(void **state)
{
    struct result r = RESULT_INIT;
    struct json_object *attempts = json_object_new_array(), *times;
    _cleanup_(field_putp)
    struct json_object *o = NULL, *meta = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    json_object_array_add(attempts, result_attempt(1, "j", NULL, "n", "infra_error", "evicted", 1763717344001));
    assert_int_equal(field_parse("{\"k\":[1]}", 9, 8, &meta, &f), 0);
    r.id = "a";
    r.status = STATUS_INFRA_ERROR;
    r.reason = REASON_NODE_LOST;
    r.exit_code = 0;
    r.out = (struct result_stream){.bytes = "h\xc3\xa4/", .len = 4, .total = 4};
    r.err = (struct result_stream){.bytes = "\xff\0", .len = 2, .truncated = true, .total = 99};
    r.wall_ms = 0;
    r.queued_ms = 1763717344120;
    r.attempts = attempts;
    r.message = "gone";
    r.retryable = true;
    r.worker = "w";
    r.meta = meta;
    r.trace = "t";
    o = encode(&r, 4096, NULL);
    assert_int_equal(field_peek_int(o, "exit_code", -1), 0);
    assert_string_equal(field_peek_string(o, "stdout"), "h\xc3\xa4/");
    assert_string_equal(field_peek_string(o, "stderr_base64"), "/wA=");
    assert_true(field_peek_bool(o, "stderr_truncated") && !field_peek_bool(o, "stdout_truncated"));
    assert_int_equal(field_peek_int(o, "stderr_bytes", -1), 99);
    assert_string_equal(field_peek_string(field_peek(o, "error"), "reason"), "node_lost");
    assert_true(field_peek_bool(field_peek(o, "error"), "retryable"));
    assert_int_equal(field_peek_int(field_peek(o, "usage"), "wall_ms", -1), 0);
    times = field_peek(o, "times");
    assert_non_null(strstr(json_object_to_json_string(times), "1763717344.120"));
    assert_non_null(strstr(json_object_to_json_string(o), "1763717344.001"));
    assert_string_equal(json_object_to_json_string_ext(field_peek(o, "meta"), JSON_C_TO_STRING_PLAIN), "{\"k\":[1]}");
    json_object_put(attempts);
}

/* A character that a cut went through does not turn a whole stream to base64; bytes that are no text do. */
static void cut_characters(void **state)
{
    struct result r = RESULT_INIT;
    _cleanup_(field_putp)
    struct json_object *o = NULL, *p = NULL;

    (void)state;
    r.id = "a";
    r.out = (struct result_stream){.bytes = "ab\xe2\x82", .len = 4, .truncated = true, .total = -1};
    r.err = (struct result_stream){.bytes = "ab\xe2\x82", .len = 4, .total = -1};
    o = encode(&r, 4096, NULL);
    assert_string_equal(field_peek_string(o, "stdout"), "ab");
    assert_string_equal(field_peek_string(o, "stderr_base64"), "YWLigg==");
    assert_false(has(o, "stdout_bytes"));
    r.out = (struct result_stream){.bytes = "", .len = 0, .total = 0};
    p = encode(&r, 4096, NULL);
    assert_string_equal(field_peek_string(p, "stdout"), "");
}

/* clang-format off */
static const struct {
    const char *name, *out, *err; /* one piece of each stream */
    size_t n_out, n_err;
} floods[] = {
    {"plain",           "x",        "y",        100000, 100000},
    {"only out",        "x",        "",         100000, 0},
    {"small err",       "x",        "y",        100000, 10},
    {"small out",       "x",        "y",        10,     100000},
    {"control",         "\x01",     "\"",       100000, 100000},
    {"two bytes",       "\xc3\xa4", "\\",       50000,  100000},
    {"four bytes",      "\xf0\x9f\x98\x80", "y",25000,  3},
    {"binary",          "\xff",     "\x80\x01", 100000, 50000},
    {"binary and text", "\xff",     "\n",       100000, 50000},
    {"fits",            "x",        "y",        100,    100},
};
/* clang-format on */

static char *flood(const char *piece, size_t n)
{
    size_t len = strlen(piece);
    char *s = mem_zero(n * len + 1, 1);

    for (size_t i = 0; i < n; i++)
        memcpy(s + i * len, piece, len);
    return s;
}

static size_t came(struct json_object *o, const char *name)
{
    char other[32];
    struct buf b = BUF_INIT(SIZE_MAX / 2);
    struct fault f = FAULT_INIT;
    const char *s = field_peek_string(o, name);
    size_t n;

    if (s)
        return strlen(s);
    snprintf(other, sizeof(other), "%s_base64", name);
    s = field_peek_string(o, other);
    assert_non_null(s);
    assert_int_equal(digest_base64_decode(s, strlen(s), &b, &f), 0);
    n = b.len;
    buf_release(&b);
    return n;
}

/* Over the ceiling the streams give way, each says so, and what fits is used. */
static void ceilings(void **state)
{
    enum { CEILING = 50000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(floods); i++) {
        const char *row = floods[i].name;
        char *out = flood(floods[i].out, floods[i].n_out), *err = flood(floods[i].err, floods[i].n_err);
        struct result r = RESULT_INIT;
        struct json_object *o;
        size_t len, all_bytes = strlen(out) + strlen(err);

        r.id = "a";
        r.out = (struct result_stream){.bytes = out, .len = strlen(out), .total = -1};
        r.err = (struct result_stream){.bytes = err, .len = strlen(err), .total = -1};
        o = encode(&r, CEILING, &len);
        row_true(row, field_peek_bool(o, "stdout_truncated") == (came(o, "stdout") < strlen(out)));
        row_true(row, field_peek_bool(o, "stderr_truncated") == (came(o, "stderr") < strlen(err)));
        row_true(row, all_bytes < 1000 ? came(o, "stdout") + came(o, "stderr") == all_bytes : len > CEILING - 100);
        row_true(row,
                 strlen(err) > 30 || came(o, "stderr") == strlen(err)); /* a small one is not cut for a large one */
        row_true(row, strlen(out) > 30 || came(o, "stdout") == strlen(out));
        json_object_put(o);
        free(out);
        free(err);
    }
}

static void beyond_help(void **state)
{
    char *meta_text = flood("x", 5000);
    struct json_object *meta = json_object_new_string(meta_text);
    struct result r = RESULT_INIT;
    struct buf b = BUF_INIT(4096);
    struct fault f = FAULT_INIT;

    (void)state;
    r.id = "a";
    r.meta = meta;
    r.out = (struct result_stream){.bytes = "out", .len = 3, .total = 3};
    assert_int_equal(result_encode(&r, &b, &f), -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
    assert_int_equal(b.len, 0);
    json_object_put(meta);
    free(meta_text);
    buf_release(&b);
}

static struct result_stream stream(const char *bytes, size_t len, int64_t total)
{
    return (struct result_stream){.bytes = bytes, .len = len, .total = total};
}

static const char *plain(struct json_object *o, const char *name)
{
    return json_object_to_json_string_ext(field_peek(o, name), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void parts(void **state)
{
    const struct result_compile compile = {.exit_code = 0,
                                           .out = stream("", 0, 0),
                                           .err = stream("warning\n", 8, 8),
                                           .wall_ms = 700,
                                           .cpu_ms = -1,
                                           .max_rss_bytes = 4096};
    const struct result_case cases[] = {
        {"passed", true, STATUS_OK, 0, -1, stream("1\n", 2, 2), {.total = -1}, 5, 4, 3},
        {"failed", true, STATUS_SIGNAL, -1, 11, stream("\xff", 1, 900), stream("", 0, 0), 5, 4, 3},
        {"skipped", false, STATUS_OK, 0, 0, stream("no", 2, 2), stream("no", 2, 2), 1, 1, 1},
    };
    const struct result_file files[] = {
        {"out/a.txt", stream("t\"\n", 3, 3)},
        {"b.bin", {.bytes = "\0\xff", .len = 2, .truncated = true, .total = 70000}},
        {"empty", stream("", 0, 0)},
    };
    struct result r = RESULT_INIT;
    _cleanup_(field_putp)
    struct json_object *o = NULL, *none = NULL;

    (void)state;
    r.id = "a";
    r.compile = &compile;
    r.cases = cases;
    r.case_count = COUNT_OF(cases);
    r.files = files;
    r.file_count = COUNT_OF(files);
    r.files_omitted = 2;
    o = encode(&r, 4096, NULL);
    assert_false(has(o, "stdout") || has(o, "stderr"));
    assert_string_equal(plain(o, "compile"),
                        "{\"exit_code\":0,\"stdout\":\"\",\"stdout_truncated\":false,\"stdout_bytes\":0,"
                        "\"stderr\":\"warning\\n\",\"stderr_truncated\":false,\"stderr_bytes\":8,"
                        "\"usage\":{\"wall_ms\":700,\"cpu_ms\":null,\"max_rss_bytes\":4096}}");
    assert_string_equal(
        plain(o, "cases"),
        "[{\"verdict\":\"passed\",\"status\":\"ok\",\"exit_code\":0,\"signal\":null,\"stdout\":\"1\\n\","
        "\"stdout_truncated\":false,\"stdout_bytes\":2,"
        "\"usage\":{\"wall_ms\":5,\"cpu_ms\":4,\"max_rss_bytes\":3}},"
        "{\"verdict\":\"failed\",\"status\":\"signal\",\"exit_code\":null,\"signal\":11,\"stdout_base64\":\"/w==\","
        "\"stdout_truncated\":false,\"stdout_bytes\":900,\"stderr\":\"\",\"stderr_truncated\":false,"
        "\"stderr_bytes\":0,\"usage\":{\"wall_ms\":5,\"cpu_ms\":4,\"max_rss_bytes\":3}},"
        "{\"verdict\":\"skipped\"}]");
    assert_string_equal(plain(o, "files"), "{\"out/a.txt\":{\"text\":\"t\\\"\\n\",\"truncated\":false,\"bytes\":3},"
                                           "\"b.bin\":{\"base64\":\"AP8=\",\"truncated\":true,\"bytes\":70000},"
                                           "\"empty\":{\"text\":\"\",\"truncated\":false,\"bytes\":0}}");
    assert_int_equal(field_peek_int(o, "files_omitted", -1), 2);
    r.file_count = r.case_count = 0; /* asked for, and nothing came */
    none = encode(&r, 4096, NULL);
    assert_string_equal(plain(none, "files"), "{}");
    assert_string_equal(plain(none, "cases"), "[]");
}

static void names_of_files(void **state)
{
    static const struct {
        const char *path, *name;
    } table[] = {
        {"a", "a"},
        {"\xc3\xa4/\xf0\x9f\x98\x80", "\xc3\xa4/\xf0\x9f\x98\x80"},
        {"\xff", "\xef\xbf\xbd"},
        {"\xfe", "\xef\xbf\xbd (4)"},
        {"\xef\xbf\xbd", "\xef\xbf\xbd (5)"},
        {"\xef\xbf\xbd (7)", "\xef\xbf\xbd (7)"},
        {"\xc0", "\xef\xbf\xbd (8)"}, /* 7 is taken */
        {"x\xe2\x82", "x\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82/\xc3", "\xef\xbf\xbd\xef\xbf\xbd/\xef\xbf\xbd"},
        {"\xed\xa0\x80y", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy"},
        {"a", "a (11)"},
    };
    struct result_file files[COUNT_OF(table)];
    struct result r = RESULT_INIT;
    _cleanup_(field_putp)
    struct json_object *o = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++)
        files[i] = (struct result_file){table[i].path, stream("", 0, (int64_t)i)};
    r.id = "a";
    r.files = files;
    r.file_count = COUNT_OF(table);
    o = encode(&r, 4096, NULL);
    assert_int_equal(json_object_object_length(field_peek(o, "files")), COUNT_OF(table));
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct json_object *file = field_peek(field_peek(o, "files"), table[i].name);

        row_true(table[i].name, file && field_peek_int(file, "bytes", -1) == (int64_t)i);
    }
}

/* Many streams share the room: small ones stay whole, large ones get the same each, and nothing is left over. */
static void shares(void **state)
{
    enum { CASES = 1024, FILES = 40, CEILING = 1 << 20, SMALL = 50 };
    static struct result_case cases[CASES];
    char *large = flood("x", 100000), *binary = flood("\xff", 100000), path[FILES][16];
    struct result_file files[FILES];
    struct result r = RESULT_INIT;
    struct json_object *o, *list;
    size_t len, first = 0;

    (void)state;
    for (size_t i = 0; i < CASES; i++)
        cases[i] = (struct result_case){.verdict = "passed",
                                        .ran = true,
                                        .out = stream(large, i % 8 ? SMALL : 100000, 100000),
                                        .err = stream(i % 16 ? "" : binary, i % 16 ? 0 : 100000, -1)};
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path[i], sizeof(path[i]), "%zu", i);
        files[i] = (struct result_file){path[i], stream(large, i ? 100000 : SMALL, 100000)};
    }
    r.id = "a";
    r.cases = cases;
    r.case_count = CASES;
    r.files = files;
    r.file_count = FILES;
    o = encode(&r, CEILING, &len);
    assert_true(len > CEILING - 4096); /* a few bytes a stream stay unused */
    list = field_peek(o, "cases");
    for (size_t i = 0; i < CASES; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        size_t n = came(one, "stdout");

        if (i == 0)
            first = n;
        assert_true(i % 8 ? n == SMALL : n >= first && n <= first + 8);
        assert_int_equal(field_peek_bool(one, "stdout_truncated"), i % 8 == 0);
        if (i % 16 == 0) /* the same room, in base64 */
            assert_true(came(one, "stderr") >= first / 4 * 3 - 3 && came(one, "stderr") <= first / 4 * 3 + 6);
    }
    assert_true(first > 1000);
    for (size_t i = 0; i < FILES; i++) {
        struct json_object *one = field_peek(field_peek(o, "files"), path[i]);
        size_t n = strlen(field_peek_string(one, "text"));

        assert_true(i ? n >= first && n <= first + 8 : n == SMALL);
        assert_int_equal(field_peek_bool(one, "truncated"), i != 0);
    }
    json_object_put(o);
    free(large);
    free(binary);
}

/* Whatever the ceiling: it holds, or it is said that it cannot. */
static void every_ceiling(void **state)
{
    const struct result_case one = {.verdict = "wrong",
                                    .ran = true,
                                    .out = stream("\xff\xfe\xfd", 3, 3),
                                    .err = {.bytes = "\x01\xc3\xa4\"\n", .len = 5, .truncated = true, .total = 9}};
    const struct result_compile compile = {.out = stream("ab", 2, 2), .err = stream("\xe2\x82\xac", 3, 3)};
    const struct result_file file = {"f\xff", stream("\x02\x02\x02\x02", 4, 4)};
    struct result r = RESULT_INIT;
    struct fault f = FAULT_INIT;
    size_t fits = 0, frame = 0;

    (void)state;
    r.id = "a";
    r.cases = &one;
    r.files = &file;
    r.compile = &compile;
    r.case_count = r.file_count = 1;
    for (size_t ceiling = 1; ceiling < 1500; ceiling++) {
        struct buf b = BUF_INIT(ceiling);
        struct json_object *o = NULL;

        f = (struct fault)FAULT_INIT;
        if (result_encode(&r, &b, &f) < 0) {
            assert_true(frame == 0 && f.kind == FAULT_TOO_BIG && b.len == 0);
        } else {
            frame = frame ? frame : ceiling;
            assert_int_equal(field_parse(b.data, b.len, 32, &o, &f), 0);
            assert_true(b.len + 64 > fits); /* a longer name may cost more than a byte gains */
            fits = b.len;
            json_object_put(o);
        }
        buf_release(&b);
    }
    assert_true(frame > 500 && frame < 1000 && fits > frame + 20 && fits < 1400); /* in the end all of it came */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),          cmocka_unit_test(least),          cmocka_unit_test(all),
        cmocka_unit_test(cut_characters), cmocka_unit_test(ceilings),       cmocka_unit_test(beyond_help),
        cmocka_unit_test(parts),          cmocka_unit_test(names_of_files), cmocka_unit_test(shares),
        cmocka_unit_test(every_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
