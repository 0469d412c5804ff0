#include "queue/result_streams.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/utf8.h"

/* A stream that was cut may end in the middle of a character: those bytes go, rather than the whole turn to base64. */
struct result_cut result_cut_at(const struct result_stream *s, size_t len)
{
    struct result_cut c = {.stream = s, .len = s->bytes ? len : 0};

    if (!s->bytes)
        return c;
    if (s->truncated || len < s->len)
        len = utf8_floor(s->bytes, len);
    c.text = utf8_is_valid(s->bytes, len);
    if (c.text)
        c.len = len;
    return c;
}

/* "_base64" may come into a name, and "false" is longer than "true". What is text as a whole is text when cut. */
size_t result_cut_slack(const struct result_cut *whole)
{
    return whole->len == 0 ? 0 : whole->text ? 1 : 8;
}

/* How long json-c makes this byte of a string. */
static size_t written_size(unsigned char c)
{
    if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v'))
        return 2;
    return c < ' ' ? 6 : 1;
}

static size_t written_size_of(const struct result_cut *c)
{
    size_t n = 0;

    if (!c->text)
        return (c->len + 2) / 3 * 4;
    for (size_t i = 0; i < c->len; i++)
        n += written_size((unsigned char)c->stream->bytes[i]);
    return n;
}

/* The longest beginning of the stream that is written in at most `room` bytes. */
static struct result_cut cut_to_room(const struct result_cut *whole, size_t room)
{
    const struct result_stream *s = whole->stream;
    size_t len = 0, used = 0;

    if (!whole->text)
        return result_cut_at(s, room / 4 * 3 < whole->len ? room / 4 * 3 : whole->len);
    while (len < whole->len && used + written_size((unsigned char)s->bytes[len]) <= room)
        used += written_size((unsigned char)s->bytes[len++]);
    return result_cut_at(s, len);
}

struct need {
    size_t size, index;
};

static int by_size(const void *a, const void *b)
{
    const struct need *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index; /* the same result for the same streams */
}

/* From the smallest upwards, so that whoever comes to its share finds all that the smaller ones left. */
void result_cut_share(struct result_cut *cuts, size_t n, size_t room)
{
    _cleanup_free_ struct need *needs = mem_zero(n + 1, sizeof(*needs));

    for (size_t i = 0; i < n; i++)
        needs[i] = (struct need){written_size_of(&cuts[i]), i};
    qsort(needs, n, sizeof(*needs), by_size);
    for (size_t i = 0; i < n; i++) {
        struct result_cut *c = &cuts[needs[i].index];
        size_t share = room / (n - i);

        if (needs[i].size > share) {
            *c = cut_to_room(c, share);
            needs[i].size = written_size_of(c);
        }
        room -= needs[i].size;
    }
}

void result_cut_put(struct json_object *o, const struct result_cut *c, const struct result_stream_names *names)
{
    const struct result_stream *s = c->stream;

    if (!s->bytes)
        return;
    if (c->text) {
        json_object_object_add(o, names->text, json_object_new_string_len(s->bytes, (int)c->len));
    } else {
        _cleanup_(buf_release)
        struct buf b = BUF_INIT(SIZE_MAX / 2);
        struct fault impossible = FAULT_INIT;

        digest_base64_encode(s->bytes, c->len, &b, &impossible);
        json_object_object_add(o, names->base64, json_object_new_string_len(buf_str(&b), (int)b.len));
    }
    json_object_object_add(o, names->truncated, json_object_new_boolean(s->truncated || c->len < s->len));
    if (s->total >= 0)
        json_object_object_add(o, names->bytes, json_object_new_int64(s->total));
}
