/* A request with its credentials: what a refusal or a distrusted server does to those of the next. */
#include "unit/auth_world.h"

#include "fake/fake_http.h"
#include "k8s/api.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_replay_after_401),
        WITH_WORLD(test_distrust_after_tls_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
