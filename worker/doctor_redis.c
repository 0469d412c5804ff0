#include "worker/doctor_redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "queue/conn.h"
#include "queue/keys.h"
#include "queue/queue.h"
#include "queue/reply.h"

struct doctor_redis {
    struct loop *loop;
    const struct config *config;
    const char *name;
    doctor_redis_fn *fn;
    void *arg;
    struct redis_url url;
    struct conn *conn;
    struct queue *queue;
    struct loop_timer *budget, *timer;
    struct fault fault;                      /* the last one, of whichever connection */
    int64_t began_ms, sent_ms, sent_wall_ms; /* loop time, but for the last */
    int64_t workers;
    bool asked, leased, told;
    struct finding list[DOCTOR_REDIS_MAX];
    size_t count;
};

/* --- the end --------------------------------------------------------------------------------------------------------
 */

static void tell(void *arg)
{
    struct doctor_redis *d = arg;
    _cleanup_free_ char *where = redis_url_masked(d->config->redis_url);
    struct finding *f;

    d->told = true;
    loop_cancel(&d->budget);
    queue_free(TAKE(d->queue));
    conn_free(TAKE(d->conn));
    if (!d->asked || !d->leased) {
        f = finding_begin(d->list, &d->count, d->asked ? "redis lease" : "redis");
        finding_set(f, FINDING_BAD, "%s: %s", where,
                    d->fault.kind != FAULT_NONE ? d->fault.text : "no answer within call-budget");
        finding_advise(f, "%s",
                       d->asked ? "see whether the user may run the scripts (docs/operating.md has the ACL) and the "
                                  "queue is of this version"
                                : "see whether Redis runs there and the password is right: setting redis-url");
        f->took_ms = loop_now(d->loop) - d->began_ms;
    }
    d->fn(d->arg, d->list, d->count);
}

static void end(struct doctor_redis *d)
{
    if (!d->told)
        loop_after(d->loop, &d->timer, 0, tell, d); /* not from within a callback of what is freed */
}

static void on_budget(void *arg)
{
    end(arg);
}

/* --- a seat at the queue ------------------------------------------------------------------------------------------ */

static void on_left(void *arg)
{
    end(arg);
}

static void on_claim(void *arg, struct queue_claim *claim) /* none was asked for */
{
    (void)arg;
    queue_claim_free(claim);
}

static void on_lost(void *arg, const char *token)
{
    (void)arg;
    (void)token;
}

static void on_notice(void *arg, const char *event, const char *text)
{
    (void)arg;
    (void)event;
    (void)text;
}

static void on_state(void *arg, bool connected, bool leased, const struct fault *f)
{
    struct doctor_redis *d = arg;
    struct finding *finding;

    (void)connected;
    if (f) {
        d->fault = *f;
        if (f->kind == FAULT_REFUSED)
            end(d);
    }
    if (!leased || d->leased || d->told)
        return;
    d->leased = true;
    finding = finding_begin(d->list, &d->count, "redis lease");
    finding_set(finding, FINDING_WELL, "queue %s gives a lease; %lld worker%s had one before", d->config->queue,
                (long long)d->workers, d->workers == 1 ? "" : "s");
    finding->took_ms = loop_now(d->loop) - d->began_ms;
    queue_leave(d->queue, on_left, d);
}

static void take_seat(void *arg)
{
    struct doctor_redis *d = arg;
    const struct config *c = d->config;
    const struct queue_events e = {
        .on_claim = on_claim, .on_lost = on_lost, .on_state = on_state, .on_notice = on_notice, .arg = d};
    const struct queue_settings s = {
        .url = c->redis_url,
        .name = c->queue,
        .worker = d->name,
        .details = "{\"doctor\":true}",
        .lease_ms = c->lease_ms,
        .beat_ms = c->lease_ms / 6,
        .reap_ms = c->lease_ms,
        .payload_max = (size_t)c->payload_max,
        .dead_max_count = (size_t)c->dead_max,
        .dead_max_bytes = (size_t)c->dead_max_bytes,
        .inbox_max_count = (size_t)c->inbox_max,
        .inbox_max_bytes = (size_t)c->inbox_max_bytes,
    };

    d->began_ms = loop_now(d->loop);
    if (queue_new(d->loop, &s, &e, &d->queue, &d->fault) < 0)
        end(d);
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

static void on_workers(void *arg, struct redisReply *reply)
{
    struct doctor_redis *d = arg;
    const char *beats;

    if (!reply)
        return;
    for (size_t i = 0; i < reply_count(reply); i++)
        if ((beats = reply_text(reply_at(reply, i))) && strncmp(beats, "dead", 4) != 0)
            d->workers++;
    loop_after(d->loop, &d->timer, 0, take_seat, d);
}

static void on_time(void *arg, struct redisReply *reply)
{
    struct doctor_redis *d = arg;
    int64_t s, us, trip;

    if (!reply || !reply_number(reply_at(reply, 0), &s) || !reply_number(reply_at(reply, 1), &us))
        return;
    trip = loop_now(d->loop) - d->sent_ms;
    doctor_redis_judge_clock(s * 1000 + us / 1000 - d->sent_wall_ms - trip / 2, trip / 2 + 1,
                             finding_begin(d->list, &d->count, "redis clock"));
}

static void on_info(void *arg, struct redisReply *reply)
{
    struct doctor_redis *d = arg;
    const char *info = reply_text(reply);

    if (!reply)
        return;
    d->asked = true;
    d->fault = (struct fault)FAULT_INIT;
    d->count += doctor_redis_judge_info(info ? info : "", loop_now(d->loop) - d->began_ms, d->list + d->count);
}

static int ask(struct doctor_redis *d, const char *word, const char *key, conn_reply_fn *fn)
{
    const char *const argv[] = {word, key};
    const size_t len[] = {strlen(word), key ? strlen(key) : 0};

    return conn_send(d->conn, key ? 2 : 1, argv, len, 0, fn, d, &d->fault);
}

static void on_up(void *arg)
{
    struct doctor_redis *d = arg;
    char key[KEY_MAX];

    d->count = 0; /* what an earlier connection was told counts no more */
    d->workers = 0;
    d->asked = false;
    d->sent_ms = loop_now(d->loop);
    d->sent_wall_ms = loop_wall(d->loop);
    if (ask(d, "INFO", NULL, on_info) == 0 && ask(d, "TIME", NULL, on_time) == 0)
        ask(d, "HVALS", key_of(key, d->config->queue, "workers"), on_workers);
}

static void on_down(void *arg, const struct fault *f)
{
    struct doctor_redis *d = arg;

    d->fault = *f;
    if (f->kind == FAULT_REFUSED)
        end(d);
}

/* --- from outside ------------------------------------------------------------------------------------------------- */

struct doctor_redis *doctor_redis_start(struct loop *l, const struct config *c, const char *name, doctor_redis_fn *fn,
                                        void *arg, struct fault *f)
{
    struct doctor_redis *d = mem_new(struct doctor_redis);
    const struct conn_events e = {.on_up = on_up, .on_down = on_down, .arg = d};

    d->loop = l;
    d->config = c;
    d->name = name;
    d->fn = fn;
    d->arg = arg;
    d->began_ms = loop_now(l);
    if (redis_url_parse(c->redis_url, &d->url, f) < 0) {
        free(d);
        return NULL;
    }
    d->conn = conn_new(l, &(struct conn_settings){.url = &d->url, .name = name}, &e);
    loop_after(l, &d->budget, c->call_budget_ms, on_budget, d);
    return d;
}

void doctor_redis_free(struct doctor_redis *d)
{
    if (!d)
        return;
    loop_cancel(&d->budget);
    loop_cancel(&d->timer);
    queue_free(d->queue);
    conn_free(d->conn);
    redis_url_release(&d->url);
    free(d);
}
