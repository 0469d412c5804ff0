#include <json-c/json.h>
#include <stdlib.h>

#include "base/mem.h"
#include "devcluster/podlog.h"
#include "devcluster/podplan.h"
#include "devcluster/podstatus.h"
#include "devcluster/tree.h"
#include "unit/check.h"

/* clang-format off */
static const struct { const char *text; int64_t tail; const char *rest; } tails[] = {
    {"", -1, ""}, {"", 1, ""}, {"a", 1, "a"}, {"a\n", 1, "a\n"}, {"a\nb", 1, "b"}, {"a\nb\n", 1, "b\n"},
    {"a\nb\nc\n", 2, "b\nc\n"}, {"a\nb\n", 9, "a\nb\n"}, {"a\nb\n", -1, "a\nb\n"}, {"a\nb\n", 0, ""},
    {"\n\n\n", 2, "\n\n"}, {"a\n\n", 1, "\n"},
};
static const struct { const char *text, *expanded; } expansions[] = {
    {"plain", "plain"}, {"$(A)", "1"}, {"x$(A)y$(B)z", "x1y2z"}, {"$$(A)", "$(A)"}, {"$(NO)", "$(NO)"}, {"$(A", "$(A"},
    {"$", "$"}, {"$$", "$"}, {"$A", "$A"}, {"$()", "$()"}, {"$(A)$(A)", "11"},
};
/* clang-format on */

static void test_tail(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        const char *text = tails[i].text;

        row_true(text, strcmp(text + podlog_tail(text, strlen(text), tails[i].tail), tails[i].rest) == 0);
    }
}

/* A container runtime writes a long line as pieces of 16 KiB, and each counts. */
static void test_tail_of_long_lines(void **state)
{
    static char text[100000];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[40000] = '\n';
    assert_int_equal(podlog_tail(text, 40001, 1), 2 * PODLOG_PIECE);
    assert_int_equal(podlog_tail(text, 40001, 2), PODLOG_PIECE);
    assert_int_equal(podlog_tail(text, 40001, 3), 0);
    text[PODLOG_PIECE] = '\n'; /* a line of exactly one piece is one */
    assert_int_equal(podlog_tail(text, PODLOG_PIECE + 1, 1), 0);
    assert_int_equal(podlog_tail(text, PODLOG_PIECE + 3, 1), PODLOG_PIECE + 1);
}

static void test_expand(void **state)
{
    struct args env = {0};

    (void)state;
    args_add_all(&env, "A", "0", "A", "1", "B", "2", NULL);
    for (size_t i = 0; i < COUNT_OF(expansions); i++) {
        struct buf b = BUF_INIT(100);
        struct fault f = FAULT_INIT;

        row_true(expansions[i].text, podplan_expand(expansions[i].text, &env, &b, &f) == 0);
        assert_string_equal(buf_str(&b), expansions[i].expanded);
        buf_release(&b);
    }
    args_release(&env);
}

static int index_of(const struct args *a, const char *word)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i], word) == 0)
            return (int)i;
    return -1;
}

static const char *const pod_text =
    "{\"metadata\":{\"name\":\"p\",\"uid\":\"u\"},\"spec\":{\"securityContext\":{\"runAsUser\":1000},\"containers\":[{"
    "\"name\":\"main\",\"image\":\"i\",\"command\":[\"sh\",\"-c\",\"$(V)\"],\"args\":[\"arg\"],\"workingDir\":\"/w\","
    "\"env\":[{\"name\":\"V\",\"value\":\"v\"},{\"name\":\"N\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}}],"
    "\"resources\":{\"limits\":{\"memory\":\"64Mi\"}},\"terminationMessagePath\":\"/dev/t\","
    "\"securityContext\":{\"readOnlyRootFilesystem\":true}}]}}";

static void test_plan(void **state)
{
    struct json_object *pod = json_tokener_parse(pod_text);
    struct sandbox_plan plan = {.bwrap = "/usr/bin/bwrap", .etc = "/etc-of-pods"};
    struct args a = {0};
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(podplan_read(pod, &plan, &f), 0);
    assert_true(plan.memory == 64 << 20 && plan.uid == 1000 && plan.gid == 65532 && !plan.writable_tmp);
    plan.termination_file = mem_string("/outside");
    sandbox_plan_mount(&plan, "/b", "/app/below", false);
    sandbox_plan_mount(&plan, "/a", "/app", true);
    sandbox_command(&plan, 3, &a);
    assert_string_equal(a.v[0], "/usr/bin/bwrap");
    assert_true(index_of(&a, "--unshare-all") > 0 && index_of(&a, "--clearenv") > 0 && index_of(&a, "--as-pid-1") > 0);
    assert_true(index_of(&a, "/app") < index_of(&a, "/app/below")); /* the outer mount first */
    assert_string_equal(a.v[index_of(&a, "/app") - 2], "--ro-bind");
    assert_string_equal(a.v[index_of(&a, "/app/below") - 2], "--bind");
    assert_string_equal(a.v[index_of(&a, "/outside") + 1], "/dev/t");
    assert_string_equal(a.v[index_of(&a, "V") + 1], "v");
    assert_string_equal(a.v[index_of(&a, "N") + 1], "p");
    assert_string_equal(a.v[index_of(&a, "--chdir") + 1], "/w");
    assert_string_equal(a.v[a.n - 5], "--");
    assert_string_equal(a.v[a.n - 4], "sh");
    assert_string_equal(a.v[a.n - 2], "v");
    assert_string_equal(a.v[a.n - 1], "arg");
    assert_null(a.v[a.n]);
    args_release(&a);
    sandbox_plan_release(&plan);
    json_object_put(pod);
}

static const char *condition(struct json_object *pod, const char *type)
{
    struct json_object *list = tree_at(pod, "status.conditions");

    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (strcmp(tree_string(json_object_array_get_idx(list, i), "type"), type) == 0)
            return tree_string(json_object_array_get_idx(list, i), "status");
    return "";
}

static struct json_object *container(struct json_object *pod)
{
    return json_object_array_get_idx(tree_at(pod, "status.containerStatuses"), 0);
}

static void test_status(void **state)
{
    struct json_object *pod = json_tokener_parse(pod_text);
    struct pod_end end = {.phase = "Failed",
                          .reason = "Evicted",
                          .message = "m",
                          .disruption = "TerminationByKubelet",
                          .exit_code = 137,
                          .why = "Error",
                          .started = 1000,
                          .finished = 2000};

    (void)state;
    podstatus_unschedulable(pod, "full", 0);
    assert_string_equal(condition(pod, "PodScheduled"), "False");
    podstatus_bound(pod, 0);
    assert_string_equal(condition(pod, "PodScheduled"), "True");
    assert_string_equal(tree_string(container(pod), "state.waiting.reason"), "ContainerCreating");
    podstatus_running(pod, 1000);
    assert_string_equal(tree_string(container(pod), "state.running.startedAt"), "1970-01-01T00:00:01Z");
    assert_string_equal(condition(pod, "Ready"), "True");
    podstatus_ended(pod, &end);
    assert_string_equal(tree_string(pod, "status.phase"), "Failed");
    assert_string_equal(tree_string(pod, "status.reason"), "Evicted");
    assert_string_equal(condition(pod, "DisruptionTarget"), "True");
    assert_string_equal(condition(pod, "Ready"), "False");
    assert_int_equal(tree_int(container(pod), "state.terminated.exitCode", 0), 137);
    assert_null(tree_at(container(pod), "state.running"));
    json_object_put(pod);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail),   cmocka_unit_test(test_tail_of_long_lines),
        cmocka_unit_test(test_expand), cmocka_unit_test(test_plan),
        cmocka_unit_test(test_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
