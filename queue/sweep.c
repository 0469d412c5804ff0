/* Entries of in_flight that nobody holds, and holders that nobody knows: no script makes either, hands can. Once a
 * minute, whichever seat comes first looks at the oldest entries. */
#include <hiredis/hiredis.h>
#include <string.h>

#include "queue/reply.h"
#include "queue/seat.h"

enum { SWEEP_EVERY_MS = 60000, SWEEP_OLDER_MS = 120000, SWEEP_MAX = 100 };

static void ignore_reply(void *arg, redisReply *reply)
{
    (void)arg;
    (void)reply;
}

static void check(struct queue *q, const char *worker, const redisReply *tokens)
{
    struct words w = {0};

    words_script(&w, SCRIPT_CHECK);
    words_key(&w, q->name, "workers");
    words_key(&w, q->name, "in_flight");
    words_key_for(&w, q->name, "claims", worker);
    words_arguments(&w);
    words_text(&w, worker);
    for (size_t i = 0; i < reply_count(tokens); i++) {
        const char *token = reply_text(reply_at(tokens, i)), *colon = token ? strchr(token, ':') : NULL;

        if (colon && strcmp(colon + 1, worker) == 0)
            words_text(&w, token);
    }
    seat_send(q, &w, ignore_reply, q);
}

/* A token ends in the name of its worker: one call for each name among them. */
static void on_sweep(void *arg, redisReply *reply)
{
    struct queue *q = arg;
    struct fault f = FAULT_INIT;

    if (seat_judge(q, reply, &f) != TROUBLE_NONE)
        return;
    for (size_t i = 0; i < reply_count(reply); i++) {
        const char *token = reply_text(reply_at(reply, i)), *colon = token ? strchr(token, ':') : NULL;
        bool first = colon && strlen(colon) < 100;

        for (size_t j = 0; first && j < i; j++) {
            const char *other = reply_text(reply_at(reply, j));

            first = !other || !strchr(other, ':') || strcmp(strchr(other, ':'), colon) != 0;
        }
        if (first)
            check(q, colon + 1, reply);
    }
}

void reaper_sweep(struct queue *q)
{
    struct words w = {0};

    words_script(&w, SCRIPT_SWEEP);
    words_key(&w, q->name, "in_flight");
    words_key(&w, q->name, "swept");
    words_arguments(&w);
    words_number(&w, SWEEP_EVERY_MS);
    words_number(&w, SWEEP_OLDER_MS);
    words_number(&w, SWEEP_MAX);
    seat_send(q, &w, on_sweep, q);
}
