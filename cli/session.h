#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "cli/options.h"
#include "queue/conn.h"

/* A command's seat at Redis: the loop and a connection, with calls that wait for their answer. Everything the
 * command line sends may be sent twice (ids are idempotent), so a question whose connection broke is asked again. */

struct redisReply;

enum { SESSION_AWAY_MAX_MS = 120000 }; /* Redis may be away this long before a question is given up */

struct session {
    struct loop *loop;
    struct redis_url url;
    char *shown; /* the URL without its password */
    struct conn *conn;
    const char *queue; /* borrowed */
    bool interrupted;  /* Ctrl-C or SIGTERM; the loop was stopped */
    bool ever_up;
    unsigned ups;      /* how many times the connection came up: a change means that Redis may be another */
    struct fault down; /* why it is not up */
    void (*on_notice)(void *arg, const char *text); /* lost and back again; NULL: a line on stderr */
    void *notice_arg;
};

/** Makes the loop and reads the URL (FAULT_INVALID). session_close() ends it, also after a failure. */
int session_open(struct session *s, const struct common *options, struct fault *f);
/** Connects; the fault says that Redis cannot be reached, and how to name another. */
int session_connect(struct session *s, struct fault *f);
void session_close(struct session *s); /* outstanding callbacks do not run any more; a zeroed one is fine */

/** Reads a reply, borrowed for the call. Returns 0 or -1 with a fault. */
typedef int session_read_fn(void *arg, const struct redisReply *reply, struct fault *f);

/** Sends the words (ended by NULL), runs the loop until the answer is there and hands it to `read`. `patience_ms`:
 *  how long the command itself may block. Faults: FAULT_CANCELLED (interrupted: only session_close() may follow),
 *  FAULT_TRANSIENT (Redis stayed away), FAULT_REFUSED (an error reply that does not pass), and those of `read`. */
int session_ask(struct session *s, const char *const words[], int64_t patience_ms, session_read_fn *read, void *arg,
                struct fault *f);

/** As session_ask(), with a value of bytes as the last word. */
int session_ask_with(struct session *s, const char *const words[], const void *bytes, size_t len, session_read_fn *read,
                     void *arg, struct fault *f);

/** Common reads: an integer into an int64_t, a string (or nil) into a char * that the caller frees. */
int session_read_integer(void *ret_int64, const struct redisReply *reply, struct fault *f);
int session_read_string(void *ret_char_pointer, const struct redisReply *reply, struct fault *f);

/** Whether an error reply passes by itself: Redis loads, is full, is a replica... `restart`: the connection should
 *  begin anew. */
bool session_error_passes(const struct redisReply *reply, bool *ret_restart);

/** Says what went wrong on stderr; returns the exit code for it. */
int session_fail(const struct command *c, const struct fault *f);
