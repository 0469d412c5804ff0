/* A connection against a server that does as it is told, on the same loop. */
#include "queue/conn.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit/check.h"

/* What the server answers to the greeting and to each command; NULL: nothing, "": hangs up. */
struct behaviour {
    const char *greeting, *answer;
};

static struct loop *loop;
static struct evconnlistener *listener;
static struct bufferevent *peer; /* the last one accepted */
static struct behaviour server;
static char folder[64], socket_url[128], got[4096]; /* all that came, in one line */
static int accepted;

static struct {
    int up, down, replies, nulls;
    struct fault fault;
    char reply[64];
    struct conn *to_free, *to_restart;
} seen;

/* ---- the server ---- */

static void hang_up(void)
{
    if (peer)
        bufferevent_free(peer);
    peer = NULL;
}

static void on_read(struct bufferevent *b, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(b);
    size_t len = strlen(got), n = evbuffer_get_length(in);

    (void)arg;
    if (n > sizeof(got) - 1 - len)
        n = sizeof(got) - 1 - len;
    evbuffer_remove(in, got + len, n);
    got[len + n] = '\0';
    for (char *p = got + len; (p = strstr(p, "\r\n"));)
        memcpy(p, "| ", 2);
    for (const char *p = got + len; (p = strstr(p, "SETNAME")); p++)
        if (server.greeting)
            bufferevent_write(b, server.greeting, strlen(server.greeting));
    for (const char *p = got + len; (p = strstr(p, "ECHO")); p++) {
        if (server.answer && !*server.answer) {
            hang_up();
            return;
        }
        if (server.answer)
            bufferevent_write(b, server.answer, strlen(server.answer));
    }
}

static void on_end(struct bufferevent *b, short what, void *arg)
{
    (void)what;
    (void)arg;
    bufferevent_free(b);
    if (b == peer)
        peer = NULL;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
    (void)l;
    (void)from;
    (void)len;
    (void)arg;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    accepted++;
    peer = bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(peer, on_read, NULL, on_end, NULL);
    bufferevent_enable(peer, EV_READ | EV_WRITE);
}

static void listen_on(const struct sockaddr *a, size_t len)
{
    listener = evconnlistener_new_bind(loop_base(loop), on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                       16, a, (int)len);
    assert_non_null(listener);
}

static int open_test(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct fault f = FAULT_INIT;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    got[0] = '\0';
    accepted = 0;
    server = (struct behaviour){.greeting = "+OK\r\n", .answer = "$2\r\nhi\r\n"};
    assert_int_equal(loop_new(&loop, &f), 0);
    snprintf(folder, sizeof(folder), "/tmp/execq-conn-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", folder);
    snprintf(socket_url, sizeof(socket_url), "unix://%s/s", folder);
    listen_on((struct sockaddr *)&a, sizeof(a));
    return 0;
}

static int close_test(void **state)
{
    char path[80];

    (void)state;
    hang_up();
    evconnlistener_free(listener);
    event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
    loop_free(loop);
    snprintf(path, sizeof(path), "%s/s", folder);
    unlink(path);
    rmdir(folder);
    libevent_global_shutdown();
    return 0;
}

/* ---- who uses the connection ---- */

static void on_up(void *arg)
{
    (void)arg;
    seen.up++;
}

static void on_down(void *arg, const struct fault *f)
{
    (void)arg;
    seen.down++;
    seen.fault = *f;
}

static void on_reply(void *arg, struct redisReply *reply)
{
    (void)arg;
    if (reply)
        snprintf(seen.reply, sizeof(seen.reply), "%s", reply->str ? reply->str : "");
    seen.replies += reply != NULL;
    seen.nulls += reply == NULL;
    if (seen.to_restart)
        conn_restart(seen.to_restart, "told to");
    seen.to_restart = NULL;
    if (seen.to_free)
        conn_free(seen.to_free);
    seen.to_free = NULL;
}

static struct redis_url url;

static struct conn *open_conn(const char *where, int64_t connect_ms, int64_t silence_ms)
{
    struct conn_settings set = {.url = &url, .name = "me", .connect_ms = connect_ms, .silence_ms = silence_ms};
    struct conn_events on = {.on_up = on_up, .on_down = on_down};
    struct fault f = FAULT_INIT;

    if (redis_url_parse(where, &url, &f) < 0)
        fail_msg("%s", f.text);
    return conn_new(loop, &set, &on);
}

static void close_conn(struct conn *c)
{
    conn_free(c);
    redis_url_release(&url);
}

static int echo(struct conn *c, int64_t patience_ms)
{
    struct fault f = FAULT_INIT;
    int r = conn_send(c, 2, (const char *const[]){"ECHO", "x"}, (const size_t[]){4, 1}, patience_ms, on_reply, NULL,
                      &f);

    if (r < 0)
        assert_int_equal(f.kind, FAULT_TRANSIENT);
    return r;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void turn(void)
{
    struct loop_timer *tick = NULL;

    loop_after(loop, &tick, 2, nothing, NULL);
    event_base_loop(loop_base(loop), EVLOOP_ONCE);
    loop_cancel(&tick);
}

static void pass(int64_t ms)
{
    for (int64_t end = loop_now(loop) + ms; loop_now(loop) < end;)
        turn();
}

#define wait_until(condition)                            \
    for (int64_t end_ = loop_now(loop) + 60000;;) {      \
        if (condition)                                   \
            break;                                       \
        if (loop_now(loop) > end_)                       \
            fail_msg("never came true: %s", #condition); \
        turn();                                          \
    }

/* ---- tests ---- */

static void greets(void **state)
{
    char where[200];
    struct conn *c;

    (void)state;
    server.greeting = "+OK\r\n+OK\r\n+OK\r\n";
    snprintf(where, sizeof(where), "redis+unix://u:p%%20w@%s/s?db=3", folder);
    c = open_conn(where, 0, 0);
    assert_false(conn_is_up(c));
    assert_int_equal(echo(c, 0), -1);
    assert_int_equal(seen.up, 0); /* nothing inside conn_new() */
    wait_until(seen.up == 1);
    assert_string_equal(got,
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
    server.greeting = "+OK\r\n-ERR you may not\r\n"; /* the name is refused: that does not matter */
    snprintf(where, sizeof(where), "redis+unix://:pw@%s/s", folder);
    c = open_conn(where, 0, 0);
    wait_until(seen.up == 1);
    assert_memory_equal(got, "*2| $4| AUTH| $2| pw| *3|", 25);
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
            open_test(state);
        server.greeting = rows[i].greeting;
        snprintf(where, sizeof(where), "redis+unix://%s%s/s", rows[i].user, folder);
        c = open_conn(where, 0, 0);
        wait_until(rows[i].says ? seen.down == 2 : seen.up == 1); /* it tries again by itself */
        if (rows[i].says) {
            row_true(rows[i].says, seen.fault.kind == FAULT_REFUSED && strstr(seen.fault.text, rows[i].says));
            row_true(rows[i].says, !strstr(seen.fault.text, "hunter2") && seen.up == 0 && accepted == 2);
        }
        close_conn(c);
        if (i + 1 < COUNT_OF(rows))
            close_test(state);
    }
}

static void silent_at_connect(void **state)
{
    struct conn *c;

    (void)state;
    server.greeting = NULL;
    c = open_conn(socket_url, 60, 0);
    wait_until(seen.down == 1);
    assert_int_equal(seen.fault.kind, FAULT_TIMEOUT);
    server.greeting = "+OK\r\n";
    wait_until(seen.up == 1);
    close_conn(c);
}

static void silent_later(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 60);

    (void)state;
    wait_until(seen.up == 1);
    pass(150); /* being idle is no silence */
    assert_int_equal(seen.down, 0);
    server.answer = NULL;
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
    server.answer = NULL;
    assert_int_equal(echo(c, 10000), 0);
    pass(200);
    assert_int_equal(seen.down, 0);
    bufferevent_write(peer, "$-1\r\n", 5);
    wait_until(seen.replies == 1);
    close_conn(c);
}

static void half_a_reply(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);

    (void)state;
    wait_until(seen.up == 1);
    server.answer = NULL;
    echo(c, 0);
    wait_until(strstr(got, "ECHO"));
    bufferevent_write(peer, "$100\r\nhal", 9);
    pass(20);
    hang_up();
    wait_until(seen.down == 1);
    assert_int_equal(seen.nulls, 1);
    assert_int_equal(seen.fault.kind, FAULT_TRANSIENT);
    wait_until(seen.up == 2);
    server.answer = "$2\r\nhi\r\n";
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
        server.answer = nonsense[i];
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
    bufferevent_write(peer, "+HELLO\r\n", 8);
    wait_until(seen.down == 1);
    wait_until(seen.up == 2);
    bufferevent_write(peer, "-ERR max number of clients reached\r\n", 36);
    wait_until(seen.down == 2);
    assert_non_null(strstr(seen.fault.text, "max number of clients"));
    close_conn(c);
}

static void hang_up_at_once(void **state)
{
    struct conn *c = open_conn(socket_url, 0, 0);

    (void)state;
    wait_until(seen.up == 1);
    server.answer = "";
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
    redis_url_release(&url);
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
    socklen_t len = sizeof(a);

    (void)state;
    evconnlistener_free(listener);
    listen_on((struct sockaddr *)&a, sizeof(a));
    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&a, &len);
    for (int i = 0; i < (int)COUNT_OF(hosts); i++) {
        char where[64];
        struct conn *c;

        snprintf(where, sizeof(where), "redis://%s:%d", hosts[i], ntohs(a.sin_port));
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
    server.answer = NULL;
    echo(c, 0);
    wait_until(strstr(got, "ECHO"));
    bufferevent_write(peer, "$500000000\r\n", 12);
    for (int i = 0; i < 80 && seen.down == 0; i++) {
        if (peer)
            bufferevent_write(peer, bytes, piece);
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
#define CONN_TEST(name) cmocka_unit_test_setup_teardown(name, open_test, close_test)
    const struct CMUnitTest tests[] = {
        CONN_TEST(greets),
        CONN_TEST(password_only),
        CONN_TEST(refused),
        CONN_TEST(silent_at_connect),
        CONN_TEST(silent_later),
        CONN_TEST(patient),
        CONN_TEST(half_a_reply),
        CONN_TEST(no_redis),
        CONN_TEST(unasked),
        CONN_TEST(hang_up_at_once),
        CONN_TEST(freed_in_a_callback),
        CONN_TEST(restarted_in_a_callback),
        CONN_TEST(freed_at_any_time),
        CONN_TEST(nobody_there),
        CONN_TEST(over_tcp),
        CONN_TEST(closed_on_exec),
        CONN_TEST(endless_reply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
