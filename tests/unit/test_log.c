#include "unit/check.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/log.h"

static char line[65536];
static FILE *caught;
static int real_stderr;

/* stderr goes to a file while a test writes. */
static void catch_stderr(void)
{
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    caught = tmpfile();
    assert_non_null(caught);
    dup2(fileno(caught), STDERR_FILENO);
}

static void release_stderr(void)
{
    size_t n;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(caught);
    n = fread(line, 1, sizeof(line) - 1, caught);
    line[n] = '\0';
    fclose(caught);
}

/* The line without its time stamp, which is checked for its shape. */
static const char *after_stamp(void)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

    for (size_t i = 0; shape[i]; i++) {
        char c = line[i];

        if (shape[i] == 'd' ? c < '0' || c > '9' : c != shape[i])
            fail_msg("no time stamp: %s", line);
    }
    return line + sizeof(shape) - 1;
}

static void text_lines(void **state)
{
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"plain", "info step v=plain\n"},
        {"a/b:c-1.2", "info step v=a/b:c-1.2\n"},
        {"", "info step v=\"\"\n"},
        {NULL, "info step v=\"\"\n"},
        {"two words", "info step v=\"two words\"\n"},
        {"a=b", "info step v=\"a=b\"\n"},
        {"say \"hi\"", "info step v=\"say \\\"hi\\\"\"\n"},
        {"back\\slash", "info step v=\"back\\\\slash\"\n"},
        {"one\ntwo", "info step v=\"one\\ntwo\"\n"},
        {"\x1b[31m", "info step v=\"\\u001b[31m\"\n"},
        {"\x7f", "info step v=\"\\u007f\"\n"},
        {"\xc3\xa4", "info step v=\xc3\xa4\n"},
        {"\xc2\x9b"
         "31m",
         "info step v=\"\\u009b31m\"\n"}, /* a terminal takes it for ESC [ */
        {"bad\xff", "info step v=\"bad\\ufffd\"\n"},
    };

    (void)state;
    log_open(LEVEL_INFO, false);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        catch_stderr();
        log_info("step", STR("v", rows[i].value));
        release_stderr();
        assert_string_equal(after_stamp(), rows[i].want);
    }
}

static void numbers_and_order(void **state)
{
    (void)state;
    log_open(LEVEL_INFO, false);
    catch_stderr();
    log_warning("lost", NUM("n", -5), STR("a", "b"), NUM("big", INT64_MAX));
    release_stderr();
    assert_string_equal(after_stamp(), "warning lost n=-5 a=b big=9223372036854775807\n");
    catch_stderr();
    log_error("bare");
    release_stderr();
    assert_string_equal(after_stamp(), "error bare\n");
}

static const char *counted(int *calls)
{
    ++*calls;
    return "x";
}

static void what_is_below_the_level_costs_nothing(void **state)
{
    int calls = 0;

    (void)state;
    log_open(LEVEL_WARNING, false);
    catch_stderr();
    log_info("no", STR("v", counted(&calls)));
    log_debug("no", STR("v", counted(&calls)));
    release_stderr();
    assert_string_equal(line, "");
    assert_int_equal(calls, 0);
    log_open(LEVEL_DEBUG, false);
    catch_stderr();
    log_debug("yes");
    release_stderr();
    assert_string_equal(after_stamp(), "debug yes\n");
}

/* One line, one JSON object, whatever is in the values. */
static void json_lines_are_json(void **state)
{
    static char hostile[5000], euros[5001];
    const char *values[] = {"plain", "",   "a\"b\\c\nd\te\x01\x7f", "\xff\xfe", "\xc3", "\xed\xa0\x80", "\xc2\x9b",
                            hostile, euros};

    (void)state;
    memset(hostile, '\x01', sizeof(hostile) - 1);
    for (size_t i = 0; i + 3 < sizeof(euros); i += 3)
        memcpy(euros + i, "\xe2\x82\xac", 3);
    log_open(LEVEL_INFO, true);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        _cleanup_(field_putp)
        struct json_object *o = NULL;
        struct fault f = FAULT_INIT;

        catch_stderr();
        log_info("step", STR("a", values[i]), NUM("n", 7), STR("b", values[i]), STR("c", values[i]),
                 STR("d", values[i]));
        release_stderr();
        if (field_parse(line, strlen(line), 4, &o, &f) < 0)
            fail_msg("row %zu: %s", i, f.text);
        assert_string_equal(field_peek_string(o, "level"), "info");
        assert_string_equal(field_peek_string(o, "event"), "step");
        assert_non_null(field_peek_string(o, "time"));
        assert_int_equal(field_peek_int(o, "n", 0), 7);
        assert_non_null(field_peek_string(o, "a"));
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    }
}

static void values_are_cut(void **state)
{
    static char longer[3000];

    (void)state;
    memset(longer, 'a', sizeof(longer) - 1);
    log_open(LEVEL_INFO, false);
    catch_stderr();
    log_info("step", STR("v", longer), NUM("n", 1));
    release_stderr();
    assert_true(strlen(line) < 1200);
    assert_non_null(strstr(line, " n=1\n"));
}

static void levels_have_names(void **state)
{
    enum log_level level = LEVEL_INFO;
    struct fault f = FAULT_INIT;

    (void)state;
    for (int i = LEVEL_ERROR; i <= LEVEL_DEBUG; i++) {
        assert_int_equal(log_level_parse(log_level_name((enum log_level)i), &level, &f), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("Info", &level, &f), -1);
    assert_int_equal(f.kind, FAULT_INVALID);
    assert_int_equal(level, LEVEL_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines),
        cmocka_unit_test(numbers_and_order),
        cmocka_unit_test(what_is_below_the_level_costs_nothing),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(values_are_cut),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
