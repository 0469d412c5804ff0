#include "queue/result.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "base/text.h"

/* clang-format off */
static const char *const status_names[] = {
    [STATUS_OK]            = "ok",
    [STATUS_NONZERO_EXIT]  = "nonzero_exit",
    [STATUS_SIGNAL]        = "signal",
    [STATUS_TIMEOUT]       = "timeout",
    [STATUS_OOM]           = "oom",
    [STATUS_OUTPUT_LIMIT]  = "output_limit",
    [STATUS_DISK_LIMIT]    = "disk_limit",
    [STATUS_COMPILE_ERROR] = "compile_error",
    [STATUS_INVALID]       = "invalid",
    [STATUS_REJECTED]      = "rejected",
    [STATUS_CANCELLED]     = "cancelled",
    [STATUS_EXPIRED]       = "expired",
    [STATUS_INFRA_ERROR]   = "infra_error",
};

static const char *const reason_names[] = {
    [REASON_NONE]          = "",
    [REASON_API]           = "api",
    [REASON_QUOTA]         = "quota",
    [REASON_ADMISSION]     = "admission",
    [REASON_UNSCHEDULABLE] = "unschedulable",
    [REASON_IMAGE_PULL]    = "image_pull",
    [REASON_MOUNT]         = "mount",
    [REASON_START]         = "start",
    [REASON_EVICTED]       = "evicted",
    [REASON_DISRUPTED]     = "disrupted",
    [REASON_NODE_LOST]     = "node_lost",
    [REASON_LOG_LOST]      = "log_lost",
    [REASON_DEADLINE]      = "deadline",
    [REASON_POISON]        = "poison",
    [REASON_INTERNAL]      = "internal",
};
/* clang-format on */

enum { WRITE_FLAGS = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE };

const char *status_name(enum status s)
{
    return (unsigned)s < COUNT_OF(status_names) ? status_names[s] : "infra_error";
}

const char *reason_name(enum reason r)
{
    return (unsigned)r < COUNT_OF(reason_names) ? reason_names[r] : "internal";
}

bool status_is_code(enum status s)
{
    return s <= STATUS_COMPILE_ERROR;
}

/* ---- members ---- */

static void put_text(struct json_object *o, const char *name, const char *s)
{
    json_object_object_add(o, name, s ? json_object_new_string(s) : NULL);
}

static void put_number(struct json_object *o, const char *name, int64_t n)
{
    json_object_object_add(o, name, n >= 0 ? json_object_new_int64(n) : NULL);
}

/* Unix seconds, as the times in a request; written in decimal so that no digit is lost in a double. */
static void put_time(struct json_object *o, const char *name, int64_t ms)
{
    char s[32];

    snprintf(s, sizeof(s), "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
    json_object_object_add(o, name, ms > 0 ? json_object_new_double_s((double)ms / 1000.0, s) : NULL);
}

static void put_usage(struct json_object *o, const struct result *r)
{
    struct json_object *u = json_object_new_object();

    put_number(u, "wall_ms", r->wall_ms);
    put_number(u, "cpu_ms", r->cpu_ms);
    put_number(u, "max_rss_bytes", r->max_rss_bytes);
    json_object_object_add(o, "usage", u);
}

static void put_times(struct json_object *o, const struct result *r)
{
    struct json_object *t = json_object_new_object();

    put_time(t, "queued", r->queued_ms);
    put_time(t, "claimed", r->claimed_ms);
    put_time(t, "created", r->created_ms);
    put_time(t, "started", r->started_ms);
    put_time(t, "finished", r->finished_ms);
    put_time(t, "published", r->published_ms);
    json_object_object_add(o, "times", t);
}

static void put_error(struct json_object *o, const struct result *r)
{
    struct json_object *e;
    size_t len;

    if (!r->message)
        return;
    len = text_utf8_floor(r->message, strlen(r->message));
    e = json_object_new_object();
    put_text(e, "reason", r->reason == REASON_NONE ? NULL : reason_name(r->reason));
    json_object_object_add(e, "message",
                           text_is_utf8(r->message, len)
                               ? json_object_new_string_len(r->message, (int)len)
                               : json_object_new_string("(not readable: the message is not UTF-8)"));
    json_object_object_add(e, "retryable", json_object_new_boolean(r->retryable));
    json_object_object_add(o, "error", e);
}

/* ---- streams ---- */

/* What goes out of a stream: the first `len` bytes, as text or as base64. */
struct cut {
    const struct result_stream *stream;
    const char *name;
    size_t len;
    bool text;
};

/* A stream that was cut may end in the middle of a character: those bytes go, rather than the whole turn to base64. */
static struct cut cut_at(const struct result_stream *s, const char *name, size_t len)
{
    struct cut c = {.stream = s, .name = name, .len = len};

    if (!s->bytes)
        return c;
    if (s->truncated || len < s->len)
        len = text_utf8_floor(s->bytes, len);
    c.text = text_is_utf8(s->bytes, len);
    if (c.text)
        c.len = len;
    return c;
}

static void put_stream(struct json_object *o, const struct cut *c)
{
    const struct result_stream *s = c->stream;
    char name[32];

    if (!s->bytes)
        return;
    snprintf(name, sizeof(name), c->text ? "%s" : "%s_base64", c->name);
    if (c->text) {
        json_object_object_add(o, name, json_object_new_string_len(s->bytes, (int)c->len));
    } else {
        _cleanup_(buf_release)
        struct buf b = BUF_INIT(SIZE_MAX / 2);
        struct fault impossible = FAULT_INIT;

        digest_base64_encode(s->bytes, c->len, &b, &impossible);
        json_object_object_add(o, name, json_object_new_string_len(buf_str(&b), (int)b.len));
    }
    snprintf(name, sizeof(name), "%s_truncated", c->name);
    json_object_object_add(o, name, json_object_new_boolean(s->truncated || c->len < s->len));
    snprintf(name, sizeof(name), "%s_bytes", c->name);
    if (s->total >= 0)
        put_number(o, name, s->total);
}

/* How long json-c makes this byte of a string. */
static size_t written_size(unsigned char c)
{
    if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v'))
        return 2;
    return c < ' ' ? 6 : 1;
}

static size_t written_size_of(const struct cut *c)
{
    size_t n = 0;

    if (!c->text)
        return (c->len + 2) / 3 * 4;
    for (size_t i = 0; i < c->len; i++)
        n += written_size((unsigned char)c->stream->bytes[i]);
    return n;
}

/* The longest beginning of the stream that is written in at most `room` bytes. */
static struct cut cut_to_room(const struct cut *whole, size_t room)
{
    const struct result_stream *s = whole->stream;
    size_t len = 0, used = 0;

    if (!whole->text)
        return cut_at(s, whole->name, room / 4 * 3 < whole->len ? room / 4 * 3 : whole->len);
    while (len < whole->len && used + written_size((unsigned char)s->bytes[len]) <= room)
        used += written_size((unsigned char)s->bytes[len++]);
    return cut_at(s, whole->name, len);
}

/* Each may have half of the room, and what the other leaves of its half. */
static void share_room(struct cut *a, struct cut *b, size_t room)
{
    size_t need_a = written_size_of(a), need_b = written_size_of(b);
    size_t for_a = need_b < room / 2 ? room - need_b : room / 2;
    size_t for_b = need_a < room / 2 ? room - need_a : room - room / 2;

    if (need_a > for_a)
        *a = cut_to_room(a, for_a);
    if (need_b > for_b)
        *b = cut_to_room(b, for_b);
}

/* ---- the whole ---- */

static struct json_object *build(const struct result *r, const struct cut *out, const struct cut *err)
{
    struct json_object *o = json_object_new_object();

    put_text(o, "id", r->id);
    put_text(o, "status", status_name(r->status));
    put_number(o, "exit_code", r->exit_code);
    put_number(o, "signal", r->signal);
    put_stream(o, out);
    put_stream(o, err);
    put_usage(o, r);
    put_times(o, r);
    json_object_object_add(o, "attempts", r->attempts ? json_object_get(r->attempts) : json_object_new_array());
    put_error(o, r);
    if (r->worker)
        put_text(o, "worker", r->worker);
    if (r->meta)
        json_object_object_add(o, "meta", json_object_get(r->meta));
    if (r->trace)
        put_text(o, "trace", r->trace);
    return o;
}

int result_encode(const struct result *r, struct buf *out, struct fault *f)
{
    struct cut o = cut_at(&r->out, "stdout", r->out.len), e = cut_at(&r->err, "stderr", r->err.len);
    struct cut no_o = cut_at(&r->out, "stdout", 0), no_e = cut_at(&r->err, "stderr", 0);
    size_t room = out->ceiling - out->len, frame, len;
    _cleanup_(field_putp)
    struct json_object *whole = build(r, &no_o, &no_e);
    const char *s;

    json_object_to_json_string_length(whole, WRITE_FLAGS, &frame);
    frame += 16; /* the names of the fields grow by "_base64", and "false" may become "true" */
    if (frame > room)
        return fault_set(f, FAULT_TOO_BIG, "the result has %zu bytes even without its output, %zu are allowed", frame,
                         room);
    if (r->out.len + r->err.len > 0) {
        share_room(&o, &e, room - frame);
        json_object_put(whole);
        whole = build(r, &o, &e);
    }
    s = json_object_to_json_string_length(whole, WRITE_FLAGS, &len);
    return buf_add(out, s, len, f);
}

struct json_object *result_attempt(int64_t n, const char *job, const char *pod, const char *node, const char *status,
                                   const char *reason, int64_t started_ms)
{
    struct json_object *a = json_object_new_object();

    put_number(a, "n", n);
    put_text(a, "job", job);
    put_text(a, "pod", pod);
    put_text(a, "node", node);
    put_text(a, "status", status);
    put_text(a, "reason", reason && *reason ? reason : NULL);
    put_time(a, "started", started_ms);
    return a;
}
