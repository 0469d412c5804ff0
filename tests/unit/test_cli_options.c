#include "unit/check.h"

#include "base/cleanup.h"
#include "cli/options.h"

struct fruit {
    struct common common;
    const char *name;
    int64_t count, limit_ms, wait_ms;
    struct text_list env;
    bool ripe;
};

/* clang-format off */
static const struct option rows[] = {
    {"name",  'n', OPTION_TEXT,       offsetof(struct fruit, name),     "NAME", "TEST_FRUIT_NAME",  "", 0, 0},
    {"count", 0,   OPTION_NUMBER,     offsetof(struct fruit, count),    "N",    "TEST_FRUIT_COUNT", "", 1, 10},
    {"limit", 0,   OPTION_TIME,       offsetof(struct fruit, limit_ms), "TIME", NULL,               "", 0, 0},
    {"wait",  'w', OPTION_MAYBE_TIME, offsetof(struct fruit, wait_ms),  "TIME", NULL,               "", 0, 0},
    {"env",   'e', OPTION_LIST,       offsetof(struct fruit, env),      "K=V",  NULL,               "", 0, 0},
    {"ripe",  'r', OPTION_FLAG,       offsetof(struct fruit, ripe),     NULL,   NULL,               "", 0, 0},
    {0},
};
/* clang-format on */

static const struct command command = {
    .name = "eat",
    .synopsis = "FRUIT [-- ARG...]",
    .text = "Eats.",
    .arguments_min = 1,
    .arguments_max = 2,
    .takes_rest = true,
    .options = rows,
};

static const struct command quiet = {.name = "sleep", .synopsis = "", .text = "", .options = rows};

static int parse(const struct command *c, const char *const *words, struct fruit *fruit, struct arguments *a,
                 struct fault *f)
{
    int argc = 0;

    *fruit = (struct fruit){.common = COMMON_INIT};
    while (words[argc])
        argc++;
    return options_parse(c, argc, (char **)words, fruit, a, f);
}

static void forget_environment(void)
{
    unsetenv("EXECQ_REDIS_URL");
    unsetenv("EXECQ_QUEUE");
    unsetenv("TEST_FRUIT_NAME");
    unsetenv("TEST_FRUIT_COUNT");
}

static void everything_lands_in_its_place(void **state)
{
    _cleanup_(arguments_release)
    struct arguments a = {0};
    struct fault f = FAULT_INIT;
    struct fruit fruit;

    (void)state;
    forget_environment();
    assert_int_equal(parse(&command,
                           (const char *[]){"--name",    "pear",    "apple", "--count=7", "-e",      "A=1", "-eB=2",
                                            "--env=C==", "--limit", "1.5s",  "-r",        "--queue", "q2",  "-",
                                            "--json",    "--",      "-x",    "--",        "y",       NULL},
                           &fruit, &a, &f),
                     0);
    assert_string_equal(fruit.name, "pear");
    assert_int_equal(fruit.count, 7);
    assert_int_equal(fruit.limit_ms, 1500);
    assert_int_equal(fruit.wait_ms, 0);
    assert_true(fruit.ripe);
    assert_true(fruit.common.json);
    assert_string_equal(fruit.common.queue, "q2");
    assert_int_equal(fruit.env.n, 3);
    assert_string_equal(fruit.env.items[1], "B=2");
    assert_string_equal(fruit.env.items[2], "C==");
    assert_int_equal(a.n, 2);
    assert_string_equal(a.words[0], "apple");
    assert_string_equal(a.words[1], "-");
    assert_int_equal(a.n_rest, 3);
    assert_string_equal(a.rest[0], "-x");
    assert_string_equal(a.rest[1], "--");
    options_release(&command, &fruit);
    assert_int_equal(fruit.env.n, 0);
}

static void a_time_may_be_left_out(void **state)
{
    static const struct {
        const char *name;
        const char *words[5];
        int64_t wait_ms;
        size_t arguments;
    } table[] = {
        {"without", {"id", "--wait"}, OPTION_FOREVER, 1},
        {"before the argument", {"--wait", "42"}, OPTION_FOREVER, 1},
        {"behind it", {"id", "--wait", "42"}, 42000, 1},
        {"joined", {"--wait=250ms", "id"}, 250, 1},
        {"short", {"id", "-w", "3"}, 3000, 1},
        {"a word that is no time", {"id", "--wait", "id2"}, OPTION_FOREVER, 2},
        {"another option", {"id", "--wait", "--ripe"}, OPTION_FOREVER, 1},
    };

    (void)state;
    forget_environment();
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        _cleanup_(arguments_release)
        struct arguments a = {0};
        struct fault f = FAULT_INIT;
        struct fruit fruit;

        row_true(table[i].name, parse(&command, table[i].words, &fruit, &a, &f) == 0);
        row_true(table[i].name, fruit.wait_ms == table[i].wait_ms);
        row_true(table[i].name, a.n == table[i].arguments);
    }
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const struct command *command;
        const char *words[4], *says;
    } table[] = {
        {&command, {"a", "--colour"}, "unknown option --colour"},
        {&command, {"a", "--colour=red"}, "unknown option --colour"},
        {&command, {"a", "--nam", "x"}, "unknown option --nam"},
        {&command, {"a", "-z"}, "unknown option -z"},
        {&command, {"a", "-rx"}, "unknown option -rx"},
        {&command, {"a", "--name"}, "option --name needs a value: --name NAME"},
        {&command, {"a", "-n"}, "option -n needs a value: -n NAME"},
        {&command, {"a", "--ripe=yes"}, "option --ripe takes no value"},
        {&command, {"a", "--count", "x"}, "--count: \"x\" is not a whole number"},
        {&command, {"a", "--count", "11"}, "--count: 11 is not between 1 and 10"},
        {&command, {"a", "--limit", "soon"}, "--limit: \"soon\" is not a time such as 30s"},
        {&command, {"a", "--queue", "a b"}, "--queue: \"a b\" is no name: 1 to 64 of A-Z a-z 0-9 . _ -"},
        {&command, {NULL}, "an argument is missing: execq eat FRUIT [-- ARG...]"},
        {&command, {"a", "b", "c"}, "one argument too many: c (arguments for the code go behind --)"},
        {&quiet, {"a"}, "one argument too many: a"},
        {&quiet, {"--"}, "nothing may follow --"},
    };

    (void)state;
    forget_environment();
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        _cleanup_(arguments_release)
        struct arguments a = {0};
        struct fault f = FAULT_INIT;
        struct fruit fruit;

        assert_int_equal(parse(table[i].command, table[i].words, &fruit, &a, &f), -1);
        assert_string_equal(f.text, table[i].says);
        assert_int_equal(f.kind, FAULT_INVALID);
        options_release(table[i].command, &fruit);
    }
}

static void option_beats_environment_beats_default(void **state)
{
    _cleanup_(arguments_release)
    struct arguments a = {0}, b = {0};
    struct fault f = FAULT_INIT;
    struct fruit fruit;

    (void)state;
    forget_environment();
    setenv("TEST_FRUIT_NAME", "plum", 1);
    setenv("TEST_FRUIT_COUNT", "3", 1);
    setenv("EXECQ_QUEUE", "from.environment", 1);
    setenv("EXECQ_REDIS_URL", "", 1);
    assert_int_equal(parse(&command, (const char *[]){"x", "--count", "4", NULL}, &fruit, &a, &f), 0);
    assert_string_equal(fruit.name, "plum");
    assert_int_equal(fruit.count, 4);
    assert_string_equal(fruit.common.queue, "from.environment");
    assert_string_equal(fruit.common.redis_url, "redis://127.0.0.1:6379/0"); /* empty: as if not set */
    setenv("TEST_FRUIT_COUNT", "many", 1);
    assert_int_equal(parse(&command, (const char *[]){"x", NULL}, &fruit, &b, &f), -1);
    assert_string_equal(f.text, "TEST_FRUIT_COUNT: \"many\" is not a whole number");
    forget_environment();
}

static void help_needs_no_arguments(void **state)
{
    _cleanup_(arguments_release)
    struct arguments a = {0};
    struct fault f = FAULT_INIT;
    struct fruit fruit;

    (void)state;
    forget_environment();
    assert_int_equal(parse(&command, (const char *[]){"--help", NULL}, &fruit, &a, &f), 0);
    assert_true(fruit.common.help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_lands_in_its_place), cmocka_unit_test(a_time_may_be_left_out),
        cmocka_unit_test(what_is_wrong_is_named),        cmocka_unit_test(option_beats_environment_beats_default),
        cmocka_unit_test(help_needs_no_arguments),
    };

    return cmocka_run_group_tests_name("cli/options", tests, NULL, NULL);
}
