#include "check.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "k8s/watch.h"

/* The events of a stream as text: "A5:{...};B9:{...};" and at the end what became of it. */

static bool write_event(void *arg, const struct watch_event *e)
{
    struct buf *b = arg;
    struct fault f = FAULT_INIT;

    buf_addf(b, &f, "%c%s:%s;", "AMDBE"[e->type], e -> version ? e -> version : "",
             json_object_to_json_string_ext(e->object, JSON_C_TO_STRING_PLAIN));
    return strstr(buf_str(b), "stop") == NULL;
}

/* Cuts the stream after every `step` bytes, beginning with `first`. */
static void decode(const char *bytes, size_t len, size_t first, size_t step, struct buf *out)
{
    struct watch_decoder d = WATCH_DECODER_INIT(NULL);
    struct fault f = FAULT_INIT;
    size_t at = 0, n = first;
    int result = 0;

    while (at < len && result == 0) {
        n = n < len - at ? n : len - at;
        result = watch_decoder_feed(&d, bytes + at, n, write_event, out, &f);
        at += n;
        n = step;
    }
    buf_addf(out, &f, result < 0 ? "!%s" : result > 0 ? "stopped" : d.depth ? "..." : "end", f.text);
    watch_decoder_release(&d);
}

static void test_streams(void **state)
{
#define E(type, version, rest) \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version "\"}" rest "}}"
#define T(letter, version, rest) letter version ":{\"metadata\":{\"resourceVersion\":\"" version "\"}" rest "};"
    static const struct {
        const char *bytes, *events;
    } rows[] = {
        {"", "end"},
        {" \r\n\t ", "end"},
        {E("ADDED", "1", "") "\n" E("MODIFIED", "2", "") "\n" E("DELETED", "3", "") "\n",
         T("A", "1", "") T("M", "2", "") T("D", "3", "") "end"},
        {E("ADDED", "1", "") E("BOOKMARK", "2", ""), T("A", "1", "") T("B", "2", "") "end"}, /* no line ends */
        {"{\n  \"type\": \"ADDED\",\n  \"object\": {}\n}\n", "A:{};end"},                    /* several lines */
        {E("ADDED", "1", ",\"s\":\"}]{[\\\"\\\\\"") "\n", T("A", "1", ",\"s\":\"}]{[\\\"\\\\\"") "end"},
        {E("ADDED", "1", ",\"s\":\"\\n\",\"t\":\"\\ta\"") E("ADDED", "2", ""),
         T("A", "1", ",\"s\":\"\\n\",\"t\":\"\\ta\"") T("A", "2", "") "end"},
        {E("ADDED", "1", ",\"s\":\"h\xc3\xa4\xf0\x9f\x99\x82\"") "\n",
         T("A", "1", ",\"s\":\"h\xc3\xa4\xf0\x9f\x99\x82\"") "end"},
        {E("ERROR", "", ",\"code\":410"), T("E", "", ",\"code\":410") "end"},
        {E("ADDED", "stop", "") E("ADDED", "2", ""), T("A", "stop", "") "stopped"},
        {E("ADDED", "1", "") "\n{\"type\":\"MOD", T("A", "1", "") "..."},
        {"[]", "!not a watch: an event must be a JSON object"},
        {"<html>", "!not a watch: an event must be a JSON object"},
        {E("ADDED", "1", "") "}", T("A", "1", "") "!not a watch: an event must be a JSON object"},
        {"{\"type\":\"ADDED\"]", "!watch event: not JSON"},
        {"{\"type\":\"GROWN\",\"object\":{}}", "!watch event of an unknown type \"GROWN\""},
        {"{\"type\":\"ADDED\",\"object\":7}", "!watch event without a type or an object"},
        {"{\"object\":{}}", "!watch event without a type or an object"},
        {"{\"type\":\"ADDED\",\"object\":{\"s\":\"\xff\"}}", "!watch event: not JSON"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = strlen(rows[i].bytes);

        for (size_t step = 1; step <= len + 1; step++)
            for (size_t first = 1; first <= step; first += step > 8 ? step - 1 : 1) {
                _cleanup_(buf_release)
                struct buf b = BUF_INIT(1 << 20);

                decode(rows[i].bytes, len, first, step, &b);
                if (strncmp(buf_str(&b), rows[i].events, strlen(rows[i].events)) != 0)
                    fail_msg("row %zu cut after %zu, then every %zu: %s", i, first, step, buf_str(&b));
            }
    }
}

static bool ignore(void *arg, const struct watch_event *e)
{
    (void)arg;
    (void)e;
    return true;
}

static void test_an_endless_line(void **state)
{
    struct watch_decoder d = WATCH_DECODER_INIT(NULL);
    struct fault f = FAULT_INIT;
    static char piece[1 << 16];
    int result = watch_decoder_feed(&d, "{\"type\":\"", 9, ignore, NULL, &f);

    (void)state;
    memset(piece, 'x', sizeof(piece));
    for (int i = 0; i < 1000 && result == 0; i++)
        result = watch_decoder_feed(&d, piece, sizeof(piece), ignore, NULL, &f);
    assert_int_equal(result, -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
    assert_true(d.value.len <= WATCH_EVENT_MAX);
    watch_decoder_release(&d);
}

static void test_nested_too_deeply(void **state)
{
    struct watch_decoder d = WATCH_DECODER_INIT(NULL);
    struct fault f = FAULT_INIT;
    int result = watch_decoder_feed(&d, "{\"object\":", 10, ignore, NULL, &f);

    (void)state;
    for (int i = 0; i < 100; i++)
        watch_decoder_feed(&d, "[", 1, ignore, NULL, &f);
    for (int i = 0; i < 100; i++)
        watch_decoder_feed(&d, "]", 1, ignore, NULL, &f);
    result = watch_decoder_feed(&d, "}", 1, ignore, NULL, &f);
    assert_int_equal(result, -1);
    assert_int_equal(f.kind, FAULT_INVALID);
    watch_decoder_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_an_endless_line),
        cmocka_unit_test(test_nested_too_deeply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
