/* What each end of a probe means: above all those that no healthy cluster can be made to show. */
#include "unit/check.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "queue/request.h"
#include "worker/probe.h"

#define SERVER "https://10.0.0.1:6443"

static void begin(struct config *c)
{
    char *const argv[] = {(char *)"execq-worker", NULL}, *const environment[] = {NULL};
    enum config_action action;
    struct fault f = FAULT_INIT;

    *c = (struct config)CONFIG_INIT;
    assert_int_equal(config_load(c, 1, argv, environment, &action, &f), 0);
}

/* --- which probes ------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *list;
    const char *names; /* NULL: a fault ... */
    const char *fault; /* ... that says this */
} lists[] = {
    {"", "", NULL},
    {" , ", "", NULL},
    {"python", "python timeout memory network ", NULL},
    {" bash ,c++", "bash cxx timeout memory network ", NULL},
    {"python,bash,node,go,c,c++,java,rust", "python bash node go c cxx java rust timeout memory network ", NULL},
    {"ruby", NULL, "\"ruby\", only for python, bash, node, go, c, c++, java, rust"},
    {"pythonpythonpythonpythonpythonpython", NULL, "no probe for the language"},
    {"c,c,c,c,c,c,c,c,c,c,c,c,c,c,c,c,c", NULL, "more than 16"},
};
/* clang-format on */

static void test_lists(void **state)
{
    struct config c;

    (void)state;
    begin(&c);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct probe probes[PROBES_MAX];
        struct fault f = FAULT_INIT;
        char names[256] = "";
        size_t n = 99;
        int r = probes_of(lists[i].list, &c.languages, probes, &n, &f);

        row_true(lists[i].list, (r == 0) == (lists[i].names != NULL));
        for (size_t k = 0; r == 0 && k < n; k++)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ", probe_name(&probes[k]));
        row_true(lists[i].list, r < 0 || strcmp(names, lists[i].names) == 0);
        row_true(lists[i].list, r == 0 || (f.kind == FAULT_INVALID && strstr(f.text, lists[i].fault)));
        row_true(lists[i].list, r == 0 || n == 99);
    }
    config_release(&c);
}

/* Each is a request that the worker's own parser takes. */
static void test_requests(void **state)
{
    const struct request_limits limits = {.payload_max = 1 << 20,
                                          .timeout_ms = 300000,
                                          .cpu_milli = 500,
                                          .memory_bytes = 512 << 20,
                                          .disk_bytes = 256 << 20,
                                          .output_bytes = 1 << 20,
                                          .result_ttl_s = 3600};
    static const char *const firsts[] = {"python,bash,node,go,c,c++,java,rust", "bash"};
    struct config c;

    (void)state;
    begin(&c);
    for (size_t k = 0; k < COUNT_OF(firsts); k++) {
        struct probe probes[PROBES_MAX];
        struct fault f = FAULT_INIT;
        size_t n;

        assert_int_equal(probes_of(firsts[k], &c.languages, probes, &n, &f), 0);
        for (size_t i = 0; i < n; i++) {
            _cleanup_(buf_release)
            struct buf json = BUF_INIT(PROBE_JSON_MAX);
            _cleanup_(request_freep)
            struct request *r = NULL;
            _cleanup_free_ char *id = NULL;
            const char *row = probe_name(&probes[i]);

            assert_int_equal(probe_request(&probes[i], "canary:w:x", SERVER, 2, &json, &f), 0);
            if (request_parse(buf_str(&json), json.len, &limits, &r, &id, &f) < 0)
                fail_msg("%s: %s", row, f.text);
            row_true(row, strcmp(r->language, probes[i].language) == 0);
            row_true(row, r->timeout_ms == (probes[i].kind == PROBE_TIMEOUT ? 2000 : 30000));
            row_true(row, r->memory_bytes == (probes[i].kind == PROBE_MEMORY ? PROBE_MEMORY_BYTES : 512 << 20));
            row_true(row, (r->argv == NULL) == (probes[i].kind == PROBE_LANGUAGE || k == 0));
        }
    }
    config_release(&c);
}

/* clang-format off */
static const struct { const char *url, *host, *port; } servers[] = {
    {"https://10.0.0.1:6443", "10.0.0.1", "6443"},
    {"https://api.example", "api.example", "443"},
    {"https://api.example/k8s/c-1", "api.example", "443"},
    {"https://api.example:8443/k8s", "api.example", "8443"},
    {"https://[fd00::1]:6443", "fd00::1", "6443"},
    {"https://[fd00::1]", "fd00::1", "443"},
    {"https://[fd00::1", "fd00::1", "443"},
};
/* clang-format on */

static void test_the_servers_address(void **state)
{
    const struct probe p = {.kind = PROBE_NETWORK, .language = "python"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        _cleanup_(buf_release)
        struct buf json = BUF_INIT(PROBE_JSON_MAX);
        struct json_object *o, *args;
        struct fault f;

        assert_int_equal(probe_request(&p, "x", servers[i].url, 1, &json, &f), 0);
        o = json_tokener_parse(buf_str(&json));
        args = field_peek(o, "args");
        row_true(servers[i].url,
                 strcmp(json_object_get_string(json_object_array_get_idx(args, 0)), servers[i].host) == 0);
        row_true(servers[i].url,
                 strcmp(json_object_get_string(json_object_array_get_idx(args, 1)), servers[i].port) == 0);
        json_object_put(o);
    }
}

/* --- what they mean ------------------------------------------------------------------------------------------------
 */

#define BYTES(s) .report = true, .out = (s)

/* clang-format off */
static const struct judged {
    const char *name;
    enum probe_kind kind;
    enum status status;
    enum finding_state expected;
    const char *says;  /* in the text or the advice; NULL: whatever */
    int exit_code;
    enum reason reason;
    bool hopeless, report, network, allow, killed;
    int64_t timeout_s;
    const char *out, *err;
} judged[] = {
    /* languages */
    {"as it should be", PROBE_LANGUAGE, STATUS_NONZERO_EXIT, FINDING_WELL, NULL, .exit_code = 3, BYTES("out\n"), .err = "err\n"},
    {"stderr is lost", PROBE_LANGUAGE, STATUS_NONZERO_EXIT, FINDING_BAD, "stderr \"\"", .exit_code = 3, BYTES("out\n")},
    {"stdout is lost", PROBE_LANGUAGE, STATUS_NONZERO_EXIT, FINDING_BAD, "stdout \"\"", .exit_code = 3, BYTES(""), .err = "err\n"},
    {"streams in one", PROBE_LANGUAGE, STATUS_NONZERO_EXIT, FINDING_BAD, "mixed", .exit_code = 3, BYTES("out\nerr\n")},
    {"the wrong way round", PROBE_LANGUAGE, STATUS_NONZERO_EXIT, FINDING_BAD, "mixed", .exit_code = 3, BYTES("err\n"), .err = "out\n"},
    {"something between", PROBE_LANGUAGE, STATUS_NONZERO_EXIT, FINDING_BAD, NULL, .exit_code = 3, BYTES("hello\nout\n"), .err = "err\n"},
    {"another exit code", PROBE_LANGUAGE, STATUS_NONZERO_EXIT, FINDING_BAD, "exit code 1", .exit_code = 1, BYTES("out\n"), .err = "err\n"},
    {"exit code lost", PROBE_LANGUAGE, STATUS_OK, FINDING_BAD, "arrived as ok", .exit_code = 0, BYTES("out\n"), .err = "err\n"},
    {"does not compile", PROBE_LANGUAGE, STATUS_COMPILE_ERROR, FINDING_BAD, "compile-timeout", .exit_code = 1, BYTES("")},
    {"out of memory", PROBE_LANGUAGE, STATUS_OOM, FINDING_BAD, "memory", .exit_code = -1},
    {"for ever", PROBE_LANGUAGE, STATUS_TIMEOUT, FINDING_BAD, "cpu", .exit_code = -1, BYTES("")},
    {"a node that is stuck", PROBE_LANGUAGE, STATUS_TIMEOUT, FINDING_PASSING, "overloaded", .exit_code = -1},
    {"no such program", PROBE_LANGUAGE, STATUS_INFRA_ERROR, FINDING_BAD, "setting language", .exit_code = -1, .reason = REASON_START, .hopeless = true},
    /* our side */
    {"api", PROBE_LANGUAGE, STATUS_INFRA_ERROR, FINDING_PASSING, "Role", .exit_code = -1, .reason = REASON_API},
    {"quota", PROBE_TIMEOUT, STATUS_INFRA_ERROR, FINDING_PASSING, "ResourceQuota", .exit_code = -1, .reason = REASON_QUOTA},
    {"no node", PROBE_MEMORY, STATUS_INFRA_ERROR, FINDING_PASSING, "node-arch", .exit_code = -1, .reason = REASON_UNSCHEDULABLE},
    {"no image yet", PROBE_NETWORK, STATUS_INFRA_ERROR, FINDING_PASSING, "pull", .exit_code = -1, .reason = REASON_IMAGE_PULL},
    {"no image ever", PROBE_NETWORK, STATUS_INFRA_ERROR, FINDING_BAD, "pull", .exit_code = -1, .reason = REASON_IMAGE_PULL, .hopeless = true},
    {"did not start", PROBE_LANGUAGE, STATUS_INFRA_ERROR, FINDING_PASSING, "node-arch", .exit_code = -1, .reason = REASON_START},
    {"refused by Pod Security", PROBE_LANGUAGE, STATUS_INFRA_ERROR, FINDING_BAD, "Pod Security", .exit_code = -1, .reason = REASON_ADMISSION, .hopeless = true},
    {"evicted", PROBE_MEMORY, STATUS_INFRA_ERROR, FINDING_PASSING, "evicted", .exit_code = -1, .reason = REASON_EVICTED},
    {"node lost", PROBE_TIMEOUT, STATUS_INFRA_ERROR, FINDING_PASSING, "node_lost", .exit_code = -1, .reason = REASON_NODE_LOST},
    {"log lost", PROBE_LANGUAGE, STATUS_INFRA_ERROR, FINDING_PASSING, "logs", .exit_code = -1, .reason = REASON_LOG_LOST},
    {"drained", PROBE_LANGUAGE, STATUS_INFRA_ERROR, FINDING_PASSING, "disrupted", .exit_code = -1, .reason = REASON_DISRUPTED},
    {"does not fit", PROBE_LANGUAGE, STATUS_REJECTED, FINDING_BAD, "rejected", .exit_code = -1, .hopeless = true},
    /* timeout */
    {"in time", PROBE_TIMEOUT, STATUS_TIMEOUT, FINDING_WELL, NULL, .exit_code = -1, BYTES("out\n")},
    {"nothing yet", PROBE_TIMEOUT, STATUS_TIMEOUT, FINDING_PASSING, "overloaded", .exit_code = -1, BYTES(""), .timeout_s = 2},
    {"nothing at all", PROBE_TIMEOUT, STATUS_TIMEOUT, FINDING_BAD, "keep what it printed", .exit_code = -1, BYTES(""), .timeout_s = 4},
    {"never ended", PROBE_TIMEOUT, STATUS_OK, FINDING_BAD, "arrived as ok", .exit_code = 0, BYTES("out\n")},
    {"killed", PROBE_TIMEOUT, STATUS_SIGNAL, FINDING_BAD, "arrived as signal", .exit_code = -1, BYTES("out\n")},
    {"a node that is stuck", PROBE_TIMEOUT, STATUS_TIMEOUT, FINDING_PASSING, NULL, .exit_code = -1, .timeout_s = 4},
    /* memory */
    {"oom", PROBE_MEMORY, STATUS_OOM, FINDING_WELL, NULL, .exit_code = -1},
    {"only an exit code", PROBE_MEMORY, STATUS_INFRA_ERROR, FINDING_BAD, "OOMKilled", .exit_code = -1, .reason = REASON_DISRUPTED, .killed = true},
    {"drained", PROBE_MEMORY, STATUS_INFRA_ERROR, FINDING_PASSING, NULL, .exit_code = -1, .reason = REASON_DISRUPTED},
    {"a signal", PROBE_MEMORY, STATUS_SIGNAL, FINDING_BAD, "OOMKilled", .exit_code = -1, BYTES("")},
    {"exit code 137", PROBE_MEMORY, STATUS_NONZERO_EXIT, FINDING_BAD, "exit code 137", .exit_code = 137, BYTES("")},
    {"no limit", PROBE_MEMORY, STATUS_OK, FINDING_BAD, "not enforced", .exit_code = 0, BYTES("held\n")},
    {"swaps", PROBE_MEMORY, STATUS_TIMEOUT, FINDING_BAD, "swap", .exit_code = -1, BYTES("")},
    /* network */
    {"closed", PROBE_NETWORK, STATUS_OK, FINDING_WELL, "closed", .exit_code = 0, BYTES("kernel Linux 6\nlooked\n"), .network = true},
    {"closed by the runner", PROBE_NETWORK, STATUS_OK, FINDING_WELL, "by the runner", .exit_code = 0, BYTES("looked\n")},
    {"open", PROBE_NETWORK, STATUS_OK, FINDING_BAD, "the API server (h:1), the internet (i:2)", .exit_code = 0, BYTES("open the API server (h:1)\nopen the internet (i:2)\nlooked\n"), .network = true},
    {"open, it says what to do", PROBE_NETWORK, STATUS_OK, FINDING_BAD, "NetworkPolicy", .exit_code = 0, BYTES("open a\nlooked\n")},
    {"open and allowed", PROBE_NETWORK, STATUS_OK, FINDING_WARNING, "allow-open-network", .exit_code = 0, BYTES("open a\nlooked\n"), .allow = true},
    {"half a look", PROBE_NETWORK, STATUS_OK, FINDING_WARNING, "could not look", .exit_code = 0, BYTES("kernel x\n"), .network = true},
    {"nothing to look with, isolated", PROBE_NETWORK, STATUS_OK, FINDING_WELL, "the runner gives", .exit_code = 0, BYTES("nothing to look with\n")},
    {"nothing to look with", PROBE_NETWORK, STATUS_OK, FINDING_WARNING, "could not look", .exit_code = 0, BYTES("nothing to look with\n"), .network = true},
    {"no shell in the image", PROBE_NETWORK, STATUS_INVALID, FINDING_WARNING, "could not look", .exit_code = -1, BYTES(""), .network = true},
    {"crashed", PROBE_NETWORK, STATUS_NONZERO_EXIT, FINDING_WARNING, "could not look", .exit_code = 1, BYTES(""), .network = true},
};
/* clang-format on */

static void test_judged(void **state)
{
    struct config c;

    (void)state;
    begin(&c);
    for (size_t i = 0; i < COUNT_OF(judged); i++) {
        const struct judged *row = &judged[i];
        struct probe p = {.kind = row->kind, .language = "python"};
        struct verdict v = {.status = row->status,
                            .reason = row->reason,
                            .hopeless = row->hopeless,
                            .exit_code = row->exit_code,
                            .signal = row->status == STATUS_SIGNAL ? 9 : -1};
        struct report_run run = {.out = {.bytes = (char *)(row->out ? row->out : "")},
                                 .err = {.bytes = (char *)(row->err ? row->err : "")}};
        struct report report = {.run = &run, .network = row->network};
        struct probe_end end = {.verdict = &v,
                                .report = row->report ? &report : NULL,
                                .killed = row->killed,
                                .timeout_s = row->timeout_s ? row->timeout_s : 1};
        struct finding f = {.check = "x"};

        run.out.len = strlen(run.out.bytes);
        run.err.len = strlen(run.err.bytes);
        c.allow_open_network = row->allow;
        probe_judge(&p, &c, &end, &f);
        if (f.state != row->expected)
            fail_msg("row \"%s\": %s, not %s: %s", row->name, finding_state_name(f.state),
                     finding_state_name(row->expected), f.text);
        if (row->says && !strstr(f.text, row->says) && !strstr(f.advice, row->says))
            fail_msg("row \"%s\": \"%s\" is not in \"%s\" -> \"%s\"", row->name, row->says, f.text, f.advice);
        row_true(row->name, *f.text);
        row_true(row->name, f.state < FINDING_BAD || *f.advice || row->status == STATUS_REJECTED);
    }
    config_release(&c);
}

/* --- the kernel ------------------------------------------------------------------------------------------------- */

#define OLD_GVISOR "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016"
#define NEW_GVISOR "Linux version 4.19.0-gvisor #1 SMP"
#define LINUX      "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)"

/* clang-format off */
static const struct {
    const char *name, *runtime_class, *out;
    bool told;
    enum finding_state state;
} kernels[] = {
    {"gvisor is gvisor", "gvisor", "kernel " OLD_GVISOR "\nlooked\n", true, FINDING_WELL},
    {"a later one", "my-runsc", "kernel " NEW_GVISOR "\nlooked\n", true, FINDING_WELL},
    {"gvisor is not", "gvisor", "kernel " LINUX "\nlooked\n", true, FINDING_WARNING},
    {"none is asked for", "", "kernel " LINUX "\nlooked\n", false, FINDING_WELL},
    {"by default", "", "kernel " NEW_GVISOR "\n", true, FINDING_WELL},
    {"not known", "gvisor", "looked\n", false, FINDING_WELL},
    {"empty", "gvisor", "kernel \nlooked\n", false, FINDING_WELL},
};
/* clang-format on */

static void test_kernels(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kernels); i++) {
        struct config c = {.runtime_class = (char *)kernels[i].runtime_class};
        struct report_run run = {.out = {.bytes = (char *)kernels[i].out, .len = strlen(kernels[i].out)}};
        struct report report = {.run = &run};
        struct verdict v = {.status = STATUS_OK};
        struct finding f = {.check = ""};

        row_true(kernels[i].name,
                 probe_judge_runtime(&c, &(struct probe_end){.verdict = &v, .report = &report}, &f) == kernels[i].told);
        row_true(kernels[i].name, !kernels[i].told || f.state == kernels[i].state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),  cmocka_unit_test(test_requests), cmocka_unit_test(test_the_servers_address),
        cmocka_unit_test(test_judged), cmocka_unit_test(test_kernels),
    };

    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
