/* Who is trusted, as whom one speaks, and which sessions are taken up again: k8s/http to a TLS server in this process.
 */
#include "check.h"

#include <openssl/ssl.h>
#include <signal.h>

#include "base/loop.h"
#include "fake/script_server.h"
#include "fake/test_pki.h"
#include "k8s/http.h"

struct world {
    struct loop *loop;
    struct pki ours, others;
    SSL_CTX *context;
    struct script_server *server;
    struct http *http;
    struct http_tls tls; /* of the next request, and ... */
    struct http_ask ask; /* ... the rest of it */
    char url[64], said[300];
};

static void say_who(void *arg, struct script_peer *p, const struct script_request *r)
{
    const char *name = script_client_name(p);
    char text[300];

    (void)arg;
    snprintf(text, sizeof(text), "%s%s on %d for %.10s", name ? name : "nobody", script_resumed(p) ? " again" : "",
             r->connection, script_header(r, "Host"));
    script_answer(p, 200, "", text);
}

static int set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;

    w = (struct world){0};
    pki_make(&w.ours, "alice");
    pki_make(&w.others, "bob");
    w.context = pki_server_context(&w.ours, 1);
    assert_int_equal(loop_new(&w.loop, &f), 0);
    w.server = script_server_new(w.loop, w.context, say_who, NULL);
    w.http = http_new(w.loop, 4);
    snprintf(w.url, sizeof(w.url), "https://127.0.0.1:%d/", script_server_port(w.server));
    w.tls.ca = w.ours.ca;
    w.ask = (struct http_ask){
        .method = "GET", .url = w.url, .proxy = "", .limit_ms = 20000, .max = 1000, .fresh = true, .tls = &w.tls};
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    http_free(w->http);
    script_server_free(w->server);
    SSL_CTX_free(w->context);
    loop_free(w->loop);
    pki_release(&w->ours);
    pki_release(&w->others);
    return 0;
}

static void on_done(void *arg, const struct http_reply *reply, const struct fault *f)
{
    struct world *w = arg;

    if (reply)
        snprintf(w->said, sizeof(w->said), "%.*s", (int)reply->len, reply->bytes);
    else
        snprintf(w->said, sizeof(w->said), "%s", f->code == HTTP_UNTRUSTED ? "untrusted" : f->text);
    loop_stop(w->loop);
}

static void expect(struct world *w, const char *text)
{
    http_start(w->http, &w->ask, on_done, w);
    loop_run(w->loop);
    assert_string_equal(w->said, text);
}

static void test_who(void **state)
{
    struct world *w = *state;

    w->ask.fresh = false;
    expect(w, "nobody on 1 for 127.0.0.1:");
    expect(w, "nobody on 1 for 127.0.0.1:");
    w->tls.cert = w->ours.client_cert;
    w->tls.key = w->ours.client_key;
    expect(w, "alice on 2 for 127.0.0.1:"); /* other credentials, another connection */
    w->tls.cert = w->others.client_cert;
    w->tls.key = w->others.client_key;
    expect(w, "bob on 3 for 127.0.0.1:");
}

static void test_trust(void **state)
{
    struct world *w = *state;

    w->tls.ca = w->others.ca;
    expect(w, "untrusted");
    w->tls.ca = NULL; /* the system's roots do not know it either */
    expect(w, "untrusted");
    w->tls.insecure = true;
    expect(w, "nobody on 3 for 127.0.0.1:");
    w->tls.insecure = false;
    expect(w, "untrusted");
}

/* The name in the certificate, and the connection elsewhere. */
static void test_names(void **state)
{
    struct world *w = *state;
    char connect_to[100];

    snprintf(connect_to, sizeof(connect_to), "kubernetes:443:127.0.0.1:%d", script_server_port(w->server));
    w->ask.connect_to = connect_to;
    w->ask.url = "https://kubernetes:443/";
    expect(w, "nobody on 1 for kubernetes");
    snprintf(connect_to, sizeof(connect_to), "other.test:443:127.0.0.1:%d", script_server_port(w->server));
    w->ask.url = "https://other.test:443/";
    expect(w, "untrusted");
}

/* A connection more costs no whole handshake more, except for who trusts others, or is somebody else. */
static void test_sessions(void **state)
{
    struct world *w = *state;

    w->tls.cert = w->ours.client_cert;
    w->tls.key = w->ours.client_key;
    expect(w, "alice on 1 for 127.0.0.1:");
    expect(w, "alice again on 2 for 127.0.0.1:");
    expect(w, "alice again on 3 for 127.0.0.1:");
    w->tls.cert = w->others.client_cert;
    w->tls.key = w->others.client_key;
    expect(w, "bob on 4 for 127.0.0.1:");
    w->tls.ca = w->others.ca;
    expect(w, "untrusted");
}

/* OpenSSL without a session id context gives sessions, and breaks off when one comes back: once, not for ever. */
static void test_a_session_that_cannot_be_resumed(void **state)
{
    struct world *w = *state;

    SSL_CTX_set_session_id_context(w->context, NULL, 0);
    expect(w, "nobody on 1 for 127.0.0.1:");
    expect(w, "untrusted");
    expect(w, "nobody on 3 for 127.0.0.1:");
    expect(w, "nobody on 4 for 127.0.0.1:");
}

#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_who),
        WITH_WORLD(test_trust),
        WITH_WORLD(test_names),
        WITH_WORLD(test_sessions),
        WITH_WORLD(test_a_session_that_cannot_be_resumed),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
