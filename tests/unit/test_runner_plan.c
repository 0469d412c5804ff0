/* The runner's own reading of a plan, and that it reads what the worker writes. */
#include "unit/check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "runner/plan.h"
#include "worker/plan.h"

static int parse(const char *text, size_t len, struct plan *p, struct why *why)
{
    static char *bytes; /* as long as the plan of the test that runs */

    free(bytes);
    bytes = mem_bytes(text, len);
    return plan_parse(bytes, len, p, why);
}

#define MINIMAL "cwd 2\n/w\narg 4\ntrue\n"

static void refuses(void **state)
{
    /* clang-format off */
    static const struct { const char *row, *plan, *word; } rows[] = {
        {"nothing", "", "first line"},
        {"another version", "execq-plan 2\nend 0\n\n", "first line"},
        {"cut first line", "execq-plan 1", "first line"},
        {"no end", "execq-plan 1\n" MINIMAL, "no name"},
        {"no argv", "execq-plan 1\ncwd 2\n/w\nend 0\n\n", "no arg"},
        {"no cwd", "execq-plan 1\narg 1\nx\nend 0\n\n", "no cwd"},
        {"behind the end", "execq-plan 1\n" MINIMAL "end 0\n\n\n", "behind its end"},
        {"end with content", "execq-plan 1\n" MINIMAL "end 1\nx\n", "behind its end"},
        {"unknown", "execq-plan 1\n" MINIMAL "frobnicate 0\n\nend 0\n\n", "frobnicate"},
        {"name too long", "execq-plan 1\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0\n\nend 0\n\n", "no name"},
        {"capitals", "execq-plan 1\nARG 0\n\n", "no name"},
        {"no length", "execq-plan 1\narg \nx\n", "length"},
        {"length with a zero", "execq-plan 1\narg 04\ntrue\n", "length"},
        {"negative length", "execq-plan 1\narg -1\n\n", "length"},
        {"nine digits", "execq-plan 1\narg 000000001\nx\n", "length"},
        {"length of more than there is", "execq-plan 1\narg 99999999\nx\n", "cut"},
        {"length too short", "execq-plan 1\narg 3\ntrue\n", "length it says"},
        {"length too long by one", "execq-plan 1\narg 5\ntrue\nend 0\n\n", "length it says"},
        {"env without =", "execq-plan 1\nenv 1\nA\n", "NAME=VALUE"},
        {"env without a name", "execq-plan 1\nenv 2\n=A\n", "NAME=VALUE"},
        {"relative cwd", "execq-plan 1\ncwd 1\nw\n", "absolute"},
        {"two cwd", "execq-plan 1\ncwd 1\n/\ncwd 1\n/\n", "twice"},
        {"two timeouts", "execq-plan 1\ntimeout-ms 1\n5\ntimeout-ms 1\n5\n", "twice"},
        {"timeout 0", "execq-plan 1\ntimeout-ms 1\n0\n", "from 1 to"},
        {"timeout of letters", "execq-plan 1\ntimeout-ms 2\n5s\n", "from 1 to"},
        {"timeout with a zero", "execq-plan 1\ntimeout-ms 2\n05\n", "from 1 to"},
        {"timeout too long", "execq-plan 1\ntimeout-ms 8\n86400001\n", "from 1 to"},
        {"number that overflows", "execq-plan 1\ndisk-bytes 20\n99999999999999999999\n", "from 0 to"},
        {"empty number", "execq-plan 1\ntimeout-ms 0\n\n", "from 1 to"},
        {"absolute file", "execq-plan 1\nfile 2\n/x\n", "no path below"},
        {"empty file", "execq-plan 1\nfile 0\n\n", "no path below"},
        {"..", "execq-plan 1\nfile 4\na/..\n", "no path below"},
        {".. first", "execq-plan 1\nfile 4\n../a\n", "no path below"},
        {".", "execq-plan 1\nfile 3\n./a\n", "no path below"},
        {"two slashes", "execq-plan 1\nfile 4\na//b\n", "no path below"},
        {"slash at the end", "execq-plan 1\nfile 2\na/\n", "no path below"},
        {"too deep", "execq-plan 1\nfile 65\na/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a\n", "deeper"},
        {"mode without a file", "execq-plan 1\nfile-mode 3\n644\n", "before any file"},
        {"mode of letters", "execq-plan 1\nfile 1\na\nfile-mode 3\nrwx\n", "octal"},
        {"mode 1777", "execq-plan 1\nfile 1\na\nfile-mode 4\n1777\n", "octal"},
        {"mode with sign", "execq-plan 1\nfile 1\na\nfile-mode 2\n-1\n", "octal"},
        {"case-stdin without a case", "execq-plan 1\ncase-stdin 1\nx\n", "before any case"},
        {"case with content", "execq-plan 1\ncase 1\nx\n", "not empty"},
        {"compare", "execq-plan 1\ncase 0\n\ncase-compare 4\nsame\n", "exact, trimmed or tokens"},
        {"short digest", "execq-plan 1\ncase 0\n\ncase-digest 4\nabcd\n", "hexadecimal"},
        {"digest in capitals", "execq-plan 1\ncase 0\n\ncase-digest 64\n"
            "ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD\n", "hexadecimal"},
        {"empty output", "execq-plan 1\noutput 0\n\n", "output"},
        {"network 2", "execq-plan 1\nnetwork 1\n2\n", "from 0 to 1"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct plan p = {0};
        struct why why = {""};

        row_true(rows[i].row, parse(rows[i].plan, strlen(rows[i].plan), &p, &why) == -1);
        if (!strstr(why.text, rows[i].word))
            fail_msg("row \"%s\": %s", rows[i].row, why.text);
    }
}

static void refuses_nul_in_strings(void **state)
{
    static const char *const plans[] = {"arg 1\n@\n", "env 3\nA=@\n", "cwd 2\n/@\n", "file 1\n@\n", "output 1\n@\n"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        char text[64];
        struct plan p;
        struct why why;
        int n = snprintf(text, sizeof(text), "execq-plan 1\n%s", plans[i]);

        *strchr(text, '@') = 0;
        row_true(plans[i], parse(text, (size_t)n, &p, &why) == -1 && strstr(why.text, "NUL"));
    }
}

static void refuses_too_many(void **state)
{
    /* clang-format off */
    static const struct { const char *record; int most; } rows[] = {
        {"arg 1\nx\n", PLAN_ARGS_MAX}, {"compile-arg 1\nx\n", PLAN_ARGS_MAX}, {"env 2\nA=\n", PLAN_ENV_MAX},
        {"file 1\na\n", PLAN_FILES_MAX}, {"output 1\n*\n", PLAN_OUTPUTS_MAX}, {"scratch 1\n/\n", PLAN_SCRATCH_MAX},
        {"case 0\n\n", PLAN_CASES_MAX},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int more = 0; more < 2; more++) {
            struct buf text = BUF_INIT(1 << 20);
            bool is_arg = strncmp(rows[i].record, "arg", 3) == 0;
            struct fault f;
            struct plan p;
            struct why why = {""};

            buf_add_string(&text, "execq-plan 1\ncwd 1\n/\n", &f);
            for (int k = 0; k < rows[i].most + more; k++)
                buf_add_string(&text, rows[i].record, &f);
            buf_add_string(&text, is_arg ? "end 0\n\n" : "arg 1\nx\nend 0\n\n", &f);
            if (parse(buf_str(&text), text.len, &p, &why) == 0) {
                row_true(rows[i].record, !more);
                plan_release(&p);
            } else {
                row_true(rows[i].record, more && strstr(why.text, "more than"));
            }
            buf_release(&text);
        }
}

static void defaults(void **state)
{
    static const char text[] = "execq-plan 1\n" MINIMAL "end 0\n\n";
    struct plan p;
    struct why why;

    (void)state;
    assert_int_equal(parse(text, sizeof(text) - 1, &p, &why), 0);
    assert_string_equal(p.argv[0], "true");
    assert_null(p.argv[1]);
    assert_null(p.compile_argv);
    assert_null(p.env[0]);
    assert_null(p.scratch[0]);
    assert_int_equal(p.timeout_ms, 300000);
    assert_int_equal(p.output_bytes, 1 << 20);
    assert_int_equal(p.isolate, 1);
    assert_int_equal(p.network, 0);
    assert_int_equal(p.file_count + p.case_count + p.output_count, 0);
    plan_release(&p);
}

/* --- what the worker writes ------------------------------------------------------------------------------------ */

static void reads_what_the_worker_writes(void **state)
{
    static char a1[] = "-x", a2[] = "", name[] = "A", value[] = "b=\nc";
    char *args[] = {a1, a2, NULL}, *case_args[] = {(char *)"5", NULL}, *none[] = {NULL};
    char *outputs[] = {(char *)"*.txt", (char *)"**", NULL};
    struct request_env env[] = {{name, value}, {NULL, NULL}};
    struct request_file files[] = {{(char *)"d/f", {(char *)"\0\n", 2}, 0755}, {(char *)"g", {(char *)"", 0}, 0}};
    struct request_case cases[] = {
        {.in = {(char *)"1", 1},
         .args = case_args,
         .expected = {(char *)"x \n\n", 4},
         .compare = EXPECT_TRIMMED,
         .timeout_ms = 5},
        {.in = {(char *)"2", 1}, .args = none},
    };
    struct request r = {.args = args,
                        .env = env,
                        .in = {(char *)"\n\n", 2},
                        .files = files,
                        .file_count = 2,
                        .outputs = outputs,
                        .cases = cases,
                        .case_count = 2,
                        .stop_on_first_failure = true,
                        .timeout_ms = 1234,
                        .output_bytes = 77,
                        .disk_bytes = 99};
    struct language language = {.compile = {(char *)"cc", (char *)"x", NULL},
                                .argv = {(char *)"python3", (char *)"code.py", NULL}};
    struct plan_limits limits = {.total_ms = 4321,
                                 .compile_timeout_ms = 11,
                                 .output_limit = 12,
                                 .report_bytes = 13,
                                 .processes = 64,
                                 .announce = true};
    struct buf out = BUF_INIT(4096);
    unsigned char digest[32];
    struct fault f;
    struct plan p;
    struct why why = {""};

    (void)state;
    assert_int_equal(plan_write(&r, &language, &limits, &out, &f), 0);
    if (parse(buf_str(&out), out.len, &p, &why) < 0)
        fail_msg("%s", why.text);
    buf_release(&out);
    assert_string_equal(p.cwd, "/work");
    assert_string_equal(p.argv[0], "python3");
    assert_string_equal(p.argv[2], "-x");
    assert_string_equal(p.argv[3], "");
    assert_null(p.argv[4]);
    assert_string_equal(p.compile_argv[1], "x");
    assert_string_equal(p.env[0], "A=b=\nc");
    assert_null(p.env[1]);
    assert_string_equal(p.scratch[0], "/work");
    assert_string_equal(p.scratch[1], "/tmp");
    assert_null(p.scratch[2]);
    assert_int_equal(p.in.len, 2);
    assert_int_equal(p.file_count, 2);
    assert_memory_equal(p.files[0].content.bytes, "\0\n", 2);
    assert_int_equal(p.files[0].mode, 0755);
    assert_int_equal(p.files[1].mode, 0644);
    assert_string_equal(p.files[1].path, "g");
    assert_int_equal(p.output_count, 2);
    assert_string_equal(p.outputs[0].glob, "*.txt");
    assert_int_equal(p.outputs[1].max_bytes, 77);
    assert_int_equal(p.case_count, 2);
    assert_string_equal(p.cases[0].args[0], "5");
    assert_null(p.cases[0].args[1]);
    assert_int_equal(p.cases[0].timeout_ms, 5);
    assert_int_equal(p.cases[0].mode, COMPARE_TRIMMED);
    digest_sha256("x", 1, digest);
    assert_true(p.cases[0].has_digest);
    assert_memory_equal(p.cases[0].digest, digest, sizeof(digest));
    assert_false(p.cases[1].has_digest);
    assert_null(p.cases[1].args[0]);
    assert_int_equal(p.timeout_ms, 1234);
    assert_int_equal(p.case_output_bytes, 77);
    assert_int_equal(p.disk_bytes, 99);
    assert_int_equal(p.processes, 64);
    assert_int_equal(p.total_ms, 4321);
    assert_int_equal(p.compile_timeout_ms, 11);
    assert_int_equal(p.kill_output_bytes, 12);
    assert_int_equal(p.report_bytes, 13);
    assert_int_equal(p.network, 0);
    assert_int_equal(p.announce, 1);
    assert_int_equal(p.stop_on_first_failure, 1);
    plan_release(&p);
}

static void writes_within_bounds(void **state)
{
    char *argv[] = {(char *)"sh", NULL}, *none[] = {NULL};
    struct request r = {.argv = argv, .args = none, .outputs = none};
    struct language empty = {.argv = {NULL}}, compiled = {.compile = {(char *)"cc", NULL}, .argv = {(char *)"x", NULL}};
    struct plan_limits limits = {0};
    struct buf out = BUF_INIT(4096), small = BUF_INIT(20);
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(plan_write(&r, &compiled, &limits, &out, &f), 0); /* its own argv: nothing is compiled */
    assert_string_equal(buf_str(&out), "execq-plan 1\ncwd 5\n/work\narg 2\nsh\noutput-bytes 1\n0\n"
                                       "scratch 5\n/work\nscratch 4\n/tmp\nend 0\n\n");
    assert_int_equal(plan_write(&r, NULL, &limits, &small, &f), -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
    r.argv = NULL;
    assert_int_equal(plan_write(&r, NULL, &limits, &out, &f), -1);
    assert_int_equal(f.kind, FAULT_INVALID);
    assert_int_equal(plan_write(&r, &empty, &limits, &out, &f), -1);
    assert_int_equal(f.kind, FAULT_INVALID);
    buf_release(&out);
    buf_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_nul_in_strings),
        cmocka_unit_test(refuses_too_many),
        cmocka_unit_test(defaults),
        cmocka_unit_test(reads_what_the_worker_writes),
        cmocka_unit_test(writes_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
