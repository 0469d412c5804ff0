/* When the runner is listened to, what is believed of what is heard, and what is learned from it. */
#include "unit/check.h"

#include <stdlib.h>

#include "base/log.h"
#include "fake/fake_attach.h"
#include "fake/fake_loop.h"
#include "worker/early.h"

#define REPORT(isolation)                                                                            \
    "{\"execq_report\":1,\"isolation\":\"" isolation "\",\"run\":{\"end\":\"exit\",\"exit_code\":0," \
    "\"wall_ms\":90,\"cpu_ms\":20,\"max_rss_bytes\":4096,\"stdout\":\"42\\n\",\"stdout_bytes\":3,"   \
    "\"stderr\":\"\",\"stderr_bytes\":0},\"wall_ms\":100}"
#define HEARD "\n" REPORT("full") "\n"
#define REFUSED(text_)                                                         \
    {                                                                          \
        .kind = FAULT_TRANSIENT, .code = 500, .text = "container is in " text_ \
    }

struct world {
    struct loop *loop;
    struct early *early;
    struct early_word *word;
    int heard;
    int64_t heard_ms;
};

static void begin(struct world *w)
{
    struct fault f = FAULT_INIT;

    *w = (struct world){0};
    assert_int_equal(loop_new(&w->loop, &f), 0);
    fake_attach_is(w->loop, NULL);
    w->early = early_new(w->loop, NULL);
    early_allow(w->early, true);
}

static void end(struct world *w)
{
    early_cancel(&w->word);
    early_free(w->early);
    assert_int_equal(fake_attach_live(), 0);
    assert_int_equal(fake_loop_pending(w->loop), 0);
    loop_free(w->loop);
}

static void on_early(void *arg, struct report *report)
{
    struct world *w = arg;

    w->heard++;
    w->heard_ms = loop_now(w->loop);
    assert_int_equal(report->wall_ms, 100);
    report_free(report);
    early_cancel(&w->word);
}

/* One attempt; how long after its start there was a try, or -1. */
static int64_t listen(struct world *w, const struct fake_attach *script)
{
    int64_t began = loop_now(w->loop);

    fake_attach_is(w->loop, script);
    w->word = early_listen(w->early, "pod-1", on_early, w);
    fake_loop_advance(w->loop, 10000);
    early_cancel(&w->word);
    return fake_attach_count() ? fake_attach_last_ms() - began : -1;
}

static void test_hears(void **state)
{
    const struct fake_attach script = {.bytes = HEARD, .bytes_ms = 50, .end_ms = 1000, .opened = true};
    struct world w;

    (void)state;
    begin(&w);
    assert_true(listen(&w, &script) > 0);
    assert_int_equal(w.heard, 1);
    assert_int_equal(w.heard_ms, fake_attach_last_ms() + 50);
    end(&w);
}

/* A pod whose runner starts so long after it got its node, and reports 100 ms later. */
static int64_t pod_starts_ms, pod_began_ms;

static void live(struct fake_attach *ret, int64_t now)
{
    int64_t age = now - pod_began_ms, left = pod_starts_ms + 100 - age;

    if (age < pod_starts_ms)
        *ret = (struct fake_attach){.end_ms = 5, .fault = REFUSED("CONTAINER_CREATED state")};
    else if (left < 0)
        *ret = (struct fake_attach){.end_ms = 5, .fault = REFUSED("CONTAINER_EXITED state")};
    else
        *ret = (struct fake_attach){.bytes = HEARD, .bytes_ms = left, .end_ms = left + 10, .opened = true};
}

/* Wherever pods start, if they do so within 40 ms of each other: nearly all are heard in the end. */
static void test_finds_the_moment(void **state)
{
    static const int64_t starts[] = {60, 300, 550, 760, 1500, 4000};
    const struct fake_attach script = {.model = live};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        struct world w;
        char row[32];

        snprintf(row, sizeof(row), "%d ms", (int)starts[i]);
        begin(&w);
        for (int n = 0; n < 3000; n++) {
            if (n == 2900)
                w.heard = 0;
            pod_began_ms = loop_now(w.loop);
            pod_starts_ms = starts[i] + 7 * n % 40;
            listen(&w, &script);
        }
        if (w.heard < 90)
            fail_msg("%s: heard %d of 100", row, w.heard);
        end(&w);
    }
}

/* Between -60 and 60, mostly near 0. */
static int64_t jitter(uint32_t *seed)
{
    int64_t sum = -60;

    for (int i = 0; i < 4; i++) {
        *seed = *seed * 1664525 + 1013904223;
        sum += (*seed >> 16) % 31;
    }
    return sum;
}

/* ... and which is 15 ms away. */
static void live_far_away(struct fake_attach *ret, int64_t now)
{
    live(ret, now + 15);
    if (ret->bytes)
        ret->bytes_ms += 30;
    ret->end_ms += 30;
}

/* One that is missed now and then does not make the next ones missed, however long that goes on. */
static void test_stays_with_what_it_found(void **state)
{
    const struct fake_attach script = {.model = live_far_away};
    uint32_t seed = 1;
    struct world w;

    (void)state;
    begin(&w);
    for (int round = 0; round < 20; round++) {
        w.heard = 0;
        for (int n = 0; n < 100; n++) {
            pod_began_ms = loop_now(w.loop);
            pod_starts_ms = 550 + jitter(&seed);
            listen(&w, &script);
        }
        if (w.heard < 80)
            fail_msg("round %d: heard %d of 100", round, w.heard);
    }
    end(&w);
}

/* 64 pods at once are no reason to forget when a single one starts. */
static void test_a_burst_is_one_miss(void **state)
{
    const struct fake_attach early = {.end_ms = 10, .fault = REFUSED("CONTAINER_CREATED state")};
    const struct fake_attach script = {.model = live};
    struct early_word *words[64];
    struct world w;

    (void)state;
    begin(&w);
    pod_starts_ms = 700;
    for (int n = 0; n < 10; n++) {
        pod_began_ms = loop_now(w.loop);
        listen(&w, &script);
    }
    fake_attach_is(w.loop, &early);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        words[i] = early_listen(w.early, "pod-1", on_early, &w);
    fake_loop_advance(w.loop, 5000);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        early_cancel(&words[i]);
    w.heard = 0;
    pod_began_ms = loop_now(w.loop);
    listen(&w, &script);
    assert_int_equal(w.heard, 1);
    end(&w);
}

static void test_believes_only_a_whole_short_isolated_report(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t piece;
        int heard;
    } rows[] = {
        {"at once", HEARD, 0, 1},
        {"byte by byte", HEARD, 1, 1},
        {"without the first line end", REPORT("full") "\n", 7, 1},
        {"more behind it", HEARD "{\"more\"", 0, 1},
        {"cut", "\n{\"execq_report\":1,\"isolation\":\"full\"", 0, 0},
        {"no line end", REPORT("full"), 0, 0},
        {"less isolation", "\n" REPORT("network") "\n", 0, 0},
        {"none", "\n" REPORT("none") "\n", 0, 0},
        {"the first line counts", "\nhello" HEARD, 0, 0},
        {"a long report's whereabouts",
         "\n{\"execq_report\":1,\"lines\":1,\"bytes\":9,\"sha256\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123\"}\n",
         0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fake_attach script = {.bytes = rows[i].bytes, .piece = rows[i].piece, .bytes_ms = 5, .end_ms = 2000};
        struct world w;

        begin(&w);
        listen(&w, &script);
        row_true(rows[i].name, w.heard == rows[i].heard);
        end(&w);
    }
}

/* The lines of a long report, of which each is longer than all of a short one. */
static void test_a_flood_is_not_kept(void **state)
{
    struct fake_attach script = {.piece = 1000, .bytes_ms = 5, .end_ms = 2000};
    char *flood = malloc(20001);
    struct world w;

    (void)state;
    memset(flood, 'x', 20000);
    flood[20000] = '\0';
    script.bytes = flood;
    begin(&w);
    fake_attach_is(w.loop, &script);
    w.word = early_listen(w.early, "pod-1", on_early, &w);
    fake_loop_advance(w.loop, 1000);
    assert_int_equal(w.heard, 0);
    assert_int_equal(fake_attach_live(), 0); /* not listened to until its end */
    end(&w);
    free(flood);
}

static void test_leaves_out_after_a_miss(void **state)
{
    static const int left_out[] = {0, 1, 3, 7, 15, 31, 31};
    const struct fake_attach early = {.end_ms = 10, .fault = REFUSED("CONTAINER_CREATED state")};
    struct world w;
    int64_t at, before = 0;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < COUNT_OF(left_out); i++) {
        at = listen(&w, &early);
        row_true("tried again", at >= 0 && at != before);
        before = at;
        for (int k = 0; k < left_out[i]; k++)
            assert_int_equal(listen(&w, &early), -1);
    }
    end(&w);
}

static void test_which_way_it_missed(void **state)
{
    static const struct {
        const char *name;
        struct fake_attach script;
        int way; /* of the next try */
    } rows[] = {
        {"not yet there", {.end_ms = 10, .fault = REFUSED("CONTAINER_CREATED state")}, 1},
        {"no such container yet", {.end_ms = 10, .fault = {.kind = FAULT_GONE, .code = 404, .text = "not found"}}, 1},
        {"over", {.end_ms = 10, .fault = REFUSED("CONTAINER_EXITED state")}, -1},
        {"over while it was opened", {.end_ms = 10, .opened = true}, -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        int64_t at, next;

        begin(&w);
        at = listen(&w, &rows[i].script);
        next = listen(&w, &rows[i].script);
        row_true(rows[i].name, at > 0 && next > 0 && (next > at) - (next < at) == rows[i].way);
        end(&w);
    }
}

/* The moment was right, but a batch of such code is not worth a request each. */
static void test_long_code_is_no_miss(void **state)
{
    static const int left_out[] = {0, 1, 3, 7, 15, 31, 31};
    struct world w;
    int64_t at = -1;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < COUNT_OF(left_out); i++) {
        int64_t now = listen(&w, NULL);

        row_true("at the same moment", at < 0 || now == at);
        at = now;
        for (int k = 0; k < left_out[i]; k++)
            assert_int_equal(listen(&w, NULL), -1);
    }
    assert_int_equal(w.heard, 0);
    end(&w);
}

static void test_without_the_right(void **state)
{
    const struct fake_attach script = {
        .end_ms = 10,
        .fault = {.kind = FAULT_REFUSED,
                  .code = 403,
                  .text = "pods \"p\" is forbidden: User \"u\" cannot get resource \"pods/attach\""}};
    struct world w;

    (void)state;
    begin(&w);
    assert_true(listen(&w, &script) > 0);
    assert_false(early_is_allowed(w.early));
    early_allow(w.early, true);
    assert_false(early_is_allowed(w.early));
    for (int i = 0; i < 5; i++)
        assert_int_equal(listen(&w, &script), -1);
    end(&w);
}

static void test_not_allowed(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    early_allow(w.early, false);
    assert_null(early_listen(w.early, "pod-1", on_early, &w));
    end(&w);
}

/* Whatever stage it is in. */
static void test_cancel(void **state)
{
    const struct fake_attach script = {.bytes = HEARD, .bytes_ms = 500, .end_ms = 600};

    (void)state;
    for (int64_t ms = 0; ms < 1500; ms += 50) {
        struct world w;

        begin(&w);
        fake_attach_is(w.loop, &script);
        w.word = early_listen(w.early, "pod-1", on_early, &w);
        fake_loop_advance(w.loop, ms);
        early_cancel(&w.word);
        fake_loop_advance(w.loop, 10000);
        row_true("heard only before", w.heard == (ms >= 1310));
        end(&w);
    }
}

static void test_so_many_at_once(void **state)
{
    struct early_word *words[20];
    struct world w;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        words[i] = early_listen(w.early, "pod-1", on_early, &w);
    fake_loop_advance(w.loop, 1000);
    assert_int_equal(fake_attach_live(), 16);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        early_cancel(&words[i]);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hears),
        cmocka_unit_test(test_finds_the_moment),
        cmocka_unit_test(test_stays_with_what_it_found),
        cmocka_unit_test(test_a_burst_is_one_miss),
        cmocka_unit_test(test_believes_only_a_whole_short_isolated_report),
        cmocka_unit_test(test_a_flood_is_not_kept),
        cmocka_unit_test(test_leaves_out_after_a_miss),
        cmocka_unit_test(test_which_way_it_missed),
        cmocka_unit_test(test_long_code_is_no_miss),
        cmocka_unit_test(test_without_the_right),
        cmocka_unit_test(test_not_allowed),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_so_many_at_once),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
