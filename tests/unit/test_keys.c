#include "queue/keys.h"
#include "unit/check.h"

static void names(void **state)
{
    char long_name[66], long_id[130];

    (void)state;
    memset(long_name, 'a', 65);
    memset(long_id, 'a', 129);
    long_name[65] = long_id[129] = '\0';
    assert_true(key_is_name("a") && key_is_name("A-z_0.9") && key_is_name(long_name + 1));
    assert_false(key_is_name(long_name) || key_is_name("") || key_is_name("a:b") || key_is_name("a{b") ||
                 key_is_name("a b") || key_is_name("\xc3\xa4"));
    assert_true(key_is_id("a:b") && key_is_id(long_id + 1));
    assert_false(key_is_id(long_id) || key_is_id("") || key_is_id("a/b") || key_is_id("a\n"));
}

static void forms(void **state)
{
    char key[KEY_MAX];

    (void)state;
    assert_string_equal(key_of(key, "q", "requests"), "execq:{q}:requests");
    assert_string_equal(key_for(key, "q", "task", "a:b"), "execq:{q}:task:a:b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
