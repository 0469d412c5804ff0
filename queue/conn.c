#include "queue/conn.h"

#include <event2/event.h>
#include <fcntl.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "queue/lookup.h"

/* resolving -> connecting -> greeting (AUTH, SELECT, CLIENT SETNAME) -> up
 * whatever goes wrong:  drop() -> resting, for as long as backoff says -> resolving
 *
 * hiredis 0.14 frees the context itself after a failed connect and after a lost connection, calls every outstanding
 * callback with a NULL reply while it does, and does not stand being freed inside its connect callback. So calls
 * that go down with a context are cut off from it first (call.conn = NULL) and told on a stack of our own. */

enum {
    CONNECT_MS = 5000,
    SILENCE_MS = 10000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_LAST_MS = 5000,
    STEADY_MS = 5000,             /* a connection that lived this long begins the backoff anew */
    REPLY_MAX = 64 * 1024 * 1024, /* hiredis would collect whatever comes */
    KEEPALIVE_S = 15,
};

enum conn_state { CONN_RESTING, CONN_RESOLVING, CONN_CONNECTING, CONN_GREETING, CONN_UP };

struct conn_call {
    struct conn *conn; /* NULL once its connection is gone */
    conn_reply_fn *fn;
    void *arg;
    int64_t due; /* on loop_now()'s clock: its reply must be here by then */
    TAILQ_ENTRY(conn_call) entry;
};

TAILQ_HEAD(conn_calls, conn_call);

struct conn {
    struct loop *loop;
    struct conn_settings set;
    struct conn_events on;
    enum conn_state state;
    redisAsyncContext *redis; /* NULL while resting and resolving */
    struct event *read_event; /* stands in for the adapter's, to look at the size first */
    struct conn_calls calls;  /* sent, oldest first */
    struct conn_calls lost;   /* to be told so */
    struct fault fault;       /* why it is down */
    unsigned failures;        /* since it was last up for a while */
    unsigned greetings;       /* replies that are still due before it is up */
    int64_t up_since;
    struct lookup *lookup;
    struct loop_timer *limit;  /* connect, or the oldest call's reply */
    struct loop_timer *rest;   /* the next attempt */
    struct loop_timer *broken; /* tells on a clean stack that it is down */
};

static void drop(struct conn *c, const struct fault *why);
static void resolve(void *arg);
static void greet(struct conn *c);

/* ---- the end of a connection ---- */

static void drop_text(struct conn *c, enum fault_kind kind, const char *text)
{
    struct fault f;

    fault_set(&f, kind, "%s", text);
    drop(c, &f);
}

/* Frees the context without hearing from it again. */
static void forget_context(struct conn *c)
{
    redisAsyncContext *redis = c->redis;
    struct conn_call *call;

    while ((call = TAILQ_FIRST(&c->calls))) {
        struct conn_call *copy = mem_new(struct conn_call);

        TAILQ_REMOVE(&c->calls, call, entry);
        *copy = *call;
        call->conn = NULL; /* hiredis hands it back to on_reply(), which frees it */
        TAILQ_INSERT_TAIL(&c->lost, copy, entry);
    }
    c->redis = NULL;
    if (!redis)
        return;
    redis->data = NULL;
    redisAsyncFree(redis); /* inside one of its callbacks: later, by itself */
}

static void tell_broken(void *arg)
{
    struct conn *c = arg;
    struct fault f = c->fault;
    int64_t most = (int64_t)BACKOFF_FIRST_MS << (c->failures < 7 ? c->failures : 7);
    struct conn_call *call;

    most = most > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : most;
    c->failures++;
    loop_after(c->loop, &c->rest, BACKOFF_FIRST_MS / 2 + loop_jitter(c->loop, most), resolve, c);
    while ((call = TAILQ_FIRST(&c->lost))) {
        conn_reply_fn *fn = call->fn;
        void *fn_arg = call->arg;

        TAILQ_REMOVE(&c->lost, call, entry);
        free(call);
        fn(fn_arg, NULL);
    }
    c->on.on_down(c->on.arg, &f);
}

static void end_lookup(struct conn *c)
{
    lookup_free(c->lookup);
    c->lookup = NULL;
}

static void drop(struct conn *c, const struct fault *why)
{
    if (c->state == CONN_RESTING)
        return;
    if (c->state == CONN_UP && loop_now(c->loop) - c->up_since >= STEADY_MS)
        c->failures = 0;
    c->state = CONN_RESTING;
    c->fault = *why;
    loop_cancel(&c->limit);
    end_lookup(c);
    forget_context(c);
    loop_defer(c->loop, &c->broken, tell_broken, c);
}

/* ---- replies and their deadlines ---- */

static void on_silence(void *arg);

/* Replies come in order, so the oldest call is the one to wait for. The timer is left as it is while replies come;
 * when it fires, on_silence() looks whether it is meant. */
static void watch_oldest(struct conn *c)
{
    struct conn_call *oldest = TAILQ_FIRST(&c->calls);

    if (oldest && !c->limit)
        loop_after(c->loop, &c->limit, oldest->due - loop_now(c->loop), on_silence, c);
}

static void on_silence(void *arg)
{
    struct conn *c = arg;
    struct conn_call *oldest = TAILQ_FIRST(&c->calls);

    if (c->state != CONN_UP)
        drop_text(c, FAULT_TIMEOUT, "Redis did not answer at connect");
    else if (oldest && oldest->due <= loop_now(c->loop))
        drop_text(c, FAULT_TIMEOUT, "Redis did not answer in time");
    else
        watch_oldest(c);
}

static void on_reply(redisAsyncContext *redis, void *reply, void *arg)
{
    struct conn_call *call = arg;
    struct conn *c = call->conn;
    conn_reply_fn *fn = call->fn;
    void *fn_arg = call->arg;

    (void)redis;
    if (!c) {
        free(call);
        return;
    }
    TAILQ_REMOVE(&c->calls, call, entry);
    if (!reply) { /* hiredis is freeing the context: on_disconnect() comes behind, and drop() tells them all */
        TAILQ_INSERT_TAIL(&c->lost, call, entry);
        return;
    }
    free(call);
    fn(fn_arg, reply);
}

static int send_call(struct conn *c, int argc, const char *const argv[], const size_t argv_len[], int64_t patience_ms,
                     conn_reply_fn *fn, void *arg, struct fault *f)
{
    struct conn_call *call = mem_new(struct conn_call);

    call->conn = c;
    call->fn = fn;
    call->arg = arg;
    call->due = loop_now(c->loop) + c->set.silence_ms + patience_ms;
    if (redisAsyncCommandArgv(c->redis, on_reply, call, argc, (const char **)argv, argv_len) != REDIS_OK) {
        free(call);
        return fault_set(f, FAULT_TRANSIENT, "the connection to Redis is closing");
    }
    TAILQ_INSERT_TAIL(&c->calls, call, entry);
    watch_oldest(c); /* while connecting, its one limit is armed */
    return 0;
}

int conn_send(struct conn *c, int argc, const char *const argv[], const size_t argv_len[], int64_t patience_ms,
              conn_reply_fn *fn, void *arg, struct fault *f)
{
    if (c->state != CONN_UP)
        return fault_set(f, FAULT_TRANSIENT, "no connection to Redis");
    return send_call(c, argc, argv, argv_len, patience_ms, fn, arg, f);
}

/* ---- connecting ---- */

/* Something to read while nothing was asked: the end, an error that ends it, or what hiredis 0.14 would abort over. */
static bool is_unasked(struct conn *c, int fd)
{
    char first;

    return TAILQ_EMPTY(&c->calls) && recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first != '-';
}

/* hiredis collects a reply in memory whatever its size; each event adds at most 16 KiB, so this is soon enough. */
static void on_readable(int fd, short what, void *arg)
{
    struct conn *c = arg;
    redisAsyncContext *redis = c->redis;

    (void)what;
    if (redis->c.reader->len > REPLY_MAX) {
        drop_text(c, FAULT_TOO_BIG, "a reply of Redis is beyond every limit");
        return;
    }
    if (is_unasked(c, fd)) {
        drop_text(c, FAULT_INVALID, "Redis answers what was not asked: is it Redis?");
        return;
    }
    redisAsyncHandleRead(redis);
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
    struct conn *c = redis->data;
    const char *text = redis->errstr && *redis->errstr ? redis->errstr : "closed";
    struct fault f;

    (void)status;
    if (!c)
        return;
    c->redis = NULL; /* hiredis frees it behind this; its calls have been through on_reply() with NULL */
    fault_set(&f, FAULT_TRANSIENT, "lost the connection to Redis: %s", text);
    drop(c, &f);
}

static void on_connect(const redisAsyncContext *redis, int status)
{
    struct conn *c = redis->data;
    struct fault f;

    if (!c)
        return;
    if (status != REDIS_OK) {
        c->redis = NULL; /* freed by hiredis behind this */
        fault_set(&f, FAULT_TRANSIENT, "cannot connect to Redis: %s", redis->errstr ? redis->errstr : "failed");
        drop(c, &f);
        return;
    }
    greet(c);
}

/* A peer that vanished is noticed by the kernel too, also between commands. Errors here cost only that. */
static void tune_socket(int fd, bool tcp)
{
    int on = 1, idle = KEEPALIVE_S, count = 3;
    unsigned user_timeout = KEEPALIVE_S * 1000;

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (!tcp)
        return;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void attach(struct conn *c)
{
    redisAsyncContext *redis = c->redis;
    redisLibeventEvents *adapter;

    redis->data = c;
    tune_socket(redis->c.fd, !c->set.url->path);
    redisLibeventAttach(redis, loop_base(c->loop));
    adapter = redis->ev.data;
    event_free(adapter->rev);
    adapter->rev = event_new(loop_base(c->loop), redis->c.fd, EV_READ, on_readable, c);
    event_add(adapter->rev, NULL);
    redisAsyncSetDisconnectCallback(redis, on_disconnect);
    redisAsyncSetConnectCallback(redis, on_connect);
}

static void connect_to(struct conn *c, const char *address)
{
    struct fault f;

    c->state = CONN_CONNECTING;
    c->redis = address ? redisAsyncConnect(address, c->set.url->port) : redisAsyncConnectUnix(c->set.url->path);
    end_lookup(c); /* `address` was its own */
    if (!c->redis)
        abort(); /* out of memory, as in mem.c */
    if (c->redis->err) {
        fault_set(&f, FAULT_TRANSIENT, "cannot connect to Redis: %s", c->redis->errstr);
        drop(c, &f);
        return;
    }
    attach(c);
}

static void on_address(void *arg, const char *address, const struct fault *f)
{
    struct conn *c = arg;

    if (address)
        connect_to(c, address);
    else
        drop(c, f);
}

static void resolve(void *arg)
{
    struct conn *c = arg;

    c->state = CONN_RESOLVING;
    loop_after(c->loop, &c->limit, c->set.connect_ms, on_silence, c);
    if (c->set.url->path)
        connect_to(c, NULL);
    else
        c->lookup = lookup_new(c->loop, c->set.url->host, on_address, c);
}

/* ---- greeting ---- */

static void greeted(struct conn *c)
{
    if (--c->greetings > 0)
        return;
    c->state = CONN_UP;
    c->up_since = loop_now(c->loop);
    loop_cancel(&c->limit);
    c->on.on_up(c->on.arg);
}

static void refuse(struct conn *c, const char *what, const redisReply *reply)
{
    struct fault f;

    fault_set(&f, FAULT_REFUSED, "Redis refused %s: %.160s", what, reply->str);
    drop(c, &f);
}

static void on_auth(void *arg, redisReply *reply)
{
    struct conn *c = arg;

    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR)
        refuse(c, "the user or password", reply);
    else
        greeted(c);
}

static void on_select(void *arg, redisReply *reply)
{
    struct conn *c = arg;

    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR)
        refuse(c, "the database", reply);
    else
        greeted(c);
}

/* The name is for people; a user who may not set it can do without. */
static void on_name(void *arg, redisReply *reply)
{
    struct conn *c = arg;

    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOAUTH", 6) == 0)
        refuse(c, "to talk without a password", reply);
    else if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "ERR max number", 14) == 0)
        refuse(c, "another connection", reply);
    else
        greeted(c);
}

static int say(struct conn *c, int argc, const char *const argv[], conn_reply_fn *fn)
{
    size_t len[4];
    struct fault f = FAULT_INIT;

    for (int i = 0; i < argc; i++)
        len[i] = strlen(argv[i]);
    c->greetings++;
    return send_call(c, argc, argv, len, 0, fn, c, &f);
}

static void greet(struct conn *c)
{
    const struct redis_url *u = c->set.url;
    char db[16];
    int bad = 0;

    c->state = CONN_GREETING;
    c->greetings = 0;
    if (u->password && u->user)
        bad |= say(c, 3, (const char *const[]){"AUTH", u->user, u->password}, on_auth);
    else if (u->password)
        bad |= say(c, 2, (const char *const[]){"AUTH", u->password}, on_auth);
    snprintf(db, sizeof(db), "%d", u->db);
    if (u->db != 0)
        bad |= say(c, 2, (const char *const[]){"SELECT", db}, on_select);
    bad |= say(c, 3, (const char *const[]){"CLIENT", "SETNAME", c->set.name}, on_name);
    if (bad)
        loop_after(c->loop, &c->limit, 0, on_silence, c); /* not from here: inside hiredis' connect callback */
}

/* ---- the whole ---- */

/* hiredis writes with write(2): without this, a peer that hangs up ends the process. */
static void survive_hangup(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

struct conn *conn_new(struct loop *l, const struct conn_settings *s, const struct conn_events *e)
{
    struct conn *c = mem_new(struct conn);

    survive_hangup();
    c->loop = l;
    c->set = *s;
    c->on = *e;
    if (c->set.connect_ms <= 0)
        c->set.connect_ms = CONNECT_MS;
    if (c->set.silence_ms <= 0)
        c->set.silence_ms = SILENCE_MS;
    TAILQ_INIT(&c->calls);
    TAILQ_INIT(&c->lost);
    loop_after(l, &c->rest, 0, resolve, c);
    return c;
}

void conn_free(struct conn *c)
{
    struct conn_call *call;

    if (!c)
        return;
    c->state = CONN_RESTING;
    loop_cancel(&c->limit);
    loop_cancel(&c->rest);
    loop_cancel(&c->broken);
    end_lookup(c);
    forget_context(c);
    while ((call = TAILQ_FIRST(&c->lost))) {
        TAILQ_REMOVE(&c->lost, call, entry);
        free(call);
    }
    free(c);
}

bool conn_is_up(const struct conn *c)
{
    return c->state == CONN_UP;
}

void conn_restart(struct conn *c, const char *why)
{
    struct fault f;

    fault_set(&f, FAULT_TRANSIENT, "%s", why);
    drop(c, &f);
}
