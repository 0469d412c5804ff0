/* The runner's pure parts: globs, comparing, text, its JSON and how a report is laid out. */
#include "unit/check.h"

#include <stdlib.h>
#include <unistd.h>

#include "runner/compare.h"
#include "runner/deliver.h"
#include "runner/emit.h"
#include "runner/glob.h"
#include "worker/plan.h"
#include "worker/report.h"

static void globs(void **state)
{
    /* clang-format off */
    static const struct { const char *pattern, *path; bool match; } rows[] = {
        {"a", "a", true}, {"a", "b", false}, {"a", "ab", false}, {"", "", true}, {"", "a", false},
        {"*", "a", true}, {"*", "", true}, {"*", "a/b", false}, {"*/b", "a/b", true}, {"*.txt", "x.txt", true},
        {"*.txt", "d/x.txt", false}, {"*.txt", ".txt", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "aXbYd", false},
        {"?", "a", true}, {"?", "", false}, {"?", "/", false}, {"a?c", "abc", true},
        {"**", "", true}, {"**", "a/b/c", true}, {"**/c", "c", true}, {"**/c", "a/b/c", true}, {"**/c", "a/bc", false},
        {"a/**/c", "a/c", true}, {"a/**/c", "a/x/y/c", true}, {"a/**/c", "ab/c", false}, {"a/**", "a/b/c", true},
        {"a**c", "a/b/c", true}, {"a**/c", "a/c", true}, {"a**/c", "ax/c", true}, {"**/*.py", "d/e/f.py", true}, {"**/*.py", "f.py", true},
        {"**/a/*.py", "a/b/a/x.py", true}, {"**/a/*.py", "a/b/x.py", false}, {"*a*/b", "xax/b", true}, {"***", "a/b", true},
        {"**/**/x", "x", true}, {"**/**/x", "a/b/x", true}, {"*/*", "a", false}, {"[a]", "[a]", true}, {"[a]", "a", false},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (glob_match(rows[i].pattern, rows[i].path) != rows[i].match)
            fail_msg("%s on %s", rows[i].pattern, rows[i].path);
}

static void globs_in_bounded_time(void **state)
{
    char pattern[1001], path[1001];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        pattern[i] = i % 2 ? 'a' : '*';
        path[i] = i % 3 ? 'a' : '/';
    }
    pattern[1000] = path[1000] = 0;
    assert_false(glob_match(pattern, path));
    memset(pattern, '*', 999);
    pattern[999] = 'b';
    assert_false(glob_match(pattern, path));
}

/* The worker brings the whole expected output into its normal form, the runner the actual one piece by piece: both
 * have to mean the same. */
static void compares_as_the_worker_does(void **state)
{
    static const char alphabet[] = " \n\t\rab";
    static const enum request_compare modes[] = {EXPECT_EXACT, EXPECT_TRIMMED, EXPECT_TOKENS};
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        char text[40];
        size_t len = (seed = seed * 1103515245 + 12345) >> 16 & 31;
        enum request_compare mode = modes[round % 3];
        struct buf normal = BUF_INIT(100);
        unsigned char want[32], got[32];
        struct compare c;
        struct fault f;

        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[((seed = seed * 1103515245 + 12345) >> 16) % 6];
        assert_int_equal(plan_normal_form(text, len, mode, &normal, &f), 0);
        digest_sha256(buf_str(&normal), normal.len, want);
        compare_init(&c, (enum compare_mode)mode);
        for (size_t i = 0, n; i < len; i += n) {
            n = 1 + ((seed = seed * 1103515245 + 12345) >> 16) % 4;
            n = n > len - i ? len - i : n;
            compare_add(&c, text + i, n);
        }
        compare_end(&c, got);
        if (memcmp(want, got, 32) != 0)
            fail_msg("mode %d, \"%.*s\", normal form \"%s\"", mode, (int)len, text, buf_str(&normal));
        buf_release(&normal);
    }
}

static void normal_forms(void **state)
{
    /* clang-format off */
    static const struct { enum request_compare mode; const char *text, *normal; } rows[] = {
        {EXPECT_EXACT, " a \n\n", " a \n\n"},
        {EXPECT_TRIMMED, " a \n\n", " a"}, {EXPECT_TRIMMED, "a\r\n b\t\r\n\r\n", "a\n b"}, {EXPECT_TRIMMED, "\n\na", "\n\na"},
        {EXPECT_TRIMMED, " \n \n", ""}, {EXPECT_TRIMMED, "", ""}, {EXPECT_TRIMMED, "a  b", "a  b"}, {EXPECT_TRIMMED, "a\n\n\nb\n", "a\n\n\nb"},
        {EXPECT_TOKENS, " a\n\tb  c\v\f\r\n", "a b c"}, {EXPECT_TOKENS, "", ""}, {EXPECT_TOKENS, " \n", ""}, {EXPECT_TOKENS, "a", "a"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = BUF_INIT(100);
        struct fault f;

        assert_int_equal(plan_normal_form(rows[i].text, strlen(rows[i].text), rows[i].mode, &out, &f), 0);
        assert_string_equal(buf_str(&out), rows[i].normal);
        buf_release(&out);
    }
}

static void hashes_as_libcrypto_does(void **state)
{
    static char bytes[300];

    (void)state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        unsigned char want[32], got[32];
        struct sha256 s;

        bytes[len] = (char)(len * 7);
        digest_sha256(bytes, len, want);
        sha256_init(&s);
        sha256_add(&s, bytes, len / 3);
        sha256_add(&s, bytes + len / 3, len - len / 3);
        sha256_end(&s, got);
        assert_memory_equal(want, got, 32);
    }
}

static void cuts_between_characters(void **state)
{
    /* clang-format off */
    static const struct { const char *text; size_t len, floor; } rows[] = {
        {"", 0, 0}, {"a", 1, 1}, {"\xc3\xa4", 2, 2}, {"\xc3\xa4", 1, 0}, {"a\xc3", 2, 1}, {"\xe2\x82\xac", 3, 3}, {"\xe2\x82\xac", 2, 0},
        {"\xf0\x9f\x98\x80", 4, 4}, {"\xf0\x9f\x98\x80", 3, 0}, {"\x80\x80\x80\x80\x80", 5, 5}, {"\xff", 1, 0},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(bytes_text_floor(rows[i].text, rows[i].len), rows[i].floor);
}

/* --- JSON ------------------------------------------------------------------------------------------------------ */

static void take(void *arg, const char *bytes, size_t len)
{
    struct fault f;

    buf_add(arg, bytes, len, &f);
}

static void writes_json(void **state)
{
    struct buf out = BUF_INIT(1000);
    struct emit e = {.take = take, .arg = &out};

    (void)state;
    emit_open(&e, NULL, '{');
    emit_int(&e, "n", INT64_MIN);
    emit_true(&e, "no", false);
    emit_true(&e, "yes", true);
    emit_open(&e, "list", '[');
    emit_int(&e, NULL, 1);
    emit_open(&e, NULL, '{');
    emit_close(&e, '}');
    emit_open(&e, NULL, '[');
    emit_close(&e, ']');
    emit_close(&e, ']');
    emit_bytes(&e, "s", "a\"\\\n\x1b/", 6);
    emit_bytes(&e, "nul", "\0", 1);
    emit_bytes(&e, "bad", "\xff\xfe", 2);
    emit_bytes(&e, "three", "\xff\xfe\xfd", 3);
    emit_bytes(&e, "empty", "", 0);
    emit_close(&e, '}');
    assert_string_equal(buf_str(&out),
                        "{\"n\":-9223372036854775808,\"yes\":true,\"list\":[1,{},[]],\"s\":\"a\\\"\\\\\\n\\u001b/\","
                        "\"nul_base64\":\"AA==\",\"bad_base64\":\"//4=\",\"three_base64\":\"//79\",\"empty\":\"\"}");
    buf_release(&out);
}

static void mostly_escapes_go_as_base64(void **state)
{
    char bytes[100];
    struct buf out = BUF_INIT(1000);
    struct emit e = {.take = take, .arg = &out};

    (void)state;
    memset(bytes, 1, sizeof(bytes));
    emit_bytes(&e, "x", bytes, sizeof(bytes));
    assert_non_null(strstr(buf_str(&out), "x_base64"));
    assert_true(out.len < 160);
    buf_release(&out);
}

/* --- a whole report, written by the runner's side and read by the worker's --------------------------------------- */

static struct buf slurp(int fd)
{
    struct buf b = BUF_INIT(8 << 20);
    char chunk[4096];
    ssize_t n;
    struct fault f;

    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        buf_add(&b, chunk, (size_t)n, &f);
    return b;
}

/* A run that printed `len` bytes; returns what the worker reads. */
static struct report *there_and_back(const char *bytes, size_t len, bool *ret_in_log)
{
    FILE *message = tmpfile(), *log = tmpfile();
    struct outcome o = {.isolation = ISOLATION_FULL, .has_run = true, .wall_ms = 7};
    struct report_pointer pointer = {0};
    struct report *report = NULL;
    struct buf m, l;
    struct fault f = FAULT_INIT;

    fputs("old and much longer than what will stand here when all is done", message);
    fputs("half a line", log);
    fflush(message);
    fflush(log);
    o.run = (struct run_result){
        .end = RUN_EXITED, .exit_code = 3, .signal = -1, .cpu_ms = 5, .out.total = (int64_t)len};
    bytes_keep(&o.run.out.kept, bytes, len, len);
    assert_int_equal(deliver(&o, fileno(message), fileno(log)), 0);
    m = slurp(fileno(message));
    l = slurp(fileno(log));
    assert_true(m.len <= DELIVER_MESSAGE_MAX);
    if (report_read(buf_str(&m), m.len, REPORT_EXIT_CODE, &report, &pointer, &f) < 0)
        fail_msg("%s", f.text);
    *ret_in_log = !report;
    if (!report && report_join(&pointer, buf_str(&l), l.len, &report, &f) < 0)
        fail_msg("%s", f.text);
    fclose(message);
    fclose(log);
    buf_release(&m);
    buf_release(&l);
    run_result_release(&o.run);
    return report;
}

static void reports_there_and_back(void **state)
{
    static const char *const patterns[] = {"x", "\xc3\xa4", "\n", "\xff", "\\", "a\xe2\x82\xac\n", "\xf0\x9f\x98\x80"};
    static const size_t lengths[] = {0, 1, 100, 3000, 3900, 4100, 14990, 15001, 16384, 40000, 1000000};

    (void)state;
    for (size_t p = 0; p < COUNT_OF(patterns); p++)
        for (size_t i = 0; i < COUNT_OF(lengths); i++) {
            size_t unit = strlen(patterns[p]), len = lengths[i] / unit * unit;
            char *bytes = malloc(len + 1);
            struct report *r;
            bool in_log;

            for (size_t k = 0; k < len; k++)
                bytes[k] = patterns[p][k % unit];
            r = there_and_back(bytes, len, &in_log);
            assert_int_equal(r->run->out.len, len);
            assert_memory_equal(r->run->out.bytes, bytes, len);
            assert_int_equal(r->run->exit_code, 3);
            assert_int_equal(r->run->signal, -1);
            assert_int_equal(r->run->cpu_ms, 5);
            assert_int_equal(r->isolation, REPORT_ISOLATION_FULL);
            assert_true(lengths[i] > 4000 ? in_log : lengths[i] > 1500 || !in_log);
            report_free(r);
            free(bytes);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs),
        cmocka_unit_test(globs_in_bounded_time),
        cmocka_unit_test(compares_as_the_worker_does),
        cmocka_unit_test(normal_forms),
        cmocka_unit_test(hashes_as_libcrypto_does),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(writes_json),
        cmocka_unit_test(mostly_escapes_go_as_base64),
        cmocka_unit_test(reports_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
