#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/loop.h"

/* One worker's seat at a queue: claims requests, keeps the lease alive, finishes, delays and hands back. Two
 * connections: one works, one waits for something to come. Each step is one script (the .lua files), atomic and fenced
 * by the claim's token.
 *
 * The calls below are kept until they are answered: when the connection is lost they are sent again (they are
 * idempotent by their token), until the answer comes or the lease is lost. What is ready in the same turn of the
 * loop travels in one script call.
 *
 * The lease: the worker beats every beat_ms. Another worker that sees the counter stand still for lease_ms takes
 * its claims. If no beat was confirmed for half of lease_ms this seat stops claiming; beyond lease_ms
 * queue_may_write() is false until a beat is confirmed again. If Redis answers that the worker is not registered any
 * more, all its claims are lost: a call that waits for its answer gets QUEUE_LOST, each other claim an on_lost, and the
 * seat registers anew under the next name. */

struct queue;

struct queue_settings {
    const char *url;     /* queue/conn.h */
    const char *name;    /* the queue's */
    const char *worker;  /* this worker's; unique: host, pid and a random part. Must be a key_is_name() */
    const char *details; /* one line of JSON for people: host, version, slots; stands in worker:W */
    int64_t lease_ms, beat_ms, reap_ms;      /* lease_ms is at least three beats */
    size_t payload_max;                      /* a longer request comes with its head only; at most 2 MiB */
    size_t dead_max_count, dead_max_bytes;   /* caps of `dead`, the oldest go first */
    size_t inbox_max_count, inbox_max_bytes; /* over it, popped requests are to be rejected: see claim.over_cap */
};

/* A request that this worker holds until finish, delay, release or bury is confirmed. */
struct queue_claim {
    char *token;        /* names it in every call below */
    char *payload;      /* as it was pushed; only the first 4 KiB where oversized */
    size_t len;         /* bytes of payload here */
    size_t full_len;    /* bytes as pushed */
    bool oversized;     /* full_len > payload_max */
    bool over_cap;      /* the inbox was over its cap when this was popped */
    bool quarantined;   /* two workers died over it: run it alone */
    int64_t claimed_ms; /* since 1970, by Redis' clock */
};
void queue_claim_free(struct queue_claim *c);
DEFINE_CLEANUP(struct queue_claim, queue_claim_free)

/* What the record task:ID says when a claim is admitted. */
struct queue_task {
    int attempt;         /* 1 for the first; only what was charged counts */
    int infra, code;     /* retries used so far */
    int losses;          /* workers that died with it */
    const char *history; /* what queue_delay() stored: a JSON object, whose `attempts` are the earlier ones as a result
                          * lists them; or NULL. Borrowed */
};

enum queue_answer {
    QUEUE_DONE,      /* done (or had been done by this same call, sent twice) */
    QUEUE_DUPLICATE, /* admit: the id is taken; the claim is dropped and counted */
    QUEUE_CANCELLED, /* admit: was cancelled before it ran */
    QUEUE_LOST,      /* the claim is not ours any more: forget it, touch nothing of it */
    QUEUE_FAILED,    /* Redis refused it for good; the fault says why */
};

typedef void queue_answer_fn(void *arg, enum queue_answer answer, const struct fault *f);
typedef void queue_admit_fn(void *arg, enum queue_answer answer, const struct queue_task *task, const struct fault *f);

struct queue_events {
    void (*on_claim)(void *arg, struct queue_claim *claim); /* the callee owns it */
    void (*on_lost)(void *arg, const char *token); /* see above, or Redis has forgotten it; no call for it any more */
    void (*on_state)(void *arg, bool connected, bool leased, const struct fault *f); /* it changed */
    void (*on_notice)(void *arg, const char *event, const char *text); /* for the log: policy not noeviction, reaped */
    void *arg;
};

/** Starts connecting at once. */
int queue_new(struct loop *l, const struct queue_settings *s, const struct queue_events *e, struct queue **ret_queue,
              struct fault *f);
/** Forgets everything; what is held is left to the reaper: queue_leave() first for a clean end. Not from within one of
 *  the queue's own callbacks: loop_defer(). */
void queue_free(struct queue *q);
DEFINE_CLEANUP(struct queue, queue_free)

/** How many more claims are welcome from now on; claims that arrive count it down. `alone`: nothing is in flight
 *  here, so one from quarantine is welcome too; when one came, no more are claimed until the next call. What was
 *  asked for and is not welcome any more when it arrives goes back unseen. */
void queue_want(struct queue *q, unsigned more, bool alone);

/** Whether this worker may write to the cluster on behalf of its claims. */
bool queue_may_write(const struct queue *q);

/** The identity of this installation (the key `uid`), NULL until the first connection made sure of it. */
const char *queue_uid(const struct queue *q);
/** The worker's name now (it changes when a lease was lost). */
const char *queue_worker(const struct queue *q);

/** Makes the claim a running task: `id` is unique from now on. `record_ttl_s`: how long the record task:ID lives
 *  while nobody runs it (delayed, or waiting again); with the result's ttl it goes from queue_finish() on. */
void queue_admit(struct queue *q, const char *token, const char *id, const char *digest, int64_t record_ttl_s,
                 queue_admit_fn *fn, void *arg);

/** Publishes `result` (borrowed for the call) at result:ID, and at reply:NAME if `reply_to`. */
void queue_finish(struct queue *q, const char *token, const char *id, const void *result, size_t len, int64_t ttl_s,
                  const char *reply_to, queue_answer_fn *fn, void *arg);

enum queue_charge { CHARGE_NOTHING, CHARGE_INFRA, CHARGE_CODE };

/** Another attempt (or, with CHARGE_NOTHING, the same one) at `due_ms` since 1970. `history` as in queue_task. */
void queue_delay(struct queue *q, const char *token, const char *id, int64_t due_ms, enum queue_charge charge,
                 const char *history, queue_answer_fn *fn, void *arg);

/** Hands a claim back to the head of the inbox it came from, uncharged. `id` is NULL if it was not admitted. */
void queue_release(struct queue *q, const char *token, const char *id, queue_answer_fn *fn, void *arg);

/** Puts the payload to `dead` with the reason. With `id`, also publishes `result` for it if the id is unused
 *  (QUEUE_DUPLICATE if it is taken; then only `dead` gets it). */
void queue_bury(struct queue *q, const char *token, const char *reason, const char *id, const void *result, size_t len,
                int64_t ttl_s, const char *reply_to, queue_answer_fn *fn, void *arg);

enum queue_task_state { TASK_UNKNOWN, TASK_WAITING, TASK_RUNNING, TASK_FINISHED };
typedef void queue_state_fn(void *arg, enum queue_task_state state, const struct fault *f);

/** Looks at task:ID: for the sweeper. Not repeated when the connection is lost: then the fault says so. */
void queue_task_state(struct queue *q, const char *id, queue_state_fn *fn, void *arg);

typedef void queue_alive_fn(void *arg, bool alive, const struct fault *f);

/** Whether a worker of this name has a seat: it registered, and has neither left nor died. As above. */
void queue_worker_alive(struct queue *q, const char *worker, queue_alive_fn *fn, void *arg);

/** Leaves: releases what is held and nothing is asked about, unregisters once everything that was handed in is
 *  answered, then calls `fn`. Waits for Redis as long as it takes. */
void queue_leave(struct queue *q, loop_fn *fn, void *arg);
