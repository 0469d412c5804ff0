#pragma once
/* Connections to a Redis that says what it is told (script_redis.h), on one loop: the real one, so time passes. */
#include "unit/check.h"

#include "base/loop.h"
#include "fake/script_redis.h"
#include "queue/conn.h"

extern struct loop *loop;
extern struct script_redis *server;      /* at socket_url */
extern char folder[64], socket_url[128]; /* unix://FOLDER/s */

/* What became of a connection. */
extern struct seen {
    int up, down, replies, nulls;      /* how often; `nulls`: replies that did not come */
    struct fault fault;                /* of the last time it went down */
    char reply[64];                    /* the last one */
    struct conn *to_free, *to_restart; /* in the next reply's callback */
} seen;

/** Set-up and tear-down of a test. */
int world_set_up(void **state);
int world_tear_down(void **state);
#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_set_up, world_tear_down)

/** One at a time; the times as in struct conn_settings. */
struct conn *open_conn(const char *where, int64_t connect_ms, int64_t silence_ms);
void close_conn(struct conn *c);
void release_url(void); /* in place of close_conn() if it was freed already */

/** Sends "ECHO x": 0, or -1 if the connection is not up. */
int echo(struct conn *c, int64_t patience_ms);

void turn(void); /* one turn of the loop, of 2 ms at most */
void pass(int64_t ms);

/* Lets the loop turn until it is true; fails when it is not after a minute. */
#define wait_until(condition)                            \
    for (int64_t end_ = loop_now(loop) + 60000;;) {      \
        if (condition)                                   \
            break;                                       \
        if (loop_now(loop) > end_)                       \
            fail_msg("never came true: %s", #condition); \
        turn();                                          \
    }
