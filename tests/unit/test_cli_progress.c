#include "unit/check.h"

#include "base/cleanup.h"
#include "cli/progress.h"

static void lines(void **state)
{
    static const struct {
        const char *name;
        struct progress p;
        int64_t now_ms;
        int width;
        const char *line;
    } table[] = {
        {"nothing yet", {.total = 1000}, 5000, 80, "[------------------------------] 0/1000"},
        {"half",
         {.total = 1000, .done = 500, .begun_ms = 1000},
         11000,
         80,
         "[###############---------------] 500/1000  50.0/s  10 s left"},
        {"failed",
         {.total = 1000, .done = 500, .failed = 3, .begun_ms = 1000},
         11000,
         80,
         "[###############---------------] 500/1000  3 failed  50.0/s  10 s left"},
        {"resumed: the rate is of this run",
         {.total = 1000, .done = 500, .done_before = 400},
         10000,
         80,
         "[###############---------------] 500/1000  10.0/s  50 s left"},
        {"resumed, nothing new",
         {.total = 1000, .done = 400, .done_before = 400},
         10000,
         80,
         "[############------------------] 400/1000"},
        {"done", {.total = 10, .done = 10}, 1000, 80, "[##############################] 10/10  10.0/s"},
        {"no time has passed", {.total = 10, .done = 5}, 0, 80, "[###############---------------] 5/10"},
        {"narrow",
         {.total = 1000, .done = 500, .begun_ms = 1000},
         11000,
         40,
         "[####-----] 500/1000  50.0/s  10 s left"},
        {"no room for a bar", {.total = 1000, .done = 500, .begun_ms = 1000}, 11000, 30, "500/1000  50.0/s  10 s left"},
        {"cut", {.total = 1000, .done = 500, .begun_ms = 1000}, 11000, 10, "500/1000 "},
        {"no width", {.total = 1000}, 0, 0, ""},
        {"empty", {.total = 0}, 0, 80, "[##############################] 0/0"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char line[256];

        progress_line(&table[i].p, table[i].now_ms, table[i].width, line, sizeof(line));
        if (strcmp(line, table[i].line) != 0)
            fail_msg("row \"%s\": \"%s\" instead of \"%s\"", table[i].name, line, table[i].line);
        row_true(table[i].name, table[i].width == 0 || (int)strlen(line) < table[i].width);
    }
}

static void times(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } table[] = {
        {0, "0 s"},
        {1, "1 s"},
        {59000, "59 s"},
        {59001, "1 min 00 s"},
        {200000, "3 min 20 s"},
        {3600000, "1 h 00 min"},
        {7500000, "2 h 05 min"},
        {360000000, "100 h 00 min"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[40];

        progress_time(table[i].ms, text, sizeof(text));
        assert_string_equal(text, table[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(times)};

    return cmocka_run_group_tests_name("cli/progress", tests, NULL, NULL);
}
