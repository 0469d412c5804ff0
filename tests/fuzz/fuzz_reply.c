/* What comes back from Redis: hiredis' reader, and our reads of what the scripts answer. */
#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as_everything(const redisReply *r)
{
    struct claims_reply claims;
    struct claim_reply claim;
    struct beat_reply beat;
    struct task_reply task;
    int64_t n;

    reply_number(r, &n);
    reply_is(r, "ok");
    reply_beat(r, &beat);
    if (reply_task(r, &task) == 0 && task.history && !*task.history)
        abort();
    if (reply_claims(r, &claims) == 0)
        for (size_t i = 0; i < claims.count + 1; i++)
            if (reply_claim(r, i, &claim) == 0) {
                if (i == claims.count || !*claim.token || (int64_t)claim.len > claim.full_len)
                    abort();
                for (size_t at = 0; at < claim.len; at++) /* readable to the end */
                    n += claim.payload[at];
            }
    for (size_t i = 0; i < reply_count(r) && i < 1000; i++)
        read_as_everything(reply_at(r, i));
}

/* hiredis believes an array's length before it has its elements, and asks for that much memory. */
static int has_huge_array(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 7 < size; i++)
        if (data[i] == '*') {
            size_t digits = 0;

            while (i + 1 + digits < size && data[i + 1 + digits] >= '0' && data[i + 1 + digits] <= '9')
                digits++;
            if (digits > 5)
                return 1;
        }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    if (!has_huge_array(data, size) && redisReaderFeed(reader, (const char *)data, size) == REDIS_OK)
        while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
            read_as_everything(reply);
            freeReplyObject(reply);
            reply = NULL;
        }
    redisReaderFree(reader);
    return 0;
}
