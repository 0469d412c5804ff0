/* The same bytes, cut anywhere, give the same output: the first byte seeds the places to cut at. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "k8s/attach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_bytes(void *arg, const char *bytes, size_t len)
{
    struct fault f = FAULT_INIT;

    if (len == 0 || buf_add(arg, bytes, len, &f) < 0)
        abort();
}

static int decode(const char *bytes, size_t len, unsigned seed, struct buf *out)
{
    struct attach_decoder d = {0};
    struct fault f = FAULT_INIT;
    int result = 0;

    for (size_t at = 0; at < len && result == 0;) {
        size_t n = seed ? (seed = seed * 1103515245u + 12345u, 1 + (seed >> 16) % 7) : len;

        n = n < len - at ? n : len - at;
        result = attach_decoder_feed(&d, bytes + at, n, write_bytes, out, &f);
        at += n;
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(64 << 20), pieces = BUF_INIT(64 << 20);
    int a, b;

    if (size < 1)
        return 0;
    a = decode((const char *)data + 1, size - 1, 0, &whole);
    b = decode((const char *)data + 1, size - 1, data[0] + 1u, &pieces);
    if (a != b || whole.len != pieces.len || (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}
