/* When the runner is listened to, what is believed of what is heard, and what is learned from it. */
#include "unit/check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fake/fake_attach.h"
#include "fake/fake_loop.h"
#include "worker/early.h"

#define REPORT_WITH(isolation, more)                                                                 \
    "{\"execq_report\":1,\"isolation\":\"" isolation "\",\"run\":{\"end\":\"exit\",\"exit_code\":0," \
    "\"wall_ms\":90,\"cpu_ms\":20,\"max_rss_bytes\":4096,\"stdout\":\"42\\n\",\"stdout_bytes\":3,"   \
    "\"stderr\":\"\",\"stderr_bytes\":0},\"wall_ms\":100" more "}"
#define REPORT(isolation) REPORT_WITH(isolation, "")
#define HEARD             "\n" REPORT("full") "\n"
#define AGAIN             "\n" REPORT_WITH("full", ",\"again\":true") "\n"
#define REFUSED(text_)                                                         \
    {                                                                          \
        .kind = FAULT_TRANSIENT, .code = 500, .text = "container is in " text_ \
    }

struct world {
    struct loop *loop;
    struct early *early;
    struct early_word *word;
    int heard;
    bool again; /* the last one was the second announcement */
    int64_t heard_ms;
    int64_t ahead_ms; /* the nodes' clocks, of ours */
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
    early_forget(&w->word);
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
    w->again = report->again;
    assert_int_equal(report->wall_ms, 100);
    report_free(report);
    early_stop(w->word); /* again, as who waits for the pod does */
}

/* --- pods, as they come ---------------------------------------------------------------------------------------- */

enum {
    SOON_MS = 20,   /* so long it takes to be attached ... */
    THERE_MS = 60,  /* ... from so long after its start on */
    AGAIN_MS = 150, /* after its end the runner says it once more, and is gone */
};

/* The runner starts so long after the pod got its node, and reports so long after that. */
static struct {
    int64_t began, start, wall;
} pod;

static void live(struct fake_attach *ret, int64_t now)
{
    int64_t age = now - pod.began, end = pod.start + pod.wall, gone = end + AGAIN_MS;
    int64_t next = age + SOON_MS <= end ? end : gone;

    if (age < pod.start + THERE_MS || age > gone)
        *ret = (struct fake_attach){.end_ms = 5, .fault = REFUSED("no such state")};
    else if (age + SOON_MS > gone)
        *ret = (struct fake_attach){.end_ms = gone - age, .opened = true};
    else
        *ret = (struct fake_attach){
            .bytes = next == end ? HEARD : AGAIN, .bytes_ms = next - age, .end_ms = gone - age + 10, .opened = true};
}

/* One attempt, of whose end the kubelet tells `told` ms later. Returns whether it was heard before. */
static bool attempt(struct world *w, int64_t start, int64_t wall, int64_t told)
{
    const struct fake_attach script = {.model = live};
    struct report report = {.wall_ms = wall, .clock_ms = loop_wall(w->loop) + w->ahead_ms + start + wall};
    bool turn = early_turn(w->early);
    int before = w->heard;

    pod.began = loop_now(w->loop);
    pod.start = start;
    pod.wall = wall;
    fake_attach_is(w->loop, &script);
    w->word = early_listen(w->early, turn, "pod-1", on_early, w);
    fake_loop_advance(w->loop, start + wall + (turn ? AGAIN_MS : 0) + told);
    early_stop(w->word);
    report.again = w->heard > before && w->again;
    early_learn(w->word, &report);
    early_forget(&w->word);
    return w->heard > before;
}

/* Pseudo-random, from 0 up to `most`. */
static int64_t some(int64_t most)
{
    static uint32_t seed = 1;

    seed = seed * 1664525 + 1013904223;
    return (int64_t)(seed >> 8) % (most + 1);
}

static void test_hears(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    assert_true(attempt(&w, 600, 100, 500));
    assert_int_equal(w.heard_ms, 700);
    end(&w);
}

/* Wherever pods start, however far their nodes' clocks are: nearly all are heard when so many have taught where. */
static void test_finds_the_moment(void **state)
{
    static const struct {
        const char *name;
        int64_t start, wall, ahead;
        int warm, heard;
    } rows[] = {
        {"at once", 60, 100, 0, 20, 90},
        {"soon", 300, 100, 0, 20, 90},
        {"where it was guessed", 600, 100, 0, 0, 90},
        {"late", 1500, 100, 0, 20, 90},
        {"very late", 20000, 100, 0, 20, 90},
        {"code that takes a while", 800, 1000, 0, 20, 90},
        {"code that is over at once", 800, 10, 0, 20, 90},
        {"code that is over at once, and soon", 300, 10, 0, 60, 90},
        {"code that is over at once, and late", 1500, 10, 0, 60, 90},
        {"a clock that is ahead", 800, 200, 5000, 400, 80},
        {"a clock that is behind", 800, 200, -5000, 400, 80},
        {"a clock that is behind by less than the kubelet", 800, 200, -300, 1000, 80},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        int heard = 0;

        begin(&w);
        w.ahead_ms = rows[i].ahead;
        for (int n = 0; n < rows[i].warm + 100; n++) {
            bool one = attempt(&w, rows[i].start + some(30), rows[i].wall, some(1000));

            heard += one && n >= rows[i].warm;
        }
        if (heard < rows[i].heard)
            fail_msg("row \"%s\": heard %d of 100", rows[i].name, heard);
        end(&w);
    }
}

/* Pods that had to wait for something else are no reason to look elsewhere; but if all do, there it is. */
static void test_strays_and_shifts(void **state)
{
    struct world w;
    int heard = 0;

    (void)state;
    begin(&w);
    for (int n = 0; n < 300; n++) {
        bool one = attempt(&w, 800 + some(40) + (n % 10 == 9 ? 1500 : 0), 200, some(1000));

        heard += one && n >= 100;
    }
    if (heard < 150)
        fail_msg("heard %d of 200", heard);
    heard = 0;
    for (int n = 0; n < 60; n++)
        heard += attempt(&w, 300 + some(40), 200, some(1000));
    if (heard < 40)
        fail_msg("heard %d of 60 elsewhere", heard);
    end(&w);
}

/* 64 pods at once that all start later are no reason to leave out more than after one. */
static void test_a_burst_is_one_try(void **state)
{
    const struct fake_attach early = {.end_ms = 10, .fault = REFUSED("no such state")};
    struct early_word *words[64];
    struct report report = {.wall_ms = 200};
    struct world w;

    (void)state;
    begin(&w);
    for (int n = 0; n < 10; n++)
        attempt(&w, 700, 200, some(1000));
    fake_attach_is(w.loop, &early);
    report.clock_ms = loop_wall(w.loop) + 3200;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        words[i] = early_listen(w.early, true, "pod-1", on_early, &w);
    fake_loop_advance(w.loop, 4000);
    assert_int_equal(fake_attach_count(), 16); /* no more at once */
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        early_stop(words[i]);
        early_learn(words[i], &report);
        early_forget(&words[i]);
    }
    attempt(&w, 3000, 200, 100);
    assert_int_equal(fake_attach_count(), 1); /* nobody is left out */
    end(&w);
}

/* An attempt at code of nine seconds; `script` NULL: one can attach, and hears nothing. How many tries there were. */
static int hear_nothing(struct world *w, const struct fake_attach *script)
{
    struct report report = {.wall_ms = 9000, .clock_ms = loop_wall(w->loop) + 9800};

    fake_attach_is(w->loop, script);
    w->word = early_listen(w->early, early_turn(w->early), "pod-1", on_early, w);
    fake_loop_advance(w->loop, 10000);
    early_stop(w->word);
    early_learn(w->word, &report);
    early_forget(&w->word);
    return fake_attach_count();
}

/* After tries that heard nothing so many pods are left out, for one reason as for the other. */
static void test_leaves_out(void **state)
{
    static const int left_out[] = {0, 1, 3, 7, 15, 31, 31};
    const struct fake_attach refused = {.end_ms = 5, .fault = REFUSED("no such state")};

    (void)state;
    for (int runs_on = 0; runs_on < 2; runs_on++) {
        struct world w;

        begin(&w);
        for (size_t i = 0; i < COUNT_OF(left_out); i++) {
            assert_int_equal(hear_nothing(&w, runs_on ? NULL : &refused), 1);
            for (int k = 0; k < left_out[i]; k++)
                assert_int_equal(hear_nothing(&w, runs_on ? NULL : &refused), 0);
        }
        assert_int_equal(w.heard, 0);
        end(&w);
    }
}

/* Code that takes longer than anybody listens says nothing of when to begin: once it is short again it is heard as soon
 * as the next one is not left out. */
static void test_long_code_teaches_no_moment(void **state)
{
    struct world w;
    int heard = 0;

    (void)state;
    begin(&w);
    for (int n = 0; n < 20; n++)
        attempt(&w, 600, 200, 100);
    for (int n = 0; n < 3000; n++)
        hear_nothing(&w, NULL);
    for (int n = 0; n < 60; n++)
        heard += attempt(&w, 600, 200, 100);
    assert_in_range(heard, 25, 60);
    end(&w);
}

/* --- what is heard ----------------------------------------------------------------------------------------------- */

/* How long after the beginning there was a try, or -1. */
static int64_t listen(struct world *w, const struct fake_attach *script)
{
    int64_t began = loop_now(w->loop);

    fake_attach_is(w->loop, script);
    w->word = early_listen(w->early, early_turn(w->early), "pod-1", on_early, w);
    fake_loop_advance(w->loop, 10000);
    early_forget(&w->word);
    return fake_attach_count() ? fake_attach_last_ms() - began : -1;
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
        {"both at once", HEARD HEARD, 0, 1},
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
    w.word = early_listen(w.early, true, "pod-1", on_early, &w);
    fake_loop_advance(w.loop, 1000);
    assert_int_equal(w.heard, 0);
    assert_int_equal(fake_attach_live(), 0); /* not listened to until its end */
    end(&w);
    free(flood);
}

/* The longest report that there is, and the same again, before anybody looked. */
static void test_the_longest(void **state)
{
    const int blanks = 4096 - (int)strlen(REPORT("full"));
    _cleanup_free_ char *once = mem_format("\n{%*s%s\n", blanks, "", &REPORT("full")[1]);
    _cleanup_free_ char *said = mem_format("%s%s", once, once);
    struct fake_attach script = {.bytes = said, .bytes_ms = 5, .end_ms = 2000};
    struct world w;

    (void)state;
    assert_int_equal(strlen(once), 4096 + 2);
    begin(&w);
    listen(&w, &script);
    assert_int_equal(w.heard, 1);
    end(&w);
}

static int warnings(FILE *caught)
{
    char text[8192] = "";
    int n = 0;

    assert_true(pread(fileno(caught), text, sizeof(text) - 1, 0) >= 0);
    for (const char *at = text; (at = strstr(at, "warning no-early-results")); at++)
        n++;
    return n;
}

/* Told once, however many tries were under way; looked at again after a minute, as an API server that has just started
 * refuses everyone. */
static void test_without_the_right(void **state)
{
    const struct fake_attach refused = {
        .end_ms = 10,
        .fault = {.kind = FAULT_REFUSED,
                  .code = 403,
                  .text = "pods \"p\" is forbidden: User \"u\" cannot get resource \"pods/attach\""}};
    const struct fake_attach let_in[] = {{.bytes = HEARD, .bytes_ms = 5, .end_ms = 600, .opened = true},
                                         {.end_ms = 600, .opened = true}};
    FILE *caught = tmpfile();
    int real_stderr = dup(STDERR_FILENO);
    struct early_word *other;
    struct world w;

    (void)state;
    assert_true(caught && dup2(fileno(caught), STDERR_FILENO) >= 0);
    log_open(LEVEL_WARNING, false);
    begin(&w);
    other = early_listen(w.early, true, "pod-2", on_early, &w);
    assert_true(listen(&w, &refused) > 0);
    assert_int_equal(fake_attach_count(), 2);
    early_forget(&other);
    assert_int_equal(warnings(caught), 1);
    early_allow(w.early, true);
    for (int i = 0; i < 5; i++)
        assert_int_equal(listen(&w, &refused), -1);
    fake_loop_advance(w.loop, 60000);
    assert_true(listen(&w, &refused) > 0);
    assert_int_equal(listen(&w, &refused), -1);
    assert_int_equal(warnings(caught), 1);
    for (int i = 0; i < (int)COUNT_OF(let_in); i++) {
        fake_loop_advance(w.loop, 60000);
        listen(&w, &let_in[i]);
        assert_int_equal(w.heard, 1);
        assert_true(listen(&w, &refused) > 0);
        assert_int_equal(warnings(caught), 2 + i);
    }
    log_open(LEVEL_ERROR, false);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    fclose(caught);
    end(&w);
}

static void test_not_allowed(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    early_allow(w.early, false);
    assert_null(early_listen(w.early, true, "pod-1", on_early, &w));
    end(&w);
}

/* Whatever stage it is in. */
static void test_forgotten(void **state)
{
    const struct fake_attach script = {.bytes = HEARD, .bytes_ms = 500, .end_ms = 600};

    (void)state;
    for (int64_t ms = 0; ms < 1500; ms += 50) {
        struct world w;

        begin(&w);
        fake_attach_is(w.loop, &script);
        w.word = early_listen(w.early, true, "pod-1", on_early, &w);
        fake_loop_advance(w.loop, ms);
        early_forget(&w.word);
        fake_loop_advance(w.loop, 10000);
        row_true("heard only before", w.heard == (ms >= 1160));
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
        words[i] = early_listen(w.early, true, "pod-1", on_early, &w);
    fake_loop_advance(w.loop, 1000);
    assert_int_equal(fake_attach_live(), 16);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        early_forget(&words[i]);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hears),
        cmocka_unit_test(test_finds_the_moment),
        cmocka_unit_test(test_strays_and_shifts),
        cmocka_unit_test(test_a_burst_is_one_try),
        cmocka_unit_test(test_leaves_out),
        cmocka_unit_test(test_long_code_teaches_no_moment),
        cmocka_unit_test(test_believes_only_a_whole_short_isolated_report),
        cmocka_unit_test(test_the_longest),
        cmocka_unit_test(test_a_flood_is_not_kept),
        cmocka_unit_test(test_without_the_right),
        cmocka_unit_test(test_not_allowed),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_so_many_at_once),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
