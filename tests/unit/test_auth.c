#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "fake/fake_exec.h"
#include "fake/fake_http.h"
#include "fake/fake_loop.h"
#include "fake/test_pki.h"
#include "k8s/api.h"
#include "k8s/auth.h"
#include "k8s/kubeconfig.h"
#include "k8s/pem.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

struct world {
    struct loop *loop;
    struct auth *auth;
    struct kubeconfig config;
    struct kubeconfig_exec exec;
    struct pki one, two;
    char folder[64], token[80], ca[80], cert[80], key[80];
};

/* What was answered last. */
static struct {
    int times;
    char header[300];
    char ca[2000], cert[2000], key[2000];
    uint64_t serial;
    struct fault fault;
} got;

static void on_credentials(void *arg, const struct auth_credentials *c, const struct fault *f)
{
    (void)arg;
    got.times++;
    got.fault = f ? *f : (struct fault)FAULT_INIT;
    if (!c)
        return;
    snprintf(got.header, sizeof(got.header), "%s", c->header ? c->header : "");
    snprintf(got.ca, sizeof(got.ca), "%s", c->tls.ca ? c->tls.ca : "");
    snprintf(got.cert, sizeof(got.cert), "%s", c->tls.cert ? c->tls.cert : "");
    snprintf(got.key, sizeof(got.key), "%s", c->tls.key ? c->tls.key : "");
    got.serial = c->serial;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;

    w = (struct world){.folder = "/tmp/test-auth-XXXXXX"};
    memset(&got, 0, sizeof(got));
    fake_exec_reset();
    fake_http_reset();
    pki_make(&w.one, "alice");
    pki_make(&w.two, "bob");
    assert_non_null(mkdtemp(w.folder));
    snprintf(w.token, sizeof(w.token), "%s/token", w.folder);
    snprintf(w.ca, sizeof(w.ca), "%s/ca", w.folder);
    snprintf(w.cert, sizeof(w.cert), "%s/cert", w.folder);
    snprintf(w.key, sizeof(w.key), "%s/key", w.folder);
    loop_new(&w.loop, &f);
    w.config.server = TEXT("https://h");
    w.config.namespace_ = TEXT("n");
    w.exec = (struct kubeconfig_exec){.command = TEXT("plugin"),
                                      .api_version = TEXT("client.authentication.k8s.io/v1")};
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    _cleanup_free_ char *command = mem_format("rm -rf %s", w->folder);

    if (w->auth)
        auth_free(w->auth);
    assert_int_equal(fake_loop_pending(w->loop), 0);
    loop_free(w->loop);
    pki_release(&w->one);
    pki_release(&w->two);
    fake_http_reset();
    return system(command);
}

static void start(struct world *w)
{
    struct fault f = FAULT_INIT;

    if (auth_new(w->loop, &w->config, &w->auth, &f) < 0)
        fail_msg("%s", f.text);
}

static void refuses_to_start(struct world *w, const char *says)
{
    struct fault f = FAULT_INIT;

    assert_int_equal(auth_new(w->loop, &w->config, &w->auth, &f), -1);
    if (!strstr(f.text, says))
        fail_msg("%s", f.text);
}

static void ask(struct world *w)
{
    int before = got.times;

    auth_ask(w->auth, on_credentials, NULL);
    assert_int_equal(got.times, before); /* never at once */
    fake_loop_settle(w->loop);
}

static void expect_header(struct world *w, const char *header)
{
    int before = got.times;

    ask(w);
    assert_int_equal(got.times, before + 1);
    assert_int_equal(got.fault.kind, FAULT_NONE);
    assert_string_equal(got.header, header);
}

static void test_fixed(void **state)
{
    struct world *w = *state;

    w->config.token = TEXT("t");
    start(w);
    expect_header(w, "Authorization: Bearer t");
    assert_false(auth_refused(w->auth, got.serial));
    auth_free(w->auth);
    w->config.token = NULL;
    w->config.username = TEXT("Aladdin");
    w->config.password = TEXT("open sesame");
    start(w);
    expect_header(w, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    auth_free(w->auth);
    w->config.server = TEXT("http://h");
    start(w);
    expect_header(w, ""); /* nothing leaves over plain http */
}

static void test_token_file(void **state)
{
    struct world *w = *state;

    w->config.token_file = w->token;
    refuses_to_start(w, "No such file");
    write_file(w->token, "\n");
    refuses_to_start(w, "is empty");
    write_file(w->token, "a\r\nX-Evil: 1\n");
    refuses_to_start(w, "does not hold a token");
    write_file(w->token, " one\n");
    start(w);
    expect_header(w, "Authorization: Bearer one");
    write_file(w->token, "two\n");
    fake_loop_advance(w->loop, 49000);
    expect_header(w, "Authorization: Bearer one");
    fake_loop_advance(w->loop, 1000);
    expect_header(w, "Authorization: Bearer two");
    unlink(w->token); /* cannot be read: the old one stays */
    fake_loop_advance(w->loop, 60000);
    expect_header(w, "Authorization: Bearer two");
    write_file(w->token, "three");
    expect_header(w, "Authorization: Bearer two"); /* looked at again only when it is time */
    assert_true(auth_refused(w->auth, got.serial));
    expect_header(w, "Authorization: Bearer three"); /* or when the server says no */
    assert_false(auth_refused(w->auth, got.serial)); /* there is no other */
    assert_true(auth_refused(w->auth, got.serial - 1));
}

static void test_certificate_files(void **state)
{
    struct world *w = *state;

    w->config.ca_file = w->ca;
    w->config.cert_file = w->cert;
    w->config.key_file = w->key;
    refuses_to_start(w, "certificate-authority");
    write_file(w->ca, "no PEM");
    refuses_to_start(w, "holds no certificate");
    write_file(w->ca, w->one.ca);
    refuses_to_start(w, "client-certificate");
    write_file(w->cert, w->one.client_cert);
    write_file(w->key, w->two.client_key);
    refuses_to_start(w, "are no pair");
    write_file(w->key, w->one.client_key);
    start(w);
    expect_header(w, "");
    assert_string_equal(got.ca, w->one.ca);
    assert_string_equal(got.cert, w->one.client_cert);
    assert_string_equal(got.key, w->one.client_key);

    write_file(w->ca, ""); /* caught while it is written: passed over */
    write_file(w->cert, w->two.client_cert);
    fake_loop_advance(w->loop, 300000);
    expect_header(w, "");
    assert_string_equal(got.ca, w->one.ca);
    assert_string_equal(got.cert, w->one.client_cert);
    write_file(w->ca, w->two.ca);
    write_file(w->key, w->two.client_key);
    fake_loop_advance(w->loop, 299000);
    expect_header(w, "");
    assert_string_equal(got.ca, w->one.ca);
    fake_loop_advance(w->loop, 1000);
    expect_header(w, "");
    assert_string_equal(got.ca, w->two.ca);
    assert_string_equal(got.cert, w->two.client_cert);
    assert_string_equal(got.key, w->two.client_key);
    write_file(w->ca, w->one.ca);
    auth_distrust(w->auth);
    expect_header(w, "");
    assert_string_equal(got.ca, w->one.ca);
}

/* A certificate that was renewed in its file counts as soon as the old one is refused. */
static void test_certificate_renewed(void **state)
{
    struct world *w = *state;
    uint64_t first;

    w->config.cert_file = w->cert;
    w->config.key_file = w->key;
    write_file(w->cert, w->one.client_cert);
    write_file(w->key, w->one.client_key);
    start(w);
    expect_header(w, "");
    first = got.serial;
    assert_false(auth_refused(w->auth, first)); /* it is still the same */
    write_file(w->cert, w->two.client_cert);
    assert_false(auth_refused(w->auth, first)); /* half of it */
    write_file(w->key, w->two.client_key);
    assert_true(auth_refused(w->auth, first));
    expect_header(w, "");
    assert_int_not_equal(got.serial, first);
    assert_string_equal(got.cert, w->two.client_cert);
    assert_string_equal(got.key, w->two.client_key);
}

static void explains(struct world *w, const char *text)
{
    struct fault f = FAULT_INIT;

    fault_set(&f, FAULT_REFUSED, "401");
    auth_explain(w->auth, &f);
    assert_string_equal(f.text, text);
}

static void test_explains_a_refusal(void **state)
{
    struct world *w = *state;
    char text[256], when[32];
    int64_t end = pem_end_ms(w->one.client_cert);
    time_t end_s = (time_t)(end / 1000);
    struct tm tm;

    w->config.cert_data = w->one.client_cert;
    w->config.key_data = w->one.client_key;
    start(w);
    explains(w, "401 (the server was shown no token, the client certificate of the kubeconfig)");
    fake_loop_advance(w->loop, end - loop_wall(w->loop) + 1000);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end_s, &tm));
    snprintf(text, sizeof(text),
             "401 (the server was shown no token, the client certificate of the kubeconfig, which "
             "expired at %s)",
             when);
    explains(w, text);
    auth_free(w->auth);

    write_file(w->token, "secret");
    w->config.cert_data = w->config.key_data = NULL;
    w->config.token_file = w->token;
    start(w);
    snprintf(text, sizeof(text), "401 (the server was shown the token in %s)", w->token);
    explains(w, text);
    auth_free(w->auth);

    w->config.token_file = NULL;
    w->config.token = TEXT("secret");
    start(w);
    explains(w, "401 (the server was shown the token of the kubeconfig)");
    auth_free(w->auth);

    w->config.server = TEXT("http://h");
    start(w);
    explains(w, "401 (the server was shown nothing, as this is not https)");
}

static void test_certificate_data(void **state)
{
    struct world *w = *state;

    w->config.ca_data = TEXT("x");
    refuses_to_start(w, "certificate-authority-data");
    w->config.ca_data = w->one.ca;
    w->config.cert_data = w->one.client_cert;
    w->config.key_data = w->two.client_key;
    refuses_to_start(w, "are no pair");
    w->config.key_data = w->one.client_key;
    start(w);
    expect_header(w, "");
    assert_string_equal(got.ca, w->one.ca);
    assert_string_equal(got.cert, w->one.client_cert);
}

static void test_plugin(void **state)
{
    struct world *w = *state;
    int64_t end = loop_wall(w->loop) + 3600000;

    w->config.exec = &w->exec;
    start(w);
    assert_int_equal(fake_exec_runs(), 0); /* not before it is needed */
    ask(w);
    ask(w);
    assert_int_equal(fake_exec_runs(), 1); /* one run for both */
    assert_int_equal(got.times, 0);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 2);
    expect_header(w, "Authorization: Bearer t1");
    fake_loop_advance(w->loop, 3600000 - 301000);
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 1);
    fake_loop_advance(w->loop, 2000); /* early, and nobody waits for it */
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    expect_header(w, "Authorization: Bearer t1"); /* the old one is good still */
    assert_int_equal(fake_exec_runs(), 2);        /* and it is not run again at once */
    fake_loop_advance(w->loop, 1000);
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 3);
    fake_loop_advance(w->loop, 290000); /* within a call of its end */
    ask(w);
    fake_exec_give("t2", NULL, NULL, 0);
    fake_loop_settle(w->loop);
    assert_string_equal(got.header, "Authorization: Bearer t2");
    fake_loop_advance(w->loop, 100000000); /* without an end it stays until it is refused */
    expect_header(w, "Authorization: Bearer t2");
    assert_int_equal(fake_exec_runs(), 3);
}

static void test_plugin_refused(void **state)
{
    struct world *w = *state;
    uint64_t old;

    w->config.exec = &w->exec;
    start(w);
    ask(w);
    fake_exec_give("t1", w->one.client_cert, w->one.client_key, 0);
    fake_loop_settle(w->loop);
    assert_string_equal(got.cert, w->one.client_cert);
    old = got.serial;
    assert_false(auth_refused(w->auth, old)); /* it was run a moment ago: not again for every call */
    fake_loop_advance(w->loop, 10000);
    assert_true(auth_refused(w->auth, old));
    ask(w);
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_give(NULL, w->two.client_cert, w->two.client_key, 0);
    fake_loop_settle(w->loop);
    assert_string_equal(got.header, "");
    assert_string_equal(got.cert, w->two.client_cert);
    assert_true(auth_refused(w->auth, old)); /* said of the old ones: there are new ones */
    expect_header(w, "");
    assert_int_equal(fake_exec_runs(), 2);
}

/* As plugins do that keep their token until its very end: what they give is as good as ended. It is taken for what it
 * is, and the plugin is not run again and again for that. */
static void test_plugin_gives_what_ends(void **state)
{
    struct world *w = *state;
    int64_t end = loop_wall(w->loop) + 5000;

    w->config.exec = &w->exec;
    start(w);
    ask(w);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 1);
    assert_string_equal(got.header, "Authorization: Bearer t1");
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 1);
    fake_loop_advance(w->loop, 1000); /* once a second it is asked for a better one */
    ask(w);
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_settle(w->loop);
    expect_header(w, "Authorization: Bearer t1");
    assert_int_equal(fake_exec_runs(), 2);
    assert_false(auth_refused(w->auth, got.serial));
    fake_loop_advance(w->loop, 1000);
    ask(w);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    assert_string_equal(got.fault.text, "no luck"); /* what it gave before is no answer then */
    fake_loop_advance(w->loop, 1000);
    ask(w);
    fake_exec_give("t1", NULL, NULL, end);
    fake_loop_advance(w->loop, 1000);
    assert_true(auth_refused(w->auth, got.serial)); /* not kept from asking by that it was run of late */
    ask(w);
    fake_exec_give("t2", NULL, NULL, end + 3600000);
    fake_loop_settle(w->loop);
    expect_header(w, "Authorization: Bearer t2");
    assert_int_equal(fake_exec_runs(), 5);
}

static void test_plugin_fails(void **state)
{
    struct world *w = *state;

    w->config.exec = &w->exec;
    start(w);
    ask(w);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 1);
    assert_string_equal(got.fault.text, "no luck");
    assert_int_equal(got.fault.code, AUTH_PLUGIN);
    ask(w); /* at once again: the same answer without a run */
    assert_int_equal(got.times, 2);
    assert_int_equal(fake_exec_runs(), 1);
    fake_loop_advance(w->loop, 1000);
    ask(w);
    assert_int_equal(fake_exec_runs(), 2);
    fake_exec_fail("no luck");
    fake_loop_settle(w->loop);
    fake_loop_advance(w->loop, 1000);
    ask(w);
    assert_int_equal(fake_exec_runs(), 2); /* ever less often */
    fake_loop_advance(w->loop, 1000);
    ask(w);
    assert_int_equal(fake_exec_runs(), 3);
}

/* What the entry brings itself goes before the plugin. */
static void test_plugin_not_needed(void **state)
{
    struct world *w = *state;

    w->config.exec = &w->exec;
    w->config.token = TEXT("t");
    start(w);
    expect_header(w, "Authorization: Bearer t");
    assert_int_equal(fake_exec_runs(), 0);
}

static void test_cancel(void **state)
{
    struct world *w = *state;
    struct auth_wait *one, *two;

    w->config.exec = &w->exec;
    start(w);
    one = auth_ask(w->auth, on_credentials, NULL);
    auth_cancel(&one);
    auth_ask(w->auth, on_credentials, NULL);
    two = auth_ask(w->auth, on_credentials, NULL);
    fake_loop_settle(w->loop);
    auth_cancel(&two);
    auth_cancel(&two);
    fake_exec_give("t", NULL, NULL, 0);
    fake_loop_settle(w->loop);
    assert_int_equal(got.times, 1);
    fake_loop_advance(w->loop, 10000);
    assert_true(auth_refused(w->auth, got.serial));
    auth_ask(w->auth, on_credentials, NULL); /* and freed with this outstanding, its plugin at work */
    fake_loop_settle(w->loop);
    assert_true(fake_exec_running());
}

/* 401 through the whole: one replay, with what was read again. */

static struct fault last;
static int status;

static void on_reply(void *arg, const struct http_reply *reply, const struct fault *f)
{
    (void)arg;
    status = reply ? reply->status : -1;
    last = f ? *f : (struct fault)FAULT_INIT;
}

static void test_replay_after_401(void **state)
{
    struct world *w = *state;
    const unsigned idle[API_LANES] = {1, 1, 1};
    struct api_ask call = {.method = "GET", .path = "/x", .max = 100};
    struct fault f = FAULT_INIT;
    struct api *api;

    write_file(w->token, "old");
    w->config.token_file = w->token;
    assert_int_equal(api_new(w->loop, &w->config, idle, &api, &f), 0);
    api_start(api, &call, on_reply, NULL);
    fake_loop_settle(w->loop);
    write_file(w->token, "new");
    fake_http_answer(0, 401, "");
    fake_loop_settle(w->loop);
    assert_string_equal(fake_http_at(1)->header[1], "Authorization: Bearer new");
    fake_http_answer(1, 200, "{}");
    fake_loop_settle(w->loop);
    assert_int_equal(status, 200);

    api_start(api, &call, on_reply, NULL);
    fake_loop_settle(w->loop);
    write_file(w->token, "newer");
    fake_http_answer(2, 401, "");
    fake_loop_settle(w->loop);
    write_file(w->token, "newest");
    fake_http_answer(3, 401, "");
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), 4); /* once is enough */
    assert_int_equal(last.kind, FAULT_REFUSED);
    assert_int_equal(last.code, 401);
    api_free(api);
}

static void test_distrust_after_tls_failure(void **state)
{
    struct world *w = *state;
    const unsigned idle[API_LANES] = {1, 1, 1};
    struct api_ask call = {.method = "GET", .path = "/x", .max = 100};
    struct fault f = FAULT_INIT;
    struct api *api;

    write_file(w->ca, w->one.ca);
    w->config.ca_file = w->ca;
    assert_int_equal(api_new(w->loop, &w->config, idle, &api, &f), 0);
    write_file(w->ca, w->two.ca);
    api_start(api, &call, on_reply, NULL);
    fake_loop_settle(w->loop);
    fake_http_fail(0, FAULT_TRANSIENT, HTTP_UNTRUSTED, "not trusted");
    fake_loop_settle(w->loop);
    assert_int_equal(last.kind, FAULT_TRANSIENT);
    api_start(api, &call, on_reply, NULL);
    fake_loop_settle(w->loop);
    assert_string_equal(fake_http_at(0)->tls[0], w->one.ca);
    assert_string_equal(fake_http_at(1)->tls[0], w->two.ca);
    fake_http_answer(1, 200, "");
    fake_loop_settle(w->loop);
    api_free(api);
}

#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_fixed),
        WITH_WORLD(test_token_file),
        WITH_WORLD(test_certificate_files),
        WITH_WORLD(test_certificate_renewed),
        WITH_WORLD(test_explains_a_refusal),
        WITH_WORLD(test_certificate_data),
        WITH_WORLD(test_plugin),
        WITH_WORLD(test_plugin_refused),
        WITH_WORLD(test_plugin_gives_what_ends),
        WITH_WORLD(test_plugin_fails),
        WITH_WORLD(test_plugin_not_needed),
        WITH_WORLD(test_cancel),
        WITH_WORLD(test_replay_after_401),
        WITH_WORLD(test_distrust_after_tls_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
