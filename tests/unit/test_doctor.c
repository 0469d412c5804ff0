/* What the doctor makes of Redis' answers, and how it prints. */
#include "unit/check.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "worker/doctor_print.h"
#include "worker/doctor_redis.h"

/* clang-format off */
static const struct {
    const char *name, *info;
    enum finding_state version, memory, disk;
} infos[] = {
    {"Redis 7.0", "# Server\r\nredis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n", FINDING_WELL, FINDING_WELL, FINDING_WELL},
    {"Redis 10", "redis_version:10.1\nmaxmemory:1\nmaxmemory_policy:noeviction\naof_enabled:1", FINDING_WELL, FINDING_WELL, FINDING_WELL},
    {"Redis 6", "redis_version:6.2.7\nmaxmemory:1\nmaxmemory_policy:noeviction\naof_enabled:1\n", FINDING_BAD, FINDING_WELL, FINDING_WELL},
    {"evicts", "redis_version:7.0.15\nmaxmemory:1000\nmaxmemory_policy:allkeys-lru\naof_enabled:1\n", FINDING_WELL, FINDING_BAD, FINDING_WELL},
    {"would evict", "redis_version:7.0.15\nmaxmemory:0\nmaxmemory_policy:allkeys-lru\naof_enabled:1\n", FINDING_WELL, FINDING_WARNING, FINDING_WELL},
    {"forgets", "redis_version:7.0.15\nmaxmemory:0\nmaxmemory_policy:noeviction\naof_enabled:0\n", FINDING_WELL, FINDING_WELL, FINDING_WARNING},
    {"says nothing", "", FINDING_WARNING, FINDING_WARNING, FINDING_WARNING},
};

static const struct {
    const char *name;
    int64_t ahead_ms, unsure_ms;
    enum finding_state state;
    const char *says;
} clocks[] = {
    {"right", 3, 1, FINDING_WELL, "within 4 ms"},
    {"far away, not known better", 4500, 3000, FINDING_WELL, "within"},
    {"ahead", 5000, 1, FINDING_WARNING, "ahead of this machine's by 5.0 s"},
    {"behind", -3600000, 1, FINDING_WARNING, "behind this machine's by 3600.0 s"},
};
/* clang-format on */

static void test_info(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(infos); i++) {
        struct finding list[DOCTOR_REDIS_MAX];

        assert_int_equal(doctor_redis_judge_info(infos[i].info, 5, list), 3);
        row_true(infos[i].name, list[0].state == infos[i].version && list[0].took_ms == 5);
        row_true(infos[i].name, list[1].state == infos[i].memory);
        row_true(infos[i].name, list[2].state == infos[i].disk);
        for (size_t k = 0; k < 3; k++)
            row_true(infos[i].name, list[k].state == FINDING_WELL || *list[k].advice || !*infos[i].info);
    }
}

static void test_clock(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        struct finding f = {.check = "x"};

        doctor_redis_judge_clock(clocks[i].ahead_ms, clocks[i].unsure_ms, &f);
        row_true(clocks[i].name, f.state == clocks[i].state);
        row_true(clocks[i].name, strstr(f.text, clocks[i].says));
    }
}

/* What a program printed may be in a finding: it stays one line. */
static void make(struct finding list[3])
{
    memset(list, 0, 3 * sizeof(*list));
    snprintf(list[0].check, sizeof(list[0].check), "redis");
    finding_set(&list[0], FINDING_WELL, "Redis");
    list[0].took_ms = 1234;
    snprintf(list[1].check, sizeof(list[1].check), "network");
    finding_set(&list[1], FINDING_BAD, "two\nlines \"and\" \033[31m");
    finding_advise(&list[1], "close it");
    snprintf(list[2].check, sizeof(list[2].check), "memory");
    finding_set(&list[2], FINDING_PASSING, "later");
}

static void test_table(void **state)
{
    struct finding list[3];
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    (void)state;
    make(list);
    doctor_print_table(to, list, 3, false);
    fclose(to);
    assert_string_equal(text, "redis            ok        1.23 s  Redis\n"
                              "network          BAD               two lines \"and\"  [31m\n"
                              "                                   -> close it\n"
                              "memory           unknown           later\n"
                              "1 bad, 1 unknown, 0 warnings.\n");
    free(text);
    to = open_memstream(&text, &len);
    doctor_print_table(to, list, 1, true);
    fclose(to);
    assert_string_equal(text, "redis            \033[32mok     \033[0m   1.23 s  Redis\nAll is well.\n");
    free(text);
}

static void test_json(void **state)
{
    struct finding list[3];
    struct json_object *o, *checks, *bad;
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    (void)state;
    make(list);
    doctor_print_json(to, list, 3);
    fclose(to);
    o = json_tokener_parse(text);
    checks = field_peek(o, "checks");
    assert_string_equal(field_peek_string(o, "worst"), "bad");
    assert_int_equal(json_object_array_length(checks), 3);
    assert_int_equal(field_peek_int(json_object_array_get_idx(checks, 0), "ms", -1), 1234);
    assert_null(field_peek_string(json_object_array_get_idx(checks, 0), "do"));
    bad = json_object_array_get_idx(checks, 1);
    assert_string_equal(field_peek_string(bad, "state"), "bad");
    assert_string_equal(field_peek_string(bad, "do"), "close it");
    assert_int_equal(field_peek_int(bad, "ms", -1), -1);
    json_object_put(o);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
