#include <json-c/json.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "devcluster/defaults.h"
#include "devcluster/table.h"
#include "devcluster/tree.h"
#include "devcluster/validate.h"
#include "unit/check.h"

#define CONTAINER "{\"name\":\"main\",\"image\":\"i\",\"command\":[\"x\"]"
#define JOB(pod) \
    "{\"metadata\":{\"name\":\"j\"},\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"Never\"," pod "}}}}"

/* clang-format off */
static const struct { const char *text; const struct kind *const *kind; int code; } rows[] = {
    {"{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", &kind_configmap, 0},
    {"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a.b-c\"},\"binaryData\":{\"k\":\"aGk=\"}}", &kind_configmap, 0},
    {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"labels\":{\"a.b/c\":\"v_1\",\"e\":\"\"}}}", &kind_configmap, 0},
    {"{\"metadata\":{\"name\":\"a\",\"labels\":{\"/c\":\"v\"}}}", &kind_configmap, 422},
    {"{\"metadata\":{\"name\":\"a\",\"labels\":{\"c\":\"-v\"}}}", &kind_configmap, 422},
    {"{\"metadata\":{\"name\":\"a\",\"labels\":{\"c\":5}}}", &kind_configmap, 400},
    {"{\"metadata\":{\"name\":\"a\",\"labels\":[]}}", &kind_configmap, 400},
    {"{\"metadata\":[]}", &kind_configmap, 400},
    {"{\"metadata\":{\"name\":\"a\"},\"spec\":1,\"other\":1}", &kind_configmap, 400},
    {"{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"},\"binaryData\":{\"k\":\"aGk=\"}}", &kind_configmap, 422},
    {"{\"metadata\":{\"name\":\"a\"},\"data\":{\"..\":\"v\"}}", &kind_configmap, 422},
    {"{\"metadata\":{\"name\":\"a.b\"}}", &kind_namespace, 422},
    {"{\"metadata\":{\"name\":\"a\"},\"anything\":1}", &kind_event, 0},
    {JOB("\"containers\":[" CONTAINER "}]"), &kind_job, 0},
    {JOB("\"containers\":[" CONTAINER "}," CONTAINER "}]"), &kind_job, 422},
    {JOB("\"containers\":[" CONTAINER "}],\"initContainers\":[" CONTAINER "}]"), &kind_job, 422},
    {JOB("\"containers\":[{\"name\":\"main\",\"image\":\"i\"}]"), &kind_job, 422},
    {JOB("\"containers\":[{\"name\":\"main\",\"command\":[\"x\"]}]"), &kind_job, 422},
    {JOB("\"containers\":[" CONTAINER ",\"args\":[1]}]"), &kind_job, 400},
    {JOB("\"containers\":[" CONTAINER ",\"env\":[{\"value\":\"v\"}]}]"), &kind_job, 422},
    {JOB("\"containers\":[" CONTAINER ",\"env\":[{\"name\":\"A\",\"value\":5}]}]"), &kind_job, 400},
    {JOB("\"containers\":[" CONTAINER ",\"resources\":{\"limits\":{\"cpu\":\"x\"}}}]"), &kind_job, 400},
    {JOB("\"containers\":[" CONTAINER ",\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"}}}]"), &kind_job, 0},
    {JOB("\"containers\":[" CONTAINER ",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/x\"}]}]"), &kind_job, 422},
    {JOB("\"volumes\":[{\"name\":\"v\"}],\"containers\":[" CONTAINER ",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/x\"}]}]"), &kind_job, 0},
    {JOB("\"volumes\":[{\"name\":\"v\",\"configMap\":{}}],\"containers\":[" CONTAINER "}]"), &kind_job, 422},
    {JOB("\"activeDeadlineSeconds\":0,\"containers\":[" CONTAINER "}]"), &kind_job, 422},
    {JOB("\"activeDeadlineSeconds\":\"1\",\"containers\":[" CONTAINER "}]"), &kind_job, 400},
    {"{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[" CONTAINER "}]}}", &kind_pod, 0},
    {"{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[]}}", &kind_pod, 422},
    {"{\"metadata\":{\"name\":\"p\"},\"spec\":[]}", &kind_pod, 422},
};
static const struct { const char *name; size_t max; bool ok; } names[] = {
    {"a", 63, true}, {"a-b.c1", 63, true}, {"1", 63, true}, {"", 63, false}, {"-a", 63, false}, {"a-", 63, false},
    {"a..b", 63, false}, {"a.-b", 63, false}, {"a-.b", 63, false}, {"A", 63, false}, {"a_b", 63, false}, {"abcd", 3, false},
};
/* clang-format on */

static void test_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_object *o = json_tokener_parse(rows[i].text);
        struct refusal r = {0};
        int result = validate_object(*rows[i].kind, "ns", o, &r);

        row_true(rows[i].text, o != NULL);
        row_true(rows[i].text, result == (rows[i].code ? -1 : 0) && r.code == rows[i].code);
        json_object_put(o);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        row_true(names[i].name, (validate_name(names[i].name, names[i].max) == 0) == names[i].ok);
}

/* The limits of a ConfigMap and of annotations, exactly. */
static void test_sizes(void **state)
{
    static char text[1024 * 1024 + 2];
    struct refusal r;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    for (int over = 0; over < 2; over++) {
        struct json_object *o = json_tokener_parse("{\"metadata\":{\"name\":\"a\"},\"data\":{}}");

        json_object_object_add(tree_at(o, "data"), "k", json_object_new_string_len(text, 1024 * 1024 + over));
        assert_int_equal(validate_object(kind_configmap, "", o, &r), over ? -1 : 0);
        json_object_object_del(o, "data");
        json_object_object_add(tree_make(o, "metadata.annotations"), "k",
                               json_object_new_string_len(text, 256 * 1024 + over));
        assert_int_equal(validate_object(kind_configmap, "", o, &r), over ? -1 : 0);
        json_object_put(o);
    }
}

static void test_updates(void **state)
{
    struct json_object *frozen = json_tokener_parse(
        "{\"immutable\":true,\"data\":{\"k\":\"1\"},\"metadata\":{\"name\":\"a\"}}");
    struct json_object *same = json_tokener_parse(
        "{\"immutable\":true,\"data\":{\"k\":\"1\"},\"metadata\":{\"labels\":{}}}");
    struct json_object *other = json_tokener_parse("{\"immutable\":true,\"data\":{\"k\":\"2\"}}");
    struct json_object *thawed = json_tokener_parse("{\"data\":{\"k\":\"1\"}}");
    struct refusal r;

    (void)state;
    assert_int_equal(validate_update(kind_configmap, frozen, same, &r), 0);
    assert_int_equal(validate_update(kind_configmap, frozen, other, &r), -1);
    assert_int_equal(r.code, 422);
    assert_int_equal(validate_update(kind_configmap, frozen, thawed, &r), -1);
    assert_int_equal(validate_update(kind_configmap, thawed, other, &r), 0);
    json_object_put(frozen);
    json_object_put(same);
    json_object_put(other);
    json_object_put(thawed);
}

static void test_defaults(void **state)
{
    struct json_object *job = json_tokener_parse(JOB("\"containers\":[" CONTAINER "}]"));
    struct json_object *labels;

    (void)state;
    defaults_fill(kind_job, "ns", job, 1795255438716);
    labels = tree_at(job, "spec.template.metadata.labels");
    assert_string_equal(field_peek_string(labels, "batch.kubernetes.io/job-name"), "j");
    assert_string_equal(field_peek_string(labels, "controller-uid"), tree_string(job, "metadata.uid"));
    assert_string_equal(
        field_peek_string(tree_at(job, "spec.selector.matchLabels"), "batch.kubernetes.io/controller-uid"),
        tree_string(job, "metadata.uid"));
    assert_int_equal(tree_int(job, "spec.backoffLimit", -1), 6);
    assert_string_equal(tree_string(job, "metadata.creationTimestamp"), "2026-11-21T10:03:58Z");
    assert_string_equal(tree_string(job, "kind"), "Job");
    json_object_put(job);
}

static void test_status(void **state)
{
    struct refusal r;
    struct json_object *status;

    (void)state;
    assert_int_equal(refuse(&r, 404, "NotFound", "%s not found", "x"), -1);
    r.retry_after_s = 3;
    status = refusal_status(&r, "jobs", "x");
    assert_string_equal(tree_string(status, "reason"), "NotFound");
    assert_string_equal(tree_string(status, "message"), "x not found");
    assert_int_equal(tree_int(status, "code", 0), 404);
    assert_int_equal(tree_int(status, "details.retryAfterSeconds", 0), 3);
    json_object_put(status);
    assert_string_equal(refusal_reason(429), "TooManyRequests");
}

/* A Table has as many cells a row as columns, whatever the object lacks. */
static void test_tables(void **state)
{
    struct json_object *empty = json_tokener_parse("{\"metadata\":{\"name\":\"x\"}}");

    (void)state;
    for (size_t i = 0; i < kinds_count; i++) {
        struct json_object *table = table_of(&kinds[i], &empty, 1, 7, 0);
        struct json_object *row = json_object_array_get_idx(tree_at(table, "rows"), 0);

        assert_int_equal(json_object_array_length(tree_at(row, "cells")),
                         json_object_array_length(tree_at(table, "columnDefinitions")));
        assert_string_equal(tree_string(row, "object.metadata.name"), "x");
        json_object_put(table);
    }
    json_object_put(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects), cmocka_unit_test(test_names),    cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_updates), cmocka_unit_test(test_defaults), cmocka_unit_test(test_status),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
