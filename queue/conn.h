#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "queue/redis_url.h"

/* One connection to Redis on the loop: resolves names without blocking (evdns), connects, authenticates, selects
 * the database, names itself (CLIENT SETNAME), comes back by itself with jittered backoff, and notices a peer that
 * is silent. Written against hiredis 0.14. */

struct conn;
struct redisReply;

struct conn_settings {
    const struct redis_url *url; /* borrowed for the connection's life */
    const char *name;            /* for CLIENT SETNAME; borrowed likewise */
    int64_t connect_ms;          /* for name, connect, auth and select together; 0: 5000 */
    int64_t silence_ms;          /* a reply later than this ends the connection; 0: 10000 */
};

/** `reply` is borrowed for the call, NULL when the connection was lost before it came: the command may or may not
 *  have run. An error reply is passed on as it is. */
typedef void conn_reply_fn(void *arg, struct redisReply *reply);

struct conn_events {
    void (*on_up)(void *arg);                          /* usable now (each time anew) */
    void (*on_down)(void *arg, const struct fault *f); /* lost, or an attempt failed; comes back by itself */
    void *arg;
};

/** Starts connecting in the next turn of the loop. Ignores SIGPIPE for the process, unless somebody handles it. */
struct conn *conn_new(struct loop *l, const struct conn_settings *s, const struct conn_events *e);
void conn_free(struct conn *c); /* outstanding callbacks do not run any more */
DEFINE_CLEANUP(struct conn, conn_free)

bool conn_is_up(const struct conn *c);

/** Sends a command. The callback runs exactly once, unless the connection is freed first. Fails with
 *  FAULT_TRANSIENT while the connection is down. `patience_ms` is added to silence_ms: for blocking commands. */
int conn_send(struct conn *c, int argc, const char *const argv[], const size_t argv_len[], int64_t patience_ms,
              conn_reply_fn *fn, void *arg, struct fault *f);

/** Ends the connection now and begins anew: for a reply that says the server is not what it was (READONLY,
 *  UNBLOCKED, LOADING). */
void conn_restart(struct conn *c, const char *why);
