/* The client's lists: their pages are joined, or given one at a time. */
#include "unit/kube_world.h"

#include <json-c/json.h>

#include "base/buf.h"
#include "base/cleanup.h"

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

    world_restart(w, &(struct kube_settings){.reply_max = 100});
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_list_in_pages),
        WITH_WORLD(test_walk),
        WITH_WORLD(test_list_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
