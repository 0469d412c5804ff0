#include "unit/check.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "base/mem.h"
#include "worker/attempt.h"
#include "worker/history.h"

static char *name_of(const char *uid, const char *queue, const char *id, int number)
{
    struct config config = {.queue = (char *)(uintptr_t)queue};
    struct request request = {.id = (char *)(uintptr_t)id};
    struct attempt a = {.config = &config, .request = &request, .uid = uid, .number = number};
    char name[ATTEMPT_NAME_MAX];

    attempt_name(&a, name);
    return mem_string(name);
}

/* A name must be a DNS label, the same for the same, and another for anything else. */
static void test_names(void **state)
{
    char *names[] = {
        name_of("u1", "q", "a1", 1), name_of("u1", "q", "a1", 2),  name_of("u2", "q", "a1", 1),
        name_of("u1", "p", "a1", 1), name_of("u1", "q", "a1:", 1), name_of("u1", "q", "A1", 1),
    };
    char *again = name_of("u1", "q", "a1", 1);

    (void)state;
    assert_string_equal(names[0], again);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(strncmp(names[i], "execq-", 6), 0);
        assert_int_equal(strlen(names[i]), 6 + 32 + 2);
        for (const char *c = names[i]; *c; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-');
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(names[i], names[k]);
    }
    assert_int_equal(strncmp(names[0], names[1], 38), 0); /* attempts of one request differ in the number only */
    for (size_t i = 0; i < COUNT_OF(names); i++)
        free(names[i]);
    free(again);
}

static void test_history(void **state)
{
    struct history h, back;
    char *text;

    (void)state;
    history_read(&h, NULL);
    history_add(&h, json_object_new_string("first"));
    h.barred_since_ms = 12345;
    text = history_text(&h);
    history_read(&back, text);
    assert_int_equal(json_object_array_length(back.attempts), 1);
    assert_int_equal(back.barred_since_ms, 12345);
    history_release(&h);
    history_release(&back);
    free(text);
}

static void test_history_that_cannot_be_read(void **state)
{
    static const char *const texts[] = {"", "[]", "{", "{\"attempts\":3}", "{\"attempts\":{},\"barred_since\":\"x\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct history h;

        history_read(&h, texts[i]);
        row_true(texts[i], h.attempts && json_object_array_length(h.attempts) == 0);
        row_true(texts[i], h.barred_since_ms == 0);
        history_release(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_history_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
