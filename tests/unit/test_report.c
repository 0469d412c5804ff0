/* The worker's reading of what the runner reported: everything or nothing. */
#include "unit/check.h"

#include <stdlib.h>

#include "base/buf.h"
#include "worker/report.h"

#define STREAMS \
    "\"wall_ms\":1,\"cpu_ms\":2,\"max_rss_bytes\":3,\"stdout\":\"o\",\"stdout_bytes\":1,\"stderr\":\"\",\"stderr_bytes\":0"
#define RUN       "{\"end\":\"exit\",\"exit_code\":0," STREAMS "}"
#define WITH(x)   "{\"execq_report\":1,\"isolation\":\"full\"," x ",\"wall_ms\":9}"
#define OF_RUN(x) WITH("\"run\":{" x "," STREAMS "}")
#define DIGEST    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void reads_all_of_it(void **state)
{
    static const char text[] = WITH(
        "\"network\":true,\"compile\":" RUN
        ",\"cases\":[{\"verdict\":\"passed\",\"end\":\"exit\",\"exit_code\":0," STREAMS "},"
        "{\"verdict\":\"failed\",\"end\":\"timeout\",\"signal\":15,\"oom\":true,\"oom_suspected\":true,\"leftovers\":true,"
        "\"wall_ms\":4,\"cpu_ms\":5,\"max_rss_bytes\":6,\"stdout_base64\":\"AP8=\",\"stdout_bytes\":10,"
        "\"stdout_truncated\":true,\"stderr\":\"e\\n\",\"stderr_bytes\":2},{\"verdict\":\"skipped\"}],"
        "\"files\":[{\"path\":\"a/b\",\"content\":\"xy\",\"bytes\":2},"
        "{\"path_base64\":\"/w==\",\"content_base64\":\"AA==\",\"bytes\":5,\"truncated\":true}],"
        "\"files_omitted\":3,\"files_cut_short\":true,\"clock_ms\":1795281282285,\"again\":true");
    struct report *r = NULL;
    struct report_pointer p;
    struct fault f;

    (void)state;
    assert_int_equal(report_read(text, sizeof(text) - 1, 86, &r, &p, &f), 0);
    assert_int_equal(r->isolation, REPORT_ISOLATION_FULL);
    assert_true(r->network);
    assert_null(r->run);
    assert_int_equal(r->compile->exit_code, 0);
    assert_string_equal(r->compile->out.bytes, "o");
    assert_int_equal(r->case_count, 3);
    assert_int_equal(r->cases[0].verdict, REPORT_PASSED);
    assert_int_equal(r->cases[1].run.end, REPORT_TIMEOUT);
    assert_int_equal(r->cases[1].run.signal, 15);
    assert_int_equal(r->cases[1].run.exit_code, -1);
    assert_true(r->cases[1].run.oom && r->cases[1].run.oom_suspected && r->cases[1].run.leftovers);
    assert_memory_equal(r->cases[1].run.out.bytes, "\0\xff", 3);
    assert_int_equal(r->cases[1].run.out.total, 10);
    assert_true(r->cases[1].run.out.truncated);
    assert_int_equal(r->cases[2].verdict, REPORT_SKIPPED);
    assert_int_equal(r->file_count, 2);
    assert_string_equal(r->files[0].path, "a/b");
    assert_string_equal(r->files[1].path, "\xff");
    assert_int_equal(r->files[1].content.total, 5);
    assert_int_equal(r->files_omitted, 3);
    assert_true(r->files_cut_short);
    assert_int_equal(r->wall_ms, 9);
    assert_int_equal(r->clock_ms, 1795281282285);
    assert_true(r->again);
    report_free(r);
}

static void reads_an_error(void **state)
{
    static const char text[] =
        "{\"execq_report\":1,\"error_at\":\"plan\",\"error\":\"plan: it has no arg\",\"wall_ms\":0}";
    struct report *r = NULL;
    struct report_pointer p;
    struct fault f;

    (void)state;
    assert_int_equal(report_read(text, sizeof(text) - 1, 86, &r, &p, &f), 0);
    assert_string_equal(r->error, "plan: it has no arg");
    assert_string_equal(r->error_at, "plan");
    report_free(r);
}

static void refuses(void **state)
{
    /* clang-format off */
    static const struct { const char *row, *text; } rows[] = {
        {"nothing", ""},
        {"no JSON", "Traceback"},
        {"array", "[]"},
        {"another object", "{}"},
        {"another version", "{\"execq_report\":2,\"isolation\":\"full\",\"run\":" RUN ",\"wall_ms\":9}"},
        {"version as text", "{\"execq_report\":\"1\",\"isolation\":\"full\",\"run\":" RUN ",\"wall_ms\":9}"},
        {"something behind it", WITH("\"run\":" RUN) "x"},
        {"unknown member", WITH("\"run\":" RUN ",\"more\":1")},
        {"unknown member of a run", OF_RUN("\"end\":\"exit\",\"exit_code\":0,\"more\":1")},
        {"nothing ran", WITH("\"network\":true")},
        {"an error beside a run", WITH("\"run\":" RUN ",\"error\":\"x\",\"error_at\":\"plan\"")},
        {"an error from nowhere", "{\"execq_report\":1,\"error\":\"x\",\"wall_ms\":0}"},
        {"run and cases", WITH("\"run\":" RUN ",\"cases\":[{\"verdict\":\"skipped\"}]")},
        {"isolation", "{\"execq_report\":1,\"isolation\":\"some\",\"run\":" RUN ",\"wall_ms\":9}"},
        {"no isolation", "{\"execq_report\":1,\"run\":" RUN ",\"wall_ms\":9}"},
        {"end", OF_RUN("\"end\":\"well\",\"exit_code\":0")},
        {"no end", OF_RUN("\"exit_code\":0")},
        {"exit without a code", OF_RUN("\"end\":\"exit\"")},
        {"exit with a signal", OF_RUN("\"end\":\"exit\",\"signal\":9")},
        {"signal without one", OF_RUN("\"end\":\"signal\"")},
        {"code and signal", OF_RUN("\"end\":\"timeout\",\"exit_code\":0,\"signal\":9")},
        {"code 256", OF_RUN("\"end\":\"exit\",\"exit_code\":256")},
        {"code -1", OF_RUN("\"end\":\"exit\",\"exit_code\":-1")},
        {"code as text", OF_RUN("\"end\":\"exit\",\"exit_code\":\"0\"")},
        {"not started without why", OF_RUN("\"end\":\"not_started\"")},
        {"why of what ran", OF_RUN("\"end\":\"exit\",\"exit_code\":0,\"why\":\"x\"")},
        {"oom as number", OF_RUN("\"end\":\"exit\",\"exit_code\":0,\"oom\":1")},
        {"run is no object", WITH("\"run\":1")},
        {"cases is no array", WITH("\"cases\":{}")},
        {"a case is no object", WITH("\"cases\":[1]")},
        {"no verdict", WITH("\"cases\":[" RUN "]")},
        {"passed with code 1", WITH("\"cases\":[{\"verdict\":\"passed\",\"end\":\"exit\",\"exit_code\":1," STREAMS "}]")},
        {"failed with code 0", WITH("\"cases\":[{\"verdict\":\"failed\",\"end\":\"exit\",\"exit_code\":0," STREAMS "}]")},
        {"skipped with a run", WITH("\"cases\":[{\"verdict\":\"skipped\",\"end\":\"exit\",\"exit_code\":0," STREAMS "}]")},
        {"path with a NUL", WITH("\"run\":" RUN ",\"files\":[{\"path_base64\":\"AA==\",\"content\":\"\",\"bytes\":0}]")},
        {"empty path", WITH("\"run\":" RUN ",\"files\":[{\"path\":\"\",\"content\":\"\",\"bytes\":0}]")},
        {"content missing", WITH("\"run\":" RUN ",\"files\":[{\"path\":\"a\",\"bytes\":0}]")},
        {"content twice", WITH("\"run\":" RUN ",\"files\":[{\"path\":\"a\",\"content\":\"\",\"content_base64\":\"\",\"bytes\":0}]")},
        {"bad base64", WITH("\"run\":" RUN ",\"files\":[{\"path\":\"a\",\"content_base64\":\"!\",\"bytes\":0}]")},
        {"less than its total", WITH("\"run\":" RUN ",\"files\":[{\"path\":\"a\",\"content\":\"x\",\"bytes\":2}]")},
        {"truncated but whole", WITH("\"run\":" RUN ",\"files\":[{\"path\":\"a\",\"content\":\"x\",\"bytes\":1,\"truncated\":true}]")},
        {"again, and how often", WITH("\"run\":" RUN ",\"again\":2")},
        {"a clock before all time", WITH("\"run\":" RUN ",\"clock_ms\":-1")},
        {"a clock behind all time", WITH("\"run\":" RUN ",\"clock_ms\":9223372036854775807")},
        {"longer than all time", "{\"execq_report\":1,\"isolation\":\"full\",\"run\":" RUN ",\"wall_ms\":9223372036854775807}"},
        {"too deep", "{\"execq_report\":1,\"run\":[[[[[[[1]]]]]]]}"},
        {"pointer to no lines", "{\"execq_report\":1,\"lines\":0,\"bytes\":1,\"sha256\":\"" DIGEST "\"}"},
        {"pointer to too many", "{\"execq_report\":1,\"lines\":1000000,\"bytes\":1,\"sha256\":\"" DIGEST "\"}"},
        {"pointer to too much", "{\"execq_report\":1,\"lines\":1,\"bytes\":99999999999,\"sha256\":\"" DIGEST "\"}"},
        {"pointer without bytes", "{\"execq_report\":1,\"lines\":1,\"sha256\":\"" DIGEST "\"}"},
        {"pointer without digest", "{\"execq_report\":1,\"lines\":1,\"bytes\":1,\"sha256\":\"abc\"}"},
        {"pointer and more", "{\"execq_report\":1,\"lines\":1,\"bytes\":1,\"sha256\":\"" DIGEST "\",\"x\":1}"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct report *r = NULL;
        struct report_pointer p = {0};
        struct fault f = FAULT_INIT;

        row_true(rows[i].row, report_read(rows[i].text, strlen(rows[i].text), 86, &r, &p, &f) == -1);
        row_true(rows[i].row, !r && p.lines == 0 && f.text[0]);
    }
}

static void believes_no_other_exit_code(void **state)
{
    static const char text[] = WITH("\"run\":" RUN);
    static const int codes[] = {0, 1, 85, 87, 128, 137, -1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct report *r = NULL;
        struct report_pointer p;
        struct fault f;

        assert_int_equal(report_read(text, sizeof(text) - 1, codes[i], &r, &p, &f), -1);
        assert_null(r);
    }
}

static struct report_pointer pointer_to(const char *whole, int64_t lines)
{
    struct report_pointer p = {.lines = lines, .bytes = (int64_t)strlen(whole)};

    digest_sha256_hex(whole, strlen(whole), p.digest);
    return p;
}

static void joins_lines(void **state)
{
    static const char whole[] = WITH("\"run\":" RUN);
    static const char *const before[] = {"", "half a line\n", "a\n\n\nb\n"};
    struct fault f = FAULT_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(before); i++)
        for (size_t cut = 1; cut < sizeof(whole) - 1; cut += 7) {
            struct report_pointer p = pointer_to(whole, 2);
            struct report *r = NULL;
            char tail[1000];
            int n = snprintf(tail, sizeof(tail), "%s%.*s\n%s\n", before[i], (int)cut, whole, whole + cut);

            if (report_join(&p, tail, (size_t)n, &r, &f) < 0)
                fail_msg("%s", f.text);
            assert_int_equal(r->run->exit_code, 0);
            report_free(r);
        }
}

static void joins_nothing_else(void **state)
{
    static const char whole[] = WITH("\"run\":" RUN);
    /* clang-format off */
    static const struct { const char *row, *before, *between, *after; int64_t lines; } rows[] = {
        {"no end", "", "", "", 1}, {"one line too few", "", "", "\n", 2}, {"something behind", "", "", "\nx\n", 1},
        {"a byte more", "", "x", "\n", 1}, {"another line inside", "", "\nx\n", "\n", 3}, {"one more line", "a\n", "", "\n", 2},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct report_pointer p = pointer_to(whole, rows[i].lines);
        struct report *r = NULL;
        struct fault f = FAULT_INIT;
        char tail[1000];
        int n = snprintf(tail, sizeof(tail), "%s%.20s%s%s%s", rows[i].before, whole, rows[i].between, whole + 20,
                         rows[i].after);

        row_true(rows[i].row, report_join(&p, tail, (size_t)n, &r, &f) == -1 && f.kind == FAULT_TRANSIENT && !r);
    }
    {
        struct report_pointer p = pointer_to("[]", 1);
        struct report *r = NULL;
        struct fault f = FAULT_INIT;

        assert_int_equal(report_join(&p, "[]\n", 3, &r, &f), -1);
        assert_int_equal(f.kind, FAULT_INVALID);
        assert_int_equal(report_join(&p, "", 0, &r, &f), -1);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_of_it), cmocka_unit_test(reads_an_error),
        cmocka_unit_test(refuses),         cmocka_unit_test(believes_no_other_exit_code),
        cmocka_unit_test(joins_lines),     cmocka_unit_test(joins_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
