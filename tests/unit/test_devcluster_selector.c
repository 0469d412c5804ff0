#include <json-c/json.h>

#include "base/field.h"
#include "devcluster/kinds.h"
#include "devcluster/selector.h"
#include "unit/check.h"

static const char *const object_text =
    "{\"metadata\":{\"name\":\"a\",\"namespace\":\"default\",\"labels\":{\"app\":\"x\",\"tier\":\"\",\"k8s.io/n\":\"1\"}},"
    "\"status\":{\"phase\":\"Running\"}}";

/* clang-format off */
static const struct { const char *labels, *fields; bool matches; } matching[] = {
    {NULL, NULL, true},             {"", "", true},                  {"app", NULL, true},
    {"app=x", NULL, true},          {"app==x", NULL, true},          {"app=y", NULL, false},
    {"app!=x", NULL, false},        {"app!=y", NULL, true},          {"other!=y", NULL, true},
    {"!app", NULL, false},          {"!other", NULL, true},          {"other", NULL, false},
    {"app in (x,y)", NULL, true},   {"app in (y, z)", NULL, false},  {"app notin (y)", NULL, true},
    {"other notin (y)", NULL, true}, {"other in (y)", NULL, false},  {"app=x,!other", NULL, true},
    {"app=x,other", NULL, false},   {"k8s.io/n=1", NULL, true},      {"tier=", NULL, true},
    {" app = x , tier ", NULL, true}, {"app in (x),app!=y", NULL, true}, {"tier in ()", NULL, true},
    {NULL, "metadata.name=a", true}, {NULL, "metadata.name!=a", false}, {NULL, "metadata.name=b", false},
    {NULL, "status.phase=Running,metadata.namespace=default", true}, {NULL, "spec.nodeName=", true},
    {"app=x", "status.phase!=Running", false},
};
static const struct { const char *labels, *fields; } wrong[] = {
    {"=x", NULL}, {"app=x,", NULL}, {"app in x", NULL}, {"app in (x", NULL}, {"app x", NULL}, {",", NULL},
    {"app=x tier", NULL}, {"!", NULL}, {NULL, "data=x"}, {NULL, "metadata.name"}, {NULL, "!metadata.name"},
    {NULL, "metadata.name=a,spec.x=1"},
};
/* clang-format on */

static void test_matching(void **state)
{
    struct json_object *object = json_tokener_parse(object_text);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(matching); i++) {
        struct selector *s = NULL;
        struct fault f = FAULT_INIT;
        char row[128];

        snprintf(row, sizeof(row), "%s / %s", matching[i].labels ? matching[i].labels : "-",
                 matching[i].fields ? matching[i].fields : "-");
        row_true(row, selector_parse(matching[i].labels, matching[i].fields, kind_pod->fields, &s, &f) == 0);
        row_true(row, selector_matches(s, object) == matching[i].matches);
        selector_free(s);
    }
    json_object_put(object);
}

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct selector *s = NULL;
        struct fault f = FAULT_INIT;
        const char *row = wrong[i].labels ? wrong[i].labels : wrong[i].fields;

        row_true(row, selector_parse(wrong[i].labels, wrong[i].fields, kind_pod->fields, &s, &f) < 0);
        row_true(row, f.kind == FAULT_INVALID && s == NULL);
    }
}

static void test_ceilings(void **state)
{
    static char text[8192];
    struct selector *s = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    assert_int_equal(selector_parse(text, NULL, NULL, &s, &f), -1);
    for (size_t i = 0; i < 200; i++)
        memcpy(text + 2 * i, "a,", 3);
    assert_int_equal(selector_parse(text, NULL, NULL, &s, &f), -1);
    assert_true(selector_matches(NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_ceilings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
