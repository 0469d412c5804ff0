/* The client's calls: what is sent for each, what becomes of an answer, the logs, and what ends a call early. How it
 * repeats, takes turns and lists: test_kube_repeats.c, test_kube_turns.c, test_kube_lists.c. */
#include "unit/kube_world.h"

#include <json-c/json.h>

#include "base/cleanup.h"

static void test_addresses(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};
    static const char ns[] = "https://h:6443/pre/api/v1/namespaces/n%2Fs/";
    struct {
        struct kube_call *call;
        const char *method, *url, *body;
    } rows[] = {
        /* clang-format off */
        {kube_create(w->kube, KUBE_JOB, "{}!", 2, on_done, &o), "POST", "https://h:6443/pre/apis/batch/v1/namespaces/n%2Fs/jobs", "{}"},
        {kube_create(w->kube, KUBE_CONFIGMAP, "{}", 2, on_done, &o), "POST", "configmaps", "{}"},
        {kube_get(w->kube, KUBE_POD, "a b", on_done, &o), "GET", "pods/a%20b", ""},
        {kube_list(w->kube, KUBE_EVENT, NULL, "involvedObject.name=x", on_done, &o), "GET", "events?fieldSelector=involvedObject.name%3Dx&limit=500", ""},
        {kube_list(w->kube, KUBE_POD, "a=b,c in (d)", NULL, on_done, &o), "GET", "pods?labelSelector=a%3Db%2Cc%20in%20%28d%29&limit=500", ""},
        {kube_delete(w->kube, KUBE_CONFIGMAP, "c", NULL, on_done, &o), "DELETE", "configmaps/c", "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\",\"preconditions\":{}}"},
        {kube_delete(w->kube, KUBE_CONFIGMAP, "c", "u", on_done, &o), "DELETE", "configmaps/c", "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\",\"preconditions\":{\"uid\":\"u\"}}"},
        {kube_get_path(w->kube, "/readyz", on_done, &o), "GET", "https://h:6443/pre/readyz", ""},
        /* clang-format on */
    };

    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), COUNT_OF(rows));
    assert_int_equal(kube_requests(w->kube), COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(rows); i++) { /* reads come before writes, which are held for a moment */
        size_t n = 0;
        char url[512];

        snprintf(url, sizeof(url), "%s%s", strstr(rows[i].url, "://") ? "" : ns, rows[i].url);
        while (n < COUNT_OF(rows) &&
               (strcmp(fake_http_at((int)n)->url, url) != 0 || strcmp(fake_http_at((int)n)->body, rows[i].body) != 0))
            n++;
        if (n == COUNT_OF(rows))
            fail_msg("not asked: %s", url);
        assert_string_equal(fake_http_at((int)n)->method, rows[i].method);
        assert_string_equal(fake_http_at((int)n)->header[rows[i].body[0] ? 2 : 1], "Authorization: Bearer tok");
        assert_int_equal(fake_http_lane(fake_http_at((int)n)), 0);
        assert_int_equal(fake_http_at((int)n)->limit_ms, 10000);
    }
    assert_int_equal(o.times, 0);
}

static void test_answers(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    o.call = get_job(w, &o);
    answer_all(w, 200, "{\"v\":\"x\"}", 0);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.text, "x");
    kube_get_path(w->kube, "/readyz", on_done, &o);
    answer_all(w, 200, "ok", 0);
    assert_string_equal(o.text, "ok");
    kube_get_path(w->kube, "/version", on_done, &o);
    answer_all(w, 200, "{\"v\":1}", 0);
    assert_string_equal(o.text, "{\"v\":1}");
    assert_non_null(o.object);
    json_object_put(o.object);
    o = (struct outcome){0};
    o.call = get_job(w, &o);
    answer_all(w, 101, "{\"v\":\"x\"}", 0); /* nobody asked for another protocol */
    assert_int_equal(o.fault.kind, FAULT_REFUSED);
    assert_int_equal(o.fault.code, 101);
    o = (struct outcome){0};
    o.call = kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    answer_all(w, 201, "{\"metadata\":{\"managedFields\":[1],\"uid\":\"u\"},\"spec\":{}}", 0);
    assert_string_equal(json_object_to_json_string_ext(o.object, JSON_C_TO_STRING_PLAIN),
                        "{\"metadata\":{\"uid\":\"u\"}}");
    json_object_put(o.object);
}

static void test_log(void **state)
{
    struct world *w = *state;
    static const char *const apologies[] = {
        "unable to retrieve container logs for containerd://0a1b",
        "unable to retrieve container logs for containerd://0a1b\n",
        "failed to try resolving symlinks in path \"/var/log/pods/x/code/0.log\": lstat: no such file\n",
    };
    static const char *const programs[] = {
        "unable to retrieve container logs for containerd://0a1b\nand more",
        "unable to retrieve container logs for you\n",
        " unable to retrieve container logs for containerd://0a1b",
        "",
    };

    for (size_t i = 0; i < COUNT_OF(apologies); i++) {
        struct outcome o = {0};
        int n = fake_http_count();

        kube_log(w->kube, "p", "code", 100, 3, on_done, &o);
        fake_loop_settle(w->loop);
        assert_non_null(strstr(fake_http_at(n)->url, "/pods/p/log?container=code&limitBytes=101&tailLines=3"));
        assert_int_equal(fake_http_at(n)->max, 100);
        assert_true(fake_http_at(n)->cut);
        assert_int_equal(fake_http_lane(fake_http_at(n)), 1);
        fake_http_answer(n, 200, apologies[i]);
        fake_loop_advance(w->loop, 300);
        assert_int_equal(o.times, 0); /* asked again */
        fake_http_bytes_reply(n + 1, "a\0b", 3, true);
        fake_loop_settle(w->loop);
        assert_int_equal(o.times, 1);
        assert_true(o.truncated);
        assert_string_equal(o.text, "a");
        assert_null(o.object);
    }
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        struct outcome o = {0};

        kube_log(w->kube, "p", "code", 100, 0, on_done, &o);
        answer_all(w, 200, programs[i], 0);
        assert_int_equal(o.times, 1);
        assert_string_equal(o.text, programs[i]);
    }
}

/* Whoever wants nothing of a log learns whether there was anything. */
static void test_log_of_no_bytes(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    kube_log(w->kube, "p", "code", 0, 0, on_done, &o);
    fake_loop_settle(w->loop);
    assert_non_null(strstr(fake_http_last()->url, "limitBytes=1"));
    assert_int_equal(fake_http_last()->max, 0);
    fake_http_bytes_reply(0, "", 0, true);
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_true(o.truncated);
    assert_string_equal(o.text, "");
}

/* Cancelled before it begins, on its way, between two tries; and what others do in a callback. */
static void test_cancel(void **state)
{
    struct world *w = *state;
    struct outcome o = {0}, other = {0};

    for (int when = 0; when < 4; when++) {
        struct kube_call *c = kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);

        if (when > 0)
            fake_loop_settle(w->loop);
        if (when > 1)
            fake_http_answer(fake_http_count() - 1, 500, "");
        if (when > 2)
            fake_loop_settle(w->loop);
        kube_cancel(&c);
        assert_null(c);
        kube_cancel(&c);
        fake_loop_advance(w->loop, 60000);
    }
    assert_int_equal(o.times, 0);
    o.call = get_job(w, &o);
    other.call = get_job(w, &other);
    o.other = other.call;
    other.call = NULL;
    answer_all(w, 200, "{}", 100);
    assert_int_equal(o.times, 1);
    assert_int_equal(other.times, 0);
    json_object_put(o.object);
}

static void test_free_inside_a_callback(void **state)
{
    struct world *w = *state;
    struct outcome o = {.world = w, .free_all = true}, other = {0};

    o.call = get_job(w, &o);
    get_job(w, &other);
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &other);
    answer_all(w, 200, "{}", 100);
    assert_int_equal(o.times, 1);
    assert_int_equal(other.times, 0);
    json_object_put(o.object);
}

static void test_no_credentials_over_plain_http(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    w->config.server = (char *)(uintptr_t) "http://h";
    world_restart(w, &(struct kube_settings){.namespace_ = "other"});
    get_job(w, &o);
    fake_loop_settle(w->loop);
    assert_string_equal(fake_http_at(0)->url, "http://h/apis/batch/v1/namespaces/other/jobs/j");
    assert_string_equal(fake_http_at(0)->header[1], "");
    assert_string_equal(kube_namespace(w->kube), "other");
    assert_string_equal(kube_server(w->kube), "http://h");
}

static void test_tls_server_name(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    w->config.server = (char *)(uintptr_t) "https://[fd00::1]:6443/p";
    w->config.tls_server_name = (char *)(uintptr_t) "kubernetes";
    world_restart(w, &(struct kube_settings){0});
    get_job(w, &o);
    fake_loop_settle(w->loop);
    assert_string_equal(fake_http_at(0)->url, "https://kubernetes:6443/p/apis/batch/v1/namespaces/n%2Fs/jobs/j");
    assert_string_equal(fake_http_at(0)->connect_to, "kubernetes:6443:[fd00::1]:6443");
    assert_string_equal(fake_http_at(0)->header[2], "Host: [fd00::1]:6443");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_addresses),
        WITH_WORLD(test_answers),
        WITH_WORLD(test_log),
        WITH_WORLD(test_log_of_no_bytes),
        WITH_WORLD(test_cancel),
        WITH_WORLD(test_free_inside_a_callback),
        WITH_WORLD(test_no_credentials_over_plain_http),
        WITH_WORLD(test_tls_server_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
