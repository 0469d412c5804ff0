#include "unit/check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "worker/config.h"

enum { MOST = 8 };

static int load(struct config *c, const char *const flags[], const char *const environment[], struct fault *f)
{
    char *argv[MOST + 2] = {(char *)"execq-worker"}, *env[MOST + 1] = {NULL};
    enum config_action action;
    int argc = 1;

    for (int i = 0; flags && flags[i]; i++)
        argv[argc++] = (char *)(uintptr_t)flags[i];
    for (int i = 0; environment && environment[i]; i++)
        env[i] = (char *)(uintptr_t)environment[i];
    *c = (struct config)CONFIG_INIT;
    *f = (struct fault)FAULT_INIT;
    return config_load(c, argc, argv, env, &action, f);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_presets(void **state)
{
    struct config c;
    struct fault f;

    (void)state;
    assert_int_equal(load(&c, NULL, NULL, &f), 0);
    assert_int_equal(c.slots, 64);
    assert_int_equal(c.timeout_ms, 300000);
    assert_int_equal(c.memory_bytes, 512 << 20);
    assert_int_equal(c.cpu_request_milli, 200);
    assert_string_equal(c.runtime_class, "gvisor");
    assert_true(c.seccomp);
    assert_string_equal(languages_find(&c.languages, "python")->image, "python:3.11-slim");
    config_release(&c);
}

static void test_order_of_sources(void **state)
{
    char path[] = "/tmp/execq-config-XXXXXX", file_flag[64];
    int fd = mkstemp(path);
    struct config c;
    struct fault f;

    (void)state;
    assert_true(fd >= 0);
    dprintf(fd, "# a comment\n\n  slots = 3  \nqueue=from-file\ngrace = 1m\n");
    close(fd);
    snprintf(file_flag, sizeof(file_flag), "--config=%s", path);
    assert_int_equal(load(&c, LIST(file_flag, "--slots", "5"), LIST("EXECQ_SLOTS=4", "EXECQ_QUEUE=from-env"), &f), 0);
    assert_int_equal(c.slots, 5);
    assert_string_equal(c.queue, "from-env");
    assert_int_equal(c.grace_ms, 60000);
    config_release(&c);
    unlink(path);
}

static const struct {
    const char *const *flags, *const *environment;
    const char *says;
} bad[] = {
    {LIST("--slotz", "3"), NULL, "unknown option --slotz"},
    {LIST("slots"), NULL, "unknown option slots"},
    {LIST("--slots"), NULL, "--slots needs a value"},
    {LIST("--slots", "many"), NULL, "--slots: \"many\""},
    {LIST("--slots=0"), NULL, "--slots: \"0\" is out of range"},
    {LIST("--slots=12x"), NULL, "--slots"},
    {NULL, LIST("EXECQ_SLOTS=-1"), "EXECQ_SLOTS"},
    {NULL, LIST("EXECQ_LEASE=1 day"), "EXECQ_LEASE"},
    {NULL, LIST("EXECQ_MEMORY=lots"), "EXECQ_MEMORY"},
    {LIST("--queue", "a b"), NULL, "--queue"},
    {LIST("--queue", ""), NULL, "queue must not be empty"},
    {LIST("--log-level", "loud"), NULL, "--log-level"},
    {LIST("--log-format", "xml"), NULL, "--log-format"},
    {LIST("--seccomp", "maybe"), NULL, "--seccomp"},
    {LIST("--language", "ruby"), NULL, "--language"},
    {LIST("--language", "ruby=ruby:3"), NULL, "--language"},
    {LIST("--language", "ruby=ruby:3,../code,ruby"), NULL, "plain file name"},
    {LIST("--timeout", "2h"), NULL, "timeout is over timeout-max"},
    {LIST("--worker-name", "-x"), NULL, "worker-name"},
    {LIST("--node-arch", "s390x"), NULL, "node-arch \"s390x\": this program carries a runner for a"},
    {LIST("--node-arch", ""), NULL, "node-arch"},
    {LIST("--runner-path", "bin/runner"), NULL, "runner-path must be an absolute path"},
    {LIST("--canary", "python,ruby"), NULL, "canary: there is no probe for the language \"ruby\""},
    {LIST("--allow-open-network", "perhaps"), NULL, "--allow-open-network"},
    {LIST("--doctor=xml"), NULL, "unknown option --doctor"},
    {LIST("--config", "/nonexistent/file"), NULL, "/nonexistent/file"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct config c;
        struct fault f;

        row_true(bad[i].says, load(&c, bad[i].flags, bad[i].environment, &f) == -1);
        if (!strstr(f.text, bad[i].says))
            fail_msg("\"%s\" does not say \"%s\"", f.text, bad[i].says);
        config_release(&c);
    }
}

static void test_file_errors_have_a_line(void **state)
{
    static const char text[] = "slots = 3\nnonsense = 1\n";
    struct config c;
    struct fault f;

    (void)state;
    assert_int_equal(load(&c, NULL, NULL, &f), 0);
    assert_int_equal(config_read_text(&c, "w.conf", text, strlen(text), &f), -1);
    assert_string_equal(f.text, "w.conf:2: unknown setting \"nonsense\"");
    assert_int_equal(config_read_text(&c, "w.conf", "slots 3", 7, &f), -1);
    assert_int_equal(config_read_text(&c, "w.conf", "slots = 3\0 4", 12, &f), -1);
    config_release(&c);
}

static void test_languages(void **state)
{
    const struct language *l;
    struct config c;
    struct fault f;

    (void)state;
    assert_int_equal(load(&c,
                          LIST("--language", "ruby=ruby:3.3,code.rb,ruby,-W,/app/code.rb", "--language",
                               "python=mypython:1,main.py,python3,/app/main.py"),
                          NULL, &f),
                     0);
    l = languages_find(&c.languages, "ruby");
    assert_non_null(l);
    assert_string_equal(l->argv[1], "-W");
    assert_string_equal(l->argv[2], "/app/code.rb");
    assert_null(l->argv[3]);
    assert_string_equal(languages_find(&c.languages, "python")->image, "mypython:1");
    assert_null(languages_find(&c.languages, "cobol"));
    config_release(&c);
}

/* Nodes for which no runner is built in are fine where the images have one. */
static void test_runner_in_the_image(void **state)
{
    struct config c;
    struct fault f;

    (void)state;
    assert_int_equal(load(&c, LIST("--node-arch", "s390x", "--runner-path", "/opt/runner"), NULL, &f), 0);
    config_release(&c);
}

static void test_images(void **state)
{
    struct config c;
    struct fault f;

    (void)state;
    assert_int_equal(load(&c, LIST("--images", "alpine:3, mine/*,exact"), NULL, &f), 0);
    assert_true(config_allows_image(&c, "python:3.11-slim"));
    assert_true(config_allows_image(&c, "alpine:3"));
    assert_true(config_allows_image(&c, "mine/a:1"));
    assert_true(config_allows_image(&c, "exact"));
    assert_false(config_allows_image(&c, "exactly"));
    assert_false(config_allows_image(&c, "alpine:33"));
    assert_false(config_allows_image(&c, "evil/mine/a"));
    assert_false(config_allows_image(&c, ""));
    config_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_order_of_sources),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_file_errors_have_a_line),
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_runner_in_the_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
