#include "queue/result.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "queue/result_streams.h"

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

static void put_usage(struct json_object *o, int64_t wall_ms, int64_t cpu_ms, int64_t max_rss_bytes)
{
    struct json_object *u = json_object_new_object();

    put_number(u, "wall_ms", wall_ms);
    put_number(u, "cpu_ms", cpu_ms);
    put_number(u, "max_rss_bytes", max_rss_bytes);
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
    len = utf8_floor(r->message, strlen(r->message));
    e = json_object_new_object();
    put_text(e, "reason", r->reason == REASON_NONE ? NULL : reason_name(r->reason));
    json_object_object_add(e, "message",
                           utf8_is_valid(r->message, len)
                               ? json_object_new_string_len(r->message, (int)len)
                               : json_object_new_string("(not readable: the message is not UTF-8)"));
    json_object_object_add(e, "retryable", json_object_new_boolean(r->retryable));
    json_object_object_add(o, "error", e);
}

/* ---- what the run left ---- */

/* All streams of a result, in the order in which build() comes to them. */
struct cuts {
    struct result_cut *list;
    size_t n, next;
};

static void add_cut(struct cuts *c, const struct result_stream *s)
{
    c->list[c->n++] = result_cut_at(s, s->len);
}

static struct cuts collect(const struct result *r)
{
    struct cuts c = {.list = mem_zero(4 + 2 * r->case_count + r->file_count, sizeof(*c.list))};

    add_cut(&c, &r->out);
    add_cut(&c, &r->err);
    if (r->compile) {
        add_cut(&c, &r->compile->out);
        add_cut(&c, &r->compile->err);
    }
    for (size_t i = 0; i < r->case_count; i++)
        if (r->cases[i].ran) {
            add_cut(&c, &r->cases[i].out);
            add_cut(&c, &r->cases[i].err);
        }
    for (size_t i = 0; i < r->file_count; i++)
        add_cut(&c, &r->files[i].content);
    return c;
}

static void put_stdout_and_stderr(struct json_object *o, struct cuts *c)
{
    static const struct result_stream_names names[] = {
        {"stdout", "stdout_base64", "stdout_truncated", "stdout_bytes"},
        {"stderr", "stderr_base64", "stderr_truncated", "stderr_bytes"},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        result_cut_put(o, &c->list[c->next++], &names[i]);
}

static void put_compile(struct json_object *to, const struct result_compile *compile, struct cuts *c)
{
    struct json_object *o = json_object_new_object();

    put_number(o, "exit_code", compile->exit_code);
    put_stdout_and_stderr(o, c);
    put_usage(o, compile->wall_ms, compile->cpu_ms, compile->max_rss_bytes);
    json_object_object_add(to, "compile", o);
}

static void put_cases(struct json_object *to, const struct result *r, struct cuts *c)
{
    struct json_object *list = json_object_new_array_ext((int)r->case_count);

    for (size_t i = 0; i < r->case_count; i++) {
        const struct result_case *one = &r->cases[i];
        struct json_object *o = json_object_new_object();

        put_text(o, "verdict", one->verdict);
        if (one->ran) {
            put_text(o, "status", status_name(one->status));
            put_number(o, "exit_code", one->exit_code);
            put_number(o, "signal", one->signal);
            put_stdout_and_stderr(o, c);
            put_usage(o, one->wall_ms, one->cpu_ms, one->max_rss_bytes);
        }
        json_object_array_add(list, o);
    }
    json_object_object_add(to, "cases", list);
}

/* A path as a name: bytes outside UTF-8 become U+FFFD, and of names that are then equal the later ones get a number. */
static char *name_of_path(struct json_object *files, const char *path)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(SIZE_MAX / 2);
    struct fault impossible = FAULT_INIT;
    size_t len = strlen(path), base;

    for (size_t i = 0, n; i < len; i += n) {
        unsigned char c = (unsigned char)path[i];

        n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (n <= len - i && utf8_is_valid(path + i, n))
            buf_add(&b, path + i, n, &impossible);
        else
            buf_add_string(&b, "\xef\xbf\xbd", &impossible), n = 1;
    }
    base = b.len;
    for (int n = json_object_object_length(files) + 1; json_object_object_get_ex(files, buf_str(&b), NULL); n++) {
        b.len = base;
        buf_addf(&b, &impossible, " (%d)", n);
    }
    return buf_take(&b, &len);
}

static void put_files(struct json_object *to, const struct result *r, struct cuts *c)
{
    static const struct result_stream_names names = {"text", "base64", "truncated", "bytes"};
    struct json_object *files = json_object_new_object();

    for (size_t i = 0; i < r->file_count; i++) {
        _cleanup_free_ char *name = name_of_path(files, r->files[i].path);
        struct json_object *o = json_object_new_object();

        result_cut_put(o, &c->list[c->next++], &names);
        json_object_object_add(files, name, o);
    }
    json_object_object_add(to, "files", files);
}

/* ---- the whole ---- */

static struct json_object *build(const struct result *r, struct cuts *c)
{
    struct json_object *o = json_object_new_object();

    c->next = 0;
    put_text(o, "id", r->id);
    put_text(o, "status", status_name(r->status));
    put_number(o, "exit_code", r->exit_code);
    put_number(o, "signal", r->signal);
    put_stdout_and_stderr(o, c);
    if (r->compile)
        put_compile(o, r->compile, c);
    if (r->cases)
        put_cases(o, r, c);
    if (r->files)
        put_files(o, r, c);
    if (r->files_omitted > 0)
        put_number(o, "files_omitted", r->files_omitted);
    put_usage(o, r->wall_ms, r->cpu_ms, r->max_rss_bytes);
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

/* Everything but the bytes of the streams, and what their members may grow by when bytes come in. */
static size_t frame_of(const struct result *r, const struct cuts *c)
{
    _cleanup_free_ struct result_cut *list = mem_zero(c->n, sizeof(*list));
    struct cuts nothing = {.list = list, .n = c->n};
    _cleanup_(field_putp)
    struct json_object *o = NULL;
    size_t frame;

    for (size_t i = 0; i < c->n; i++)
        list[i] = result_cut_at(c->list[i].stream, 0);
    o = build(r, &nothing);
    json_object_to_json_string_length(o, WRITE_FLAGS, &frame);
    for (size_t i = 0; i < c->n; i++)
        frame += result_cut_slack(&c->list[i]);
    return frame;
}

int result_encode(const struct result *r, struct buf *out, struct fault *f)
{
    struct cuts c = collect(r);
    _cleanup_free_ struct result_cut *list = c.list;
    _cleanup_(field_putp)
    struct json_object *whole = NULL;
    size_t room = out->ceiling - out->len, frame = frame_of(r, &c), len;
    const char *s;

    if (frame > room)
        return fault_set(f, FAULT_TOO_BIG, "the result has %zu bytes even without its output, %zu are allowed", frame,
                         room);
    result_cut_share(list, c.n, room - frame);
    whole = build(r, &c);
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
