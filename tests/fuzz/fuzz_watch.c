/* The same bytes, cut anywhere, give the same events: the first byte seeds the places to cut at. And what is left out
 * on the way changes nothing for what is kept. */
#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "k8s/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool write_event(void *arg, const struct watch_event *e)
{
    struct fault f = FAULT_INIT;
    size_t len;
    const char *text = json_object_to_json_string_length(e->object, JSON_C_TO_STRING_PLAIN, &len);

    buf_addf(arg, &f, "%d %s ", e->type, e->version ? e->version : "-");
    buf_add(arg, text, len, &f);
    return e->type != WATCH_ERROR;
}

/* The type alone, and the one member that counts. */
static bool write_status(void *arg, const struct watch_event *e)
{
    struct fault f = FAULT_INIT;
    struct json_object *status = NULL;

    json_object_object_get_ex(e->object, "status", &status);
    buf_addf(arg, &f, "%d %s", e->type, json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN));
    return true;
}

static int decode(const char *bytes, size_t len, unsigned seed, const char *const keep[], watch_event_fn *write,
                  struct buf *out)
{
    struct watch_decoder d = WATCH_DECODER_INIT(keep);
    struct fault f = FAULT_INIT;
    int result = 0;

    for (size_t at = 0; at < len && result == 0;) {
        size_t n = seed ? (seed = seed * 1103515245u + 12345u, 1 + (seed >> 16) % 7) : len;

        n = n < len - at ? n : len - at;
        result = watch_decoder_feed(&d, bytes + at, n, write, out, &f);
        at += n;
    }
    watch_decoder_release(&d);
    return result;
}

static const char *const keep[] = {WATCH_KEEPS, "object.status", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(64 << 20), pieces = BUF_INIT(64 << 20);
    int a, b;

    if (size < 1)
        return 0;
    a = decode((const char *)data + 1, size - 1, 0, NULL, write_event, &whole);
    b = decode((const char *)data + 1, size - 1, data[0] + 1u, NULL, write_event, &pieces);
    if (a != b || whole.len != pieces.len || (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    buf_clear(&whole);
    buf_clear(&pieces);
    a = decode((const char *)data + 1, size - 1, 0, NULL, write_status, &whole);
    b = decode((const char *)data + 1, size - 1, data[0] + 1u, keep, write_status, &pieces);
    if (a == 0 && (b != 0 || whole.len != pieces.len || (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0)))
        abort(); /* the other way round it may be: what is left out is not judged */
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}
