#include <json-c/json.h>

#include "devcluster/faults.h"
#include "unit/check.h"

static struct faults *with(const char *rules)
{
    struct faults *fs = faults_new(1);
    struct fault f = FAULT_INIT;

    if (faults_add_text(fs, rules, &f) < 0)
        fail_msg("%s: %s", rules, f.text);
    return fs;
}

/* clang-format off */
static const struct { const char *rule; enum verb verb; const char *resource, *name; enum fault_action action; } rows[] = {
    {"{\"verb\":\"create\",\"resource\":\"jobs\",\"action\":\"429\"}", VERB_CREATE, "jobs", "a", ACTION_429},
    {"{\"verb\":\"create\",\"resource\":\"jobs\",\"action\":\"429\"}", VERB_CREATE, "pods", "a", ACTION_NONE},
    {"{\"verb\":\"create\",\"resource\":\"jobs\",\"action\":\"429\"}", VERB_GET, "jobs", "a", ACTION_NONE},
    {"{\"verb\":\"*\",\"resource\":\"*\",\"action\":\"reset\"}", VERB_LOG, "pods", "a", ACTION_RESET},
    {"{\"action\":\"stall\"}", VERB_LIST, "pods", NULL, ACTION_STALL},
    {"{\"match\":\"b\",\"action\":\"500\"}", VERB_GET, "pods", "abc", ACTION_500},
    {"{\"match\":\"b\",\"action\":\"500\"}", VERB_GET, "pods", "acc", ACTION_NONE},
    {"{\"match\":\"b\",\"action\":\"500\"}", VERB_LIST, "pods", NULL, ACTION_NONE},
    {"verb=log,resource=pods,action=half_body", VERB_LOG, "pods", "a", ACTION_HALF_BODY},
    {"action=503,count=2,slow_ms=5", VERB_LOG, "pods", "a", ACTION_503},
    {"[{\"verb\":\"get\",\"action\":\"500\"},{\"action\":\"504\"}]", VERB_LIST, "pods", NULL, ACTION_504},
    {"{\"probability\":0,\"action\":\"500\"}", VERB_GET, "pods", "a", ACTION_NONE},
    {"{\"pod\":\"*\",\"action\":\"evict\"}", VERB_GET, "pods", "a", ACTION_NONE},
    {"{\"verb\":\"watch\",\"action\":\"cut_watch\"}", VERB_WATCH, "pods", NULL, ACTION_NONE},
};
static const char *const wrong[] = {
    "{}", "[]x", "5", "[5]", "{\"action\":\"nonsense\"}", "{\"action\":5}", "{\"action\":\"500\",\"verb\":\"nonsense\"}",
    "{\"action\":\"500\",\"unknown\":1}", "{\"action\":\"500\",\"count\":0}", "{\"action\":\"500\",\"probability\":2}",
    "{\"action\":\"500\",\"every\":2,\"probability\":0.5}", "{\"action\":\"evict\"}", "{\"pod\":\"*\",\"action\":\"500\"}",
    "{\"pod\":\"*\",\"action\":\"evict\",\"verb\":\"get\"}", "{\"pod\":\"*\",\"action\":\"evict\",\"after_ms\":-1}",
    "[{\"action\":\"500\"},{\"action\":\"x\"}]", "action", "{\"slow_ms\":1e9}",
};
/* clang-format on */

static void test_matching(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct faults *fs = with(rows[i].rule);

        row_true(rows[i].rule,
                 faults_of_request(fs, rows[i].verb, rows[i].resource, rows[i].name).action == rows[i].action);
        faults_free(fs);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct faults *fs = faults_new(1);
        struct fault f = FAULT_INIT;
        struct json_object *list;

        row_true(wrong[i], faults_add_text(fs, wrong[i], &f) < 0 && f.text[0]);
        list = faults_list(fs);
        row_true(wrong[i], json_object_array_length(list) == 0); /* all or none */
        json_object_put(list);
        faults_free(fs);
    }
}

static void test_count_and_every(void **state)
{
    struct faults *fs = with("{\"action\":\"500\",\"every\":3,\"count\":2}");
    char seen[16] = "";
    struct json_object *list;

    (void)state;
    for (int i = 0; i < 12; i++)
        seen[i] = faults_of_request(fs, VERB_GET, "pods", "a").action == ACTION_500 ? 'x' : '.';
    assert_string_equal(seen, "..x..x......");
    list = faults_list(fs);
    assert_int_equal(json_object_get_int(json_object_object_get(json_object_array_get_idx(list, 0), "hits")), 2);
    json_object_put(list);
    faults_clear(fs);
    list = faults_list(fs);
    assert_int_equal(json_object_array_length(list), 0);
    json_object_put(list);
    faults_free(fs);
}

static void test_delays_add_up(void **state)
{
    struct faults *fs = with("[{\"slow_ms\":5},{\"slow_ms\":7,\"action\":\"500\"},{\"slow_ms\":100}]");
    struct fault_hit hit = faults_of_request(fs, VERB_GET, "pods", "a");

    (void)state;
    assert_int_equal(hit.action, ACTION_500);
    assert_int_equal(hit.ms, 12); /* the first with an action decides, and what stands behind it is not asked */
    faults_free(fs);
}

static void test_same_seed_same_faults(void **state)
{
    struct faults *a = with("{\"action\":\"500\",\"probability\":0.3}"),
                  *b = with("{\"action\":\"500\",\"probability\":0.3}");
    int hits = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        bool hit = faults_of_request(a, VERB_GET, "pods", "x").action == ACTION_500;

        assert_int_equal(hit, faults_of_request(b, VERB_GET, "pods", "x").action == ACTION_500);
        hits += hit;
    }
    assert_in_range(hits, 200, 400);
    faults_free(a);
    faults_free(b);
}

static void test_places(void **state)
{
    struct faults *fs = with(
        "[{\"pod\":\"abc\",\"action\":\"evict\",\"after_ms\":70},{\"pod\":\"*\",\"action\":\"no_pod\",\"count\":1},"
        "{\"verb\":\"watch\",\"resource\":\"pods\",\"action\":\"half_line\",\"count\":1}]");

    (void)state;
    assert_int_equal(faults_of_pod(fs, "xabcx").action, ACTION_EVICT);
    assert_int_equal(faults_of_pod(fs, "xabcx").ms, 70);
    assert_int_equal(faults_of_pod(fs, "other").action, ACTION_NONE);
    assert_int_equal(faults_of_job(fs, "other").action, ACTION_NO_POD);
    assert_int_equal(faults_of_job(fs, "other").action, ACTION_NONE);
    assert_int_equal(faults_of_event(fs, "jobs", "a").action, ACTION_NONE);
    assert_int_equal(faults_of_event(fs, "pods", "a").action, ACTION_HALF_LINE);
    assert_int_equal(faults_of_event(fs, "pods", "a").action, ACTION_NONE);
    faults_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_count_and_every),
        cmocka_unit_test(test_delays_add_up),
        cmocka_unit_test(test_same_seed_same_faults),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
