#include "check.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "k8s/manifest.h"

/* Golden files in tests/data, compared as JSON. After a change that is meant: EXECQ_WRITE_GOLDEN=1 writes them anew,
 * and the difference is for review. */

static const char *const argv[] = {"python3", "/app/code.py", NULL};
static const char *const odd_argv[] = {"$(HOME)", "a$$b $", "x", NULL};
static const struct manifest_file files[] = {{"code.py", "print('h\xc3\xa4')\n", 13}, {".plan", "plan\n", 5}};

static struct manifest plain(void)
{
    return (struct manifest){
        .name = "execq-abc-1",
        .worker = "w-1",
        .uid = "0f8c",
        .id = "req:1",
        .queue = "default",
        .digest = "sha256",
        .token = "17",
        .image = "python:3.11-slim",
        .argv = argv,
        .files = files,
        .file_count = 2,
        .runner_map = "execq-runner-1",
        .runner_key = "amd64",
        .cpu_milli = 500,
        .cpu_request_milli = 200,
        .memory_bytes = 512 << 20,
        .memory_request_bytes = 256 << 20,
        .disk_bytes = 256 << 20,
        .start_s = 120,
        .run_s = 300,
        .ttl_s = 300,
        .run_as = 65532,
        .seccomp = true,
    };
}

static struct manifest full(void)
{
    struct manifest m = plain();

    m.argv = odd_argv;
    m.runner_map = m.runner_key = NULL;
    m.cpu_request_milli = 0;
    m.memory_request_bytes = 0;
    m.disk_bytes = 1 << 20;
    m.runtime_class = "gvisor";
    m.gvisor_toleration = true;
    m.service_account = "runner";
    m.priority_class = "low";
    m.node_arch = "amd64";
    m.seccomp = false;
    m.network = true;
    return m;
}

static void check_golden(const char *name, const struct buf *made)
{
    _cleanup_free_ char *path = mem_format("%s/%s.json", TEST_DATA, name);
    _cleanup_(field_putp)
    struct json_object *have = NULL, *want = NULL;
    struct fault f = FAULT_INIT;

    assert_int_equal(field_parse(made->data, made->len, 32, &have, &f), 0);
    if (getenv("EXECQ_WRITE_GOLDEN"))
        json_object_to_file_ext(path, have, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    want = json_object_from_file(path);
    assert_non_null(want);
    if (!json_object_equal(have, want))
        fail_msg("%s: %s", path, json_object_to_json_string_ext(have, JSON_C_TO_STRING_PRETTY));
}

static void test_golden(void **state)
{
    static const struct manifest_file mixed[] = {{"code.py", "\x00\xff\x7f", 3}, {".plan", "plan\n", 5}};
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(1 << 20);
    struct manifest m = plain();
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(manifest_job(&m, &b, &f), 0);
    check_golden("job_plain", &b);
    buf_clear(&b);
    assert_int_equal(manifest_configmap(&m, "job-uid", &b, &f), 0);
    check_golden("configmap_text", &b);
    buf_clear(&b);
    m.files = mixed;
    assert_int_equal(manifest_configmap(&m, "job-uid", &b, &f), 0);
    check_golden("configmap_binary", &b);
    buf_clear(&b);
    m = full();
    assert_int_equal(manifest_job(&m, &b, &f), 0);
    check_golden("job_full", &b);
    buf_clear(&b);
    assert_int_equal(manifest_runner_map("execq-runner-1", mixed, 2, &b, &f), 0);
    check_golden("configmap_runner", &b);
}

static void refuses_job(const struct manifest *m, const char *says)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(1 << 20);
    struct fault f = FAULT_INIT;

    assert_int_equal(manifest_job(m, &b, &f), -1);
    assert_int_equal(b.len, 0);
    if (!strstr(f.text, says))
        fail_msg("%s", f.text);
}

static void test_refusals(void **state)
{
    static const char *const names[] = {"", ".", "..", "..x", "a/b", "a b"};
    struct manifest_file file = {"code.py", "x", 1};
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(4 << 20);
    struct fault f = FAULT_INIT;
    struct manifest m = plain();
    char *big;

    (void)state;
    m.name = "a-name-of-64-characters-is-one-too-many-to-become-a-label-0123456";
    refuses_job(&m, "a Job's name");
    m = plain();
    m.worker = "not a label";
    refuses_job(&m, "must fit a label");
    m = plain();
    m.run_as = 0;
    refuses_job(&m, "never runs as root");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        m = plain();
        file.name = names[i];
        m.files = &file;
        m.file_count = 1;
        assert_int_equal(manifest_configmap(&m, "u", &b, &f), -1);
        assert_int_equal(f.kind, FAULT_INVALID);
    }
    m = plain();
    file = (struct manifest_file){.name = "x", .len = 1 << 20};
    file.bytes = big = mem_zero(file.len, 1);
    m.files = &file;
    m.file_count = 1;
    assert_int_equal(manifest_configmap(&m, "u", &b, &f), -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
    file.len--; /* as much as there may be, and not UTF-8: a third longer in base64 */
    assert_int_equal(manifest_configmap(&m, "u", &b, &f), 0);
    memset(big, 1, file.len); /* UTF-8, and six characters of JSON each: an API server takes no more than 3 MiB */
    buf_clear(&b);
    assert_int_equal(manifest_configmap(&m, "u", &b, &f), 0);
    assert_true(b.len < 3 << 20);
    memset(big, '\n', file.len);
    buf_clear(&b);
    assert_int_equal(manifest_configmap(&m, "u", &b, &f), 0);
    assert_true(b.len < 3 << 20 && strstr(buf_str(&b), "\"data\""));
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
