/* The words of the script calls in calls.c: which keys and arguments each takes stands in queue/NAME.lua. */
#include "queue/seat.h"

static void start(struct queue *q, struct words *w, enum script_id script, const char *worker)
{
    words_script(w, script);
    words_key_for(w, q->name, "claims", worker);
    words_key(w, q->name, "in_flight");
    words_key(w, q->name, "stats");
}

static void start_admit(struct queue *q, struct words *w)
{
    start(q, w, SCRIPT_ADMIT, q->worker);
    words_key(w, q->name, "events");
}

static void start_finish(struct queue *q, struct words *w)
{
    start(q, w, SCRIPT_FINISH, q->worker);
    words_key(w, q->name, "events");
}

static void start_delay(struct queue *q, struct words *w)
{
    start(q, w, SCRIPT_DELAY, q->worker);
    words_key(w, q->name, "events");
    words_key(w, q->name, "delayed");
}

static void start_release(struct queue *q, struct words *w)
{
    start(q, w, SCRIPT_RELEASE, q->worker);
    words_key(w, q->name, "quarantine");
    seat_inboxes(q, w);
}

static void start_bury_of(struct queue *q, struct words *w, const char *worker)
{
    start(q, w, SCRIPT_BURY, worker);
    words_key(w, q->name, "events");
    words_key(w, q->name, "dead");
    words_key(w, q->name, "meta");
}

static void start_bury(struct queue *q, struct words *w)
{
    start_bury_of(q, w, q->worker);
}

static void key_task(struct queue *q, struct words *w, const struct call *c)
{
    words_key_for(w, q->name, "task", c->id);
}

/* A key that is not needed still has a place: one that is there anyway stands in it. */
static void key_published(struct queue *q, struct words *w, const struct call *c)
{
    if (!c->id) {
        for (int i = 0; i < 3; i++)
            words_key_for(w, q->name, "claims", q->worker);
        return;
    }
    words_key_for(w, q->name, "task", c->id);
    words_key_for(w, q->name, "result", c->id);
    if (c->reply_to)
        words_key_for(w, q->name, "reply", c->reply_to);
    else
        words_key_for(w, q->name, "result", c->id);
}

static void key_released(struct queue *q, struct words *w, const struct call *c)
{
    if (c->id)
        words_key_for(w, q->name, "task", c->id);
    else
        words_key_for(w, q->name, "claims", q->worker);
}

static void argue_admit(struct queue *q, struct words *w, const struct call *c)
{
    (void)q;
    words_text(w, c->token);
    words_text(w, c->id);
    words_text(w, c->text);
    words_number(w, c->ttl_s);
}

static void argue_finish(struct queue *q, struct words *w, const struct call *c)
{
    (void)q;
    words_text(w, c->token);
    words_text(w, c->id);
    words_number(w, c->ttl_s);
    words_text(w, c->reply_to ? "reply" : "");
    words_add(w, c->blob, c->blob_len);
}

static void argue_delay(struct queue *q, struct words *w, const struct call *c)
{
    static const char *const charge[] = {[CHARGE_NOTHING] = "", [CHARGE_INFRA] = "infra", [CHARGE_CODE] = "code"};
    const struct held *h = held_find(q, c->token);

    words_text(w, c->token);
    words_text(w, c->id);
    words_number(w, c->due_ms);
    words_text(w, charge[c->charge]);
    words_text(w, c->text);
    words_text(w, h ? h->digest : NULL);
    words_number(w, h ? h->ttl_s : 0);
}

static void argue_release(struct queue *q, struct words *w, const struct call *c)
{
    (void)q;
    words_text(w, c->token);
    words_text(w, c->id);
}

static void argue_bury(struct queue *q, struct words *w, const struct call *c)
{
    (void)q;
    words_text(w, c->token);
    words_text(w, c->text);
    words_text(w, c->id);
    words_number(w, c->ttl_s);
    words_text(w, c->reply_to ? "reply" : "");
    words_add(w, c->blob ? c->blob : "", c->blob_len);
}

static void limits_keep(struct queue *q, struct words *w)
{
    (void)q;
    words_number(w, KEEP_S);
}

static void limits_none(struct queue *q, struct words *w)
{
    (void)q;
    (void)w;
}

static void limits_release(struct queue *q, struct words *w)
{
    words_number(w, SEAT_INBOXES);
    words_number(w, KEEP_S);
    seat_inbox_names(q, w);
}

static void limits_bury(struct queue *q, struct words *w)
{
    words_number(w, (int64_t)q->set.payload_max);
    words_number(w, HEAD_MAX);
    words_number(w, (int64_t)q->set.dead_max_count);
    words_number(w, (int64_t)q->set.dead_max_bytes);
}

/* clang-format off */
static const struct {
    void (*start)(struct queue *q, struct words *w);                       /* the script, its keys */
    void (*key)(struct queue *q, struct words *w, const struct call *c);   /* the keys of each item */
    void (*limits)(struct queue *q, struct words *w);                      /* its arguments */
    void (*argue)(struct queue *q, struct words *w, const struct call *c); /* the arguments of each item */
} form[CALL_KINDS] = {
    [CALL_FINISH]  = {start_finish,  key_published, limits_none,    argue_finish},
    [CALL_BURY]    = {start_bury,    key_published, limits_bury,    argue_bury},
    [CALL_DELAY]   = {start_delay,   key_task,      limits_keep,    argue_delay},
    [CALL_RELEASE] = {start_release, key_released,  limits_release, argue_release},
    [CALL_ADMIT]   = {start_admit,   key_task,      limits_none,    argue_admit},
};
/* clang-format on */

static void write_look(struct queue *q, const struct call *c, struct words *w)
{
    words_text(w, "HGET");
    if (c->alive_fn) {
        words_key(w, q->name, "workers");
        words_text(w, c->text);
    } else {
        words_key_for(w, q->name, "task", c->id);
        words_text(w, "state");
    }
}

void calls_write(struct queue *q, const struct batch *b, struct words *w)
{
    const struct call *c;

    if (b->kind == CALL_LOOK) {
        write_look(q, TAILQ_FIRST(&b->calls), w);
        return;
    }
    form[b->kind].start(q, w);
    TAILQ_FOREACH (c, &b->calls, entry)
        form[b->kind].key(q, w, c);
    words_arguments(w);
    form[b->kind].limits(q, w);
    TAILQ_FOREACH (c, &b->calls, entry)
        form[b->kind].argue(q, w, c);
}

void calls_write_bury(struct queue *q, const char *worker, const struct call *c, struct words *w)
{
    start_bury_of(q, w, worker);
    key_published(q, w, c);
    words_arguments(w);
    limits_bury(q, w);
    argue_bury(q, w, c);
}
