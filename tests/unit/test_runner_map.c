/* The shared ConfigMap of the runner: made when it is missing, left alone when it is right, refused when it is wrong.
 */
#include "check.h"

#include <json-c/json.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "fake/fake_kube.h"
#include "fake/fake_loop.h"
#include "k8s/manifest.h"
#include "k8s/refusal.h"
#include "worker/runner_map.h"

enum { ENOUGH_MS = 60000 };

static const struct runner_program pair[] = {
    {.arch = "amd64", .bytes = "\177ELF\0one", .len = 8},
    {.arch = "arm64", .bytes = "\177ELF\0other", .len = 10},
};

struct world {
    struct loop *loop;
    struct kube *kube;
    struct runner_map *map;
    int answers;
    bool well;
    struct fault fault; /* of the last answer that was not well */
};

static void on_answer(void *arg, const struct fault *f)
{
    struct world *w = arg;

    w->answers++;
    w->well = !f;
    if (f)
        w->fault = *f;
}

static int set_up(void **state)
{
    static struct world w;
    struct fault f;

    w = (struct world){0};
    if (loop_new(&w.loop, &f) < 0)
        return -1;
    w.kube = fake_kube_new(w.loop);
    w.map = runner_map_new(w.kube, pair, COUNT_OF(pair));
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    runner_map_free(w->map);
    assert_int_equal(fake_kube_live(w->kube), 0);
    kube_free(w->kube);
    loop_free(w->loop);
    return 0;
}

static void ask(struct world *w)
{
    int before = w->answers;

    runner_map_ask(w->map, on_answer, w);
    assert_int_equal(w->answers, before); /* never inside the call */
    fake_loop_advance(w->loop, ENOUGH_MS);
    assert_int_equal(w->answers, before + 1);
}

static void expect_calls(const struct world *w, int gets, int creates)
{
    assert_int_equal(fake_kube_count(w->kube, FAKE_GET, KUBE_CONFIGMAP), gets);
    assert_int_equal(fake_kube_count(w->kube, FAKE_CREATE, KUBE_CONFIGMAP), creates);
    assert_int_equal(fake_kube_calls(w->kube), gets + creates);
}

static void test_made_once(void **state)
{
    struct world *w = *state;

    ask(w);
    assert_true(w->well);
    expect_calls(w, 1, 1);
    ask(w); /* what it made is what it looks for */
    assert_true(w->well);
    expect_calls(w, 2, 1);
}

static void test_another_worker_finds_it(void **state)
{
    struct world *w = *state;
    struct runner_map *other = runner_map_new(w->kube, pair, COUNT_OF(pair));

    ask(w);
    runner_map_ask(other, on_answer, w);
    fake_loop_advance(w->loop, ENOUGH_MS);
    assert_true(w->answers == 2 && w->well);
    expect_calls(w, 2, 1);
    runner_map_free(other);
}

/* Both saw that it was missing: the slower create ends in EXISTS. */
static void test_another_worker_was_quicker(void **state)
{
    struct world *w = *state;
    struct fault exists = {.kind = FAULT_EXISTS, .code = 409, .text = "already exists"};

    fake_kube_fault(w->kube, FAKE_CREATE, KUBE_CONFIGMAP, &exists, true, 1);
    ask(w);
    assert_true(w->well);
    expect_calls(w, 2, 1);
}

/* EXISTS and then not there, again and again: that ends, in a fault that passes. */
static void test_comes_and_goes(void **state)
{
    struct world *w = *state;
    struct fault exists = {.kind = FAULT_EXISTS, .code = 409, .text = "already exists"};

    fake_kube_fault(w->kube, FAKE_CREATE, KUBE_CONFIGMAP, &exists, false, 100);
    ask(w);
    assert_false(w->well);
    assert_true(fault_is_passing(&w->fault));
}

static void ignore(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    (void)arg;
    (void)reply;
    (void)f;
}

/* Deleted while the worker runs: asked again, it comes back. */
static void test_deleted(void **state)
{
    struct world *w = *state;

    ask(w);
    kube_delete(w->kube, KUBE_CONFIGMAP, runner_map_get_name(w->map), NULL, ignore, NULL);
    fake_loop_advance(w->loop, ENOUGH_MS);
    assert_int_equal(fake_kube_objects(w->kube), 0);
    ask(w);
    assert_true(w->well);
    assert_int_equal(fake_kube_objects(w->kube), 1);
}

/* What somebody put under our name: "amd64" and "arm64" are the base64 of the two programs, or NULL. */
static const struct {
    const char *row, *amd64, *arm64;
    bool right;
} there[] = {
    {"both as they should be", "f0VMRgBvbmU=", "f0VMRgBvdGhlcg==", true},
    {"one of them is missing", "f0VMRgBvbmU=", NULL, false},
    {"neither", NULL, NULL, false},
    {"one byte differs", "f0VMRgBvbmY=", "f0VMRgBvdGhlcg==", false},
    {"one byte too few", "f0VMRgBvbg==", "f0VMRgBvdGhlcg==", false},
    {"one byte too many", "f0VMRgBvbmUA", "f0VMRgBvdGhlcg==", false},
    {"far too many", "f0VMRgBvbmVmMFZNUmdCdmJtVT1mMFZNUmdCdmJtVT0=", "f0VMRgBvdGhlcg==", false},
    {"empty", "", "f0VMRgBvdGhlcg==", false},
    {"no base64", "f0VM*gBvbmU=", "f0VMRgBvdGhlcg==", false},
    {"the wrong way round", "f0VMRgBvdGhlcg==", "f0VMRgBvbmU=", false},
};

static void plant(struct world *w, size_t i)
{
    char json[512], keys[2][128] = {"", ""};

    if (there[i].amd64)
        snprintf(keys[0], sizeof(keys[0]), "\"%s\":\"%s\"", pair[0].arch, there[i].amd64);
    if (there[i].arm64)
        snprintf(keys[1], sizeof(keys[1]), ",\"%s\":\"%s\"", pair[1].arch, there[i].arm64);
    snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\"},\"binaryData\":{%s%s}}", runner_map_get_name(w->map),
             keys[0], keys[1]);
    fake_kube_plant_json(w->kube, KUBE_CONFIGMAP, json);
}

static void test_what_is_there(void **state)
{
    for (size_t i = 0; i < COUNT_OF(there); i++) {
        struct world *w = *state;

        plant(w, i);
        ask(w);
        row_true(there[i].row, w->well == there[i].right);
        row_true(there[i].row, fake_kube_count(w->kube, FAKE_CREATE, KUBE_CONFIGMAP) == 0);
        if (!w->well) {
            row_true(there[i].row, w->fault.kind == FAULT_INVALID && !fault_is_passing(&w->fault));
            row_true(there[i].row, strstr(w->fault.text, "kubectl -n snippets delete configmap execq-runner-"));
            row_true(there[i].row, strstr(w->fault.text, "start the worker again"));
        }
        tear_down(state);
        assert_int_equal(set_up(state), 0);
    }
}

static const struct {
    const char *row;
    enum fake_verb verb;
    struct fault fault;
    bool passes;
    const char *says;
} faults[] = {
    {"away", FAKE_GET, {.kind = FAULT_TRANSIENT, .text = "connection refused"}, true, "reading the runner's ConfigMap"},
    {"slow", FAKE_GET, {.kind = FAULT_TIMEOUT, .text = "no answer"}, true, "no answer"},
    {"may not read", FAKE_GET, {.kind = FAULT_REFUSED, .code = 403, .text = "forbidden"}, false, "forbidden"},
    {"away later",
     FAKE_CREATE,
     {.kind = FAULT_THROTTLED, .code = 429, .text = "slow down"},
     true,
     "creating the runner's"},
    {"may not create",
     FAKE_CREATE,
     {.kind = FAULT_REFUSED, .code = 403, .text = "forbidden"},
     false,
     "\"execq-worker --runner-manifest | kubectl -n snippets create -f -\""},
    {"no namespace",
     FAKE_CREATE,
     {.kind = FAULT_GONE, .code = 404, .text = "namespaces \"snippets\" not found"},
     false,
     "namespaces \"snippets\" not found"},
};

static void test_faults(void **state)
{
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct world *w = *state;

        fake_kube_fault(w->kube, faults[i].verb, KUBE_CONFIGMAP, &faults[i].fault, false, 1);
        ask(w);
        row_true(faults[i].row, !w->well && w->fault.kind == faults[i].fault.kind);
        row_true(faults[i].row, fault_is_passing(&w->fault) == faults[i].passes);
        if (!strstr(w->fault.text, faults[i].says) || !strstr(w->fault.text, runner_map_get_name(w->map)))
            fail_msg("\"%s\" does not say \"%s\" and the name", w->fault.text, faults[i].says);
        ask(w); /* the fault is over */
        row_true(faults[i].row, w->well);
        tear_down(state);
        assert_int_equal(set_up(state), 0);
    }
}

/* A quota is for the caller to know again, whatever is in front of it. */
static void test_quota(void **state)
{
    struct world *w = *state;
    struct fault full = {.kind = FAULT_REFUSED, .code = 403, .text = "exceeded quota: snippets"};

    fake_kube_fault(w->kube, FAKE_CREATE, KUBE_CONFIGMAP, &full, false, 1);
    ask(w);
    assert_true(!w->well && refusal_is_quota(&w->fault));
}

/* Freed at any moment: no callback, nothing left under way. */
static void test_cancel(void **state)
{
    for (int ms = 0; ms < 30; ms += 5) {
        struct world *w = *state;

        runner_map_ask(w->map, on_answer, w);
        fake_loop_advance(w->loop, ms);
        assert_int_equal(w->answers, ms >= 20);
        runner_map_free(TAKE(w->map));
        fake_loop_advance(w->loop, ENOUGH_MS);
        assert_int_equal(w->answers, ms >= 20);
        tear_down(state);
        assert_int_equal(set_up(state), 0);
    }
}

static void test_name(void **state)
{
    struct runner_program other[2] = {pair[0], pair[1]};
    char name[RUNNER_MAP_NAME], again[RUNNER_MAP_NAME];

    (void)state;
    runner_map_name(pair, 2, name);
    assert_string_equal(name, "execq-runner-7sdv2bn56siq"); /* every build, every version computes the same */
    other[1].bytes = "\177ELF\0othes";
    runner_map_name(other, 2, again);
    assert_string_not_equal(name, again);
    other[1] = pair[1];
    other[1].arch = "riscv64";
    runner_map_name(other, 2, again);
    assert_string_not_equal(name, again);
    runner_map_name(pair, 1, again);
    assert_string_not_equal(name, again);
}

static void test_json(void **state)
{
    _cleanup_(buf_release)
    struct buf json = BUF_INIT(1 << 20);
    _cleanup_(field_putp)
    struct json_object *map = NULL;
    struct json_object *meta, *binary;
    struct fault f;

    (void)state;
    assert_int_equal(runner_map_json(pair, COUNT_OF(pair), &json, &f), 0);
    assert_int_equal(field_parse(json.data, json.len, 8, &map, &f), 0);
    assert_string_equal(field_peek_string(map, "kind"), "ConfigMap");
    assert_true(field_peek_bool(map, "immutable"));
    meta = field_peek(map, "metadata");
    assert_non_null(strstr(field_peek_string(meta, "name"), "execq-runner-"));
    assert_string_equal(field_peek_string(field_peek(meta, "labels"), LABEL_APP), "execq");
    assert_null(field_peek(meta, "ownerReferences"));
    binary = field_peek(map, "binaryData");
    assert_int_equal(json_object_object_length(binary), 2);
    assert_string_equal(field_peek_string(binary, pair[0].arch), there[0].amd64);
    assert_string_equal(field_peek_string(binary, pair[1].arch), there[0].arm64);
}

/* The real ones: static ELF files for what they say, together small enough for a ConfigMap. */
static void test_embedded(void **state)
{
    static const struct {
        const char *arch;
        unsigned char machine;
    } machines[] = {{"amd64", 62}, {"arm64", 183}};
    const struct runner_program *p;
    size_t n = runner_programs(&p), total = 0;

    (void)state;
    assert_true(n >= 1 && n <= 2);
    for (size_t i = 0; i < n; i++) {
        size_t m = 0;

        while (strcmp(machines[m].arch, p[i].arch) != 0)
            assert_true(++m < COUNT_OF(machines));
        assert_true(p[i].len > 16384);
        assert_memory_equal(p[i].bytes, "\177ELF\2\1\1", 7);
        assert_int_equal((unsigned char)p[i].bytes[18], machines[m].machine);
        assert_ptr_equal(runner_program_for(p[i].arch), &p[i]);
        total += p[i].len;
    }
    assert_true(total < 700 * 1024);
#if defined(__x86_64__)
    assert_non_null(runner_program_for("amd64"));
#elif defined(__aarch64__)
    assert_non_null(runner_program_for("arm64"));
#endif
    assert_null(runner_program_for(""));
    assert_null(runner_program_for("s390x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_worker_finds_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_worker_was_quicker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_comes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quota, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_embedded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
