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
    assert_false(has(o, "stdout") || has(o, "stderr") || has(o, "error") || has(o, "meta") || has(o, "streams"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),          cmocka_unit_test(least),    cmocka_unit_test(all),
        cmocka_unit_test(cut_characters), cmocka_unit_test(ceilings), cmocka_unit_test(beyond_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
