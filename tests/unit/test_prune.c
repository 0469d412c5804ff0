#include "check.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "k8s/prune.h"

#define TEN_LETTERS "abcdefghij"
#define LONG_NAME                                                                                               \
    TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS \
        TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS

static void test_prune(void **state)
{
    static const char *const keep[] = {"a", "o.m.x", "o.m.y", "o.s", "d.o/t.s", NULL};
    static const struct {
        const char *json, *pruned; /* NULL: refused */
    } rows[] = {
        {"{}", "{}"},
        {" { } ", "{}"},
        {"{\"b\":1}", "{}"},
        {"{\"b\" : [ {\"b\":\"]}\\\"\"} ] , \"a\" : 2 }", "{\"a\" : 2}"},
        {"{\"b\":\"\\\\\",\"a\":\"\\\\\\\"\",\"c\":\"\\\"\"}", "{\"a\":\"\\\\\\\"\"}"},
        {"{\"a\":{\"b\":[1]},\"c\":\"x\"}", "{\"a\":{\"b\":[1]}}"},
        {"{\"ab\":1,\"o\":{\"a\":2,\"m\":{\"x\":{},\"y\":null,\"z\":[1]},\"s\":-1e5,\"t\":true}}",
         "{\"o\":{\"m\":{\"x\":{},\"y\":null},\"s\":-1e5}}"},
        {"{\"d\":{\"o/t\":7,\"o/t.s\":8,\"o\":9}}", "{\"d\":{\"o/t\":7,\"o/t.s\":8}}"}, /* a name with dots */
        {"{\"o\":7}", "{\"o\":7}"},                                                     /* not an object: as it is */
        {"{\"o\":[]}", "{\"o\":[]}"},
        {"{\"o\":[{\"s\":1,\"t\":2}, [{\"t\":1}], 3 ,{\"m\":{\"x\":[],\"z\":0}} ]}",
         "{\"o\":[{\"s\":1},[{\"t\":1}],3,{\"m\":{\"x\":[]}}]}"}, /* each object of a list */
        {"{\"o\":[1", NULL},
        {"{\"o\":[{}", NULL},
        {"{\"o\":[{\"s\":1}}", NULL},
        {"{\"\\u0061\":1}", "{}"},                                      /* an escaped name is not looked at */
        {"{\"o\":{\"" LONG_NAME "\":1,\"s\":2}}", "{\"o\":{\"s\":2}}"}, /* no path is as long */
        {"{\"b\":garbage,\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1}x", NULL},
        {"{\"a\":1", NULL},
        {"{\"a\"", NULL},
        {"{\"a", NULL},
        {"{\"a\\", NULL},
        {"{\"a\\\"", NULL},
        {"{\"a\":", NULL},
        {"{\"a\":\"", NULL},
        {"{\"b\":\"\\", NULL},
        {"{\"a\":[", NULL},
        {"{b:1}", NULL},
        {"{\"a\":1,}", NULL},
        {"[]", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        _cleanup_(buf_release)
        struct buf b = BUF_INIT(1000);
        int result = prune(rows[i].json, strlen(rows[i].json), keep, &b);

        if (result != (rows[i].pruned ? 0 : -1) || strcmp(buf_str(&b), rows[i].pruned ? rows[i].pruned : "") != 0)
            fail_msg("%s: %d %s", rows[i].json, result, buf_str(&b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prune),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
