#include "check.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "k8s/attach.h"

static void write_bytes(void *arg, const char *bytes, size_t len)
{
    struct fault f = FAULT_INIT;

    assert_true(len > 0);
    assert_int_equal(buf_add(arg, bytes, len, &f), 0);
}

/* Cuts the stream after every `step` bytes, beginning with `first`; what became of it stands at the end. */
static void decode(const char *bytes, size_t len, size_t first, size_t step, struct buf *out)
{
    struct attach_decoder d = {0};
    struct fault f = FAULT_INIT;
    size_t at = 0, n = first;
    int result = 0;

    while (at < len && result == 0) {
        n = n < len - at ? n : len - at;
        result = attach_decoder_feed(&d, bytes + at, n, write_bytes, out, &f);
        at += n;
        n = step;
    }
    buf_addf(out, &f, result < 0 ? "!%s" : result > 0 ? "|closed" : d.inside || d.have ? "|..." : "|end", f.text);
}

static void test_streams(void **state)
{
#define ROW(name, bytes, heard)                   \
    {                                             \
        (name), (bytes), sizeof(bytes) - 1, heard \
    }
    static const struct {
        const char *name, *bytes;
        size_t len;
        const char *heard;
    } rows[] = {
        ROW("nothing", "", "|end"),
        ROW("one", "\x82\x06\x01hello", "hello|end"),
        ROW("text frames, too", "\x81\x06\x01hello", "hello|end"),
        ROW("what the server begins with", "\x82\x01\x00\x82\x01\x01\x82\x01\x02\x82\x01\x03\x82\x03\x01hi", "hi|end"),
        ROW("stderr and status are others", "\x82\x03\x02no\x82\x03\x03no\x82\x03\x01hi", "hi|end"),
        ROW("a message in three frames", "\x02\x03\x01he\x00\x02ll\x80\x01o\x82\x02\x02x", "hello|end"),
        ROW("a ping in between", "\x02\x03\x01he\x89\x04ping\x80\x03llo", "hello|end"),
        ROW("the channel's byte comes late", "\x02\x00\x80\x03\x01hi", "hi|end"),
        ROW("a length of two bytes", "\x82\x7e\x00\x06\x01hello", "hello|end"),
        ROW("a length of eight bytes", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x06\x01hello", "hello|end"),
        ROW("a close", "\x82\x03\x01hi\x88\x02\x03\xe8\x82\x03\x01no", "hi|closed"),
        ROW("cut", "\x82\x06\x01hel", "hel|..."),
        ROW("cut in the head", "\x82\x7e\x00", "|..."),
        ROW("an endless one", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x01hello", "hello|..."),
        ROW("masked, as only clients do", "\x82\x86\x01\x02\x03\x04hello!", "!not the frames of a WebSocket server"),
        ROW("an extension", "\xc2\x06\x01hello", "!not the frames of a WebSocket server"),
        ROW("an unknown kind", "\x83\x01\x01", "!a WebSocket frame of the unknown kind 3"),
        ROW("something else", "{\"kind\":\"Status\"}", "!not the frames of a WebSocket server"),
        ROW("a page", "<html>", "!not the frames of a WebSocket server"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t step = 1; step <= rows[i].len + 1; step++)
            for (size_t first = 1; first <= step; first++) {
                _cleanup_(buf_release)
                struct buf b = BUF_INIT(1 << 16);

                decode(rows[i].bytes, rows[i].len, first, step, &b);
                if (strcmp(buf_str(&b), rows[i].heard) != 0)
                    fail_msg("row \"%s\", cut at %zu, then every %zu: \"%s\"", rows[i].name, first, step, buf_str(&b));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
