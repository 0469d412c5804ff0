#include <stdlib.h>

#include "base/cleanup.h"
#include "queue/redis_url.h"
#include "unit/check.h"

/* clang-format off */
static const struct good {
    const char *url, *host, *path, *user, *password;
    int port, db;
} goods[] = {
    {"redis://h",                        "h",         NULL,      NULL, NULL,  6379, 0},
    {"redis://h/",                       "h",         NULL,      NULL, NULL,  6379, 0},
    {"REDIS://h:1/15",                   "h",         NULL,      NULL, NULL,  1,    15},
    {"redis://10.0.0.1:65535",           "10.0.0.1",  NULL,      NULL, NULL,  65535, 0},
    {"redis://[::1]",                    "::1",       NULL,      NULL, NULL,  6379, 0},
    {"redis://[fe80::1]:7/2",            "fe80::1",   NULL,      NULL, NULL,  7,    2},
    {"redis://:pw@h",                    "h",         NULL,      NULL, "pw",  6379, 0},
    {"redis://u:pw@h:7/3",               "h",         NULL,      "u",  "pw",  7,    3},
    {"redis://u:p%40%3a%2F%25@h",        "h",         NULL,      "u",  "p@:/%", 6379, 0},
    {"redis://u:a:b@h",                  "h",         NULL,      "u",  "a:b", 6379, 0},
    {"redis://u:a@b@h",                  "h",         NULL,      "u",  "a@b", 6379, 0},
    {"redis://u:@h",                     "h",         NULL,      "u",  "",    6379, 0},
    {"unix:///run/r.sock",               NULL, "/run/r.sock",    NULL, NULL,  0,    0},
    {"redis+unix:///run/r.sock?db=4",    NULL, "/run/r.sock",    NULL, NULL,  0,    4},
    {"redis+unix://u:pw@/run/a%20b",     NULL, "/run/a b",       "u",  "pw",  0,    0},
};

static const char *const bads[] = {
    "", "h", "http://h", "redis:/h", "rediss://h", "redis://", "redis://:6379", "redis://h:", "redis://h:0",
    "redis://h:65536", "redis://h:6x", "redis://h:-1", "redis://h:+1", "redis://h: 1", "redis://h:99999999999999999999",
    "redis://h/x", "redis://h/-1", "redis://h/1/2", "redis://h?db=1", "redis://h#x", "redis://[::1", "redis://[::1]x",
    "redis://[]", "redis://u@h", "redis://u:%zz@h", "redis://u:%4@h", "redis://u:%@h", "redis://u:%00@h",
    "redis://u:%0a@h", "redis://a\nb", "unix://run/r.sock", "unix://", "unix:///x?db=", "unix:///x?y=1", "unix:///x?db=1x",
    "unix:///%0", "redis://u:hunter2@",
};

static const struct { const char *url, *shown; } masks[] = {
    {"redis://h",                     "redis://h"},
    {"redis://u:hunter2@h/1",         "redis://u:***@h/1"},
    {"redis://:hunter2@h",            "redis://:***@h"},
    {"redis://u:hunt/er@2@h",         "redis://u:***@h"},
    {"redis+unix://u:hunter2@/a",     "redis+unix://u:***@/a"},
    {"u:hunter2@h",                   "u:***@h"},
    {"nonsense",                      "nonsense"},
};
/* clang-format on */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        const struct good *g = &goods[i];
        struct redis_url u = {0};
        struct fault f = FAULT_INIT;

        if (redis_url_parse(g->url, &u, &f) < 0)
            fail_msg("%s: %s", g->url, f.text);
        row_true(g->url, same(u.host, g->host) && same(u.path, g->path) && same(u.user, g->user));
        row_true(g->url, same(u.password, g->password) && u.db == g->db);
        row_true(g->url, u.port == g->port);
        redis_url_release(&u);
    }
}

static void bad(void **state)
{
    char long_path[300] = "unix:///";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        struct redis_url u = {0};
        struct fault f = FAULT_INIT;

        row_true(bads[i], redis_url_parse(bads[i], &u, &f) == -1);
        row_true(bads[i], f.kind == FAULT_INVALID && !strstr(f.text, "hunter2") && !u.host && !u.path);
    }
    memset(long_path + 8, 'x', 200);
    assert_int_equal(redis_url_parse(long_path, &(struct redis_url){0}, &(struct fault)FAULT_INIT), -1);
}

static void masked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(masks); i++) {
        char *shown = redis_url_masked(masks[i].url);

        row_true(masks[i].url, strcmp(shown, masks[i].shown) == 0);
        free(shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(bad),
        cmocka_unit_test(masked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
