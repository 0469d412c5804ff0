#include "k8s/watch.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "k8s/api.h"
#include "k8s/prune.h"
#include "k8s/status.h"

enum {
    DEPTH = 64,
    SILENCE_MS = 150000, /* bookmarks come about once a minute */
    REFUSAL_MAX = 65536,
};

static const char *const type_name[] = {
    [WATCH_ADDED] = "ADDED",       [WATCH_MODIFIED] = "MODIFIED", [WATCH_DELETED] = "DELETED",
    [WATCH_BOOKMARK] = "BOOKMARK", [WATCH_ERROR] = "ERROR",
};

void watch_decoder_release(struct watch_decoder *d)
{
    buf_release(&d->value);
    buf_release(&d->pruned);
}

/* Where the event ends in these bytes: the index behind it, or `len` and depth > 0 if it goes on. */
static size_t scan(struct watch_decoder *d, const char *bytes, size_t len)
{
    static const bool counts[256] = {
        ['"'] = true, ['\\'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true};

    for (size_t i = 0; i < len; i++) {
        char c;

        while (!d->escaped && i < len && !counts[(unsigned char)bytes[i]])
            i++;
        if (i == len)
            break;
        c = bytes[i];
        if (d->escaped)
            d->escaped = false;
        else if (d->in_string && c == '\\')
            d->escaped = true;
        else if (c == '"')
            d->in_string = !d->in_string;
        else if (!d->in_string && (c == '{' || c == '['))
            d->depth++;
        else if (!d->in_string && (c == '}' || c == ']') && --d->depth == 0)
            return i + 1;
    }
    return len;
}

static int emit(struct watch_decoder *d, watch_event_fn *fn, void *arg, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    struct watch_event e = {0};
    const struct buf *text = &d->value;
    const char *type;
    int result;

    if (d->keep && prune(d->value.data, d->value.len, d->keep, &d->pruned) == 0)
        text = &d->pruned;
    result = field_parse(buf_str(text), text->len, DEPTH, &root, f);
    buf_clear(&d->value);
    buf_clear(&d->pruned);
    if (result < 0)
        return fault_wrap(f, "watch event");
    type = field_peek_string(root, "type");
    e.object = field_peek(root, "object");
    if (!type || !json_object_is_type(e.object, json_type_object))
        return fault_set(f, FAULT_INVALID, "watch event without a type or an object");
    e.version = field_peek_string(field_peek(e.object, "metadata"), "resourceVersion");
    for (e.type = WATCH_ADDED; e.type <= WATCH_ERROR; e.type++)
        if (strcmp(type, type_name[e.type]) == 0)
            return fn(arg, &e) ? 0 : 1;
    return fault_set(f, FAULT_INVALID, "watch event of an unknown type \"%.32s\"", type);
}

int watch_decoder_feed(struct watch_decoder *d, const char *bytes, size_t len, watch_event_fn *fn, void *arg,
                       struct fault *f)
{
    while (len > 0) {
        size_t n;
        int result;

        if (d->depth == 0 && memchr(" \t\r\n", *bytes, 4)) {
            bytes++;
            len--;
            continue;
        }
        if (d->depth == 0 && *bytes != '{')
            return fault_set(f, FAULT_INVALID, "not a watch: an event must be a JSON object");
        n = scan(d, bytes, len);
        if (buf_add(&d->value, bytes, n, f) < 0)
            return fault_wrap(f, "watch event");
        bytes += n;
        len -= n;
        if (d->depth == 0 && (result = emit(d, fn, arg, f)) != 0)
            return result;
    }
    return 0;
}

struct watch {
    struct api *api;
    char *path;
    struct api_call *call;
    struct watch_decoder decoder;
    watch_event_fn *on_event;
    watch_end_fn *on_end;
    void *arg;
    bool calling, cancelled; /* inside on_event; ended there */
};

static void release(struct watch *w)
{
    api_cancel(&w->call);
    watch_decoder_release(&w->decoder);
    free(w->path);
    free(w);
}

static void end(struct watch *w, const struct fault *f)
{
    watch_end_fn *fn = w->on_end;
    void *arg = w->arg;
    struct fault copy = f ? *f : (struct fault)FAULT_INIT;

    release(w);
    fn(arg, f ? &copy : NULL);
}

struct pass {
    struct watch *watch;
    struct fault fault; /* of an ERROR event */
};

/* An ERROR's object is the Status that an HTTP error would have had as its body. */
static bool on_event(void *arg, const struct watch_event *e)
{
    struct pass *p = arg;
    struct watch *w = p->watch;
    const char *text;

    if (e->type != WATCH_ERROR)
        return w->on_event(w->arg, e) && !w->cancelled;
    text = json_object_to_json_string_ext(e->object, JSON_C_TO_STRING_PLAIN);
    status_fault((int)field_peek_int(e->object, "code", 500), 0, text, strlen(text), &p->fault);
    return false;
}

static void on_bytes(void *arg, const char *bytes, size_t len)
{
    struct watch *w = arg;
    struct pass p = {.watch = w, .fault = FAULT_INIT};
    int result;

    w->calling = true;
    result = watch_decoder_feed(&w->decoder, bytes, len, on_event, &p, &p.fault);
    w->calling = false;
    if (w->cancelled)
        release(w);
    else if (result != 0)
        end(w, p.fault.kind == FAULT_NONE ? NULL : &p.fault);
}

static void on_done(void *arg, const struct http_reply *reply, const struct fault *f)
{
    struct watch *w = arg;

    (void)reply;
    w->call = NULL;
    end(w, f);
}

struct watch *watch_start(struct api *a, const char *path, const char *const keep[], int64_t limit_ms,
                          watch_event_fn *on_event_, watch_end_fn *on_end, void *arg)
{
    struct watch *w = mem_new(struct watch);
    struct api_ask ask = {.lane = API_WATCH,
                          .method = "GET",
                          .limit_ms = limit_ms,
                          .silence_ms = SILENCE_MS,
                          .max = REFUSAL_MAX,
                          .on_bytes = on_bytes};

    w->api = a;
    w->path = mem_string(path);
    w->decoder = (struct watch_decoder)WATCH_DECODER_INIT(keep);
    w->on_event = on_event_;
    w->on_end = on_end;
    w->arg = arg;
    ask.path = w->path;
    w->call = api_start(a, &ask, on_done, w);
    return w;
}

void watch_cancel(struct watch **watch)
{
    struct watch *w = *watch;

    *watch = NULL;
    if (!w || w->cancelled)
        return;
    w->cancelled = true;
    if (!w->calling)
        release(w);
}
