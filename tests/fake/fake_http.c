#include "fake_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { REQUESTS_MAX = 512, LANES_MAX = 8 };

struct http {
    struct loop *loop;
    int number;
};

struct http_request {
    struct fake_request seen;
    struct http_ask ask;
    http_done_fn *done;
    void *arg;
    struct loop_timer *deliver, *limit, *silence;
    int status;
    int64_t retry_after_ms;
    char *bytes;
    size_t len;
    bool truncated;
    struct fault fault;
};

static struct http_request *all[REQUESTS_MAX];
static int count, lanes;

void fake_http_reset(void)
{
    for (int i = 0; i < count; i++) {
        free(all[i]->seen.body);
        free(all[i]->bytes);
        free(all[i]);
    }
    count = lanes = 0;
}

int fake_http_count(void)
{
    return count;
}

struct fake_request *fake_http_at(int i)
{
    if (i < 0 || i >= count)
        abort();
    return &all[i]->seen;
}

struct fake_request *fake_http_last(void)
{
    return fake_http_at(count - 1);
}

int fake_http_open(void)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        n += all[i]->seen.at == FAKE_OPEN;
    return n;
}

int fake_http_lane(const struct fake_request *r)
{
    return r->http->number;
}

static void deliver(void *arg)
{
    struct http_request *r = arg;
    struct http_reply reply = {.status = r->status,
                               .retry_after_ms = r->retry_after_ms,
                               .bytes = r->bytes ? r->bytes : "",
                               .len = r->len,
                               .truncated = r->truncated};

    r->seen.at = FAKE_DONE;
    loop_cancel(&r->limit);
    loop_cancel(&r->silence);
    if (r->fault.kind == FAULT_NONE)
        r->done(r->arg, &reply, NULL);
    else
        r->done(r->arg, NULL, &r->fault);
}

static struct http_request *open_one(int i)
{
    if (i < 0 || i >= count || all[i]->seen.at != FAKE_OPEN) {
        fprintf(stderr, "request %d does not wait for an answer\n", i);
        abort();
    }
    all[i]->seen.at = FAKE_ANSWERED;
    loop_defer(all[i]->seen.http->loop, &all[i]->deliver, deliver, all[i]);
    return all[i];
}

void fake_http_answer(int i, int status, const char *body)
{
    fake_http_answer_later(i, status, 0, body);
}

void fake_http_answer_later(int i, int status, int64_t retry_after_ms, const char *body)
{
    struct http_request *r = open_one(i);

    r->status = status;
    r->retry_after_ms = retry_after_ms;
    r->bytes = mem_string(body);
    r->len = strlen(body);
}

void fake_http_bytes_reply(int i, const char *bytes, size_t len, bool truncated)
{
    struct http_request *r = open_one(i);

    r->status = 200;
    r->bytes = mem_bytes(bytes, len);
    r->len = len;
    r->truncated = truncated;
}

void fake_http_fail(int i, enum fault_kind kind, int code, const char *text)
{
    struct http_request *r = open_one(i);

    fault_set(&r->fault, kind, "%s", text);
    r->fault.code = code;
}

static void on_limit(void *arg)
{
    struct http_request *r = arg;

    if (r->seen.at != FAKE_OPEN)
        return;
    r->seen.at = FAKE_ANSWERED;
    fault_set(&r->fault, FAULT_TIMEOUT, "no answer in time");
    deliver(r);
}

static void listen_for_silence(struct http_request *r)
{
    if (r->ask.silence_ms > 0)
        loop_after(r->seen.http->loop, &r->silence, r->ask.silence_ms, on_limit, r);
}

void fake_http_stream(int i, const char *bytes)
{
    struct http_request *r = all[i];

    if (r->seen.at != FAKE_OPEN || !r->ask.on_bytes)
        abort();
    listen_for_silence(r);
    r->ask.on_bytes(r->arg, bytes, strlen(bytes));
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

struct http_request *http_start(struct http *h, const struct http_ask *a, http_done_fn *done, void *arg)
{
    struct http_request *r = mem_new(struct http_request);
    struct fake_request *s = &r->seen;

    if (count == REQUESTS_MAX)
        abort();
    all[count++] = r;
    s->http = h;
    copy(s->method, sizeof(s->method), a->method);
    copy(s->url, sizeof(s->url), a->url);
    copy(s->connect_to, sizeof(s->connect_to), a->connect_to);
    for (int i = 0; i < 8 && a->header && a->header[i]; i++)
        copy(s->header[i], sizeof(s->header[i]), a->header[i]);
    s->body = a->body ? mem_bytes(a->body, a->body_len) : mem_string("");
    s->fresh = a->fresh;
    s->cut = a->cut;
    s->stream = a->on_bytes != NULL;
    s->max = a->max;
    s->limit_ms = a->limit_ms;
    s->silence_ms = a->silence_ms;
    if (a->tls) {
        copy(s->tls[0], sizeof(s->tls[0]), a->tls->ca);
        copy(s->tls[1], sizeof(s->tls[1]), a->tls->cert);
        copy(s->tls[2], sizeof(s->tls[2]), a->tls->key);
    }
    r->ask = *a;
    r->done = done;
    r->arg = arg;
    if (a->limit_ms > 0)
        loop_after(h->loop, &r->limit, a->limit_ms, on_limit, r);
    listen_for_silence(r);
    return r;
}

void http_cancel(struct http_request **request)
{
    struct http_request *r = *request;

    *request = NULL;
    if (!r || r->seen.at == FAKE_DONE)
        return;
    r->seen.at = FAKE_CANCELLED;
    loop_cancel(&r->deliver);
    loop_cancel(&r->limit);
    loop_cancel(&r->silence);
}

struct http *http_new(struct loop *l, unsigned idle)
{
    struct http *h = mem_new(struct http);

    (void)idle;
    h->loop = l;
    h->number = lanes++;
    return h;
}

void http_free(struct http *h)
{
    for (int i = 0; i < count; i++) {
        struct http_request *r = all[i];

        if (r->seen.http == h && r->seen.at < FAKE_DONE)
            http_cancel(&r);
    }
    free(h);
}
