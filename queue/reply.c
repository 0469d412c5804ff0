#include "queue/reply.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "base/text.h"

enum { CLAIM_FIELDS = 4, CLAIM_FIRST = 3 };

const char *reply_text(const struct redisReply *r)
{
    if (!r || (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS))
        return NULL;
    return r->str;
}

bool reply_number(const struct redisReply *r, int64_t *ret)
{
    struct fault ignored = FAULT_INIT;

    if (r && r->type == REDIS_REPLY_INTEGER) {
        *ret = r->integer;
        return true;
    }
    return reply_text(r) && text_to_int(r->str, INT64_MIN, INT64_MAX, ret, &ignored) == 0;
}

size_t reply_count(const struct redisReply *array)
{
    return array && array->type == REDIS_REPLY_ARRAY ? array->elements : 0;
}

const struct redisReply *reply_at(const struct redisReply *array, size_t i)
{
    return i < reply_count(array) ? array->element[i] : NULL;
}

bool reply_is(const struct redisReply *r, const char *word)
{
    const char *text = reply_text(reply_count(r) ? reply_at(r, 0) : r);

    return text && strcmp(text, word) == 0;
}

int reply_claims(const struct redisReply *r, struct claims_reply *ret)
{
    size_t n = reply_count(r);
    struct claims_reply c;

    if (!reply_is(r, "ok") || n < CLAIM_FIRST || (n - CLAIM_FIRST) % CLAIM_FIELDS != 0 ||
        !reply_number(reply_at(r, 1), &c.now_ms) || !reply_number(reply_at(r, 2), &c.left))
        return -1;
    c.count = (n - CLAIM_FIRST) / CLAIM_FIELDS;
    *ret = c;
    return 0;
}

int reply_claim(const struct redisReply *r, size_t i, struct claim_reply *ret)
{
    size_t at = CLAIM_FIRST + i * CLAIM_FIELDS;
    const struct redisReply *payload = reply_at(r, at + 3);
    struct claim_reply c;
    int64_t flags;

    c.token = reply_text(reply_at(r, at));
    c.payload = reply_text(payload);
    if (!c.token || !*c.token || !c.payload || !reply_number(reply_at(r, at + 1), &flags) ||
        !reply_number(reply_at(r, at + 2), &c.full_len))
        return -1;
    c.len = payload->len;
    if (c.full_len < 0 || (size_t)c.full_len < c.len)
        return -1;
    c.over_cap = flags & 1;
    c.quarantined = flags & 2;
    *ret = c;
    return 0;
}

int reply_beat(const struct redisReply *r, struct beat_reply *ret)
{
    struct beat_reply b;

    if (!reply_is(r, "ok") || !reply_number(reply_at(r, 1), &b.now_ms) || !reply_number(reply_at(r, 2), &b.due_ms) ||
        !reply_number(reply_at(r, 3), &b.quarantined) || !reply_number(reply_at(r, 4), &b.waiting) ||
        !reply_number(reply_at(r, 5), &b.bytes) || !reply_number(reply_at(r, 6), &b.workers))
        return -1;
    *ret = b;
    return 0;
}

int reply_task(const struct redisReply *r, struct task_reply *ret)
{
    struct task_reply t;

    if (!reply_number(reply_at(r, 0), &t.attempts) || !reply_number(reply_at(r, 1), &t.infra) ||
        !reply_number(reply_at(r, 2), &t.code) || !reply_number(reply_at(r, 3), &t.losses))
        return -1;
    t.history = reply_text(reply_at(r, 4));
    if (t.history && !*t.history)
        t.history = NULL;
    *ret = t;
    return 0;
}
