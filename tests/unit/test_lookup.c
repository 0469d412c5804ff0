#include "unit/check.h"

#include <event2/event.h>

#include "base/loop.h"
#include "queue/lookup.h"

/* No name server is needed: what is asked of one is given up before it could answer. */

static struct loop *l;
static struct lookup *lookup;
static char told[256];
static int times;

static int set_up(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    told[0] = '\0';
    times = 0;
    return loop_new(&l, &f);
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(l);
    return 0;
}

static void on_address(void *arg, const char *address, const struct fault *f)
{
    times++;
    loop_stop(l);
    snprintf(told, sizeof(told), "%s", address ? address : f->text);
    if (arg) { /* "free": inside the callback */
        lookup_free(lookup);
        lookup = NULL;
    }
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(l);
}

static void run_for(int64_t ms)
{
    struct loop_timer *end = NULL;

    loop_after(l, &end, ms, stop, NULL);
    loop_run(l);
    loop_cancel(&end);
}

static void literal_addresses(void **state)
{
    static const char *const rows[] = {"127.0.0.1", "::1"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lookup = lookup_new(l, rows[i], on_address, "free");
        assert_int_equal(times, (int)i); /* not before the call has returned */
        loop_run(l);
        assert_int_equal(times, (int)i + 1);
        assert_string_equal(told, rows[i]);
    }
}

static void freed_before_it_is_told(void **state)
{
    (void)state;
    lookup = lookup_new(l, "127.0.0.1", on_address, NULL);
    lookup_free(lookup);
    run_for(20);
    assert_int_equal(times, 0);
}

/* evdns tells of the end later, and looks at its own state then: that must still be there. */
static void freed_while_a_server_is_asked(void **state)
{
    (void)state;
    for (int turns = 0; turns < 4; turns++) {
        int before;

        lookup = lookup_new(l, "no-such-host.invalid", on_address, NULL);
        for (int i = 0; i < turns; i++)
            event_base_loop(loop_base(l), EVLOOP_NONBLOCK);
        before = times; /* a machine without a name server may have said so already */
        lookup_free(lookup);
        run_for(20);
        assert_int_equal(times, before);
    }
}

static void freed_with_the_loop(void **state)
{
    (void)state;
    lookup = lookup_new(l, "127.0.0.1", on_address, NULL);
    lookup_free(lookup);
    lookup_free(NULL);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(literal_addresses),
        with_loop(freed_before_it_is_told),
        with_loop(freed_while_a_server_is_asked),
        with_loop(freed_with_the_loop),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    libevent_global_shutdown();
    return failed;
}
