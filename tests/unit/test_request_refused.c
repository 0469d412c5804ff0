/* What of a request is refused, and what is said: what is wrong in itself, what is too large, and what is too many. */
#include "unit/request_text.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad),
        cmocka_unit_test(sizes),
        cmocka_unit_test(counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
