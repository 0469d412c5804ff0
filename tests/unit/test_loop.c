#include "unit/check.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/loop.h"

/* The real loop. Nothing here passes or fails by how long something took; the order of what happens does. */

static struct loop *l;
static char story[200];
static int rounds;

static void tell(const char *word)
{
    size_t used = strlen(story);

    snprintf(story + used, sizeof(story) - used, "%s%s", used ? " " : "", word);
}

static void say(void *arg)
{
    tell(arg);
}

static void stop(void *arg)
{
    tell(arg);
    loop_stop(l);
}

static int set_up(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    story[0] = '\0';
    return loop_new(&l, &f);
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(l);
    l = NULL;
    return 0;
}

/* Armed so that no pause of the machine can change the order: what is due later was also armed later. */
static void timers_fire_in_order_of_time(void **state)
{
    struct loop_timer *never = NULL, *a = NULL, *b = NULL, *end = NULL;

    (void)state;
    loop_after(l, &never, 3600000, say, "never");
    loop_after(l, &a, 0, say, "a");
    loop_after(l, &b, 10, say, "b");
    loop_after(l, &end, 30, stop, "end");
    assert_string_equal(story, "");
    assert_int_equal(loop_run(l), 0);
    assert_string_equal(story, "a b end");
    assert_null(a);
    assert_null(b);
    assert_null(end);
    assert_non_null(never);
    loop_cancel(&never);
}

enum { MANY = 60 };

static struct dated {
    struct loop_timer *timer;
    int64_t due;
} many[MANY];

static void check_due(void *arg)
{
    struct dated *d = arg;

    if (loop_now(l) < d->due)
        tell("early");
    if (d == &many[MANY - 1])
        loop_stop(l);
}

static void arm_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        int64_t began = loop_now(l);

        many[i].due = began + 40;
        loop_after(l, &many[i].timer, 40, check_due, &many[i]);
        while (loop_now(l) == began)
            ; /* the turn's own time stands still meanwhile, and a coarse clock lags behind */
    }
}

/* Keeps the loop turning, so that a timer fires as soon as libevent thinks that it is time. */
static void spin(void *arg)
{
    loop_defer(l, NULL, spin, arg);
}

/* Whoever asks loop_now() in a timer's callback must find that the time has come. */
static void no_timer_is_early_by_loop_now(void **state)
{
    struct loop_timer *a = NULL;

    (void)state;
    loop_after(l, &a, 1, arm_many, NULL);
    loop_defer(l, NULL, spin, NULL);
    loop_run(l);
    assert_string_equal(story, "");
}

static void a_negative_delay_is_none(void **state)
{
    struct loop_timer *a = NULL;

    (void)state;
    loop_after(l, &a, -5, stop, "a");
    loop_run(l);
    assert_string_equal(story, "a");
}

static void a_cancelled_timer_stays_silent(void **state)
{
    struct loop_timer *a = NULL, *b = NULL, *end = NULL, *none = NULL;

    (void)state;
    loop_after(l, &a, 0, say, "a");
    loop_defer(l, &b, say, "b");
    loop_after(l, &end, 20, stop, "end");
    loop_cancel(&a);
    loop_cancel(&b);
    loop_cancel(&b);
    loop_cancel(&none);
    assert_null(a);
    assert_null(b);
    loop_run(l);
    assert_string_equal(story, "end");
}

static void arming_a_slot_anew_forgets_what_it_held(void **state)
{
    struct loop_timer *a = NULL, *end = NULL;

    (void)state;
    loop_after(l, &a, 0, say, "first");
    loop_after(l, &a, 1, say, "second");
    loop_defer(l, &a, say, "third");
    loop_after(l, &end, 20, stop, "end");
    loop_run(l);
    assert_string_equal(story, "third end");
}

static struct loop_timer *slot_a, *slot_b;

static void rearm_in_callback(void *arg)
{
    assert_null(slot_a); /* the slot is free again when the callback runs */
    tell(arg);
    if (strlen(story) < 6)
        loop_after(l, &slot_a, 0, rearm_in_callback, arg);
    else
        loop_stop(l);
}

static void a_callback_may_arm_its_own_slot(void **state)
{
    (void)state;
    loop_after(l, &slot_a, 0, rearm_in_callback, "x");
    loop_run(l);
    assert_string_equal(story, "x x x x");
    assert_null(slot_a);
}

static void cancel_other(void *arg)
{
    tell(arg);
    loop_cancel(&slot_b);
}

static void a_callback_may_cancel_another_that_is_due(void **state)
{
    struct loop_timer *end = NULL;

    (void)state;
    loop_after(l, &slot_a, 0, cancel_other, "a");
    loop_after(l, &slot_b, 0, say, "b");
    loop_after(l, &end, 20, stop, "end");
    loop_run(l);
    assert_string_equal(story, "a end");
    story[0] = '\0';
    loop_defer(l, &slot_a, cancel_other, "a");
    loop_defer(l, &slot_b, say, "b");
    loop_after(l, &end, 20, stop, "end");
    loop_run(l);
    assert_string_equal(story, "a end");
}

static void defer_two(void *arg)
{
    (void)arg;
    loop_defer(l, NULL, say, "deferred-1");
    loop_defer(l, NULL, stop, "deferred-2");
    tell("callback");
}

static void deferred_calls_run_after_the_callback_in_order(void **state)
{
    struct loop_timer *a = NULL;

    (void)state;
    loop_after(l, &a, 0, defer_two, NULL);
    loop_run(l);
    assert_string_equal(story, "callback deferred-1 deferred-2");
}

static int turns;

static void defer_for_ever(void *arg)
{
    turns++;
    if (turns < 1000000) /* so that the test fails instead of hanging */
        loop_defer(l, NULL, defer_for_ever, arg);
    else
        stop("starved");
}

static void on_readable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    stop(arg);
}

/* Something that defers itself again and again must not keep sockets and timers from their turn. */
static void deferring_starves_nobody(void **state)
{
    struct loop_timer *a = NULL;
    struct event *e;
    int fd[2];

    (void)state;
    turns = 0;
    loop_after(l, &a, 1, stop, "timer");
    loop_defer(l, NULL, defer_for_ever, NULL);
    loop_run(l);
    assert_string_equal(story, "timer");

    story[0] = '\0';
    turns = 0;
    assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(write(fd[1], "x", 1), 1);
    e = event_new(loop_base(l), fd[0], EV_READ, on_readable, "socket");
    event_add(e, NULL);
    loop_run(l);
    assert_string_equal(story, "socket");
    event_free(e);
    close(fd[0]);
    close(fd[1]);
}

static void stopping_before_running_counts(void **state)
{
    struct loop_timer *late = NULL;

    (void)state;
    loop_stop(l);
    loop_after(l, &late, 0, stop, "ran");
    assert_int_equal(loop_run(l), 0);
    assert_string_equal(story, "");
    loop_run(l); /* and is used up by that */
    assert_string_equal(story, "ran");
}

static void send_usr1(void *arg)
{
    tell(arg);
    kill(getpid(), SIGUSR1);
    tell("sent");
}

static void on_usr1(void *arg)
{
    tell("signal");
    if (++rounds == 2)
        loop_stop(l);
    else
        loop_after(l, arg, 1, send_usr1, "again");
}

static void signals_arrive_as_callbacks_each_time(void **state)
{
    struct loop_timer *timer = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    rounds = 0;
    assert_int_equal(loop_on_signal(l, SIGUSR1, on_usr1, &timer, &f), 0);
    loop_after(l, &timer, 0, send_usr1, "first");
    loop_run(l);
    assert_string_equal(story, "first sent signal again sent signal");
    assert_int_equal(loop_on_signal(l, 9999, on_usr1, NULL, &f), -1);
    assert_int_equal(f.kind, FAULT_BUG);
}

static void time_does_not_go_back(void **state)
{
    int64_t before = loop_now(l);

    (void)state;
    assert_true(loop_now(l) >= before);
    assert_true(loop_wall(l) > 1700000000000); /* 2023 */
}

static void jitter_stays_in_range_and_varies(void **state)
{
    int64_t seen_low = 1000, seen_high = -1;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t v = loop_jitter(l, 1000);

        assert_true(v >= 0 && v < 1000);
        seen_low = v < seen_low ? v : seen_low;
        seen_high = v > seen_high ? v : seen_high;
    }
    assert_true(seen_low < 100 && seen_high >= 900);
    assert_int_equal(loop_jitter(l, 0), 0);
    assert_int_equal(loop_jitter(l, -3), 0);
    assert_int_equal(loop_jitter(l, 1), 0);
}

static void freeing_forgets_what_was_deferred(void **state)
{
    struct loop_timer *a = NULL;

    (void)state;
    loop_defer(l, &a, say, "never");
    loop_defer(l, NULL, say, "never");
    loop_free(l);
    l = NULL;
    assert_null(a);
    assert_string_equal(story, "");
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(timers_fire_in_order_of_time),
        with_loop(no_timer_is_early_by_loop_now),
        with_loop(a_negative_delay_is_none),
        with_loop(a_cancelled_timer_stays_silent),
        with_loop(arming_a_slot_anew_forgets_what_it_held),
        with_loop(a_callback_may_arm_its_own_slot),
        with_loop(a_callback_may_cancel_another_that_is_due),
        with_loop(deferred_calls_run_after_the_callback_in_order),
        with_loop(deferring_starves_nobody),
        with_loop(stopping_before_running_counts),
        with_loop(signals_arrive_as_callbacks_each_time),
        with_loop(time_does_not_go_back),
        with_loop(jitter_stays_in_range_and_varies),
        with_loop(freeing_forgets_what_was_deferred),
    };

    event_enable_debug_mode();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    libevent_global_shutdown();
    return failed;
}
