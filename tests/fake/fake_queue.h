#pragma once
#include <stddef.h>

#include "queue/queue.h"

/* A queue in memory, on the fake loop: linked in place of queue/queue.c. Every call is answered 1 ms later. It keeps
 * the promises that the scripts keep (ids are unique, a delayed claim comes back) and counts what it is told. */

enum fake_queue_call { FAKE_ADMIT, FAKE_FINISH, FAKE_DELAY, FAKE_RELEASE, FAKE_BURY, FAKE_CALLS };

struct queue *fake_queue_new(struct loop *l, void (*on_claim)(void *arg, struct queue_claim *claim), void *arg);
void fake_queue_free(struct queue *q);

/** A producer pushes; on_claim follows in the next turn. */
void fake_queue_push(struct queue *q, const char *payload);

/** The next calls of this kind are answered so, `times` times. */
void fake_queue_answer(struct queue *q, enum fake_queue_call call, enum queue_answer answer, int times);

/** Redis' clock goes ahead of ours by so much (or behind it). */
void fake_queue_clock(struct queue *q, int64_t ahead_ms);

/** From now on queue_may_write() says so. */
void fake_queue_lease(struct queue *q, bool held);

int fake_queue_count(const struct queue *q, enum fake_queue_call call); /* how often it was called */
int fake_queue_results(const struct queue *q);                          /* how many were published, buried ones too */
int fake_queue_charged(const struct queue *q);                          /* delays with a charge */
const char *fake_queue_result(const struct queue *q);                   /* the last one, "" if none */
const char *fake_queue_reply_to(const struct queue *q);                 /* where a copy of it goes, "" if nowhere */
const char *fake_queue_dead(const struct queue *q);                     /* the last reason, "" if none */
size_t fake_queue_open(const struct queue *q); /* claims that were neither finished, delayed, released nor buried */
