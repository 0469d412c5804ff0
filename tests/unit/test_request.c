#include "queue/request.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/mem.h"
#include "unit/check.h"

static const struct request_limits limits = {
    .payload_max = 1 << 20,
    .timeout_ms = 300000,
    .timeout_max_ms = 3600000,
    .cpu_milli = 500,
    .cpu_max_milli = 4000,
    .memory_bytes = 512 << 20,
    .memory_max_bytes = (int64_t)8 << 30,
    .disk_bytes = 1 << 30,
    .disk_max_bytes = (int64_t)10 << 30,
    .output_bytes = 1 << 20,
    .output_max_bytes = 4 << 20,
    .result_ttl_s = 3600,
    .result_ttl_max_s = 86400,
    .retry_infra = 2,
    .retry_code = 0,
    .retry_max = 10,
};

static struct request *parse(const char *payload)
{
    struct request *r = NULL;
    struct fault f = FAULT_INIT;
    char *id = NULL;

    if (request_parse(payload, strlen(payload), &limits, &r, &id, &f) < 0)
        fail_msg("%s: %s", payload, f.text);
    assert_string_equal(id, r->id);
    free(id);
    return r;
}

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

#define A    "{\"id\":\"a\",\"code\":\"\","
#define N100 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

/* clang-format off */
static const struct bad {
    const char *payload;
    enum fault_kind kind;
    const char *says; /* in the fault */
    bool has_id;      /* whether an answer can be addressed */
} bads[] = {
    {"",                                             FAULT_INVALID, "JSON", false},
    {" ",                                            FAULT_INVALID, "JSON", false},
    {"null",                                         FAULT_INVALID, "object", false},
    {"[]",                                           FAULT_INVALID, "object", false},
    {"\"a\"",                                        FAULT_INVALID, "object", false},
    {"{",                                            FAULT_INVALID, "JSON", false},
    {"{}",                                           FAULT_INVALID, "\"id\" is missing", false},
    {"{\"id\":\"a\",\"code\":\"\"",                  FAULT_INVALID, "JSON", false},
    {"{\"id\":\"a\",\"code\":\"\"}x",                FAULT_INVALID, "JSON", false},
    {"{\"id\":\"a\",\"code\":\"\"}{}",               FAULT_INVALID, "JSON", false},
    {"{'id':'a','code':''}",                         FAULT_INVALID, "JSON", false},
    {"{\"id\":\"a\",\"code\":\"\",}",                FAULT_INVALID, "JSON", false},
    {"{\"id\":\"a\"/**/,\"code\":\"\"}",             FAULT_INVALID, "JSON", false},
    {"{\"id\":\"a\",\"code\":\"\xff\"}",             FAULT_INVALID, "JSON", false},
    {"{\"id\":\"a\",\"code\":\"\xed\xa0\x80\"}",     FAULT_INVALID, "JSON", false},
    {"{\"id\":1,\"code\":\"\"}",                     FAULT_INVALID, "\"id\"", false},
    {"{\"id\":\"\",\"code\":\"\"}",                  FAULT_INVALID, "\"id\"", false},
    {"{\"id\":\"a b\",\"code\":\"\"}",               FAULT_INVALID, "\"id\"", false},
    {"{\"id\":\"a\\u0000\",\"code\":\"\"}",          FAULT_INVALID, "\"id\"", false},
    {"{\"id\":\"" N100 N100 "\",\"code\":\"\"}",     FAULT_INVALID, "\"id\"", false},
    {"{\"id\":\"a\"}",                               FAULT_INVALID, "\"code\" is missing", true},
    {"{\"id\":\"a\",\"code\":null}",                 FAULT_INVALID, "\"code\" is missing", true},
    {"{\"id\":\"a\",\"code\":1}",                    FAULT_INVALID, "\"code\"", true},
    {A "\"stdin\":\"\"}",                            FAULT_INVALID, "unknown field \"stdin\"", true},
    {A "\"files\":{}}",                              FAULT_INVALID, "unknown field \"files\"", true},
    {A "\"cases\":[]}",                              FAULT_INVALID, "unknown field \"cases\"", true},
    {A "\"outputs\":[]}",                            FAULT_INVALID, "unknown field \"outputs\"", true},
    {A "\"stop_on_first_failure\":true}",            FAULT_INVALID, "unknown field \"stop_on_first_failure\"", true},
    {A "\"\":1}",                                    FAULT_INVALID, "unknown field \"\"", true},
    {A "\"tenant\":\"x\"}",                          FAULT_INVALID, "unknown field \"tenant\"", true},
    {A "\"language\":1}",                            FAULT_INVALID, "\"language\"", true},
    {A "\"language\":\"\"}",                         FAULT_INVALID, "\"language\"", true},
    {A "\"language\":\"a/b\"}",                      FAULT_INVALID, "\"language\"", true},
    {A "\"image\":[]}",                              FAULT_INVALID, "\"image\"", true},
    {A "\"image\":\"a b\"}",                         FAULT_INVALID, "\"image\"", true},
    {A "\"argv\":\"x\"}",                            FAULT_INVALID, "\"argv\"", true},
    {A "\"argv\":[]}",                               FAULT_INVALID, "\"argv\"", true},
    {A "\"argv\":[\"\"]}",                           FAULT_INVALID, "\"argv\"", true},
    {A "\"argv\":[1]}",                              FAULT_INVALID, "\"argv\"", true},
    {A "\"argv\":[null]}",                           FAULT_INVALID, "\"argv\"", true},
    {A "\"args\":[\"a\\u0000\"]}",                   FAULT_INVALID, "\"args\"", true},
    {A "\"args\":{}}",                               FAULT_INVALID, "\"args\"", true},
    {A "\"env\":[]}",                                FAULT_INVALID, "\"env\"", true},
    {A "\"env\":{\"1A\":\"\"}}",                     FAULT_INVALID, "\"env\"", true},
    {A "\"env\":{\"A=B\":\"\"}}",                    FAULT_INVALID, "\"env\"", true},
    {A "\"env\":{\"\":\"\"}}",                       FAULT_INVALID, "\"env\"", true},
    {A "\"env\":{\"\xc3\xa4\":\"\"}}",               FAULT_INVALID, "\"env\"", true},
    {A "\"env\":{\"A\":1}}",                         FAULT_INVALID, "\"env\"", true},
    {A "\"env\":{\"A\":null}}",                      FAULT_INVALID, "\"env\"", true},
    {A "\"env\":{\"A\":\"a\\u0000\"}}",              FAULT_INVALID, "\"env\"", true},
    {A "\"timeout_s\":\"5\"}",                       FAULT_INVALID, "\"timeout_s\"", true},
    {A "\"timeout_s\":0}",                           FAULT_INVALID, "\"timeout_s\"", true},
    {A "\"timeout_s\":-1}",                          FAULT_INVALID, "\"timeout_s\"", true},
    {A "\"timeout_s\":1e999}",                       FAULT_INVALID, "\"timeout_s\"", true},
    {A "\"timeout_s\":3601}",                        FAULT_REFUSED, "\"timeout_s\"", true},
    {A "\"timeout_s\":true}",                        FAULT_INVALID, "\"timeout_s\"", true},
    {A "\"cpu\":\"x\"}",                             FAULT_INVALID, "\"cpu\"", true},
    {A "\"cpu\":\"1m\"}",                            FAULT_INVALID, "\"cpu\"", true},
    {A "\"cpu\":-1}",                                FAULT_INVALID, "\"cpu\"", true},
    {A "\"cpu\":\"5\"}",                             FAULT_REFUSED, "\"cpu\"", true},
    {A "\"cpu\":[]}",                                FAULT_INVALID, "\"cpu\"", true},
    {A "\"memory\":\"512\\u0000Mi\"}",               FAULT_INVALID, "\"memory\"", true},
    {A "\"memory\":\"1Ki\"}",                        FAULT_INVALID, "\"memory\"", true},
    {A "\"memory\":\"9Gi\"}",                        FAULT_REFUSED, "\"memory\"", true},
    {A "\"memory\":99999999999999999999}",           FAULT_INVALID, "\"memory\"", true},
    {A "\"disk\":\"100Ti\"}",                        FAULT_REFUSED, "\"disk\"", true},
    {A "\"disk\":{}}",                               FAULT_INVALID, "\"disk\"", true},
    {A "\"output_bytes\":-1}",                       FAULT_INVALID, "\"output_bytes\"", true},
    {A "\"output_bytes\":1.5}",                      FAULT_INVALID, "\"output_bytes\"", true},
    {A "\"output_bytes\":99999999999999999999}",     FAULT_INVALID, "\"output_bytes\"", true},
    {A "\"output_bytes\":5000000}",                  FAULT_REFUSED, "\"output_bytes\"", true},
    {A "\"network\":1}",                             FAULT_INVALID, "\"network\"", true},
    {A "\"network\":true}",                          FAULT_REFUSED, "without network", true},
    {A "\"submitted_at\":-1}",                       FAULT_INVALID, "\"submitted_at\"", true},
    {A "\"not_before\":\"now\"}",                    FAULT_INVALID, "\"not_before\"", true},
    {A "\"deadline\":1e300}",                        FAULT_INVALID, "\"deadline\"", true},
    {A "\"retry\":3}",                               FAULT_INVALID, "\"retry\"", true},
    {A "\"retry\":{\"x\":1}}",                       FAULT_INVALID, "unknown field \"x\"", true},
    {A "\"retry\":{\"infra\":-1}}",                  FAULT_INVALID, "\"retry\"", true},
    {A "\"retry\":{\"code\":11}}",                   FAULT_REFUSED, "\"retry\"", true},
    {A "\"retry\":{\"on\":[\"ok\"]}}",               FAULT_INVALID, "\"ok\"", true},
    {A "\"retry\":{\"on\":[\"\"]}}",                 FAULT_INVALID, "\"retry\"", true},
    {A "\"retry\":{\"on\":[\"cancelled\"]}}",        FAULT_INVALID, "\"cancelled\"", true},
    {A "\"result_ttl_s\":0}",                        FAULT_INVALID, "\"result_ttl_s\"", true},
    {A "\"result_ttl_s\":86401}",                    FAULT_REFUSED, "\"result_ttl_s\"", true},
    {A "\"reply_to\":\"a:b\"}",                      FAULT_INVALID, "\"reply_to\"", true},
    {A "\"reply_to\":7}",                            FAULT_INVALID, "\"reply_to\"", true},
    {A "\"meta\":NaN}",                              FAULT_INVALID, "JSON", false},
    {A "\"meta\":-Infinity}",                        FAULT_INVALID, "JSON", false},
    {A "\"meta\":[01]}",                             FAULT_INVALID, "JSON", false},
    {A "\"trace\":\"x\"}",                           FAULT_INVALID, "\"trace\"", true},
    {A "\"trace\":\"00-00000000000000000000000000000000-b7ad6b7169203331-01\"}", FAULT_INVALID, "\"trace\"", true},
    {A "\"trace\":\"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}", FAULT_INVALID, "\"trace\"", true},
};
/* clang-format on */

static void bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        const struct bad *b = &bads[i];
        struct request *r = NULL;
        struct fault f = FAULT_INIT;
        char *id = NULL;

        row_true(b->payload, request_parse(b->payload, strlen(b->payload), &limits, &r, &id, &f) == -1 && !r);
        if (f.kind != b->kind || !strstr(f.text, b->says))
            fail_msg("%s: %s: %s", b->payload, fault_kind_name(f.kind), f.text);
        row_true(b->payload, b->has_id ? id && strcmp(id, "a") == 0 : !id);
        free(id);
    }
}

static int parse_bytes(const char *bytes, size_t len, struct fault *f)
{
    struct request *r = NULL;
    char *id = NULL;
    int got = request_parse(bytes, len, &limits, &r, &id, f);

    request_free(r);
    free(id);
    return got;
}

/* Builds `before`, n times `piece`, `after`. */
static char *repeat(const char *before, const char *piece, size_t n, const char *after)
{
    size_t piece_len = strlen(piece), at = strlen(before);
    char *s = mem_zero(at + n * piece_len + strlen(after) + 1, 1);

    memcpy(s, before, at);
    for (size_t i = 0; i < n; i++, at += piece_len)
        memcpy(s + at, piece, piece_len);
    memcpy(s + at, after, strlen(after));
    return s;
}

static void sizes(void **state)
{
    struct fault f = FAULT_INIT;
    char *s;

    (void)state;
    s = repeat(A "\"meta\":", "[", 100000, ""); /* deep */
    assert_int_equal(parse_bytes(s, strlen(s), &f), -1);
    free(s);
    s = repeat(A "\"meta\":", "[", 31, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}");
    assert_int_equal(parse_bytes(s, strlen(s), &f), 0);
    free(s);
    s = repeat(A "\"args\":[\"\"", ",\"\"", 255, "]}"); /* 256 words */
    assert_int_equal(parse_bytes(s, strlen(s), &f), 0);
    free(s);
    s = repeat(A "\"args\":[\"\"", ",\"\"", 256, "]}");
    assert_int_equal(parse_bytes(s, strlen(s), &f), -1);
    free(s);
    s = repeat(A "\"args\":[\"", "x", 128 * 1024, "\"]}"); /* one word too long */
    assert_int_equal(parse_bytes(s, strlen(s), &f), -1);
    free(s);
    s = repeat(A "\"args\":[\"\"", ",\"" N100 N100 N100 N100 N100 N100 N100 N100 N100 N100 N100 N100 "\"", 250, "]}");
    assert_int_equal(parse_bytes(s, strlen(s), &f), -1); /* each fits, the sum does not */
    assert_non_null(strstr(f.text, "together"));
    free(s);
    s = repeat(A "\"meta\":\"", "x", 1 << 20, "\"}");
    assert_int_equal(parse_bytes(s, strlen(s), &f), -1);
    assert_int_equal(f.kind, FAULT_REFUSED);
    free(s);
    assert_int_equal(parse_bytes("{\"id\":\"a\",\"code\":\"\"}\0", 21, &f), -1); /* a NUL behind it */
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
        cmocka_unit_test(defaults), cmocka_unit_test(everything), cmocka_unit_test(oddities),
        cmocka_unit_test(bad),      cmocka_unit_test(sizes),      cmocka_unit_test(peek),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
