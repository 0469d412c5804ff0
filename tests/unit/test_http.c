/* One request at a time: there and back, what a server can do wrong, and streams. Requests that are ended early:
 * test_http_cancel.c. */
#include "unit/http_world.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static void test_there_and_back(void **state)
{
    struct world *w = *state;
    const char *const header[] = {"Authorization: Bearer t", NULL};
    struct http_ask a = get_ask(w);
    struct outcome o;

    script_server_handle(w->server, script_echo, NULL);
    a.method = "POST";
    a.body = "{}x";
    a.body_len = 2;
    a.header = header;
    world_run(w, &a, &o);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.retry_after_ms, 7000);
    assert_string_equal(buf_str(&o.bytes), "POST /p?q=1 [{}] auth=Bearer t expect=(null) conn=1");
    outcome_release(&o);
    a = get_ask(w);
    world_run(w, &a, &o); /* the connection is used again */
    assert_string_equal(buf_str(&o.bytes), "GET /p?q=1 [] auth=(null) expect=(null) conn=1");
    outcome_release(&o);
    a.fresh = true;
    a.method = "DELETE";
    world_run(w, &a, &o);
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
        struct http_ask a = get_ask(w);
        int before = script_server_requests(w->server);
        struct outcome o;

        script_server_handle(w->server, rows[i].fn, (void *)(uintptr_t)rows[i].text);
        a.limit_ms = rows[i].kind == FAULT_TIMEOUT ? 100 : 20000;
        a.max = 10;
        a.cut = rows[i].cut;
        a.fresh = true; /* a fault on a connection used before is sent again by libcurl */
        world_run(w, &a, &o);
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
    struct http_ask a = get_ask(w);
    struct outcome o;

    script_server_free(w->server); /* its port is closed now */
    world_run(w, &a, &o);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    outcome_release(&o);
    a.url = "http://no-such-name.test/";
    world_run(w, &a, &o);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    outcome_release(&o);
    a.url = "gopher://127.0.0.1/";
    world_run(w, &a, &o);
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
    struct http_ask a = get_ask(w);
    struct outcome o;

    script_server_handle(w->server, script_second_is_closed, NULL);
    for (int i = 0; i < 2; i++) {
        world_run(w, &a, &o);
        assert_string_equal(buf_str(&o.bytes), "ok");
        outcome_release(&o);
    }
    assert_int_equal(script_server_requests(w->server), 3);
    assert_int_equal(script_server_connections(w->server), 2);
}

/* Streams. */

static void test_stream(void **state)
{
    struct world *w = *state;
    struct http_ask a = get_ask(w);
    struct outcome o;

    script_server_handle(w->server, script_three_pieces, NULL);
    a.on_bytes = on_bytes;
    a.max = 1; /* does not count for it */
    world_run(w, &a, &o);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.bytes.len, 0);
    assert_string_equal(buf_str(&o.streamed), "one \xc3\xa4two");
    outcome_release(&o);
}

static void test_stream_refused(void **state)
{
    struct world *w = *state;
    struct http_ask a = get_ask(w);
    struct outcome o;

    script_server_handle(w->server, script_raw, "HTTP/1.1 410 Gone\r\nContent-Length: 3\r\n\r\nold");
    a.on_bytes = on_bytes;
    world_run(w, &a, &o);
    assert_int_equal(o.status, 410);
    assert_string_equal(buf_str(&o.bytes), "old");
    assert_int_equal(o.streamed.len, 0);
    outcome_release(&o);
}

static void test_stream_falls_silent(void **state)
{
    struct world *w = *state;
    struct http_ask a = get_ask(w);
    struct outcome o;

    script_server_handle(w->server, script_half_a_line, "HTTP/1.1 200 OK\r\n\r\nhello");
    a.on_bytes = on_bytes;
    a.limit_ms = 0;
    a.silence_ms = 100;
    world_run(w, &a, &o);
    assert_int_equal(o.fault.kind, FAULT_TIMEOUT);
    assert_non_null(strstr(o.fault.text, "silent"));
    assert_string_equal(buf_str(&o.streamed), "hello"); /* what came is not lost */
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
    struct http_ask a = get_ask(w);
    struct outcome o;

    script_server_handle(w->server, script_look_at_descriptors, w);
    world_run(w, &a, &o);
    assert_int_equal(o.status, 200);
    outcome_release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_there_and_back),       WITH_WORLD(test_failures),      WITH_WORLD(test_nobody_there),
        WITH_WORLD(test_idle_connection_dies), WITH_WORLD(test_stream),        WITH_WORLD(test_stream_refused),
        WITH_WORLD(test_stream_falls_silent),  WITH_WORLD(test_close_on_exec),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
