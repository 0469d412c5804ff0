#include "unit/http_world.h"

#include <netdb.h>

sem_t let_go;

/* libcurl asks for names through this one. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    if (node && strcmp(node, "stuck.test") == 0)
        while (sem_wait(&let_go) != 0)
            ;
    (void)service;
    (void)hints;
    (void)ret;
    return EAI_NONAME;
}

void outcome_init(struct outcome *o, struct world *w)
{
    *o = (struct outcome){.world = w};
    buf_init(&o->bytes, 1 << 20);
    buf_init(&o->streamed, 1 << 20);
}

void outcome_release(struct outcome *o)
{
    buf_release(&o->bytes);
    buf_release(&o->streamed);
}

void on_done(void *arg, const struct http_reply *reply, const struct fault *f)
{
    struct outcome *o = arg;
    struct fault ignored = FAULT_INIT;

    o->times++;
    o->request = NULL;
    assert_true(!reply != !f);
    if (f) {
        o->fault = *f;
    } else {
        o->status = reply->status;
        o->retry_after_ms = reply->retry_after_ms;
        o->truncated = reply->truncated;
        assert_int_equal(reply->bytes[reply->len], 0);
        buf_add(&o->bytes, reply->bytes, reply->len, &ignored);
    }
    if (o->in_done)
        o->in_done(o);
    else
        loop_stop(o->world->loop);
}

void on_bytes(void *arg, const char *bytes, size_t len)
{
    struct outcome *o = arg;
    struct fault ignored = FAULT_INIT;

    buf_add(&o->streamed, bytes, len, &ignored);
    if (o->in_bytes)
        o->in_bytes(o);
}

struct http_ask get_ask(const struct world *w)
{
    return (struct http_ask){.method = "GET", .url = w->url, .proxy = "", .limit_ms = 20000, .max = 1000};
}

void world_run(struct world *w, const struct http_ask *a, struct outcome *o)
{
    outcome_init(o, w);
    o->request = http_start(w->http, a, on_done, o);
    assert_int_equal(o->times, 0);
    loop_run(w->loop);
    assert_int_equal(o->times, 1);
}

static void stop_soon(void *arg)
{
    struct world *w = arg;

    loop_stop(w->loop);
}

void world_turn(struct world *w, int64_t ms)
{
    struct loop_timer *t = NULL;

    loop_after(w->loop, &t, ms, stop_soon, w);
    loop_run(w->loop);
    loop_cancel(&t);
}

void script_silence(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    (void)p;
    (void)r;
}

void script_echo(void *arg, struct script_peer *p, const struct script_request *r)
{
    struct buf b = BUF_INIT(10000);
    struct fault f = FAULT_INIT;

    (void)arg;
    buf_addf(&b, &f, "%s %s [%s]", r->method, r->path, r->body);
    buf_addf(&b, &f, " auth=%s", script_header(r, "Authorization"));
    buf_addf(&b, &f, " expect=%s", script_header(r, "Expect"));
    buf_addf(&b, &f, " conn=%d", r->connection);
    script_answer(p, 200, "Retry-After: 7\r\n", buf_str(&b));
    buf_release(&b);
}

void script_three_pieces(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    (void)r;
    script_chunked(p);
    script_chunk(p, "one \xc3", 5); /* cut inside a character */
    script_later(p, 20, "4\r\n\xa4two\r\n0\r\n\r\n");
}

int world_set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;

    w = (struct world){0};
    assert_int_equal(loop_new(&w.loop, &f), 0);
    w.server = script_server_new(w.loop, NULL, script_silence, NULL);
    w.http = http_new(w.loop, 4);
    snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%d/p?q=1", script_server_port(w.server));
    *state = &w;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *w = *state;

    if (w->http)
        http_free(w->http);
    script_server_free(w->server);
    loop_free(w->loop);
    return 0;
}
