/* How a connection comes up: its greeting, who refuses it, nobody there, and over what. What happens to one that is up:
 * test_conn_up.c. */
#include "unit/conn_world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static void greets(void **state)
{
    char where[200];
    struct conn *c;

    (void)state;
    server->greeting = "+OK\r\n+OK\r\n+OK\r\n";
    snprintf(where, sizeof(where), "redis+unix://u:p%%20w@%s/s?db=3", folder);
    c = open_conn(where, 0, 0);
    assert_false(conn_is_up(c));
    assert_int_equal(echo(c, 0), -1);
    assert_int_equal(seen.up, 0); /* nothing inside conn_new() */
    wait_until(seen.up == 1);
    assert_string_equal(server->got,
                        "*3| $4| AUTH| $1| u| $3| p w| *2| $6| SELECT| $1| 3| *3| $6| CLIENT| $7| SETNAME| $2| me| ");
    assert_true(conn_is_up(c));
    assert_int_equal(echo(c, 0), 0);
    assert_int_equal(seen.replies, 0);
    wait_until(seen.replies == 1);
    assert_string_equal(seen.reply, "hi");
    assert_int_equal(seen.down, 0);
    close_conn(c);
}

static void password_only(void **state)
{
    char where[200];
    struct conn *c;

    (void)state;
    server->greeting = "+OK\r\n-ERR you may not\r\n"; /* the name is refused: that does not matter */
    snprintf(where, sizeof(where), "redis+unix://:pw@%s/s", folder);
    c = open_conn(where, 0, 0);
    wait_until(seen.up == 1);
    assert_memory_equal(server->got, "*2| $4| AUTH| $2| pw| *3|", 25);
    close_conn(c);
}

static void refused(void **state)
{
    static const struct {
        const char *user, *greeting, *says;
    } rows[] = {
        {"u:hunter2@", "-WRONGPASS invalid username-password pair\r\n+OK\r\n", "WRONGPASS"},
        {"", "-NOAUTH Authentication required.\r\n", "NOAUTH"},
        {"", "-ERR max number of clients reached\r\n", "max number"},
        {"", "-NOPERM this user has no permissions\r\n", NULL}, /* the name only */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char where[200];
        struct conn *c;

        if (i > 0)
            world_set_up(state);
        server->greeting = rows[i].greeting;
        snprintf(where, sizeof(where), "redis+unix://%s%s/s", rows[i].user, folder);
        c = open_conn(where, 0, 0);
        wait_until(rows[i].says ? seen.down == 2 : seen.up == 1); /* it tries again by itself */
        if (rows[i].says) {
            row_true(rows[i].says, seen.fault.kind == FAULT_REFUSED && strstr(seen.fault.text, rows[i].says));
            row_true(rows[i].says, !strstr(seen.fault.text, "hunter2") && seen.up == 0 && server->accepted == 2);
        }
        close_conn(c);
        if (i + 1 < COUNT_OF(rows))
            world_tear_down(state);
    }
}

static void silent_at_connect(void **state)
{
    struct conn *c;

    (void)state;
    server->greeting = NULL;
    c = open_conn(socket_url, 60, 0);
    wait_until(seen.down == 1);
    assert_int_equal(seen.fault.kind, FAULT_TIMEOUT);
    server->greeting = "+OK\r\n";
    wait_until(seen.up == 1);
    close_conn(c);
}

static void nobody_there(void **state)
{
    struct conn *c = open_conn("unix:///nonexistent/s", 0, 0);
    int after_a_second;

    (void)state;
    pass(1000);
    after_a_second = seen.down;
    assert_in_range(after_a_second, 2, 25); /* backs off */
    assert_int_equal(seen.fault.kind, FAULT_TRANSIENT);
    assert_int_equal(seen.up, 0);
    close_conn(c);
    c = open_conn("redis://no-such-host.invalid", 50, 0);
    wait_until(seen.down > after_a_second);
    close_conn(c);
}

/* A name from /etc/hosts and a literal address, over TCP. */
static void over_tcp(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)state;
    script_redis_free(server);
    server = script_redis_new(loop, (struct sockaddr *)&a, sizeof(a));
    for (int i = 0; i < (int)COUNT_OF(hosts); i++) {
        char where[64];
        struct conn *c;

        snprintf(where, sizeof(where), "redis://%s:%d", hosts[i], script_redis_port(server));
        c = open_conn(where, 0, 0);
        wait_until(seen.up == i + 1);
        echo(c, 0);
        wait_until(seen.replies == i + 1);
        close_conn(c);
    }
}

/* No program that is started later inherits a connection. */
static void closed_on_exec(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);
    DIR *fds;
    struct dirent *e;
    int sockets = 0;

    (void)state;
    wait_until(seen.up == 1);
    fds = opendir("/proc/self/fd");
    assert_non_null(fds);
    while ((e = readdir(fds))) {
        int fd = (int)strtol(e->d_name, NULL, 10);
        struct stat st;

        if (e->d_name[0] == '.' || fd <= 2 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
            continue;
        sockets++;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    closedir(fds);
    assert_true(sockets >= 3); /* listener, both ends */
    close_conn(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(greets),       WITH_WORLD(password_only), WITH_WORLD(refused),        WITH_WORLD(silent_at_connect),
        WITH_WORLD(nobody_there), WITH_WORLD(over_tcp),      WITH_WORLD(closed_on_exec),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
