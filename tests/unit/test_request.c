/* What is read of a request. What is refused: test_request_refused.c. */
#include "unit/request_text.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/cleanup.h"

static void defaults(void **state)
{
    struct request *r = parse("{\"id\":\"a\",\"code\":\"\"}");

    (void)state;
    assert_string_equal(r->id, "a");
    assert_int_equal(r->code_len, 0);
    assert_string_equal(r->language, "python");
    assert_true(!r->image && !r->argv && !r->reply_to && !r->trace && !r->meta && !r->retry_on);
    assert_true(r->args && !r->args[0] && r->env && !r->env[0].name);
    assert_true(r->timeout_ms == 300000 && r->cpu_milli == 500 && r->memory_bytes == 512 << 20);
    assert_true(r->disk_bytes == 1 << 30 && r->output_bytes == 1 << 20 && r->result_ttl_s == 3600);
    assert_true(r->retry_infra == 2 && r->retry_code == 0);
    assert_true(!r->in.bytes && !r->files && r->file_count == 0 && r->outputs && !r->outputs[0]);
    assert_true(!r->cases && r->case_count == 0 && !r->stop_on_first_failure);
    assert_true(r->submitted_ms == 0 && r->not_before_ms == 0 && r->deadline_ms == 0);
    assert_int_equal(strlen(r->digest), 64);
    request_free(r);
}

static void everything(void **state)
{
    struct request *r = parse(
        " {\"id\":\"a:1\",\"code\":\"x\\u0000y\",\"language\":\"c++\",\"image\":\"r.io/a/b:1@sha256:0\","
        "\"argv\":[\"sh\",\"-c\"],\"args\":[\"\",\"\xc3\xa4\"],\"env\":{\"A_1\":\"v\",\"_b\":\"\"},"
        "\"timeout_s\":1.5,\"cpu\":\"1500m\",\"memory\":\"1Gi\",\"disk\":2097152,"
        "\"output_bytes\":10,\"network\":false,\"submitted_at\":1763717344.123,"
        "\"not_before\":1763717345,\"deadline\":1763717400.5,"
        "\"retry\":{\"infra\":5,\"code\":1,\"on\":[\"oom\",\"evicted\",\"infra_error\"]},"
        "\"result_ttl_s\":60,\"reply_to\":\"batch-1\","
        "\"trace\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\","
        "\"meta\":{\"a\" : [1, 2.50, 123456789012345678901234567890, \"x y\\\" z\"]} }\n");

    (void)state;
    assert_int_equal(r->code_len, 3);
    assert_memory_equal(r->code, "x\0y", 3);
    assert_string_equal(r->language, "c++");
    assert_string_equal(r->argv[1], "-c");
    assert_null(r->argv[2]);
    assert_string_equal(r->args[1], "\xc3\xa4");
    assert_string_equal(r->env[0].name, "A_1");
    assert_string_equal(r->env[1].value, "");
    assert_null(r->env[2].name);
    assert_true(r->timeout_ms == 1500 && r->cpu_milli == 1500 && r->memory_bytes == 1 << 30 &&
                r->disk_bytes == 2097152);
    assert_true(r->submitted_ms == 1763717344123 && r->not_before_ms == 1763717345000 &&
                r->deadline_ms == 1763717400500);
    assert_true(r->retry_infra == 5 && r->retry_code == 1);
    assert_string_equal(r->retry_on[2], "infra_error");
    assert_string_equal(r->reply_to, "batch-1");
    assert_string_equal(json_object_to_json_string_ext(r->meta, JSON_C_TO_STRING_PLAIN),
                        "{\"a\":[1,2.50,123456789012345678901234567890,\"x y\\\" z\"]}");
    request_free(r);
}

/* What of a request counts where it can be read in two ways. */
static void oddities(void **state)
{
    struct request *r = parse("{\"id\":\"a\",\"id\":\"b\",\"code\":\"1\",\"code\":\"22\",\"meta\":1,\"meta\":[2]}");

    (void)state;
    assert_string_equal(r->id, "b"); /* of equal names the last */
    assert_int_equal(r->code_len, 2);
    assert_string_equal(json_object_to_json_string(r->meta), "[2]");
    request_free(r);
    r = parse(
        "{\"id\":\"a\",\"code\":\"\",\"image\":null,\"env\":null,\"timeout_s\":null,\"retry\":null,\"meta\":null}");
    assert_true(!r->image && r->timeout_ms == 300000 && !r->meta); /* null: not given */
    request_free(r);
    r = parse("{\"id\":\"a\",\"code\":\"\",\"meta\":1,\"m\\u0065ta\":{\"k\":[ ]}}");
    assert_string_equal(json_object_to_json_string_ext(r->meta, JSON_C_TO_STRING_PLAIN), "{\"k\":[]}");
    request_free(r);
    r = parse("{\"id\":\"a\",\"code\":\"\",\"timeout_s\":1e2,\"cpu\":0.25,\"meta\":\"\"}");
    assert_true(r->timeout_ms == 100000 && r->cpu_milli == 250);
    request_free(r);
}

static bool is_bytes(const struct request_bytes *b, const char *bytes, size_t len)
{
    return b->bytes && b->len == len && memcmp(b->bytes, bytes, len) == 0 && b->bytes[len] == '\0';
}

static void files_and_stdin(void **state)
{
    static const struct {
        const char *path, *bytes;
        size_t len;
        unsigned mode;
    } table[] = {
        {"B/x", "", 0, 0},          {"a/\\u0000", "\\", 1, 0}, {"a/b", "\0\xff", 2, 0755},
        {"a/b.c/d", "x\0y", 3, 07}, {"a-", "text", 4, 0640},   {"a.b", "", 0, 0777},
    };
    struct request *r = parse(A
                              "\"stdin\":\"x\\u0000\xc3\xa4\",\"files\":{\"a.b\":{\"base64\":\"\",\"mode\":\"777\"},"
                              "\"a/b\":{\"base64\":\"AP8=\",\"mode\":\"755\",\"text\":null},\"a-\":{\"text\":\"text\","
                              "\"mode\":\"640\"},\"B/x\":\"\",\"a/b.c/d\":{\"text\":\"x\\u0000y\",\"mode\":\"7\","
                              "\"base64\":null},\"a/\\\\u0000\":{\"text\":\"\\\\\",\"mode\":null}},"
                              "\"outputs\":[\"*.png\",\"out/**/?\",\"**\"]}");

    (void)state;
    assert_true(is_bytes(&r->in, "x\0\xc3\xa4", 4));
    assert_int_equal(r->file_count, COUNT_OF(table));
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_string_equal(r->files[i].path, table[i].path);
        row_true(table[i].path, is_bytes(&r->files[i].content, table[i].bytes, table[i].len));
        row_true(table[i].path, r->files[i].mode == table[i].mode);
    }
    assert_string_equal(r->outputs[1], "out/**/?");
    assert_null(r->outputs[3]);
    request_free(r);
    r = parse(A "\"stdin\":{\"base64\":\"AP8=\"},\"files\":{},\"outputs\":[]}");
    assert_true(is_bytes(&r->in, "\0\xff", 2));
    assert_true(r->file_count == 0 && r->outputs && !r->outputs[0]);
    request_free(r);
    r = parse(A "\"stdin\":{\"base64\":\"\"}}");
    assert_true(is_bytes(&r->in, "", 0)); /* given, and empty */
    request_free(r);
    r = parse(A "\"files\":{\"" D16 "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a\":\"\"}}"); /* as deep as may be */
    request_free(r);
    r = parse(A "\"files\":{\"" N100 "/" N100 "/" N100 "/" N100 "/" N100 "/1234567\":\"\"}}"); /* as long */
    assert_int_equal(strlen(r->files[0].path), 512);
    request_free(r);
}

static void cases(void **state)
{
    struct request *r = parse(
        A "\"timeout_s\":7,\"args\":[\"all\"],\"stdin\":null,\"stop_on_first_failure\":true,\"cases\":[{},"
          "{\"stdin\":\"1\\u00002\",\"args\":[\"-x\",\"\"],\"expected\":{\"base64\":\"AP8=\"},\"compare\":\"tokens\","
          "\"timeout_s\":0.5},{\"compare\":\"trimmed\",\"expected\":\"\",\"stdin\":{\"base64\":\"\"},\"args\":null},"
          "{\"compare\":null,\"timeout_s\":null,\"args\":[]}]}");
    const struct request_case *c = r->cases;

    (void)state;
    assert_int_equal(r->case_count, 4);
    assert_true(r->stop_on_first_failure && !r->in.bytes);
    assert_true(!c[0].in.bytes && !c[0].expected.bytes && c[0].compare == EXPECT_EXACT && c[0].timeout_ms == 7000);
    assert_true(c[0].args && !c[0].args[0]);
    assert_true(is_bytes(&c[1].in, "1\0002", 3) && is_bytes(&c[1].expected, "\0\xff", 2));
    assert_true(c[1].compare == EXPECT_TOKENS && c[1].timeout_ms == 500);
    assert_string_equal(c[1].args[0], "-x");
    assert_true(!*c[1].args[1] && !c[1].args[2]);
    assert_true(is_bytes(&c[2].in, "", 0) && is_bytes(&c[2].expected, "", 0) && c[2].compare == EXPECT_TRIMMED);
    assert_true(c[2].args && c[3].args && !c[3].args[0] && c[3].timeout_ms == 7000);
    request_free(r);
    r = parse(A "\"cases\":null,\"stop_on_first_failure\":false,\"stdin\":\"\"}");
    assert_true(!r->cases && r->case_count == 0 && !r->stop_on_first_failure);
    request_free(r);
}

/* json-c takes up to 800 bytes for what stands in three: a worker holds the text of meta. */
static void meta_is_kept_as_text(void **state)
{
    char *s = repeat(A "\"meta\":[{}", ",{}", 60000, "]}"),
         *disguised = repeat(A "\"m\\u0065ta\":[{}", ",{}", 60000, "]}");
    char *const both[] = {s, disguised};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        struct request *r = parse(both[i]);

        row_true(i ? "disguised" : "plain", !json_object_is_type(r->meta, json_type_array));
        row_true(i ? "disguised" : "plain",
                 strlen(json_object_to_json_string_ext(r->meta, JSON_C_TO_STRING_PLAIN)) == 3 * 60001 + 1);
        request_free(r);
    }
    free(s);
    free(disguised);
}

/* clang-format off */
static const struct {
    const char *head, *id, *reply_to;
} heads[] = {
    {"{\"id\":\"a\",\"reply_to\":\"r\",\"code\":\"xxx", "a", "r"},
    {"{ \"code\" : \"x\\\"}\" , \"id\" : \"a\" , \"meta\":{\"id\":\"no\"", "a", NULL},
    {"{\"meta\":{\"id\":\"no\",\"x\":[\"]}\"]},\"reply_to\":\"r\"",  NULL, "r"},
    {"{\"id\":\"a",                       NULL, NULL},
    {"{\"id\":\"a b\",\"reply_to\":\"r:\"}", NULL, NULL},
    {"{\"id\":\"\\u0061\"}",              NULL, NULL},
    {"{\"id\":12,\"n\":true}",            NULL, NULL},
    {"{\"n\":12",                         NULL, NULL},
    {"{\"a\":}]{\"id\":\"a\"",            NULL, NULL},
    {"[{\"id\":\"a\"}]",                  NULL, NULL},
    {"",                                  NULL, NULL},
    {"{",                                 NULL, NULL},
    {"{\"\\",                             NULL, NULL},
    {"{\"id\":\"a\",\"id\":\"b\"}",       "b", NULL},
};
/* clang-format on */

static void peek(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        char *id, *reply_to;

        request_peek(heads[i].head, strlen(heads[i].head), &id, &reply_to);
        row_true(heads[i].head, heads[i].id ? id && strcmp(id, heads[i].id) == 0 : !id);
        row_true(heads[i].head, heads[i].reply_to ? reply_to && strcmp(reply_to, heads[i].reply_to) == 0 : !reply_to);
        free(id);
        free(reply_to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(everything),
        cmocka_unit_test(oddities), cmocka_unit_test(files_and_stdin),
        cmocka_unit_test(cases),    cmocka_unit_test(meta_is_kept_as_text),
        cmocka_unit_test(peek),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
