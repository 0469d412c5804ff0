#include "check.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "fake/fake_http.h"
#include "fake/fake_loop.h"
#include "k8s/kube.h"
#include "k8s/kubeconfig.h"
#include "k8s/pods.h"

struct world;

/* Writes down what it is told: "1" waiting, "2" started, "3=code" ended, "-" gone; ends itself if so asked. */
struct watcher {
    struct world *world;
    struct pods_follower *follower;
    struct buf told;
    char name[64];
    bool leave, free_all;
};

struct world {
    struct loop *loop;
    struct kube *kube;
    struct kubeconfig config;
    struct pods *pods;
    struct watcher watcher[3];
    struct buf notices;
    char why[256]; /* of the last one */
    int listed;
};

static void on_notice(void *arg, const char *event, const struct fault *f)
{
    struct world *w = arg;
    struct fault ignored = FAULT_INIT;

    if (!f) {
        assert_string_equal(event, "pods-listed");
        w->listed++;
        return;
    }
    buf_addf(&w->notices, &ignored, "%s ", event);
    snprintf(w->why, sizeof(w->why), "%s", f ? f->text : "");
}

static int set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;
    struct kube_settings s = {.config = &w.config};
    struct pods_events events = {.on_notice = on_notice, .arg = &w};

    fake_http_reset();
    w = (struct world){.config = {.server = (char *)(uintptr_t) "https://h", .namespace_ = (char *)(uintptr_t) "n"}};
    buf_init(&w.notices, 10000);
    loop_new(&w.loop, &f);
    assert_int_equal(kube_new(w.loop, &s, &w.kube, &f), 0);
    w.pods = pods_new(w.kube, "worker=w", "code", &events);
    for (int i = 0; i < 3; i++) {
        w.watcher[i].world = &w;
        buf_init(&w.watcher[i].told, 10000);
    }
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 3; i++) {
        pods_unfollow(&w->watcher[i].follower);
        buf_release(&w->watcher[i].told);
    }
    buf_release(&w->notices);
    if (w->pods)
        pods_free(w->pods);
    kube_free(w->kube);
    assert_int_equal(fake_loop_pending(w->loop), 0);
    loop_free(w->loop);
    fake_http_reset();
    return 0;
}

static void on_pod(void *arg, const struct pod_state *s)
{
    struct watcher *a = arg;
    struct fault f = FAULT_INIT;

    if (!s)
        buf_add_string(&a->told, "-", &f);
    else if (s->stage == POD_ENDED)
        buf_addf(&a->told, &f, "3=%d%s", s->exit_code, s->termination ? s->termination : "");
    else
        buf_addf(&a->told, &f, "%d", s->stage + 1);
    if (s)
        snprintf(a->name, sizeof(a->name), "%s", s->name);
    if (a->leave)
        pods_unfollow(&a->follower);
    if (a->free_all) {
        for (int i = 0; i < 3; i++)
            pods_unfollow(&a->world->watcher[i].follower);
        pods_free(a->world->pods);
        a->world->pods = NULL;
    }
}

static void follow(struct world *w, int i, const char *job)
{
    w->watcher[i].follower = pods_follow(w->pods, job, on_pod, &w->watcher[i]);
    assert_int_equal(w->watcher[i].told.len, 0);
}

static void told(struct world *w, int i, const char *what)
{
    fake_loop_settle(w->loop);
    assert_string_equal(buf_str(&w->watcher[i].told), what);
    buf_clear(&w->watcher[i].told);
}

static void noticed(struct world *w, const char *what)
{
    assert_string_equal(buf_str(&w->notices), what);
    buf_clear(&w->notices);
}

/* Objects. */
#define POD(job, name, version, status)                                                          \
    "{\"metadata\":{\"name\":\"" name "\",\"uid\":\"u-" name "\",\"resourceVersion\":\"" version \
    "\",\"labels\":{\"job-name\":\"j\",\"controller-uid\":\"" job "\"}},\"status\":{" status "}}"
#define RUNNING "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"code\",\"state\":{\"running\":{}}}]"
#define ENDED(code)                                                                                                \
    "\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"code\",\"state\":{\"terminated\":{\"exitCode\":" code \
    ",\"reason\":\"Error\",\"startedAt\":\"2026-01-01T00:00:00Z\",\"message\":\"m\"}}}]"
#define EVENT(type, object)  "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)    EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define LIST(version, items) "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define EXPIRED              EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old (5)\"}")

/* The request that waits; it must be the one expected. */
static int expect(struct world *w, const char *in_url)
{
    int i = fake_http_count() - 1;

    (void)w;
    if (i < 0 || fake_http_at(i)->at != FAKE_OPEN || !strstr(fake_http_at(i)->url, in_url))
        fail_msg("no open request for %s, but %s", in_url, i < 0 ? "none" : fake_http_at(i)->url);
    return i;
}

static void expect_list(struct world *w, const char *answer)
{
    int i = expect(w, "/pods?labelSelector=worker%3Dw&limit=500");

    assert_null(strstr(fake_http_at(i)->url, "watch"));
    assert_null(strstr(fake_http_at(i)->url, "resourceVersion"));
    assert_int_equal(fake_http_lane(fake_http_at(i)), 0);
    fake_http_answer(i, 200, answer);
    fake_loop_advance(w->loop, 0);
}

static int expect_watch(struct world *w, const char *version)
{
    char url[200];
    const struct fake_request *r;
    int i, seconds;

    snprintf(url, sizeof(url), "watch=1&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=", version);
    i = expect(w, url);
    r = fake_http_at(i);
    seconds = (int)strtol(strstr(r->url, "timeoutSeconds=") + 15, NULL, 10);
    assert_true(seconds >= 300 && seconds <= 600);
    assert_int_equal(r->limit_ms, seconds * 1000 + 30000);
    assert_int_equal(r->silence_ms, 150000);
    assert_int_equal(fake_http_lane(r), 2);
    assert_true(r->stream);
    return i;
}

/* Lists nothing and watches. */
static int begin(struct world *w)
{
    fake_loop_settle(w->loop);
    assert_false(pods_synced(w->pods));
    expect_list(w, LIST("5", ""));
    assert_true(pods_synced(w->pods));
    return expect_watch(w, "5");
}

static void end_stream(struct world *w, int i)
{
    fake_http_answer(i, 200, "");
    fake_loop_settle(w->loop);
    fake_loop_advance(w->loop, 0);
}

static void test_life_of_a_pod(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    follow(w, 0, "a");
    told(w, 0, "");
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", "")) EVENT("ADDED", POD("b", "b-1", "7", "")));
    told(w, 0, "1");
    assert_string_equal(w->watcher[0].name, "a-1");
    follow(w, 1, "b"); /* late: told what is known */
    told(w, 1, "1");
    fake_http_stream(i, EVENT("MODIFIED", POD("a", "a-1", "8", RUNNING)));
    told(w, 0, "2");
    told(w, 1, "");
    fake_http_stream(i, EVENT("MODIFIED", POD("a", "a-1", "9", ENDED("3"))));
    told(w, 0, "3=3m");
    fake_http_stream(i, EVENT("DELETED", POD("a", "a-1", "10", ENDED("3"))));
    told(w, 0, "3=3m-");
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-2", "11", "")));
    told(w, 0, "1");
    assert_string_equal(w->watcher[0].name, "a-2");
}

/* The Job that had the name before: it was deleted, its pod is still there, or comes only now. */
static void test_another_job_of_the_name(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    fake_http_stream(i, EVENT("ADDED", POD("before", "a-1", "6", RUNNING)));
    follow(w, 0, "a");
    fake_http_stream(i, EVENT("MODIFIED", POD("before", "a-1", "7", ENDED("3"))));
    told(w, 0, "");
    fake_http_stream(i,
                     EVENT("ADDED", POD("a", "a-2", "8", "")) EVENT("DELETED", POD("before", "a-1", "9", ENDED("3"))));
    told(w, 0, "1");
    assert_string_equal(w->watcher[0].name, "a-2");
}

/* Nothing can be asked about a pod without a name: it is none. */
static void test_a_pod_without_a_name(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    follow(w, 0, "a");
    fake_http_stream(i, EVENT("ADDED", "{\"metadata\":{\"uid\":\"u\",\"labels\":{\"controller-uid\":\"a\"}}}"));
    told(w, 0, "");
}

/* Its end and its deletion in one piece: the end is told all the same, also if only the deletion shows it. */
static void test_end_is_not_swallowed(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    follow(w, 0, "a");
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", "")) EVENT("MODIFIED", POD("a", "a-1", "7", ENDED("4")))
                            EVENT("DELETED", POD("a", "a-1", "8", ENDED("4"))));
    told(w, 0, "3=4m-");
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-2", "9", RUNNING)));
    told(w, 0, "2");
    fake_http_stream(i, EVENT("DELETED", POD("a", "a-2", "10", ENDED("5"))));
    told(w, 0, "3=5m-");
}

static void test_two_pods_of_a_job(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    follow(w, 0, "a");
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", RUNNING)) EVENT("ADDED", POD("a", "a-2", "7", "")));
    told(w, 0, "21");
    fake_http_stream(i, EVENT("DELETED", POD("a", "a-1", "8", RUNNING)));
    told(w, 0, "21"); /* there is one still */
    fake_http_stream(i, EVENT("DELETED", POD("a", "a-2", "9", "")));
    told(w, 0, "1-");
}

static void test_resumes_where_it_was(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", "")));
    end_stream(w, i);
    i = expect_watch(w, "6");
    fake_http_stream(i, BOOKMARK("60"));
    fake_http_fail(i, FAULT_TRANSIENT, 0, "reset");
    fake_loop_settle(w->loop);
    fake_loop_advance(w->loop, 0);
    noticed(w, "pods-watch-broken ");
    expect_watch(w, "60");
    follow(w, 0, "a");
    told(w, 0, "1"); /* known as before */
}

static void test_slows_down(void **state)
{
    struct world *w = *state;
    int i = begin(w), n;

    end_stream(w, i); /* at once, without an event */
    n = fake_http_count();
    fake_loop_advance(w->loop, 399);
    assert_int_equal(fake_http_count(), n);
    fake_loop_advance(w->loop, 401);
    end_stream(w, expect_watch(w, "5"));
    fake_loop_advance(w->loop, 799);
    assert_int_equal(fake_http_count(), n + 1);
    fake_loop_advance(w->loop, 801);
    i = expect_watch(w, "5");
    fake_loop_advance(w->loop, 1000); /* this one lasts */
    end_stream(w, i);
    expect_watch(w, "5");
    for (int k = 0; k < 100; k++) { /* refused for long: not faster than twice in half a minute */
        n = fake_http_count();
        fake_http_fail(n - 1, FAULT_TRANSIENT, 0, "refused");
        fake_loop_advance(w->loop, 31000);
        assert_int_equal(fake_http_count() > n, 1);
        if (k > 10)
            assert_true(fake_http_count() <= n + 2);
    }
}

static void test_obeys_retry_after(void **state)
{
    struct world *w = *state;
    int i = begin(w), n = fake_http_count();

    fake_http_answer_later(i, 429, 9000, "");
    fake_loop_advance(w->loop, 8999);
    assert_int_equal(fake_http_count(), n);
    fake_loop_advance(w->loop, 1000);
    expect_watch(w, "5");
}

/* Too old, said in either way: listed again, and what vanished meanwhile is gone. */
static void test_lists_again(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    follow(w, 0, "a");
    follow(w, 1, "b");
    follow(w, 2, "c");
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", "")) EVENT("ADDED", POD("b", "b-1", "7", RUNNING))
                            EVENT("ADDED", POD("c", "c-1", "8", "")));
    told(w, 0, "1");
    told(w, 1, "2");
    told(w, 2, "1");
    fake_http_stream(i, EXPIRED);
    fake_loop_advance(w->loop, 0);
    noticed(w, "pods-watch-too-old ");
    assert_string_equal(w->why, "HTTP 410 Expired: too old (5)");
    expect_list(w, LIST("20", POD("c", "c-1", "15", RUNNING) "," POD("b", "b-1", "7", RUNNING)));
    told(w, 0, "-");
    told(w, 1, ""); /* unchanged */
    told(w, 2, "2");
    i = expect_watch(w, "20");
    fake_http_answer(i, 410, "{\"reason\":\"Gone\"}"); /* again, with nothing in between: not at once now */
    fake_loop_advance(w->loop, 399);
    noticed(w, "pods-watch-too-old ");
    assert_int_equal(fake_http_open(), 0);
    fake_loop_advance(w->loop, 401);
    expect_list(w, LIST("30", ""));
    told(w, 1, "-");
    told(w, 2, "-");
    i = expect_watch(w, "30");
    fake_http_answer(i, 410, "");
    fake_loop_advance(w->loop, 799);
    assert_int_equal(fake_http_open(), 0);
    fake_loop_advance(w->loop, 801);
    expect_list(w, LIST("31", ""));
}

static void test_a_refused_watch_lists_again(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    fake_http_answer(i, 403, "{\"reason\":\"Forbidden\",\"message\":\"no watch for you\"}");
    fake_loop_advance(w->loop, 1);
    noticed(w, "pods-watch-failed ");
    assert_int_equal(fake_http_open(), 0);
    fake_loop_advance(w->loop, 800);
    expect_list(w, LIST("9", ""));
    i = expect_watch(w, "9");
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "10", "")) "garbage");
    fake_loop_advance(w->loop, 900);
    noticed(w, "pods-watch-failed ");
    expect_list(w, LIST("11", ""));
}

static void test_a_refused_list_is_repeated(void **state)
{
    struct world *w = *state;

    fake_loop_settle(w->loop);
    fake_http_answer(0, 403, "{\"reason\":\"Forbidden\"}");
    fake_loop_advance(w->loop, 300);
    noticed(w, "pods-list-failed ");
    assert_int_equal(fake_http_open(), 0);
    assert_int_equal(w->listed, 0);
    fake_loop_advance(w->loop, 600);
    expect_list(w, LIST("5", POD("a", "a-1", "4", RUNNING)));
    assert_int_equal(w->listed, 1);
    follow(w, 0, "a");
    told(w, 0, "2");
}

/* A peer that is gone says nothing, not even bookmarks. */
static void test_silence(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    fake_http_stream(i, BOOKMARK("7"));
    fake_loop_advance(w->loop, 149000);
    fake_http_stream(i, BOOKMARK("8"));
    fake_loop_advance(w->loop, 149000);
    assert_int_equal(fake_http_at(i)->at, FAKE_OPEN);
    fake_loop_advance(w->loop, 1100);
    noticed(w, "pods-watch-broken ");
    expect_watch(w, "8");
}

static void test_leaving_inside_a_report(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    for (int k = 0; k < 3; k++)
        follow(w, k, "a");
    w->watcher[1].leave = true;
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", "")));
    told(w, 0, "1");
    told(w, 1, "1");
    told(w, 2, "1");
    fake_http_stream(i, EVENT("DELETED", POD("a", "a-1", "7", "")));
    told(w, 0, "1-");
    told(w, 1, "");
    pods_unfollow(&w->watcher[0].follower);
    w->watcher[2].leave = true;
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-2", "8", "")) EVENT("DELETED", POD("a", "a-2", "9", "")));
    told(w, 0, "");
    told(w, 2, "1-1"); /* "1-" from before; it left before the second was gone */
}

static void test_free_inside_a_report(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    for (int k = 0; k < 3; k++)
        follow(w, k, "a");
    w->watcher[1].free_all = true;
    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", "")));
    told(w, 0, "1");
    told(w, 1, "1");
    told(w, 2, "");
    fake_loop_advance(w->loop, 1000);
    assert_int_equal(fake_http_open(), 0);
}

static void test_free_inside_the_first_report(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    fake_http_stream(i, EVENT("ADDED", POD("a", "a-1", "6", "")));
    fake_loop_settle(w->loop);
    follow(w, 0, "a");
    w->watcher[0].free_all = true;
    told(w, 0, "1");
}

static void test_pods_of_no_job(void **state)
{
    struct world *w = *state;
    int i = begin(w);

    fake_http_stream(i, EVENT("ADDED", "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"6\"}}")
                            EVENT("DELETED", "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"7\"}}")
                                EVENT("ADDED", "{}"));
    end_stream(w, i);
    expect_watch(w, "7");
}

#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_life_of_a_pod),
        WITH_WORLD(test_another_job_of_the_name),
        WITH_WORLD(test_a_pod_without_a_name),
        WITH_WORLD(test_end_is_not_swallowed),
        WITH_WORLD(test_two_pods_of_a_job),
        WITH_WORLD(test_resumes_where_it_was),
        WITH_WORLD(test_slows_down),
        WITH_WORLD(test_obeys_retry_after),
        WITH_WORLD(test_lists_again),
        WITH_WORLD(test_a_refused_watch_lists_again),
        WITH_WORLD(test_a_refused_list_is_repeated),
        WITH_WORLD(test_silence),
        WITH_WORLD(test_leaving_inside_a_report),
        WITH_WORLD(test_free_inside_a_report),
        WITH_WORLD(test_free_inside_the_first_report),
        WITH_WORLD(test_pods_of_no_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
