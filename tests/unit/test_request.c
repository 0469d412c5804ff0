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

#define A    "{\"id\":\"a\",\"code\":\"\","
#define N100 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define D16  "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/"

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
    {A "\"stdin\":1}",                               FAULT_INVALID, "\"stdin\" must be a string or", true},
    {A "\"stdin\":[]}",                              FAULT_INVALID, "\"stdin\"", true},
    {A "\"stdin\":{}}",                              FAULT_INVALID, "\"stdin\": field \"base64\" is missing", true},
    {A "\"stdin\":{\"base64\":1}}",                  FAULT_INVALID, "\"stdin\": field \"base64\"", true},
    {A "\"stdin\":{\"base64\":\"QQ\"}}",             FAULT_INVALID, "\"stdin\": field \"base64\": not base64", true},
    {A "\"stdin\":{\"base64\":\"Q Q==\"}}",          FAULT_INVALID, "white space at byte 1", true},
    {A "\"stdin\":{\"base64\":\"QQ==\\n\"}}",        FAULT_INVALID, "white space at byte 4", true},
    {A "\"stdin\":{\"base64\":\"QQ=\\u0000\"}}",     FAULT_INVALID, "not base64", true},
    {A "\"stdin\":{\"base64\":\"Q-_=\"}}",           FAULT_INVALID, "not base64", true},
    {A "\"stdin\":{\"base64\":\"\",\"text\":\"\"}}", FAULT_INVALID, "\"stdin\": unknown field \"text\"", true},
    {A "\"files\":[]}",                              FAULT_INVALID, "\"files\"", true},
    {A "\"files\":{\"a\":1}}",                       FAULT_INVALID, "\"files\": \"a\": must be a string or", true},
    {A "\"files\":{\"a\":null}}",                    FAULT_INVALID, "\"files\": \"a\": must be a string or", true},
    {A "\"files\":{\"a\":{}}}",                      FAULT_INVALID, "\"a\": needs either text or base64", true},
    {A "\"files\":{\"a\":{\"mode\":\"7\"}}}",        FAULT_INVALID, "\"a\": needs either text or base64", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"base64\":\"\"}}}", FAULT_INVALID, "either text or base64", true},
    {A "\"files\":{\"a\":{\"text\":1}}}",            FAULT_INVALID, "\"a\": field \"text\" must be a string", true},
    {A "\"files\":{\"a\":{\"base64\":\"=\"}}}",      FAULT_INVALID, "\"a\": field \"base64\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"x\":1}}}", FAULT_INVALID, "\"a\": unknown field \"x\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"mode\":644}}}",      FAULT_INVALID, "\"a\": field \"mode\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"mode\":\"\"}}}",     FAULT_INVALID, "\"a\": field \"mode\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"mode\":\"000\"}}}",  FAULT_INVALID, "\"a\": field \"mode\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"mode\":\"0755\"}}}", FAULT_INVALID, "\"a\": field \"mode\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"mode\":\"1000\"}}}", FAULT_INVALID, "\"a\": field \"mode\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"mode\":\"78\"}}}",   FAULT_INVALID, "\"a\": field \"mode\"", true},
    {A "\"files\":{\"a\":{\"text\":\"\",\"mode\":\"-7\"}}}",   FAULT_INVALID, "\"a\": field \"mode\"", true},
    {A "\"files\":{\"\":\"\"}}",                     FAULT_INVALID, "\"files\": \"\" is no path", true},
    {A "\"files\":{\"/a\":\"\"}}",                   FAULT_INVALID, "\"/a\" is no path", true},
    {A "\"files\":{\"a/\":\"\"}}",                   FAULT_INVALID, "\"a/\" is no path", true},
    {A "\"files\":{\"a//b\":\"\"}}",                 FAULT_INVALID, "\"a//b\" is no path", true},
    {A "\"files\":{\".\":\"\"}}",                    FAULT_INVALID, "\".\" is no path", true},
    {A "\"files\":{\"./a\":\"\"}}",                  FAULT_INVALID, "\"./a\" is no path", true},
    {A "\"files\":{\"..\":\"\"}}",                   FAULT_INVALID, "\"..\" is no path", true},
    {A "\"files\":{\"a/../b\":\"\"}}",               FAULT_INVALID, "\"a/../b\" is no path", true},
    {A "\"files\":{\"a/..\":\"\"}}",                 FAULT_INVALID, "\"a/..\" is no path", true},
    {A "\"files\":{\"ok\":\"\",\"a\\u0000b\":\"\"}}",    FAULT_INVALID, "\"files\": a path holds a NUL", true},
    {A "\"f\\u0069les\":{\"a\\u0000\":\"\"}}",       FAULT_INVALID, "\"files\": a path holds a NUL", true},
    {A "\"files\":{\"" N100 N100 N100 "\":\"\"}}",   FAULT_INVALID, "is no path", true},
    {A "\"files\":{\"" N100 "/" N100 "/" N100 "/" N100 "/" N100 "/12345678\":\"\"}}", FAULT_INVALID, "is no path", true},
    {A "\"files\":{\"" D16 D16 "a\":\"\"}}",         FAULT_INVALID, "is no path", true},
    {A "\"files\":{\"a\":\"\",\"a/b\":\"\"}}",       FAULT_INVALID, "\"a\" is a file, and the folder of \"a/b\"", true},
    {A "\"files\":{\"a/b/c\":\"\",\"a-\":\"\",\"a/b\":\"\",\"a.\":\"\"}}", FAULT_INVALID, "\"a/b\" is a file", true},
    {A "\"outputs\":{}}",                            FAULT_INVALID, "\"outputs\"", true},
    {A "\"outputs\":[1]}",                           FAULT_INVALID, "\"outputs\"", true},
    {A "\"outputs\":[\"*\",\"\"]}",                  FAULT_INVALID, "\"outputs\": [1]: \"\" is no path", true},
    {A "\"outputs\":[\"/a\"]}",                      FAULT_INVALID, "\"outputs\": [0]: \"/a\" is no path", true},
    {A "\"outputs\":[\"../*\"]}",                    FAULT_INVALID, "\"../*\" is no path", true},
    {A "\"outputs\":[\"a/**/../*\"]}",               FAULT_INVALID, "\"a/**/../*\" is no path", true},
    {A "\"outputs\":[\"a\\u0000\"]}",                FAULT_INVALID, "\"outputs\"", true},
    {A "\"cases\":{}}",                              FAULT_INVALID, "\"cases\"", true},
    {A "\"cases\":[]}",                              FAULT_INVALID, "\"cases\" needs at least one", true},
    {A "\"cases\":[null]}",                          FAULT_INVALID, "\"cases\": [0]: must be a JSON object", true},
    {A "\"cases\":[{},1]}",                          FAULT_INVALID, "\"cases\": [1]: must be a JSON object", true},
    {A "\"cases\":[{},{},{\"stdout\":\"\"}]}",       FAULT_INVALID, "\"cases\": [2]: unknown field \"stdout\"", true},
    {A "\"cases\":[{\"stdin\":1}]}",                 FAULT_INVALID, "\"cases\": [0]: field \"stdin\"", true},
    {A "\"cases\":[{\"args\":[1]}]}",                FAULT_INVALID, "\"cases\": [0]: field \"args\"", true},
    {A "\"cases\":[{\"args\":[\"\\u0000\"]}]}",      FAULT_INVALID, "\"cases\": [0]: field \"args\"", true},
    {A "\"cases\":[{\"expected\":{\"text\":\"\"}}]}",FAULT_INVALID, "[0]: field \"expected\": unknown", true},
    {A "\"cases\":[{\"compare\":\"Exact\"}]}",       FAULT_INVALID, "[0]: field \"compare\" must be exact", true},
    {A "\"cases\":[{\"compare\":1}]}",               FAULT_INVALID, "[0]: field \"compare\"", true},
    {A "\"cases\":[{\"timeout_s\":0}]}",             FAULT_INVALID, "[0]: field \"timeout_s\"", true},
    {A "\"cases\":[{},{\"timeout_s\":3601}]}",       FAULT_REFUSED, "[1]: field \"timeout_s\" is 3601", true},
    {A "\"stdin\":\"\",\"cases\":[{}]}",             FAULT_INVALID, "each case has its own", true},
    {A "\"stop_on_first_failure\":true}",            FAULT_INVALID, "is for requests with cases", true},
    {A "\"stop_on_first_failure\":1,\"cases\":[{}]}",FAULT_INVALID, "\"stop_on_first_failure\"", true},
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
    s = repeat(A "\"meta\":[{}", ",{}", 65534, "]}"); /* with the request itself 65537 of them */
    assert_int_equal(parse_bytes(s, strlen(s), &f), -1);
    assert_non_null(strstr(f.text, "objects and arrays"));
    free(s);
    s = repeat(A "\"meta\":[{}", ",{}", 65533, "]}");
    assert_int_equal(parse_bytes(s, strlen(s), &f), 0);
    free(s);
    s = repeat(A "\"meta\":\"\\\"", "[{", 100000, "\"}"); /* in a string they are none */
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

static void counts(void **state)
{
    static const struct {
        const char *name, *before, *piece, *after, *says; /* NULL: it is fine */
        size_t n;
    } table[] = {
        {"globs", A "\"outputs\":[\"a\"", ",\"a\"", "]}", NULL, 63},
        {"too many globs", A "\"outputs\":[\"a\"", ",\"a\"", "]}", "more than 64", 64},
        {"cases", A "\"cases\":[{}", ",{}", "]}", NULL, 1023},
        {"too many cases", A "\"cases\":[{}", ",{}", "]}", "more than 1024", 1024},
        {"words of all cases", A "\"cases\":[{}", ",{\"args\":[\"" N100 N100 N100 N100 "\"]}", "]}", "together", 1000},
        {"words of few cases", A "\"cases\":[{}", ",{\"args\":[\"" N100 N100 N100 N100 "\"]}", "]}", NULL, 600},
        {"args of one case", A "\"cases\":[{\"args\":[\"\"", ",\"\"", "]}]}", "[0]: field \"args\"", 256},
    };
    struct fault f = FAULT_INIT;
    char *files, *all;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        _cleanup_free_ char *s = repeat(table[i].before, table[i].piece, table[i].n, table[i].after);

        f = (struct fault)FAULT_INIT;
        row_true(table[i].name, parse_bytes(s, strlen(s), &f) == (table[i].says ? -1 : 0));
        row_true(table[i].name, !table[i].says || strstr(f.text, table[i].says));
    }
    for (int n = 256; n <= 257; n++) {
        files = mem_string(A "\"files\":{\"f\":\"\"");
        for (int i = 1; i < n; i++) {
            all = mem_format("%s,\"f%d\":\"\"", files, i);
            free(files);
            files = all;
        }
        all = mem_format("%s}}", files);
        assert_int_equal(parse_bytes(all, strlen(all), &f), n == 256 ? 0 : -1);
        free(files);
        free(all);
    }
    assert_non_null(strstr(f.text, "more than 256 files"));
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
        cmocka_unit_test(cases),    cmocka_unit_test(bad),
        cmocka_unit_test(sizes),    cmocka_unit_test(meta_is_kept_as_text),
        cmocka_unit_test(counts),   cmocka_unit_test(peek),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
