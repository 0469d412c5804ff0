/* What happens to a connection that is up: silence, nonsense and a server that hangs up, and what is done in callbacks.
 */
#include "unit/conn_world.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

static void silent_later(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 60);

    (void)state;
    wait_until(seen.up == 1);
    pass(150); /* being idle is no silence */
    assert_int_equal(seen.down, 0);
    server->answer = NULL;
    assert_int_equal(echo(c, 0), 0);
    assert_int_equal(echo(c, 0), 0);
    wait_until(seen.down == 1);
    assert_int_equal(seen.fault.kind, FAULT_TIMEOUT);
    assert_int_equal(seen.nulls, 2);
    wait_until(seen.up == 2);
    pass(100);
    assert_int_equal(seen.nulls, 2);
    assert_int_equal(seen.down, 1);
    close_conn(c);
}

static void patient(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 50);

    (void)state;
    wait_until(seen.up == 1);
    server->answer = NULL;
    assert_int_equal(echo(c, 10000), 0);
    pass(200);
    assert_int_equal(seen.down, 0);
    script_redis_say(server, "$-1\r\n", 5);
    wait_until(seen.replies == 1);
    close_conn(c);
}

static void half_a_reply(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);

    (void)state;
    wait_until(seen.up == 1);
    server->answer = NULL;
    echo(c, 0);
    wait_until(strstr(server->got, "ECHO"));
    script_redis_say(server, "$100\r\nhal", 9);
    pass(20);
    script_redis_hang_up(server);
    wait_until(seen.down == 1);
    assert_int_equal(seen.nulls, 1);
    assert_int_equal(seen.fault.kind, FAULT_TRANSIENT);
    wait_until(seen.up == 2);
    server->answer = "$2\r\nhi\r\n";
    echo(c, 0);
    wait_until(seen.replies == 1); /* nothing is left over from the half */
    assert_string_equal(seen.reply, "hi");
    close_conn(c);
}

static void no_redis(void **state)
{
    static const char *const nonsense[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "$-5\r\n", "*3000000000\r\n", ":x\r\n",
                                           "*-7\r\n"};
    struct conn *c = open_conn(socket_url, 0, 200);

    (void)state;
    for (int i = 0; i < (int)COUNT_OF(nonsense); i++) {
        wait_until(conn_is_up(c));
        server->answer = nonsense[i];
        echo(c, 0);
        wait_until(seen.nulls + seen.replies == i + 1);
    }
    close_conn(c);
}

/* An answer to nothing: hiredis 0.14 would abort over it. */
static void unasked(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);

    (void)state;
    wait_until(seen.up == 1);
    pass(10);
    script_redis_say(server, "+HELLO\r\n", 8);
    wait_until(seen.down == 1);
    wait_until(seen.up == 2);
    script_redis_say(server, "-ERR max number of clients reached\r\n", 36);
    wait_until(seen.down == 2);
    assert_non_null(strstr(seen.fault.text, "max number of clients"));
    close_conn(c);
}

static void hang_up_at_once(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);

    (void)state;
    wait_until(seen.up == 1);
    server->answer = "";
    for (int i = 0; i < 10; i++)
        echo(c, 0);
    wait_until(seen.down == 1);
    assert_int_equal(seen.nulls, 10);
    close_conn(c);
}

static void freed_in_a_callback(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);

    (void)state;
    wait_until(seen.up == 1);
    for (int i = 0; i < 5; i++)
        echo(c, 0);
    seen.to_free = c;
    wait_until(seen.replies == 1);
    pass(30);
    assert_int_equal(seen.replies, 1);
    assert_int_equal(seen.nulls, 0);
    assert_int_equal(seen.down, 0);
    release_url();
}

static void restarted_in_a_callback(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);

    (void)state;
    wait_until(seen.up == 1);
    for (int i = 0; i < 5; i++)
        echo(c, 0);
    seen.to_restart = c;
    wait_until(seen.down == 1);
    assert_int_equal(seen.replies, 1);
    assert_int_equal(seen.nulls, 4);
    assert_string_equal(seen.fault.text, "told to");
    wait_until(seen.up == 2);
    echo(c, 0);
    wait_until(seen.replies == 2);
    close_conn(c);
}

/* Freed in each state, at any turn. */
static void freed_at_any_time(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct conn *c = open_conn(turns % 2 ? "redis://localhost:1" : socket_url, 0, 0);

        for (int i = 0; i < turns; i++)
            turn();
        close_conn(c);
        for (int i = 0; i < 3; i++)
            turn();
    }
}

static void endless_reply(void **state)
{
    struct conn *c;
    size_t piece = 1 << 20;
    char *bytes;

    (void)state;
    if (getenv("UNDER_VALGRIND")) /* 64 MiB take it too long */
        skip();
    c = open_conn(socket_url, 0, 60000);
    bytes = mem_zero(piece, 1);
    wait_until(seen.up == 1);
    server->answer = NULL;
    echo(c, 0);
    wait_until(strstr(server->got, "ECHO"));
    script_redis_say(server, "$500000000\r\n", 12);
    for (int i = 0; i < 80 && seen.down == 0; i++) {
        script_redis_say(server, bytes, piece);
        pass(1);
    }
    wait_until(seen.down == 1);
    assert_int_equal(seen.fault.kind, FAULT_TOO_BIG);
    assert_int_equal(seen.nulls, 1);
    close_conn(c);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(silent_later),
        WITH_WORLD(patient),
        WITH_WORLD(half_a_reply),
        WITH_WORLD(no_redis),
        WITH_WORLD(unasked),
        WITH_WORLD(hang_up_at_once),
        WITH_WORLD(freed_in_a_callback),
        WITH_WORLD(restarted_in_a_callback),
        WITH_WORLD(freed_at_any_time),
        WITH_WORLD(endless_reply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
