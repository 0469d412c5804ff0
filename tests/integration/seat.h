#pragma once
#include "base/loop.h"
#include "integration/redis_server.h"
#include "queue/queue.h"

/* A seat at the queue "t" as a test holds one: what it was told is written down, and nothing is done by itself. */

enum { SEAT_CLAIMS = 4096 };

#define K(name) "execq:{t}:" name

/* Of every test program: one server for all of its tests, an empty Redis and a loop for each. */
extern struct redis_server *server;
extern struct loop *loop;
int group_open(void **state);
int group_close(void **state);
void empty_redis(void);
int test_open(void **state);  /* a loop of its own, an empty Redis */
int test_close(void **state); /* nothing may be left behind by who is through with his work */
void assert_clean(void);

struct seat {
    struct loop *loop;
    struct queue *queue;
    struct queue_claim *claim[SEAT_CLAIMS]; /* in the order in which they came */
    size_t claims, lost;
    char last_lost[128];
    bool works; /* admits what comes and finishes it, by itself */
    unsigned room;
    size_t running, finished, duplicates, gone;
    bool connected, leased;
    size_t state_changes;
    struct fault fault;
    char notice[64][32]; /* the events of the last notices */
    size_t notices;
};

/* What a call was answered. */
struct answer {
    int times;
    enum queue_answer answer;
    struct queue_task task;
    char history[256];
    enum queue_task_state state;
    bool alive;
    struct fault fault;
};

/** Queue "t": a lease of 60 s unless changed. */
struct queue_settings seat_settings(const struct redis_server *s, const char *worker);
struct seat *seat_new(struct loop *l, const struct queue_settings *s);  /* waits until it is ready */
struct seat *seat_open(struct loop *l, const struct queue_settings *s); /* does not wait */
void seat_kill(struct seat *s);                                         /* as if the process died */
void seat_work(struct seat *s, unsigned room);                          /* runs whatever comes, `room` at a time */
void seat_leave(struct seat *s);
bool seat_was_told(const struct seat *s, const char *event);

/** Turns the loop until the condition holds; fails the test after 50 s. */
#define wait_until(l, condition)                         \
    for (int64_t wait_end_ = loop_now(l) + 50000;;) {    \
        if (condition)                                   \
            break;                                       \
        if (loop_now(l) > wait_end_)                     \
            fail_msg("never came true: %s", #condition); \
        loop_turn(l);                                    \
    }
void loop_turn(struct loop *l);             /* at most 2 ms */
void loop_pass(struct loop *l, int64_t ms); /* turns it for that long */

/** Each waits for its answer. */
enum queue_answer do_admit(struct seat *s, const struct queue_claim *c, const char *id, struct answer *ret);
enum queue_answer do_finish(struct seat *s, const struct queue_claim *c, const char *id, const char *result);
enum queue_answer do_delay(struct seat *s, const struct queue_claim *c, const char *id, int64_t ms,
                           enum queue_charge charge, const char *history);
enum queue_answer do_release(struct seat *s, const struct queue_claim *c, const char *id);
enum queue_answer do_bury(struct seat *s, const struct queue_claim *c, const char *reason, const char *id,
                          const char *result);
enum queue_task_state do_state(struct seat *s, const char *id);
bool do_alive(struct seat *s, const char *worker);

void on_answer(void *arg, enum queue_answer answer, const struct fault *f); /* arg: struct answer */
void on_admit(void *arg, enum queue_answer answer, const struct queue_task *task, const struct fault *f);

/** Pushes {"id": "ID"} and more. */
void push_id(struct redis_server *s, const char *id);
/** Waits for the next claim. */
struct queue_claim *next_claim(struct seat *s, unsigned want);
