/* Credentials that stand in a kubeconfig or in files. Those of a plugin: test_auth_plugin.c. */
#include "unit/auth_world.h"

#include <time.h>
#include <unistd.h>

#include "k8s/pem.h"

static void test_fixed(void **state)
{
    struct world *w = *state;

    w->config.token = TEXT("t");
    world_start(w);
    expect_header(w, "Authorization: Bearer t");
    assert_false(auth_refused(w->auth, got.serial));
    auth_free(w->auth);
    w->config.token = NULL;
    w->config.username = TEXT("Aladdin");
    w->config.password = TEXT("open sesame");
    world_start(w);
    expect_header(w, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    auth_free(w->auth);
    w->config.server = TEXT("http://h");
    world_start(w);
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
    world_start(w);
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
    world_start(w);
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
    world_start(w);
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
    world_start(w);
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
    world_start(w);
    snprintf(text, sizeof(text), "401 (the server was shown the token in %s)", w->token);
    explains(w, text);
    auth_free(w->auth);

    w->config.token_file = NULL;
    w->config.token = TEXT("secret");
    world_start(w);
    explains(w, "401 (the server was shown the token of the kubeconfig)");
    auth_free(w->auth);

    w->config.server = TEXT("http://h");
    world_start(w);
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
    world_start(w);
    expect_header(w, "");
    assert_string_equal(got.ca, w->one.ca);
    assert_string_equal(got.cert, w->one.client_cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_fixed),
        WITH_WORLD(test_token_file),
        WITH_WORLD(test_certificate_files),
        WITH_WORLD(test_certificate_renewed),
        WITH_WORLD(test_explains_a_refusal),
        WITH_WORLD(test_certificate_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
