#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads of what the scripts answer: hiredis' replies, checked, never trusted to have the right shape. Pure. */

struct redisReply;

/** The text of a string reply, NULL if it is none. Borrowed, NUL-terminated. */
const char *reply_text(const struct redisReply *r);

/** A whole number, also one written as a string. */
bool reply_number(const struct redisReply *r, int64_t *ret);

/** Element `i` of an array; NULL if there is none. */
const struct redisReply *reply_at(const struct redisReply *array, size_t i);
size_t reply_count(const struct redisReply *array); /* 0 if it is none */

/** Whether the first element (or the reply itself) is this word. */
bool reply_is(const struct redisReply *r, const char *word);

/** One claim of claim.lua's answer, `i` from 0. */
struct claim_reply {
    const char *token, *payload; /* borrowed */
    size_t len;
    int64_t full_len;
    bool over_cap, quarantined;
};
struct claims_reply {
    int64_t now_ms, left;
    size_t count;
};
int reply_claims(const struct redisReply *r, struct claims_reply *ret);
int reply_claim(const struct redisReply *r, size_t i, struct claim_reply *ret);

struct beat_reply {
    int64_t now_ms, due_ms, quarantined, waiting, bytes, workers;
};
int reply_beat(const struct redisReply *r, struct beat_reply *ret);

struct task_reply {
    int64_t attempts, infra, code, losses;
    const char *history; /* NULL if empty */
};
int reply_task(const struct redisReply *r, struct task_reply *ret);
