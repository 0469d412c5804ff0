#include "check.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "fake/fake_http.h"
#include "fake/fake_loop.h"
#include "k8s/kube.h"
#include "k8s/kubeconfig.h"

struct world {
    struct loop *loop;
    struct kube *kube;
    struct kubeconfig config;
    bool may_write;
};

/* What became of a call. */
struct outcome {
    int times, status;
    struct fault fault;
    char text[256]; /* of the object's "v", or the bytes */
    struct json_object *object;
    bool truncated;
    struct world *world;
    struct kube_call *call, *other;
    bool free_all;
};

static bool may_write(void *arg)
{
    const struct world *w = arg;

    return w->may_write;
}

static void start_kube(struct world *w, const struct kube_settings *s)
{
    struct kube_settings set = *s;
    struct fault f = FAULT_INIT;

    set.config = &w->config;
    set.may_write = may_write;
    set.may_write_arg = w;
    if (kube_new(w->loop, &set, &w->kube, &f) < 0)
        fail_msg("%s", f.text);
}

static void restart(struct world *w, const struct kube_settings *s)
{
    kube_free(w->kube);
    fake_http_reset();
    start_kube(w, s);
}

static int set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;

    fake_http_reset();
    w = (struct world){.may_write = true};
    w.config = (struct kubeconfig){.server = (char *)(uintptr_t) "https://h:6443/pre",
                                   .namespace_ = (char *)(uintptr_t) "n/s",
                                   .token = (char *)(uintptr_t) "tok"};
    loop_new(&w.loop, &f);
    start_kube(&w, &(struct kube_settings){0});
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->kube)
        kube_free(w->kube);
    assert_int_equal(fake_loop_pending(w->loop), 0);
    loop_free(w->loop);
    fake_http_reset();
    return 0;
}

static void on_done(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct outcome *o = arg;
    const char *text;

    o->times++;
    assert_true(!reply != !f);
    if (f) {
        o->fault = *f;
    } else {
        text = reply->object ? field_peek_string(reply->object, "v") : NULL;
        o->status = reply->status;
        o->truncated = reply->truncated;
        snprintf(o->text, sizeof(o->text), "%.*s", reply->bytes ? (int)reply->len : 255,
                 reply->bytes ? reply->bytes
                 : text       ? text
                              : "");
        json_object_put(o->object);
        o->object = json_object_get(reply->object);
    }
    kube_cancel(&o->call); /* its own, which has ended: nothing happens */
    kube_cancel(&o->other);
    if (o->free_all) {
        kube_free(o->world->kube);
        o->world->kube = NULL;
    }
}

static struct kube_call *get(struct world *w, struct outcome *o)
{
    return kube_get(w->kube, KUBE_JOB, "j", on_done, o);
}

/* Answers every open request with this, until none is left or the time is up. */
static void answer_all(struct world *w, int status, const char *body, int64_t ms)
{
    fake_loop_settle(w->loop);
    for (int64_t t = 0; t <= ms; t += 10) {
        for (int i = 0; i < fake_http_count(); i++)
            if (fake_http_at(i)->at == FAKE_OPEN)
                fake_http_answer(i, status, body);
        fake_loop_advance(w->loop, 10);
    }
}

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

    o.call = get(w, &o);
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
    o.call = get(w, &o);
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

static void test_repeats_what_passes(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    get(w, &o);
    fake_loop_settle(w->loop);
    fake_http_answer(0, 500, "");
    fake_loop_advance(w->loop, 201);
    assert_int_equal(fake_http_count(), 2);
    assert_false(fake_http_at(1)->fresh); /* a server that answers is not dead */
    fake_http_fail(1, FAULT_TRANSIENT, 0, "connection reset");
    fake_loop_advance(w->loop, 401);
    assert_int_equal(fake_http_count(), 3);
    assert_true(fake_http_at(2)->fresh);
    fake_http_answer(2, 200, "{broken");
    fake_loop_advance(w->loop, 801);
    assert_int_equal(fake_http_count(), 4);
    fake_http_answer(3, 200, "{\"v\":\"y\"}");
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_string_equal(o.text, "y");
    json_object_put(o.object);
}

static void test_gives_up_after_the_budget(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    answer_all(w, 503, "busy", 30000);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    assert_int_equal(o.fault.code, 503);
    assert_true(fake_http_count() > 6); /* pauses of at most 5 s */
    assert_int_equal(fake_http_open(), 0);
}

static void test_no_answer_at_all(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    get(w, &o);
    fake_loop_advance(w->loop, 11000);
    assert_int_equal(fake_http_count(), 2);
    assert_true(fake_http_at(1)->fresh);
    fake_loop_advance(w->loop, 18990);
    assert_int_equal(o.times, 0);
    fake_loop_advance(w->loop, 1000);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TIMEOUT);
    assert_int_equal(fake_http_open(), 0);
}

static void test_obeys_retry_after(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    get(w, &o);
    fake_loop_settle(w->loop);
    fake_http_answer_later(0, 429, 7000, "");
    fake_loop_advance(w->loop, 6999);
    assert_int_equal(fake_http_count(), 1);
    fake_loop_advance(w->loop, 202);
    assert_int_equal(fake_http_count(), 2);
    fake_http_answer_later(1, 503, 60000, ""); /* longer than there is time: said at once */
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
    assert_int_equal(o.fault.retry_after_ms, 60000);
}

/* An API server that has just started refuses everyone for a moment, and that may be after it has been away. */
static void test_asks_again_for_a_right(void **state)
{
    static const char *const status =
        "{\"kind\":\"Status\",\"message\":\"configmaps is forbidden: User \\\"w\\\" cannot "
        "create resource \\\"configmaps\\\"\"}";
    struct world *w = *state;
    struct outcome o = {0};
    int sent;

    kube_create(w->kube, KUBE_CONFIGMAP, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    for (sent = 0; sent < 5; sent++) {
        fake_http_fail(sent, FAULT_TRANSIENT, 0, "connection refused");
        fake_loop_advance(w->loop, (200 << sent) + 1);
    }
    for (int i = 0; i < 6; i++, sent++) {
        fake_http_answer(sent, 403, status);
        fake_loop_advance(w->loop, 499);
        assert_int_equal(fake_http_count(), sent + 1);
        fake_loop_advance(w->loop, 1);
        assert_int_equal(fake_http_count(), sent + 2);
    }
    fake_http_answer(sent, 403, status);
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_true(kube_is_forbidden(&o.fault));
    assert_int_equal(fake_http_count(), sent + 1);
}

static void test_does_not_repeat_what_stays(void **state)
{
    static const int stays[] = {302, 400, 401, 403, 404, 405, 409, 410, 413, 422};
    struct world *w = *state;

    for (size_t i = 0; i < COUNT_OF(stays); i++) {
        struct outcome o = {0};
        int before = fake_http_count();

        get(w, &o);
        answer_all(w, stays[i], "", 1000);
        assert_int_equal(o.times, 1);
        assert_int_equal(o.fault.code, stays[i]);
        assert_int_equal(fake_http_count(), before + 1);
    }
}

/* Its own first try took effect, and the answer was lost. */
static void test_create_meets_itself(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    fake_http_fail(0, FAULT_TRANSIENT, 0, "reset");
    fake_loop_advance(w->loop, 300);
    fake_http_answer(1, 409, "{\"reason\":\"AlreadyExists\"}");
    fake_loop_settle(w->loop);
    assert_int_equal(o.fault.kind, FAULT_EXISTS);
}

static void test_holds_writes(void **state)
{
    struct world *w = *state;
    struct outcome o = {0}, read = {0};

    w->may_write = false;
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_delete(w->kube, KUBE_JOB, "j", NULL, on_done, &o);
    get(w, &read);
    fake_loop_advance(w->loop, 60000); /* longer than any budget: held, it does not count */
    assert_int_equal(fake_http_count(), 3);
    assert_int_equal(read.times, 1); /* reads went on */
    assert_int_equal(o.times, 0);
    w->may_write = true;
    kube_resume(w->kube);
    w->may_write = false; /* taken back before it was sent */
    fake_loop_advance(w->loop, 1000);
    assert_int_equal(fake_http_count(), 3);
    w->may_write = true;
    kube_resume(w->kube);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), 5);
    w->may_write = false; /* nor is a repeat sent then; its budget ends it */
    fake_http_answer(3, 503, "");
    fake_http_answer(4, 200, "{}");
    fake_loop_advance(w->loop, 31000);
    assert_int_equal(fake_http_count(), 5);
    assert_int_equal(o.times, 2);
    json_object_put(o.object);
}

/* Leave that comes and goes between two looks of whoever would say so: nothing is held for ever. */
static void test_held_writes_ask_again(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    w->may_write = false;
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    fake_loop_advance(w->loop, 5000);
    assert_int_equal(fake_http_count(), 0);
    w->may_write = true; /* and nobody calls kube_resume() */
    fake_loop_advance(w->loop, 1000);
    assert_int_equal(fake_http_count(), 1);
    answer_all(w, 200, "{}", 0);
    assert_int_equal(o.times, 1);
    json_object_put(o.object);
}

static void test_write_rate(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    restart(w, &(struct kube_settings){.writes_per_second = 2, .connections = 100});
    for (int i = 0; i < 20; i++)
        kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), 10); /* what it may have saved up */
    fake_loop_advance(w->loop, 498);
    assert_int_equal(fake_http_count(), 10);
    for (int i = 0; i < 12; i++) { /* so that no budget ends */
        answer_all(w, 200, "{}", 490);
        fake_loop_advance(w->loop, 1);
    }
    assert_int_equal(fake_http_count(), 20);
    assert_int_equal(o.times, 20);
    json_object_put(o.object);
}

/* A ConfigMap that waits behind a batch's Jobs keeps its own Job's pod waiting, for seconds. */
static void test_new_jobs_come_last(void **state)
{
    static const char *const order[] = {"configmaps", "jobs/done", "configmaps", "jobs", "jobs", "jobs"};
    struct world *w = *state;
    struct outcome o = {0};

    w->may_write = false;
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_create(w->kube, KUBE_CONFIGMAP, "{}", 2, on_done, &o);
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_done, &o);
    kube_delete(w->kube, KUBE_JOB, "done", NULL, on_done, &o);
    kube_create(w->kube, KUBE_CONFIGMAP, "{}", 2, on_done, &o);
    fake_loop_settle(w->loop);
    w->may_write = true;
    kube_resume(w->kube);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_count(), COUNT_OF(order));
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const char *url = fake_http_at((int)i)->url;

        row_true(url, strcmp(url + strlen(url) - strlen(order[i]), order[i]) == 0);
    }
}

static void test_lanes(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};
    struct kube_call *calls[6];

    restart(w, &(struct kube_settings){.connections = 2, .log_reads = 1});
    for (int i = 0; i < 4; i++)
        calls[i] = get(w, &o);
    calls[4] = kube_log(w->kube, "p", "c", 10, 0, on_done, &o);
    calls[5] = kube_log(w->kube, "p", "c", 10, 0, on_done, &o);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 3);
    fake_http_answer(0, 200, "{}");
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 3); /* the next took its place */
    kube_cancel(&calls[1]);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 3);
    kube_cancel(&calls[3]);
    kube_cancel(&calls[4]);
    kube_cancel(&calls[5]);
    fake_loop_settle(w->loop);
    assert_int_equal(fake_http_open(), 1);
    answer_all(w, 200, "{}", 0);
    assert_int_equal(o.times, 2);
    json_object_put(o.object);
}

static void test_list_in_pages(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    kube_list(w->kube, KUBE_POD, "a", NULL, on_done, &o);
    fake_loop_settle(w->loop);
    fake_http_answer(0, 200, "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"t/1\"},\"items\":[1,2]}");
    fake_loop_settle(w->loop);
    assert_non_null(strstr(fake_http_at(1)->url, "pods?labelSelector=a&limit=500&continue=t%2F1"));
    fake_http_answer(1, 200, "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"t2\"},\"items\":[3]}");
    fake_loop_settle(w->loop);
    fake_http_answer(2, 410, "{\"reason\":\"Expired\"}"); /* took too long: from the start */
    fake_loop_advance(w->loop, 300);
    assert_null(strstr(fake_http_at(3)->url, "continue"));
    fake_http_answer(3, 200, "{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"t3\"},\"items\":[4]}");
    fake_loop_settle(w->loop);
    fake_http_answer(4, 200, "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[5,6]}");
    fake_loop_settle(w->loop);
    assert_int_equal(o.times, 1);
    assert_string_equal(json_object_to_json_string_ext(o.object, JSON_C_TO_STRING_PLAIN),
                        "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[4,5,6]}");
    json_object_put(o.object);
}

static void on_page(void *arg, struct json_object *items, bool first)
{
    struct buf *seen = arg;
    struct fault f;

    buf_addf(seen, &f, "%s%s ", first ? "first " : "", json_object_to_json_string_ext(items, JSON_C_TO_STRING_PLAIN));
}

static void on_walked(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct fault ignored;

    buf_addf(arg, &ignored, "end %s",
             f ? fault_kind_name(f->kind) : json_object_to_json_string_ext(reply->object, JSON_C_TO_STRING_PLAIN));
}

static void test_walk(void **state)
{
    static const char *const keep[] = {KUBE_LIST_KEEPS, "items.metadata.n", NULL};
    struct world *w = *state;
    _cleanup_(buf_release)
    struct buf seen = BUF_INIT(1000);

    kube_walk(w->kube, KUBE_JOB, "a", keep, on_page, on_walked, &seen);
    fake_loop_settle(w->loop);
    fake_http_answer(
        0, 200,
        "{\"metadata\":{\"continue\":\"t1\"},\"items\":[{\"spec\":{\"y\":[1]},\"metadata\":{\"x\":1,\"n\":2}}]}");
    fake_loop_settle(w->loop);
    assert_string_equal(buf_str(&seen), "first [{\"metadata\":{\"n\":2}}] ");
    fake_http_answer(1, 410, "{\"reason\":\"Expired\"}"); /* took too long: from the start */
    fake_loop_advance(w->loop, 300);
    assert_null(strstr(fake_http_at(2)->url, "continue"));
    fake_http_answer(2, 200, "{\"metadata\":{\"continue\":\"t2\"},\"items\":[1]}");
    fake_loop_settle(w->loop);
    assert_non_null(strstr(fake_http_at(3)->url, "jobs?labelSelector=a&limit=500&continue=t2"));
    fake_http_answer(3, 200, "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[2]}");
    fake_loop_settle(w->loop);
    assert_string_equal(buf_str(&seen), "first [{\"metadata\":{\"n\":2}}] first [1] [2] "
                                        "end {\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[2]}");
}

static void test_list_without_end(void **state)
{
    struct world *w = *state;
    struct outcome o = {0};

    restart(w, &(struct kube_settings){.reply_max = 100});
    kube_list(w->kube, KUBE_POD, "a", NULL, on_done, &o);
    answer_all(w, 200, "{\"metadata\":{\"continue\":\"t\"},\"items\":[\"0123456789012345678901234567890123456\"]}",
               1000);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.fault.kind, FAULT_TOO_BIG);
    answer_all(w, 200, "{}", 0);
    kube_list(w->kube, KUBE_POD, "a", NULL, on_done, &o); /* an object, but no list */
    answer_all(w, 200, "{}", 30000);
    assert_int_equal(o.fault.kind, FAULT_TRANSIENT);
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
    o.call = get(w, &o);
    other.call = get(w, &other);
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

    o.call = get(w, &o);
    get(w, &other);
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
    restart(w, &(struct kube_settings){.namespace_ = "other"});
    get(w, &o);
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
    restart(w, &(struct kube_settings){0});
    get(w, &o);
    fake_loop_settle(w->loop);
    assert_string_equal(fake_http_at(0)->url, "https://kubernetes:6443/p/apis/batch/v1/namespaces/n%2Fs/jobs/j");
    assert_string_equal(fake_http_at(0)->connect_to, "kubernetes:6443:[fd00::1]:6443");
    assert_string_equal(fake_http_at(0)->header[2], "Host: [fd00::1]:6443");
}

#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_addresses),
        WITH_WORLD(test_answers),
        WITH_WORLD(test_repeats_what_passes),
        WITH_WORLD(test_gives_up_after_the_budget),
        WITH_WORLD(test_no_answer_at_all),
        WITH_WORLD(test_obeys_retry_after),
        WITH_WORLD(test_asks_again_for_a_right),
        WITH_WORLD(test_does_not_repeat_what_stays),
        WITH_WORLD(test_create_meets_itself),
        WITH_WORLD(test_holds_writes),
        WITH_WORLD(test_held_writes_ask_again),
        WITH_WORLD(test_write_rate),
        WITH_WORLD(test_new_jobs_come_last),
        WITH_WORLD(test_lanes),
        WITH_WORLD(test_list_in_pages),
        WITH_WORLD(test_walk),
        WITH_WORLD(test_list_without_end),
        WITH_WORLD(test_log),
        WITH_WORLD(test_log_of_no_bytes),
        WITH_WORLD(test_cancel),
        WITH_WORLD(test_free_inside_a_callback),
        WITH_WORLD(test_no_credentials_over_plain_http),
        WITH_WORLD(test_tls_server_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
