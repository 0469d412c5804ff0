#include "check.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "base/mem.h"
#include "fake/script_server.h"
#include "k8s/http.h"

/* libcurl asks for names through this one; "stuck.test" hangs until it is let go. */
static sem_t let_go;

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

struct world {
    struct loop *loop;
    struct script_server *server;
    struct http *http;
    char url[128];
};

/* What became of a request. */
struct outcome {
    struct world *world;
    int times, status;
    int64_t retry_after_ms;
    bool truncated;
    struct fault fault;
    struct buf bytes, streamed;
    struct http_request *request, *other;
    void (*in_done)(struct outcome *o);
    void (*in_bytes)(struct outcome *o);
};

static void script_silence(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    (void)p;
    (void)r;
}

static int set_up(void **state)
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

static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->http)
        http_free(w->http);
    script_server_free(w->server);
    loop_free(w->loop);
    return 0;
}

static void outcome_init(struct outcome *o, struct world *w)
{
    *o = (struct outcome){.world = w};
    buf_init(&o->bytes, 1 << 20);
    buf_init(&o->streamed, 1 << 20);
}

static void outcome_release(struct outcome *o)
{
    buf_release(&o->bytes);
    buf_release(&o->streamed);
}

static void on_done(void *arg, const struct http_reply *reply, const struct fault *f)
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

static void on_bytes(void *arg, const char *bytes, size_t len)
{
    struct outcome *o = arg;
    struct fault ignored = FAULT_INIT;

    buf_add(&o->streamed, bytes, len, &ignored);
    if (o->in_bytes)
        o->in_bytes(o);
}

static struct http_ask get(const struct world *w)
{
    return (struct http_ask){.method = "GET", .url = w->url, .proxy = "", .limit_ms = 20000, .max = 1000};
}

/* Runs one request to its end. */
static void run(struct world *w, const struct http_ask *a, struct outcome *o)
{
    outcome_init(o, w);
    o->request = http_start(w->http, a, on_done, o);
    assert_int_equal(o->times, 0);
    loop_run(w->loop);
    assert_int_equal(o->times, 1);
}

static void script_echo(void *arg, struct script_peer *p, const struct script_request *r)
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

static void test_there_and_back(void **state)
{
    struct world *w = *state;
    const char *const header[] = {"Authorization: Bearer t", NULL};
    struct http_ask a = get(w);
    struct outcome o;

    script_server_handle(w->server, script_echo, NULL);
    a.method = "POST";
    a.body = "{}x";
    a.body_len = 2;
    a.header = header;
    run(w, &a, &o);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.retry_after_ms, 7000);
    assert_string_equal(buf_str(&o.bytes), "POST /p?q=1 [{}] auth=Bearer t expect=(null) conn=1");
    outcome_release(&o);
    a = get(w);
    run(w, &a, &o); /* the connection is used again */
    assert_string_equal(buf_str(&o.bytes), "GET /p?q=1 [] auth=(null) expect=(null) conn=1");
    outcome_release(&o);
    a.fresh = true;
    a.method = "DELETE";
    run(w, &a, &o);
    assert_string_equal(buf_str(&o.bytes), "DELETE /p?q=1 [] auth=(null) expect=(null) conn=2");
    outcome_release(&o);
}

/* What a server can do wrong, and what we say to it. */

static void script_reset_at_once(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    (void)r;
    script_reset(p);
}

static void script_raw(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)r;
    script_text(p, arg);
    script_close(p);
}

static void script_half_a_line(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)r;
    script_text(p, arg);
}

static void test_failures(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *name;
        script_fn *fn;
        const char *text;
        int status;
        enum fault_kind kind;
        bool cut;
    } rows[] = {
        {"reset before the headers", script_reset_at_once, "", 0, FAULT_TRANSIENT, false},
        {"closed without an answer", script_raw, "", 0, FAULT_TRANSIENT, false},
        {"half a status line, closed", script_raw, "HTTP/1.1 20", 0, FAULT_TRANSIENT, false},
        {"not HTTP", script_raw, "SSH-2.0-x\r\n\r\n", 0, FAULT_TRANSIENT, false},
        {"half of the headers", script_raw, "HTTP/1.1 200 OK\r\nContent-Le", 0, FAULT_TRANSIENT, false},
        {"half of the body", script_raw, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 0, FAULT_TRANSIENT,
         false},
        {"no last chunk", script_raw, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 0,
         FAULT_TRANSIENT, false},
        {"no last chunk of a log", script_raw, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 0,
         FAULT_TRANSIENT, true},
        {"a bad chunk", script_raw, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n", 0,
         FAULT_TRANSIENT, false},
        {"silence", script_silence, "", 0, FAULT_TIMEOUT, false},
        {"half a line, then silence", script_half_a_line, "HTTP/1.1 20", 0, FAULT_TIMEOUT, false},
        {"half a body, then silence", script_half_a_line, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0,
         FAULT_TIMEOUT, false},
        {"too much", script_raw, "HTTP/1.1 200 OK\r\n\r\n0123456789a", 0, FAULT_TOO_BIG, false},
        {"too much, but cut", script_raw, "HTTP/1.1 200 OK\r\n\r\n0123456789a", 200, FAULT_NONE, true},
        {"as much as may be", script_raw, "HTTP/1.1 200 OK\r\n\r\n0123456789", 200, FAULT_NONE, true},
        {"a redirect", script_raw, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302,
         FAULT_NONE, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http_ask a = get(w);
        int before = script_server_requests(w->server);
        struct outcome o;

        script_server_handle(w->server, rows[i].fn, (void *)(uintptr_t)rows[i].text);
        a.limit_ms = rows[i].kind == FAULT_TIMEOUT ? 100 : 20000;
        a.max = 10;
        a.cut = rows[i].cut;
        a.fresh = true; /* a fault on a connection used before is sent again by libcurl */
        run(w, &a, &o);
        row_true(rows[i].name, o.fault.kind == rows[i].kind);
        row_true(rows[i].name, o.status == rows[i].status);
        row_true(rows[i].name, script_server_requests(w->server) == before + 1);
        row_true(rows[i].name, rows[i].status != 200 || strcmp(buf_str(&o.bytes), "0123456789") == 0);
        row_true(rows[i].name, o.truncated == (strcmp(rows[i].name, "too much, but cut") == 0));
        outcome_release(&o);
    }
}

static void test_nobody_there(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    script_server_free(w->server); /* its port is closed now */
    run(w, &a, &o);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    outcome_release(&o);
    a.url = "http://no-such-name.test/";
    run(w, &a, &o);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    outcome_release(&o);
    a.url = "gopher://127.0.0.1/";
    run(w, &a, &o);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    outcome_release(&o);
    w->server = script_server_new(w->loop, NULL, script_silence, NULL);
}

static void script_second_is_closed(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    if (r->number == 2)
        script_reset(p);
    else
        script_answer(p, 200, "", "ok");
}

/* A server that gave up an idle connection: the request goes again on a new one, by libcurl itself. */
static void test_idle_connection_dies(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    script_server_handle(w->server, script_second_is_closed, NULL);
    for (int i = 0; i < 2; i++) {
        run(w, &a, &o);
        assert_string_equal(buf_str(&o.bytes), "ok");
        outcome_release(&o);
    }
    assert_int_equal(script_server_requests(w->server), 3);
    assert_int_equal(script_server_connections(w->server), 2);
}

/* Streams. */

static void script_three_pieces(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    (void)r;
    script_chunked(p);
    script_chunk(p, "one \xc3", 5); /* cut inside a character */
    script_later(p, 20, "4\r\n\xa4two\r\n0\r\n\r\n");
}

static void test_stream(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    script_server_handle(w->server, script_three_pieces, NULL);
    a.on_bytes = on_bytes;
    a.max = 1; /* does not count for it */
    run(w, &a, &o);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.bytes.len, 0);
    assert_string_equal(buf_str(&o.streamed), "one \xc3\xa4two");
    outcome_release(&o);
}

static void test_stream_refused(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    script_server_handle(w->server, script_raw, "HTTP/1.1 410 Gone\r\nContent-Length: 3\r\n\r\nold");
    a.on_bytes = on_bytes;
    run(w, &a, &o);
    assert_int_equal(o.status, 410);
    assert_string_equal(buf_str(&o.bytes), "old");
    assert_int_equal(o.streamed.len, 0);
    outcome_release(&o);
}

static void test_stream_falls_silent(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    script_server_handle(w->server, script_half_a_line, "HTTP/1.1 200 OK\r\n\r\nhello");
    a.on_bytes = on_bytes;
    a.limit_ms = 0;
    a.silence_ms = 100;
    run(w, &a, &o);
    assert_int_equal(o.fault.kind, FAULT_TIMEOUT);
    assert_non_null(strstr(o.fault.text, "silent"));
    assert_string_equal(buf_str(&o.streamed), "hello"); /* what came is not lost */
    outcome_release(&o);
}

/* Cancelling. */

static void stop_soon(void *arg)
{
    struct world *w = arg;

    loop_stop(w->loop);
}

static void turn(struct world *w, int64_t ms)
{
    struct loop_timer *t = NULL;

    loop_after(w->loop, &t, ms, stop_soon, w);
    loop_run(w->loop);
    loop_cancel(&t);
}

static void test_cancel_any_time(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    for (int ms = -1; ms < 8; ms++) {
        outcome_init(&o, w);
        script_server_handle(w->server, ms % 2 ? script_silence : script_echo, NULL);
        o.in_done = NULL;
        o.request = http_start(w->http, &a, on_done, &o);
        if (ms >= 0)
            turn(w, ms);
        http_cancel(&o.request);
        assert_null(o.request);
        http_cancel(&o.request);
        ms == -1 ? turn(w, 5) : (void)0;
        assert_true(o.times <= 1);
        outcome_release(&o);
    }
}

static void cancel_itself(struct outcome *o)
{
    http_cancel(&o->request);
    loop_stop(o->world->loop);
}

static void cancel_other(struct outcome *o)
{
    http_cancel(&o->other);
    loop_stop(o->world->loop);
}

static void test_cancel_inside_callbacks(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome one, two;

    script_server_handle(w->server, script_three_pieces, NULL);
    outcome_init(&one, w);
    a.on_bytes = on_bytes;
    one.in_bytes = cancel_itself;
    one.request = http_start(w->http, &a, on_done, &one);
    loop_run(w->loop);
    turn(w, 60); /* the rest would come now */
    assert_int_equal(one.times, 0);
    assert_int_equal(one.streamed.len, 5);
    outcome_release(&one);

    script_server_handle(w->server, script_echo, NULL);
    a.on_bytes = NULL;
    outcome_init(&one, w);
    outcome_init(&two, w);
    one.request = http_start(w->http, &a, on_done, &one);
    two.request = http_start(w->http, &a, on_done, &two);
    one.in_done = two.in_done = cancel_other;
    one.other = two.request;
    two.other = one.request;
    loop_run(w->loop);
    turn(w, 30);
    assert_int_equal(one.times + two.times, 1);
    outcome_release(&one);
    outcome_release(&two);
}

static void free_all(struct outcome *o)
{
    http_free(o->world->http);
    o->world->http = NULL;
    loop_stop(o->world->loop);
}

static void test_free_with_requests_outstanding(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w), b = get(w);
    struct outcome one, two;

    script_server_handle(w->server, script_three_pieces, NULL);
    outcome_init(&one, w);
    outcome_init(&two, w);
    a.on_bytes = on_bytes;
    one.in_bytes = free_all;
    http_start(w->http, &a, on_done, &one);
    http_start(w->http, &b, on_done, &two);
    loop_run(w->loop);
    turn(w, 50);
    assert_int_equal(one.times + two.times, 0);
    outcome_release(&one);
    outcome_release(&two);

    w->http = http_new(w->loop, 4);
    script_server_handle(w->server, script_echo, NULL);
    outcome_init(&one, w);
    one.in_done = free_all;
    http_start(w->http, &b, on_done, &one);
    loop_run(w->loop);
    assert_int_equal(one.times, 1);
    outcome_release(&one);
}

/* A name server that does not answer holds nobody up: were the cancel to wait for the lookup, this would hang. */
static void test_cancel_during_name_lookup(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    sem_init(&let_go, 0, 0);
    outcome_init(&o, w);
    a.url = "http://stuck.test/";
    o.request = http_start(w->http, &a, on_done, &o);
    turn(w, 20);
    http_cancel(&o.request);
    a.limit_ms = 50;
    o.request = http_start(w->http, &a, on_done, &o);
    loop_run(w->loop);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TIMEOUT);
    sem_post(&let_go);
    sem_post(&let_go);
    outcome_release(&o);
}

/* Whatever is open towards the server is closed in a child. */
static void script_look_at_descriptors(void *arg, struct script_peer *p, const struct script_request *r)
{
    struct world *w = arg;
    int found = 0;

    (void)r;
    for (int fd = 3; fd < 200; fd++) {
        struct sockaddr_in a = {0};
        socklen_t len = sizeof(a);

        if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 && ntohs(a.sin_port) == script_server_port(w->server)) {
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            found++;
        }
    }
    assert_true(found > 0);
    script_answer(p, 200, "", "");
}

static void test_close_on_exec(void **state)
{
    struct world *w = *state;
    struct http_ask a = get(w);
    struct outcome o;

    script_server_handle(w->server, script_look_at_descriptors, w);
    run(w, &a, &o);
    assert_int_equal(o.status, 200);
    outcome_release(&o);
}

#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_there_and_back),
        WITH_WORLD(test_failures),
        WITH_WORLD(test_nobody_there),
        WITH_WORLD(test_idle_connection_dies),
        WITH_WORLD(test_stream),
        WITH_WORLD(test_stream_refused),
        WITH_WORLD(test_stream_falls_silent),
        WITH_WORLD(test_cancel_any_time),
        WITH_WORLD(test_cancel_inside_callbacks),
        WITH_WORLD(test_free_with_requests_outstanding),
        WITH_WORLD(test_cancel_during_name_lookup),
        WITH_WORLD(test_close_on_exec),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
