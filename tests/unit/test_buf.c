#include "unit/check.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"

static void an_empty_buffer_is_an_empty_string(void **state)
{
    struct buf b = BUF_INIT(10);

    (void)state;
    assert_string_equal(buf_str(&b), "");
    buf_consume(&b, 5);
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    buf_release(&b);
    buf_release(&b);
}

static void what_is_added_stands_in_order_and_ends_with_nul(void **state)
{
    struct buf b = BUF_INIT(1000);
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(buf_add(&b, "ab", 2, &f), 0);
    assert_int_equal(buf_add_string(&b, "cd", &f), 0);
    assert_int_equal(buf_addf(&b, &f, "%d-%s", 5, "e"), 0);
    assert_int_equal(buf_add(&b, NULL, 0, &f), 0);
    assert_int_equal(b.len, 7);
    assert_string_equal(buf_str(&b), "abcd5-e");
    assert_int_equal(f.kind, FAULT_NONE);
    buf_release(&b);
}

static void bytes_may_be_nul(void **state)
{
    struct buf b = BUF_INIT(1000);
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(buf_add(&b, "a\0b", 3, &f), 0);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b\0", 4);
    buf_release(&b);
}

static void the_ceiling_holds(void **state)
{
    static const struct {
        const char *name;
        size_t ceiling, first, second;
        int want;
    } rows[] = {
        {"below", 10, 4, 5, 0},
        {"to the byte", 10, 4, 6, 0},
        {"one over", 10, 4, 7, -1},
        {"far over", 10, 0, 1000, -1},
        {"nothing fits", 0, 0, 1, -1},
        {"nothing of nothing", 0, 0, 0, 0},
        {"over the first block", 200, 100, 100, 0},
    };
    static const char zeros[1000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b = BUF_INIT(rows[i].ceiling);
        struct fault f = FAULT_INIT;
        size_t want_len = rows[i].first + (rows[i].want == 0 ? rows[i].second : 0);

        row_true(rows[i].name, buf_add(&b, zeros, rows[i].first, &f) == 0);
        row_true(rows[i].name, buf_add(&b, zeros, rows[i].second, &f) == rows[i].want);
        row_true(rows[i].name, b.len == want_len);
        row_true(rows[i].name, f.kind == (rows[i].want == 0 ? FAULT_NONE : FAULT_TOO_BIG));
        buf_release(&b);
        row_true(rows[i].name, b.ceiling == rows[i].ceiling && b.data == NULL);
    }
}

static void formatted_text_obeys_the_ceiling_as_a_whole(void **state)
{
    struct buf b = BUF_INIT(300);
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(buf_addf(&b, &f, "%0300d", 1), 0); /* longer than the small buffer inside */
    assert_int_equal(b.len, 300);
    assert_int_equal(b.data[299], '1');
    assert_int_equal(buf_addf(&b, &f, "%d", 12), -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
    assert_int_equal(b.len, 300);
    buf_release(&b);
}

static void fill_takes_what_fits(void **state)
{
    struct buf b = BUF_INIT(5);

    (void)state;
    assert_int_equal(buf_fill(&b, "abc", 3), 3);
    assert_int_equal(buf_fill(&b, "def", 3), 2);
    assert_int_equal(buf_fill(&b, "x", 1), 0);
    assert_string_equal(buf_str(&b), "abcde");
    buf_release(&b);
}

static void consume_drops_from_the_front(void **state)
{
    static const struct {
        size_t drop;
        const char *left;
    } rows[] = {{0, "abcdef"}, {1, "bcdef"}, {5, "f"}, {6, ""}, {7, ""}, {(size_t)-1, ""}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b = BUF_INIT(6);
        struct fault f = FAULT_INIT;

        assert_int_equal(buf_add_string(&b, "abcdef", &f), 0);
        buf_consume(&b, rows[i].drop);
        assert_string_equal(buf_str(&b), rows[i].left);
        assert_int_equal(b.len, strlen(rows[i].left));
        assert_int_equal(buf_fill(&b, "zzzzzzz", 7), 6 - strlen(rows[i].left)); /* the room is there again */
        buf_release(&b);
    }
}

static void take_hands_the_memory_over(void **state)
{
    struct buf b = BUF_INIT(6);
    struct fault f = FAULT_INIT;
    char *s;
    size_t len = 99;

    (void)state;
    s = buf_take(&b, &len);
    assert_string_equal(s, "");
    assert_int_equal(len, 0);
    free(s);
    assert_int_equal(buf_add_string(&b, "abc", &f), 0);
    s = buf_take(&b, NULL);
    assert_string_equal(s, "abc");
    assert_int_equal(b.len, 0);
    assert_int_equal(b.ceiling, 6);
    assert_null(b.data);
    free(s);
}

static void clear_keeps_memory_and_ceiling(void **state)
{
    struct buf b;
    struct fault f = FAULT_INIT;
    char *before;

    (void)state;
    buf_init(&b, 50);
    assert_int_equal(buf_add_string(&b, "abc", &f), 0);
    before = b.data;
    buf_clear(&b);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_add_string(&b, "d", &f), 0);
    assert_ptr_equal(b.data, before);
    assert_string_equal(buf_str(&b), "d");
    buf_release(&b);
}

static void growing_keeps_every_byte(void **state)
{
    struct buf b = BUF_INIT(100000);
    struct fault f = FAULT_INIT;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        unsigned char c = (unsigned char)(i * 31);

        assert_int_equal(buf_add(&b, &c, 1, &f), 0);
    }
    for (unsigned i = 0; i < 100000; i++)
        if ((unsigned char)b.data[i] != (unsigned char)(i * 31))
            fail_msg("byte %u differs", i);
    assert_int_equal(buf_add(&b, "x", 1, &f), -1);
    buf_release(&b);
}

static void copies_are_copies(void **state)
{
    char text[] = "ab\0cd", *copy;

    (void)state;
    assert_null(mem_string(NULL));
    copy = mem_string(text);
    text[0] = 'x';
    assert_string_equal(copy, "ab");
    free(copy);
    copy = mem_bytes(text, 5);
    assert_memory_equal(copy, "xb\0cd\0", 6);
    mem_wipe(copy, 5);
    assert_memory_equal(copy, "\0\0\0\0\0", 5);
    free(copy);
    mem_wipe(NULL, 5);
    copy = mem_bytes(NULL, 0);
    assert_string_equal(copy, "");
    free(copy);
    copy = mem_format("%s-%d", "a", 3);
    assert_string_equal(copy, "a-3");
    free(copy);
    free(mem_zero(0, 0));
}

static int freed;
struct thing {
    int n;
};
static void thing_free(struct thing *t)
{
    freed++;
    free(t);
}
DEFINE_CLEANUP(struct thing, thing_free)

static struct thing *make(bool keep)
{
    _cleanup_(thing_freep)
    struct thing *t = mem_new(struct thing);

    return keep ? TAKE(t) : NULL;
}

static void locals_clean_up_unless_taken(void **state)
{
    struct thing *t;

    (void)state;
    freed = 0;
    assert_null(make(false));
    assert_int_equal(freed, 1);
    t = make(true);
    assert_non_null(t);
    assert_int_equal(freed, 1);
    thing_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(what_is_added_stands_in_order_and_ends_with_nul),
        cmocka_unit_test(bytes_may_be_nul),
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test(formatted_text_obeys_the_ceiling_as_a_whole),
        cmocka_unit_test(fill_takes_what_fits),
        cmocka_unit_test(consume_drops_from_the_front),
        cmocka_unit_test(take_hands_the_memory_over),
        cmocka_unit_test(clear_keeps_memory_and_ceiling),
        cmocka_unit_test(growing_keeps_every_byte),
        cmocka_unit_test(copies_are_copies),
        cmocka_unit_test(locals_clean_up_unless_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
