#include "unit/check.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/field.h"
#include "base/mem.h"
#include "cli/files.h"
#include "cli/outcome.h"
#include "cli/snippet.h"

/* Files that go along with code and files that come back, in a folder of their own: dir/here and dir/beside. */

static char dir[] = "/tmp/execq-files-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return !mkdtemp(dir) || chdir(dir) < 0 || mkdir("here", 0700) < 0 || mkdir("beside", 0700) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    _cleanup_free_ char *command = mem_format("rm -r '%s'", dir);

    (void)state;
    return chdir("/") < 0 || system(command) != 0 ? -1 : 0;
}

static void put(const char *path, const char *bytes, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static bool holds(const char *path, const char *bytes, size_t len)
{
    struct buf b = BUF_INIT(65536);
    struct fault f = FAULT_INIT;
    bool same = snippet_read_file(path, &b, &f) == 0 && b.len == len && memcmp(buf_str(&b), bytes, len) == 0;

    buf_release(&b);
    return same;
}

static size_t write_files(const char *json, bool force)
{
    struct json_object *files = NULL;
    struct fault f = FAULT_INIT;
    size_t failed;

    assert_int_equal(field_parse(json, strlen(json), 8, &files, &f), 0);
    failed = files_write(files, "here", force);
    json_object_put(files);
    return failed;
}

static void files_come_back(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(write_files("{\"a.txt\":{\"text\":\"one\\n\",\"bytes\":4,\"truncated\":false},"
                                 "\"d/e/b.bin\":{\"base64\":\"AP8=\",\"bytes\":70000,\"truncated\":true},"
                                 "\"d/empty\":{\"text\":\"\"}}",
                                 false),
                     0);
    assert_true(holds("here/a.txt", "one\n", 4));
    assert_true(holds("here/d/e/b.bin", "\0\xff", 2));
    assert_true(holds("here/d/empty", "", 0));
    assert_int_equal(stat("here/a.txt", &st), 0);
    assert_int_equal(st.st_mode & 0111, 0);
    /* what is there stays: one of two is written */
    assert_int_equal(write_files("{\"a.txt\":{\"text\":\"two\"},\"new\":{\"text\":\"x\"}}", false), 1);
    assert_true(holds("here/a.txt", "one\n", 4) && holds("here/new", "x", 1));
    assert_int_equal(write_files("{\"a.txt\":{\"text\":\"two\"},\"d\":{\"text\":\"\"}}", true), 1); /* d is a folder */
    assert_true(holds("here/a.txt", "two", 3));
}

static void nothing_gets_outside(void **state)
{
    static const char *const table[] = {
        "{\"../x\":{\"text\":\"\"}}",
        "{\"/tmp/execq-x\":{\"text\":\"\"}}",
        "{\"\":{\"text\":\"\"}}",
        "{\".\":{\"text\":\"\"}}",
        "{\"..\":{\"text\":\"\"}}",
        "{\"q/../../x\":{\"text\":\"\"}}",
        "{\"q//x\":{\"text\":\"\"}}",
        "{\"q/\":{\"text\":\"\"}}",
        "{\"link/x\":{\"text\":\"\"}}",
        "{\"link/d/x\":{\"text\":\"\"}}",
        "{\"dangling\":{\"text\":\"\"}}",
        "{\"to-file\":{\"text\":\"\"}}",
        "{\"x\":{\"text\":1}}",
        "{\"x\":{\"base64\":\"=\"}}",
        "{\"x\":1}",
        "{\"x\":null}",
    };

    (void)state;
    put("beside/file", "mine", 4, 0600);
    assert_int_equal(symlink("../beside", "here/link"), 0);
    assert_int_equal(symlink("../beside/x", "here/dangling"), 0);
    assert_int_equal(symlink("../beside/file", "here/to-file"), 0);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        row_true(table[i], write_files(table[i], false) == 1);
        row_true(table[i], access("x", F_OK) < 0 && access("beside/x", F_OK) < 0 && access("here/x", F_OK) < 0);
        row_true(table[i], access("beside/d", F_OK) < 0);
    }
    assert_int_equal(write_files("{\"link/file\":{\"text\":\"\"}}", true), 1);
    assert_int_equal(write_files("{\"to-file\":{\"text\":\"new\"}}", true),
                     0); /* the link goes, not what it points to */
    assert_true(holds("beside/file", "mine", 4) && holds("here/to-file", "new", 3));
}

/* Code chooses the names of its files: they must not look like words of ours, or move the cursor. */
static void names_cannot_act_on_a_terminal(void **state)
{
    static const char json[] = "{\"a\\n\\u001b[2Jb\":{\"text\":\"\",\"truncated\":true},"
                               "\"x\\u009b1m\\u007f/\\u0007/..\":{\"text\":\"\"},\"\\u00e4 \\u20ac\":{\"text\":1}}";
    struct json_object *files = NULL;
    struct fault f = FAULT_INIT;
    struct buf said = BUF_INIT(65536);
    int saved = dup(2), fd = open("said", O_RDWR | O_CREAT | O_TRUNC, 0600), lines = 0;

    (void)state;
    assert_int_equal(field_parse(json, strlen(json), 8, &files, &f), 0);
    dup2(fd, 2);
    files_list(files);
    (void)files_write(files, "here", false);
    dup2(saved, 2);
    close(saved);
    close(fd);
    assert_int_equal(snippet_read_file("said", &said, &f), 0);
    for (size_t i = 0; i < said.len; i++) {
        unsigned char c = (unsigned char)said.data[i];

        lines += c == '\n';
        assert_true(c == '\n' || (c >= ' ' && c != 0x7f));
        assert_false(c == 0xc2 && (unsigned char)said.data[i + 1] < 0xa0);
    }
    assert_int_equal(lines, 3 + 3);
    assert_non_null(strstr(buf_str(&said), "a??[2Jb"));
    assert_non_null(strstr(buf_str(&said), "\xc3\xa4 \xe2\x82\xac"));
    assert_true(access("here/a\n\033[2Jb", F_OK) == 0); /* the file itself has the name that it has */
    buf_release(&said);
    json_object_put(files);
}

/* A result with a file that cannot be written: the code's own end wins. */
static void it_shows_in_the_exit_code(void **state)
{
    static const struct {
        const char *name, *json;
        bool as_json;
        const char *output_dir;
        int code;
    } table[] = {
        {"written", "{\"id\":\"a\",\"status\":\"ok\",\"files\":{\"e1\":{\"text\":\"\"}}}", true, "here", EXIT_OK},
        {"there already", "{\"id\":\"a\",\"status\":\"ok\",\"files\":{\"e1\":{\"text\":\"\"}}}", true, "here",
         EXIT_OURS},
        {"not asked for", "{\"id\":\"a\",\"status\":\"ok\",\"files\":{\"e1\":{\"text\":\"\"}}}", true, NULL, EXIT_OK},
        {"listed", "{\"id\":\"a\",\"status\":\"ok\",\"files\":{\"e1\":{\"text\":\"\"}}}", false, NULL, EXIT_OK},
        {"code failed", "{\"id\":\"a\",\"status\":\"nonzero_exit\",\"exit_code\":7,\"files\":{\"e1\":{\"text\":\"\"}}}",
         true, "here", 7},
        {"no files", "{\"id\":\"a\",\"status\":\"ok\",\"files\":{}}", false, "missing/folder", EXIT_OK},
        {"no folder", "{\"id\":\"a\",\"status\":\"ok\",\"files\":{\"e2\":{\"text\":\"\"}}}", false, "missing/folder",
         EXIT_OURS},
        {"a new folder", "{\"id\":\"a\",\"status\":\"ok\",\"files\":{\"e2\":{\"text\":\"\"}}}", false, "made", EXIT_OK},
        {"strange files", "{\"id\":\"a\",\"status\":\"ok\",\"files\":[1],\"cases\":{}}", false, "here", EXIT_OK},
        {"cases",
         "{\"id\":\"a\",\"status\":\"timeout\",\"cases\":[{\"verdict\":\"wrong\",\"status\":\"ok\"},null,3,{}]}", false,
         "here", EXIT_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct outcome_view view = {.as_json = table[i].as_json, .output_dir = table[i].output_dir};

        row_true(table[i].name, outcome_show(table[i].json, strlen(table[i].json), &view) == table[i].code);
    }
    assert_true(holds("made/e2", "", 0));
}

/* ---- what goes along ---- */

static int make(const struct snippet_options *o, struct json_object **ret, struct fault *f)
{
    struct arguments a = {0};
    _cleanup_free_ char *id = NULL, *payload = NULL;

    if (snippet_make(o, "here/code.py", &a, 1763717344000, &id, &payload, f) < 0)
        return -1;
    return field_parse(payload, strlen(payload), 32, ret, f);
}

static void files_go_along(void **state)
{
    const char *files[] = {"here/code.py", "./here/run.sh", "lib/d.bin=here/data", "e=here/nothing"},
               *globs[] = {"*.png", "o/**"};
    const struct snippet_options o = {.in = "here/in",
                                      .files = {files, COUNT_OF(files)},
                                      .outputs = {globs, COUNT_OF(globs)}},
                                 binary = {.in = "here/data"};
    _cleanup_(field_putp)
    struct json_object *request = NULL, *second = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    put("here/code.py", "1", 1, 0644);
    put("here/run.sh", "#!", 2, 0755);
    put("here/data", "\0\xff", 2, 0644);
    put("here/in", "in\n", 3, 0644);
    put("here/q=r", "", 0, 0644);
    files[3] = "e=here/q=r"; /* the first = counts */
    if (make(&o, &request, &f) < 0)
        fail_msg("%s", f.text);
    assert_string_equal(field_peek_string(request, "stdin"), "in\n");
    assert_string_equal(json_object_to_json_string_ext(field_peek(request, "files"),
                                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                        "{\"here/code.py\":{\"text\":\"1\"},\"here/run.sh\":{\"text\":\"#!\",\"mode\":\"755\"},"
                        "\"lib/d.bin\":{\"base64\":\"AP8=\"},\"e\":{\"text\":\"\"}}");
    assert_string_equal(json_object_to_json_string_ext(field_peek(request, "outputs"),
                                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                        "[\"*.png\",\"o/**\"]");
    assert_int_equal(make(&binary, &second, &f), 0);
    assert_string_equal(field_peek_string(field_peek(second, "stdin"), "base64"), "AP8=");
    assert_false(json_object_object_get_ex(second, "files", NULL));
}

static void what_cannot_go_is_named(void **state)
{
    static const struct {
        const char *file, *other, *in, *glob, *says;
    } table[] = {
        {"=here/in", NULL, NULL, NULL, "\"=here/in\" is not PATH or PATH=LOCAL"},
        {"a=", NULL, NULL, NULL, "\"a=\" is not PATH or PATH=LOCAL"},
        {"-", NULL, NULL, NULL, "standard input needs a path"},
        {"here/nothing", NULL, NULL, NULL, "cannot open here/nothing"},
        {"here", NULL, NULL, NULL, "cannot read here"},
        {"\xff=here/in", NULL, NULL, NULL, "not UTF-8"},
        {"a=here/in", "a=here/code.py", NULL, NULL, "a is given twice"},
        {"a=here/in", "a/b=here/in", NULL, NULL, "\"a\" is a file, and the folder of \"a/b\""},
        {"../a=here/in", NULL, NULL, NULL, "\"../a\" is no path below"},
        {"/etc/hostname", NULL, NULL, NULL, "\"/etc/hostname\" is no path below"},
        {"a=-", NULL, "-", NULL, "for one thing only"},
        {"a=-", "b=-", NULL, NULL, "for one thing only"},
        {NULL, NULL, "here/nothing", NULL, "--stdin: cannot open here/nothing"},
        {NULL, NULL, NULL, "../*", "\"../*\" is no path below"},
        {NULL, NULL, NULL, "\xff", "--output number 1 is not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const char *files[] = {table[i].file, table[i].other}, *glob = table[i].glob;
        const struct snippet_options o = {
            .in = table[i].in, .files = {files, !!table[i].file + !!table[i].other}, .outputs = {&glob, !!glob}};
        struct json_object *request = NULL;
        struct fault f = FAULT_INIT;

        row_true(table[i].says, make(&o, &request, &f) == -1);
        if (!strstr(f.text, table[i].says))
            fail_msg("\"%s\" instead of \"%s\"", f.text, table[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(nothing_gets_outside),
        cmocka_unit_test(names_cannot_act_on_a_terminal),
        cmocka_unit_test(it_shows_in_the_exit_code),
        cmocka_unit_test(files_go_along),
        cmocka_unit_test(what_cannot_go_is_named),
    };

    return cmocka_run_group_tests_name("cli/files", tests, set_up, tear_down);
}
