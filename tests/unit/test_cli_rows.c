#include "unit/check.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/rows.h"

static char path[] = "/tmp/execq-rows-XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void complain(void *arg, size_t line, const char *text)
{
    char *all = arg;
    size_t used = strlen(all);

    snprintf(all + used, 1024 - used, "%zu: %s\n", line, text);
}

static struct rows *must_read(const char *salt)
{
    struct rows *rows = NULL;
    struct fault f = FAULT_INIT;
    char complaints[1024] = "";

    assert_int_equal(rows_read(path, salt, complain, complaints, &rows, &f), 0);
    assert_string_equal(complaints, "");
    return rows;
}

static void the_same_file_gives_the_same_ids(void **state)
{
    _cleanup_(rows_freep)
    struct rows *a = NULL, *b = NULL, *salted = NULL, *changed = NULL;

    (void)state;
    write_file("{\"code\":\"1\"}\n\n{\"id\":\"mine\",\"code\":\"2\"}\r\n  {\"code\":\"3\"}");
    a = must_read("");
    b = must_read("");
    salted = must_read("x");
    assert_int_equal(a->n, 3);
    assert_int_equal(a->list[2].line, 4); /* empty lines count as lines */
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(a->list[i].id, b->list[i].id);
    assert_string_equal(a->reply_to, b->reply_to);
    assert_string_equal(a->list[1].id, "mine");
    assert_string_not_equal(a->list[0].id, a->list[2].id);
    assert_string_not_equal(a->list[0].id, salted->list[0].id);
    assert_string_not_equal(a->digest, salted->digest);
    write_file("{\"code\":\"1\"}\n\n{\"id\":\"mine\",\"code\":\"2\"}\r\n  {\"code\":\"4\"}");
    changed = must_read("");
    assert_string_not_equal(a->list[0].id, changed->list[0].id);
    assert_ptr_equal(rows_find(a, "mine"), &a->list[1]);
    assert_ptr_equal(rows_find(a, a->list[2].id), &a->list[2]);
    assert_null(rows_find(a, "nobody"));
}

static void payloads_hold_id_and_reply_to(void **state)
{
    _cleanup_(rows_freep)
    struct rows *rows = NULL;
    _cleanup_(buf_release)
    struct buf payload = BUF_INIT(4096);
    struct fault f = FAULT_INIT;
    char expected[256];

    (void)state;
    write_file("  {\"code\":\"1\",\"meta\":12345678901234567890123}\n{ \"id\":\"mine\",\"code\":\"2\"}\n");
    rows = must_read("");
    assert_int_equal(rows_payload(rows, &rows->list[0], &payload, &f), 0);
    snprintf(expected, sizeof(expected),
             "{\"id\":\"%s\",\"reply_to\":\"%s\",\"code\":\"1\",\"meta\":12345678901234567890123}", rows->list[0].id,
             rows->reply_to);
    assert_string_equal(payload.data, expected);
    assert_int_equal(rows_payload(rows, &rows->list[1], &payload, &f), 0);
    snprintf(expected, sizeof(expected), "{\"reply_to\":\"%s\", \"id\":\"mine\",\"code\":\"2\"}", rows->reply_to);
    assert_string_equal(payload.data, expected);
    write_file("  {\"code\":\"1\",\"meta\":12345678901234567890124}\n{ \"id\":\"mine\",\"code\":\"2\"}\n");
    assert_int_equal(rows_payload(rows, &rows->list[0], &payload, &f), -1);
    assert_string_equal(f.text, "line 1 of the input has changed since the batch began");
    write_file("");
    assert_int_equal(rows_payload(rows, &rows->list[1], &payload, &f), -1);
}

/* Whatever a request may hold a line may hold, and it is checked here. */
static void lines_are_requests(void **state)
{
    _cleanup_(rows_freep)
    struct rows *rows = NULL, *none = NULL;
    struct fault f = FAULT_INIT;
    char complaints[1024] = "";

    (void)state;
    write_file("{\"code\":\"\",\"stdin\":{\"base64\":\"AP8=\"},\"files\":{\"a/b\":{\"text\":\"\",\"mode\":\"755\"}},"
               "\"outputs\":[\"*\"]}\n{\"code\":\"\",\"cases\":[{\"args\":[\"x\"],\"expected\":\"\"}],"
               "\"stop_on_first_failure\":true}\n");
    rows = must_read("");
    assert_int_equal(rows->n, 2);
    write_file("{\"code\":\"\",\"files\":{\"../a\":\"\"}}\n{\"code\":\"\",\"cases\":[{},{\"input\":\"\"}]}\n");
    assert_int_equal(rows_read(path, "", complain, complaints, &none, &f), -1);
    assert_non_null(strstr(complaints, "1: field \"files\": \"../a\""));
    assert_non_null(strstr(complaints, "2: field \"cases\": [1]: unknown field \"input\""));
}

static void every_wrong_line_is_named(void **state)
{
    struct rows *rows = NULL;
    struct fault f = FAULT_INIT;
    char complaints[1024] = "";

    (void)state;
    write_file(
        "{\"code\":\"1\"}\nnope\n{\"id\":\"a\",\"code\":\"1\"}\n{\"id\":\"a\",\"code\":\"1\"}\n{\"code\":1}\n[1]\n"
        "{\"code\":\"x\",\"reply_to\":\"z\"}\n{\"code\":\"x\",\"bogus\":1}\n{\"id\":\"a b\",\"code\":\"x\"}\n");
    assert_int_equal(rows_read(path, "", complain, complaints, &rows, &f), -1);
    assert_null(rows);
    assert_int_equal(f.kind, FAULT_INVALID);
    assert_non_null(strstr(f.text, "7 lines are wrong, so nothing was submitted"));
    for (const char *const *part =
             (const char *const[]){"2: not JSON", "4: id \"a\" stands in line 3 too", "5: field \"code\"",
                                   "6: must be a JSON object", "7: reply_to is for the batch to set",
                                   "8: unknown field \"bogus\"", "9: field \"id\"", NULL};
         *part; part++)
        if (!strstr(complaints, *part))
            fail_msg("\"%s\" is missing in:\n%s", *part, complaints);
    write_file("\n \n");
    assert_int_equal(rows_read(path, "", complain, complaints, &rows, &f), -1);
    assert_non_null(strstr(f.text, "holds no request"));
    assert_int_equal(rows_read("/dev/null", "", complain, complaints, &rows, &f), -1);
    assert_int_equal(rows_read("/nowhere/at/all", "", complain, complaints, &rows, &f), -1);
    assert_int_equal(f.kind, FAULT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_file_gives_the_same_ids),
        cmocka_unit_test(payloads_hold_id_and_reply_to),
        cmocka_unit_test(lines_are_requests),
        cmocka_unit_test(every_wrong_line_is_named),
    };

    return cmocka_run_group_tests_name("cli/rows", tests, make_file, remove_file);
}
