#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "base/mem.h"
#include "k8s/exec.h"
#include "k8s/exec_credential.h"
#include "k8s/kubeconfig.h"

#define V1             "client.authentication.k8s.io/v1"
#define V1BETA1        "client.authentication.k8s.io/v1beta1"
#define TEXT(s)        ((char *)(uintptr_t)(s))
#define ANSWER(status) "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}"

struct world {
    struct loop *loop;
    struct kubeconfig config;
    struct kubeconfig_exec exec;
    char script[64];
    int times;
    struct exec_credential got;
    struct fault fault;
};

static int set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;
    int fd;

    w = (struct world){.script = "/tmp/test-exec-XXXXXX"};
    fd = mkstemp(w.script);
    assert_true(fd >= 0);
    close(fd);
    chmod(w.script, 0700);
    w.exec = (struct kubeconfig_exec){.api_version = TEXT(V1), .command = w.script};
    w.config = (struct kubeconfig){.server = TEXT("https://h"), .exec = &w.exec};
    assert_int_equal(loop_new(&w.loop, &f), 0);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left behind */
    exec_credential_release(&w->got);
    loop_free(w->loop);
    unlink(w->script);
    return 0;
}

static void on_done(void *arg, struct exec_credential *c, const struct fault *f)
{
    struct world *w = arg;

    w->times++;
    assert_true(!c != !f);
    exec_credential_release(&w->got);
    w->fault = f ? *f : (struct fault)FAULT_INIT;
    if (c) {
        w->got = *c;
        *c = (struct exec_credential){0};
    }
    loop_stop(w->loop);
}

static void write_script(struct world *w, const char *text)
{
    int fd = open(w->script, O_WRONLY | O_TRUNC);
    _cleanup_free_ char *whole = mem_format("#!/bin/sh\n%s\n", text);

    assert_int_equal(write(fd, whole, strlen(whole)), (ssize_t)strlen(whole));
    close(fd);
}

static void run(struct world *w, const char *text)
{
    write_script(w, text);
    w->times = 0;
    exec_start(w->loop, &w->config, NULL, 20000, on_done, w);
    assert_int_equal(w->times, 0);
    loop_run(w->loop);
    assert_int_equal(w->times, 1);
}

static void test_good_ones(void **state)
{
    struct world *w = *state;

    run(w, "echo '" ANSWER("\"token\":\"t\"") "'");
    assert_string_equal(w->got.token, "t");
    assert_int_equal(w->got.expires_ms, 0);
    run(w, "sleep 0.05; printf '%s' '" ANSWER("\"token\":\"t2\",\"expirationTimestamp\":\"2026-11-21T09:15:04Z\"") "'");
    assert_string_equal(w->got.token, "t2");
    assert_int_equal(w->got.expires_ms, 1795252504000);
    run(w, "echo '" ANSWER("\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"") "'");
    assert_null(w->got.token);
    assert_string_equal(w->got.cert, "c");
    assert_string_equal(w->got.key, "k");
}

/* What the child finds around it: its arguments, one environment, no input, no descriptors, default signals. */
static void test_surroundings(void **state)
{
    struct world *w = *state;
    char *args[] = {TEXT("--a b"), TEXT(""), NULL}, *env[] = {TEXT("TEST_A=plugin"), TEXT("TEST_B="), NULL};
    int leak[2];

    setenv("TEST_A", "ours", 1);
    setenv("TEST_C", "ours", 1);
    setenv("KUBERNETES_EXEC_INFO", "ours", 1);
    w->exec.args = args;
    w->exec.env = env;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(leak), 0); /* not close-on-exec, as libcurl's own */
    run(w, "test $# = 2 -a \"$1\" = '--a b' -a \"$2\" = '' || exit 11\n"
           "test \"$TEST_A $TEST_B $TEST_C\" = 'plugin  ours' || exit 12\n"
           "test $(env | grep -c ^TEST_A=) = 1 || exit 13\n"
           "test $(env | grep -c ^KUBERNETES_EXEC_INFO=) = 1 || exit 14\n"
           "case \"$KUBERNETES_EXEC_INFO\" in *'\"interactive\":false'*) ;; *) exit 15;; esac\n"
           "read line && exit 16\n"
           "for fd in 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$fd && test \"$(readlink /proc/$$/fd/$fd)\" != \"$0\" "
           "&& exit 17; done\n"
           "test $((0x$(sed -n 's/^SigIgn:.//p' /proc/self/status) & 0x1000)) = 0 || exit 18\n"
           "echo '" ANSWER("\"token\":\"t\"") "'");
    signal(SIGPIPE, SIG_DFL);
    close(leak[0]);
    close(leak[1]);
    if (w->fault.kind != FAULT_NONE)
        fail_msg("%s", w->fault.text);
}

static void test_bad_ones(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *script, *says;
        enum fault_kind kind;
    } rows[] = {
        {"echo hello; exit 3", "exited with 3 (get it there)", FAULT_TRANSIENT},
        {"kill -9 $$", "killed by signal 9", FAULT_TRANSIENT},
        {"true", "not JSON", FAULT_INVALID},
        {"echo '<html>'", "not JSON", FAULT_INVALID},
        {"head -c 2000000 /dev/zero; sleep 100", "its output: more than 1048576 bytes", FAULT_TOO_BIG},
        {"sleep 100 >/dev/null & echo x; exit 4", "exited with 4", FAULT_TRANSIENT},
    };

    w->exec.install_hint = TEXT("get it there");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        run(w, rows[i].script);
        if (w->fault.kind != rows[i].kind || !strstr(w->fault.text, rows[i].says) ||
            !strstr(w->fault.text, "credential plugin /tmp/test-exec"))
            fail_msg("%s: %s", rows[i].script, w->fault.text);
    }
}

static void test_one_that_hangs(void **state)
{
    struct world *w = *state;

    write_script(w, "trap '' TERM; echo x; sleep 100 & sleep 100");
    exec_start(w->loop, &w->config, NULL, 50, on_done, w);
    loop_run(w->loop);
    assert_int_equal(w->times, 1);
    assert_int_equal(w->fault.kind, FAULT_TIMEOUT);
    write_script(w, "sleep 100 & echo x"); /* it ends, but what it started holds on to the pipe */
    exec_start(w->loop, &w->config, NULL, 50, on_done, w);
    loop_run(w->loop);
    assert_int_equal(w->times, 2);
    assert_int_equal(w->fault.kind, FAULT_TIMEOUT);
}

static void test_not_there(void **state)
{
    struct world *w = *state;

    if (getenv("UNDER_VALGRIND")) /* its posix_spawn() does not tell what went wrong */
        skip();
    w->exec.command = TEXT("no-such-plugin-anywhere");
    w->exec.install_hint = TEXT("see https://example.com");
    exec_start(w->loop, &w->config, NULL, 20000, on_done, w);
    loop_run(w->loop);
    assert_int_equal(w->fault.kind, FAULT_INVALID);
    assert_non_null(strstr(w->fault.text, "No such file"));
    assert_non_null(strstr(w->fault.text, "(see https://example.com)"));
    w->exec.always_interactive = true;
    exec_start(w->loop, &w->config, NULL, 20000, on_done, w);
    loop_run(w->loop);
    assert_non_null(strstr(w->fault.text, "needs a terminal"));
}

static void stop(void *arg)
{
    struct world *w = arg;

    loop_stop(w->loop);
}

/* One that hangs is killed with what it started: the pipe it holds open reads as ended. */
static void test_cancel_a_hanging_one(void **state)
{
    struct world *w = *state;
    struct loop_timer *t = NULL;
    int alive[2];
    char c, path[32];
    struct exec *e;

    assert_int_equal(pipe(alive), 0);
    snprintf(path, sizeof(path), "%d", alive[1]);
    {
        _cleanup_free_ char *script = mem_format("exec 9>/proc/%d/fd/%d; sleep 100 & sleep 100", getpid(), alive[1]);

        write_script(w, script);
    }
    e = exec_start(w->loop, &w->config, NULL, 20000, on_done, w);
    loop_after(w->loop, &t, 100, stop, w);
    loop_run(w->loop);
    exec_cancel(&e);
    assert_null(e);
    exec_cancel(&e);
    close(alive[1]);
    assert_int_equal(read(alive[0], &c, 1), 0);
    close(alive[0]);
    assert_int_equal(w->times, 0);
}

/* Pure. */

static void test_answers(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        /* clang-format off */
        {"[]", "printed no JSON object"},
        {"{\"apiVersion\":\"" V1 "\"}", "field \"kind\" is missing"},
        {"{\"apiVersion\":\"" V1 "\",\"kind\":\"Pod\"}", "printed a Pod"},
        {"{\"apiVersion\":\"" V1BETA1 "\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}", "but was asked in"},
        {"{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\"}", "field \"status\" is missing"},
        {ANSWER(""), "neither a token nor a certificate"},
        {ANSWER("\"token\":\"\""), "neither a token nor a certificate"},
        {ANSWER("\"token\":7"), "must be of type string"},
        {ANSWER("\"token\":\"a\\r\\nX: y\""), "holds white space"},
        {ANSWER("\"token\":\"t\",\"clientKeyData\":\"k\""), "a key without its certificate"},
        {ANSWER("\"clientCertificateData\":\"c\""), "a certificate without its key"},
        {ANSWER("\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\""), "is no time"},
        /* clang-format on */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct exec_credential c = {0};
        struct fault f = FAULT_INIT;

        if (exec_parse(rows[i].text, strlen(rows[i].text), V1, &c, &f) == 0 || !strstr(f.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, f.text);
        assert_null(c.token);
    }
}

static void test_info(void **state)
{
    struct world *w = *state;
    char *info = exec_info(&w->config, "ca");

    assert_string_equal(info,
                        "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false}}");
    free(info);
    w->exec.provide_cluster_info = true;
    w->config.tls_server_name = TEXT("n");
    w->config.proxy_url = TEXT("http://p");
    info = exec_info(&w->config, "ca");
    assert_string_equal(info, "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false,"
                              "\"cluster\":{\"server\":\"https://h\",\"tls-server-name\":\"n\","
                              "\"certificate-authority-data\":\"Y2E=\",\"proxy-url\":\"http://p\"}}}");
    free(info);
}

#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_good_ones),      WITH_WORLD(test_surroundings), WITH_WORLD(test_bad_ones),
        WITH_WORLD(test_one_that_hangs), WITH_WORLD(test_not_there),    WITH_WORLD(test_cancel_a_hanging_one),
        cmocka_unit_test(test_answers),  WITH_WORLD(test_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
