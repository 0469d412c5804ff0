/* Definitions of languages: what is read, what is refused, and that what is printed is read again. */
#include "check.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "worker/languages.h"

static void expect_args(const char *row, char *const args[], const char *text)
{
    char joined[256] = "";

    for (size_t i = 0; args[i]; i++) {
        size_t used = strlen(joined);

        snprintf(joined + used, sizeof(joined) - used, "%s%s", i ? " " : "", args[i]);
    }
    if (strcmp(joined, text) != 0)
        fail_msg("row \"%s\": \"%s\" is not \"%s\"", row, joined, text);
}

static const struct {
    const char *definition, *name, *file, *compile, *run;
} good[] = {
    {"ruby=ruby:3,code.rb,ruby,-W,/app/code.rb", "ruby", "code.rb", "", "ruby -W /app/code.rb"},
    {"zig=a/zig:1@sha256:0,m.zig,zig,build-exe,/app/m.zig,=>,/tmp/m", "zig", "m.zig", "zig build-exe /app/m.zig",
     "/tmp/m"},
    {"a=i,f,x,=>,y,z", "a", "f", "x", "y z"},
    {"a=i,f,=>x,y=>,=>=", "a", "f", "", "=>x y=> =>="},
    {"a=i,f,x,", "a", "f", "", "x"},
    {"a=i,f,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,=>,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", "a", "f",
     "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct languages *l = calloc(1, sizeof(*l)), *again = calloc(1, sizeof(*again));
        const struct language *one;
        struct fault f = FAULT_INIT;
        char *text;

        row_true(good[i].definition, languages_set(l, good[i].definition, &f) == 0);
        one = languages_find(l, good[i].name);
        row_true(good[i].definition, one && strcmp(one->file, good[i].file) == 0);
        expect_args(good[i].definition, one->compile, good[i].compile);
        expect_args(good[i].definition, one->argv, good[i].run);

        text = language_text(one);
        row_true(good[i].definition, languages_set(again, text, &f) == 0);
        expect_args(text, again->list[0].compile, good[i].compile);
        expect_args(text, again->list[0].argv, good[i].run);
        free(text);
        languages_release(l);
        languages_release(again);
        free(l);
        free(again);
    }
}

static const struct {
    const char *definition, *says;
} bad[] = {
    {"ruby", "is not NAME="},
    {"ru by=i,f,x", "no name for a language"},
    {"=i,f,x", "no name for a language"},
    {"a=", "needs IMAGE"},
    {"a=i", "needs IMAGE"},
    {"a=i,f", "language a needs IMAGE,FILE,RUN..."},
    {"a=,f,x", "needs IMAGE"},
    {"a=i,../f,x", "no plain file name"},
    {"a=i,f,x,,y", "needs IMAGE"},
    {"a=i,f,=>,x", "nothing before"},
    {"a=i,f,x,=>", "needs IMAGE"},
    {"a=i,f,x,=>,", "needs IMAGE"},
    {"a=i,f,x,=>,=>,y", "twice"},
    {"a=i,f,x,=>,y,=>,z", "twice"},
    {"a=i,f,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16 of each"},
    {"a=i,f,x,=>,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16 of each"},
};

static void test_bad(void **state)
{
    struct languages *l = calloc(1, sizeof(*l));

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct fault f = FAULT_INIT;

        row_true(bad[i].definition, languages_set(l, bad[i].definition, &f) == -1);
        if (!strstr(f.text, bad[i].says))
            fail_msg("\"%s\" does not say \"%s\"", f.text, bad[i].says);
    }
    assert_int_equal(l->count, 0);
    free(l);
}

static void test_builtin(void **state)
{
    static const struct {
        const char *name, *file, *compile, *run;
    } rows[] = {
        {"python", "code.py", NULL, "python3"}, {"bash", "code.sh", NULL, "bash"},
        {"node", "code.js", NULL, "node"},      {"go", "main.go", "go", "/tmp/main"},
        {"c", "main.c", "gcc", "/tmp/main"},    {"c++", "main.cc", "g++", "/tmp/main"},
        {"java", "Main.java", "javac", "java"}, {"rust", "main.rs", "rustc", "/tmp/main"},
    };
    struct languages *l = calloc(1, sizeof(*l));

    (void)state;
    languages_init(l);
    assert_int_equal(l->count, COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct language *one = languages_find(l, rows[i].name);

        row_true(rows[i].name, one && strcmp(one->file, rows[i].file) == 0);
        row_true(rows[i].name, strcmp(one->argv[0], rows[i].run) == 0);
        row_true(rows[i].name, !rows[i].compile == !one->compile[0]);
        row_true(rows[i].name, !rows[i].compile || strcmp(one->compile[0], rows[i].compile) == 0);
    }
    languages_release(l);
    free(l);
}

/* A definition replaces the one of that name whole: nothing of the old compile stage is left. */
static void test_replaced(void **state)
{
    struct languages *l = calloc(1, sizeof(*l));
    struct fault f = FAULT_INIT;

    (void)state;
    languages_init(l);
    assert_int_equal(languages_set(l, "go=golang:9,main.go,go,run,/app/main.go", &f), 0);
    assert_null(languages_find(l, "go")->compile[0]);
    assert_string_equal(languages_find(l, "go")->image, "golang:9");
    languages_release(l);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_builtin),
        cmocka_unit_test(test_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
