#include "base/cleanup.h"
#include "devcluster/options.h"
#include "devcluster/route.h"
#include "unit/check.h"

/* clang-format off */
static const struct { const char *path; const struct kind *const *kind; const char *ns, *name; enum route_sub sub; } paths[] = {
    {"/api/v1/pods", &kind_pod, "", "", SUB_NONE},
    {"/api/v1/namespaces/n/pods", &kind_pod, "n", "", SUB_NONE},
    {"/api/v1/namespaces/n/pods/", &kind_pod, "n", "", SUB_NONE},
    {"//api/v1/namespaces/n//pods/p", &kind_pod, "n", "p", SUB_NONE},
    {"/api/v1/namespaces/n/pods/p/log", &kind_pod, "n", "p", SUB_LOG},
    {"/api/v1/namespaces/n/pods/p/attach", &kind_pod, "n", "p", SUB_ATTACH},
    {"/api/v1/namespaces/n/pods/p/status", &kind_pod, "n", "p", SUB_STATUS},
    {"/api/v1/namespaces", &kind_namespace, "", "", SUB_NONE},
    {"/api/v1/namespaces/n", &kind_namespace, "", "n", SUB_NONE},
    {"/api/v1/namespaces/n/status", &kind_namespace, "", "n", SUB_STATUS},
    {"/api/v1/nodes/x", &kind_node, "", "x", SUB_NONE},
    {"/apis/batch/v1/jobs", &kind_job, "", "", SUB_NONE},
    {"/apis/batch/v1/namespaces/n/jobs/j", &kind_job, "n", "j", SUB_NONE},
};
static const char *const nowhere[] = {
    "", "/", "/api", "/api/v1", "/apis/batch/v1", "/api/v2/pods", "/apis/batch/v1/pods", "/api/v1/nothing",
    "/api/v1/namespaces/n/nodes", "/api/v1/pods/p", "/api/v1/namespaces/n/configmaps/c/log", "/api/v1/namespaces/n/configmaps/c/attach",
    "/api/v1/namespaces/n/pods/p/exec", "/api/v1/namespaces/n/pods/p/log/x", "/a/b/c/d/e/f/g/h/i/j",
    "/api/v1/namespaces/0123456789012345678901234567890123456789012345678901234567890123456789/pods",
};
static const struct { const char *path; enum route_method method; bool watch; int verb; } verbs[] = {
    {"/api/v1/pods", METHOD_GET, false, VERB_LIST},
    {"/api/v1/pods", METHOD_GET, true, VERB_WATCH},
    {"/api/v1/pods", METHOD_POST, false, -1},
    {"/api/v1/namespaces/n/pods", METHOD_POST, false, VERB_CREATE},
    {"/api/v1/namespaces/n/pods", METHOD_DELETE, false, VERB_DELETECOLLECTION},
    {"/api/v1/namespaces/n/pods", METHOD_PUT, false, -1},
    {"/api/v1/namespaces/n/pods/p", METHOD_GET, false, VERB_GET},
    {"/api/v1/namespaces/n/pods/p", METHOD_GET, true, VERB_WATCH},
    {"/api/v1/namespaces/n/pods/p", METHOD_DELETE, false, VERB_DELETE},
    {"/api/v1/namespaces/n/pods/p", METHOD_PUT, false, VERB_UPDATE},
    {"/api/v1/namespaces/n/pods/p", METHOD_PATCH, false, VERB_PATCH},
    {"/api/v1/namespaces/n/pods/p", METHOD_POST, false, -1},
    {"/api/v1/namespaces/n/pods/p/log", METHOD_GET, false, VERB_LOG},
    {"/api/v1/namespaces/n/pods/p/log", METHOD_DELETE, false, -1},
    {"/api/v1/namespaces/n/pods/p/attach", METHOD_GET, false, VERB_ATTACH},
    {"/api/v1/namespaces/n/pods/p/attach", METHOD_POST, false, -1},
    {"/api/v1/namespaces/n/pods/p/status", METHOD_GET, false, VERB_GET},
    {"/api/v1/namespaces/n/pods/p/status", METHOD_PUT, false, -1},
    {"/api/v1/namespaces", METHOD_POST, false, VERB_CREATE},
};
/* clang-format on */

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct route r;

        row_true(paths[i].path, route_parse(paths[i].path, &r));
        row_true(paths[i].path, r.kind == *paths[i].kind && r.sub == paths[i].sub);
        assert_string_equal(r.ns, paths[i].ns);
        assert_string_equal(r.name, paths[i].name);
    }
    for (size_t i = 0; i < COUNT_OF(nowhere); i++) {
        struct route r;

        row_true(nowhere[i], !route_parse(nowhere[i], &r));
    }
}

static void test_verbs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        struct route r;

        row_true(verbs[i].path, route_parse(verbs[i].path, &r));
        row_true(verbs[i].path, route_verb(&r, verbs[i].method, verbs[i].watch) == verbs[i].verb);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < kinds_count; i++)
        assert_ptr_equal(kind_find(kinds[i].group, kinds[i].version, kinds[i].resource), &kinds[i]);
    assert_string_equal(kind_pod->name, "Pod");
    assert_string_equal(kind_job->name, "Job");
    assert_string_equal(kind_node->name, "Node");
    assert_string_equal(kind_event->name, "Event");
    assert_string_equal(kind_configmap->name, "ConfigMap");
    assert_string_equal(kind_api_version(kind_job), "batch/v1");
    for (int v = 0; v < VERB_COUNT; v++)
        assert_non_null(verb_name((enum verb)v));
}

static int read_line(struct options *o, struct fault *f, char *a, char *b)
{
    char *argv[] = {"execq-devcluster", a, b, NULL};

    return options_read(o, b ? 3 : a ? 2 : 1, argv, f);
}

static void test_options(void **state)
{
    static char *const wrong[][2] = {
        {"--nonsense", NULL},
        {"-x", NULL},
        {"word", NULL},
        {"--pods", NULL},
        {"--pods", "0"},
        {"--pods=x", NULL},
        {"--listen", "host"},
        {"--listen", ":1"},
        {"--listen=h:99999", NULL},
        {"--help=1", NULL},
        {"--seed", "-1"},
        {"--log-level", "x"},
        {"--bookmark-every", "0"},
        {"--log-format", "xml"},
    };
    struct options o;
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(read_line(&o, &f, NULL, NULL), 0);
    assert_string_equal(o.host, "127.0.0.1");
    assert_true(o.port == 0 && o.pods == 32 && o.seed == -1 && !o.dir);
    options_release(&o);
    assert_int_equal(read_line(&o, &f, "--listen", "[::1]:80"), 0);
    assert_string_equal(o.host, "::1");
    assert_int_equal(o.port, 80);
    options_release(&o);
    assert_int_equal(read_line(&o, &f, "--pods=7", "--fault=action=500"), 0);
    assert_true(o.pods == 7 && o.n_faults == 1);
    assert_string_equal(o.faults[0], "action=500");
    options_release(&o);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        row_true(wrong[i][0], read_line(&o, &f, wrong[i][0], wrong[i][1]) < 0 && f.kind == FAULT_INVALID);
        options_release(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
