#include "unit/check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/journal.h"
#include "cli/lines.h"

static char directory[64], path[96];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/execq-journal-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/r.part", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
}

static void file_is(const char *text)
{
    char have[4096];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, have, sizeof(have) - 1);

    close(fd);
    assert_true(n >= 0);
    have[n] = '\0';
    assert_string_equal(have, text);
}

struct found {
    char text[1024];
    size_t n;
    off_t last;
};

static void on_found(void *arg, const char *bytes, size_t len, off_t offset)
{
    struct found *found = arg;
    size_t used = strlen(found->text);

    snprintf(found->text + used, sizeof(found->text) - used, "<%.*s>", (int)len, bytes);
    found->n++;
    found->last = offset;
}

static void what_was_added_is_found_again(void **state)
{
    struct journal *j;
    struct fault f = FAULT_INIT;
    struct found found = {0};
    off_t first, second;

    (void)state;
    assert_int_equal(journal_open(path, "d1", on_found, &found, &j, &f), 0);
    assert_int_equal(journal_add(j, "one", 3, &first, &f), 0);
    assert_int_equal(journal_add(j, "two", 3, &second, &f), 0);
    assert_int_equal(journal_sync(j, &f), 0);
    journal_free(j);
    assert_int_equal(found.n, 0);
    file_is("{\"execq_batch\":\"d1\"}\none\ntwo\n");

    assert_int_equal(journal_open(path, "d1", on_found, &found, &j, &f), 0);
    assert_string_equal(found.text, "<one><two>");
    assert_int_equal(found.last, second);
    assert_int_equal(second - first, 4);
    journal_remove(j);
    journal_free(j);
    assert_int_equal(access(path, F_OK), -1);
}

/* Wherever a process was killed while it wrote: the whole lines count, the rest goes. */
static void a_torn_line_is_cut_off(void **state)
{
    static const char whole[] = "{\"execq_batch\":\"d1\"}\none\ntwo\n";

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        struct journal *j;
        struct fault f = FAULT_INIT;
        struct found found = {0};
        size_t lines = 0;
        off_t offset;

        for (size_t i = 0; i < len; i++)
            lines += whole[i] == '\n';
        write_file(whole, len);
        assert_int_equal(journal_open(path, "d1", on_found, &found, &j, &f), 0);
        assert_int_equal(found.n, lines > 1 ? lines - 1 : 0);
        assert_int_equal(journal_add(j, "new", 3, &offset, &f), 0);
        journal_free(j);
        file_is(lines == 3   ? "{\"execq_batch\":\"d1\"}\none\ntwo\nnew\n"
                : lines == 2 ? "{\"execq_batch\":\"d1\"}\none\nnew\n"
                             : "{\"execq_batch\":\"d1\"}\nnew\n");
    }
}

static void another_batch_is_refused(void **state)
{
    struct journal *j = NULL, *other = NULL;
    struct fault f = FAULT_INIT;
    struct found found = {0};

    (void)state;
    write_file("{\"execq_batch\":\"d1\"}\none\n", 25);
    assert_int_equal(journal_open(path, "d2", on_found, &found, &j, &f), -1);
    assert_int_equal(f.kind, FAULT_EXISTS);
    assert_null(j);
    assert_int_equal(found.n, 0);
    file_is("{\"execq_batch\":\"d1\"}\none\n"); /* left as it was */
    write_file("something else\n", 15);
    assert_int_equal(journal_open(path, "d2", on_found, &found, &j, &f), -1);
    file_is("something else\n");

    unlink(path);
    assert_int_equal(journal_open(path, "d1", on_found, &found, &j, &f), 0);
    assert_int_equal(journal_open(path, "d1", on_found, &found, &other, &f), -1); /* in use */
    assert_non_null(strstr(f.text, "in use"));
    journal_free(j);
}

static void copies_one_line(void **state)
{
    struct journal *j;
    struct fault f = FAULT_INIT;
    struct found found = {0};
    off_t offset[2];
    char big[200000], have[16] = "";
    int pipes[2];

    (void)state;
    unlink(path);
    memset(big, 'x', sizeof(big));
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(journal_open(path, "d1", on_found, &found, &j, &f), 0);
    assert_int_equal(journal_add(j, big, sizeof(big), &offset[0], &f), 0);
    assert_int_equal(journal_add(j, "small", 5, &offset[1], &f), 0);
    assert_int_equal(journal_copy(j, offset[1], 5, pipes[1], &f), 0);
    assert_int_equal(read(pipes[0], have, sizeof(have) - 1), 6);
    assert_string_equal(have, "small\n");
    assert_int_equal(journal_copy(j, offset[1], 50, pipes[1], &f), -1); /* over the end */
    close(pipes[0]);
    close(pipes[1]);
    journal_free(j);
}

static void lines_have_a_ceiling(void **state)
{
    static const struct {
        const char *text;
        size_t lines, too_long;
        bool torn;
    } table[] = {
        {"", 0, 0, false},
        {"\n", 1, 0, false},
        {"a\nbb\n", 2, 0, false},
        {"a\nbb", 2, 0, true},
        {"12345678\n123456789\n1\n", 3, 1, false},
        {"123456789", 1, 1, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        _cleanup_(lines_freep)
        struct lines *l = NULL;
        struct fault f = FAULT_INIT;
        struct line line = {0};
        size_t n = 0, too_long = 0;
        int fd;

        write_file(table[i].text, strlen(table[i].text));
        fd = open(path, O_RDONLY);
        l = lines_new(fd, 8);
        while (lines_next(l, &line, &f) > 0) {
            n++;
            too_long += line.too_long;
            assert_true(line.len <= 8);
            assert_memory_equal(line.bytes, table[i].text + line.offset, line.len);
        }
        close(fd);
        row_true(table[i].text, n == table[i].lines && too_long == table[i].too_long && line.torn == table[i].torn);
    }
}

/* A line that goes over the end of what is read at once. */
static void long_lines_are_whole(void **state)
{
    _cleanup_(lines_freep)
    struct lines *l = NULL;
    _cleanup_(buf_release)
    struct buf again = BUF_INIT(300000);
    struct fault f = FAULT_INIT;
    static char text[200002];
    struct line line;
    int fd;

    (void)state;
    for (size_t i = 0; i < 200000; i++)
        text[i] = (char)('a' + i % 26);
    text[99999] = '\n';
    text[200000] = '\n';
    write_file(text, 200001);
    fd = open(path, O_RDONLY);
    l = lines_new(fd, 150000);
    assert_int_equal(lines_next(l, &line, &f), 1);
    assert_int_equal(line.len, 99999);
    assert_memory_equal(line.bytes, text, 99999);
    assert_int_equal(lines_next(l, &line, &f), 1);
    assert_int_equal(line.offset, 100000);
    assert_int_equal(line.len, 100000);
    assert_memory_equal(line.bytes, text + 100000, 100000);
    assert_int_equal(lines_next(l, &line, &f), 0);
    assert_int_equal(lines_read_at(fd, 100000, 100000, &again, &f), 0);
    assert_memory_equal(again.data, text + 100000, 100000);
    assert_int_equal(lines_read_at(fd, 200000, 10, &again, &f), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_again), cmocka_unit_test(a_torn_line_is_cut_off),
        cmocka_unit_test(another_batch_is_refused),      cmocka_unit_test(copies_one_line),
        cmocka_unit_test(lines_have_a_ceiling),          cmocka_unit_test(long_lines_are_whole),
    };

    return cmocka_run_group_tests_name("cli/journal", tests, make_directory, remove_directory);
}
