#include "queue/queue.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/keys.h"
#include "queue/reply.h"
#include "queue/seat.h"

/* ---- what the parts share ---- */

int seat_send(struct queue *q, struct words *w, conn_reply_fn *fn, void *arg)
{
    struct fault f = FAULT_INIT;
    int r = conn_send(q->work, (int)w->count, w->word, w->len, 0, fn, arg, &f);

    words_release(w);
    return r;
}

void seat_notice(struct queue *q, const char *event, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (q->on.on_notice)
        q->on.on_notice(q->on.arg, event, text);
}

void seat_tell_state(struct queue *q)
{
    bool connected = q->state == SEAT_READY, leased = queue_may_write(q);
    bool same_fault = connected || strcmp(q->fault.text, q->told_fault.text) == 0;

    if (q->told && connected == q->told_connected && leased == q->told_leased && same_fault)
        return;
    q->told = true;
    q->told_connected = connected;
    q->told_leased = leased;
    q->told_fault = q->fault;
    if (q->on.on_state)
        q->on.on_state(q->on.arg, connected, leased, connected ? NULL : &q->fault);
}

/* Requests of other priorities and tenants will be more of these, in the order in which they are looked at. */
void seat_inboxes(struct queue *q, struct words *w)
{
    words_key(w, q->name, "requests");
}

void seat_inbox_names(struct queue *q, struct words *w)
{
    (void)q;
    words_text(w, "requests");
}

/* ---- what an error reply means ---- */

static void on_loaded(void *arg, struct redisReply *reply)
{
    struct queue *q = arg;

    if (reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) == 0) /* others pass */
        seat_notice(q, "script-refused", "Redis does not take scripts: %.160s", reply->str);
}

static void load_scripts(struct queue *q)
{
    q->scripts_loaded = loop_now(q->loop);
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        struct words w = {0};

        words_text(&w, "SCRIPT");
        words_text(&w, "LOAD");
        words_add(&w, scripts[i].text, scripts[i].len);
        if (seat_send(q, &w, on_loaded, q) < 0)
            return;
    }
}

static bool begins(const char *text, const char *const prefix[])
{
    for (size_t i = 0; prefix[i]; i++)
        if (strncmp(text, prefix[i], strlen(prefix[i])) == 0)
            return true;
    return false;
}

enum seat_trouble seat_judge(struct queue *q, const struct redisReply *reply, struct fault *f)
{
    /* It is not the server it was, or not the one we want: look again where it is. */
    static const char *const elsewhere[] = {"READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED", "MOVED", "NOAUTH", NULL};
    static const char *const passing[] = {"OOM",      "BUSY",        "MISCONF", "NOREPLICAS",
                                          "TRYAGAIN", "CLUSTERDOWN", "ASK",     NULL};

    if (!reply) {
        fault_set(f, FAULT_TRANSIENT, "the connection to Redis was lost");
        return TROUBLE_LOST;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        return TROUBLE_NONE;
    if (strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        fault_set(f, FAULT_TRANSIENT, "Redis has forgotten the scripts");
        if (q->scripts_loaded && loop_now(q->loop) - q->scripts_loaded < RETRY_MS)
            return TROUBLE_PASSING; /* loading them did not help: no tight loop */
        load_scripts(q);
        return TROUBLE_AGAIN;
    }
    fault_set(f, FAULT_TRANSIENT, "Redis: %.200s", reply->str);
    if (begins(reply->str, elsewhere)) {
        conn_restart(q->work, f->text);
        return TROUBLE_PASSING;
    }
    if (begins(reply->str, passing))
        return TROUBLE_PASSING;
    f->kind = FAULT_REFUSED;
    return TROUBLE_LASTING;
}

/* ---- the working connection ---- */

static void on_work_up(void *arg)
{
    struct queue *q = arg;

    q->state = SEAT_REGISTERING;
    load_scripts(q);
    lease_register(q);
}

static void on_work_down(void *arg, const struct fault *f)
{
    struct queue *q = arg;

    q->state = SEAT_DOWN;
    q->fault = *f;
    lease_down(q);
    claim_down(q);
    reaper_down(q);
    seat_tell_state(q);
}

/* ---- the public calls ---- */

static int check_settings(const struct queue_settings *s, struct fault *f)
{
    if (!key_is_name(s->name))
        return fault_set(f, FAULT_INVALID, "queue name must have 1 to 64 characters of A-Z a-z 0-9 . _ -");
    if (!key_is_name(s->worker))
        return fault_set(f, FAULT_INVALID, "worker name must have 1 to 64 characters of A-Z a-z 0-9 . _ -");
    if (s->beat_ms <= 0 || s->reap_ms <= 0 || s->lease_ms < 3 * s->beat_ms)
        return fault_set(f, FAULT_INVALID, "the lease must be at least three beats long, and beat and reap above 0");
    if (s->payload_max == 0 || s->payload_max > PAYLOAD_MAX)
        return fault_set(f, FAULT_INVALID, "the largest request must be between 1 byte and %d", PAYLOAD_MAX);
    return 0;
}

static void copy_settings(struct queue *q, const struct queue_settings *s)
{
    q->set = *s;
    q->name = mem_string(s->name);
    q->worker_base = mem_string(s->worker);
    q->worker = mem_string(s->worker);
    q->details = mem_string(s->details ? s->details : "{}");
    q->set.name = q->name;
    q->set.worker = q->worker_base;
    q->set.details = q->details;
    q->set.url = NULL; /* may hold a password: only its parts are kept */
}

static void open_connections(struct queue *q)
{
    int64_t patience = q->set.lease_ms / 3;
    struct conn_settings set = {
        .url = &q->url, .name = q->worker_base, .silence_ms = patience < 10000 ? patience : 10000};
    struct conn_events on = {.on_up = on_work_up, .on_down = on_work_down, .arg = q};

    if (set.silence_ms < 1000)
        set.silence_ms = 1000;
    q->work = conn_new(q->loop, &set, &on);
    waker_open(q);
}

int queue_new(struct loop *l, const struct queue_settings *s, const struct queue_events *e, struct queue **ret_queue,
              struct fault *f)
{
    struct redis_url url;
    struct queue *q;

    if (check_settings(s, f) < 0 || redis_url_parse(s->url, &url, f) < 0)
        return -1;
    q = mem_new(struct queue);
    q->loop = l;
    q->on = *e;
    q->url = url;
    q->due = -1;
    q->confirmed = INT64_MIN / 2;
    copy_settings(q, s);
    for (int i = 0; i < CALL_KINDS; i++)
        TAILQ_INIT(&q->waiting[i]);
    TAILQ_INIT(&q->batches);
    open_connections(q);
    *ret_queue = q;
    return 0;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    conn_free(q->work);
    lease_free(q);
    claim_free(q);
    waker_free(q);
    calls_free(q);
    reaper_free(q);
    held_free(q);
    loop_cancel(&q->left_timer);
    redis_url_release(&q->url);
    free(q->name);
    free(q->worker_base);
    free(q->worker);
    free(q->details);
    free(q->uid);
    free(q);
}

void queue_claim_free(struct queue_claim *c)
{
    if (!c)
        return;
    free(c->token);
    free(c->payload);
    free(c);
}

bool queue_may_write(const struct queue *q)
{
    return loop_now(q->loop) - q->confirmed < q->set.lease_ms;
}

const char *queue_uid(const struct queue *q)
{
    return q->uid;
}

const char *queue_worker(const struct queue *q)
{
    return q->worker;
}

void queue_want(struct queue *q, unsigned more, bool alone)
{
    q->want = q->leaving ? 0 : more;
    q->alone = alone && q->want > 0;
    claim_soon(q);
}

/* ---- about claims ---- */

static struct call *new_call(enum call_kind kind, const char *token, const char *id, void *arg)
{
    struct call *c = mem_new(struct call);

    c->kind = kind;
    c->token = mem_string(token);
    c->id = mem_string(id);
    c->arg = arg;
    return c;
}

void queue_admit(struct queue *q, const char *token, const char *id, const char *digest, int64_t record_ttl_s,
                 queue_admit_fn *fn, void *arg)
{
    struct call *c = new_call(CALL_ADMIT, token, id, arg);

    c->text = mem_string(digest);
    c->ttl_s = record_ttl_s;
    c->admit_fn = fn;
    calls_add(q, c);
}

void queue_finish(struct queue *q, const char *token, const char *id, const void *result, size_t len, int64_t ttl_s,
                  const char *reply_to, queue_answer_fn *fn, void *arg)
{
    struct call *c = new_call(CALL_FINISH, token, id, arg);

    c->blob = mem_bytes(result, len);
    c->blob_len = len;
    c->ttl_s = ttl_s > 0 ? ttl_s : 1;
    c->reply_to = mem_string(reply_to);
    c->fn = fn;
    calls_add(q, c);
}

void queue_delay(struct queue *q, const char *token, const char *id, int64_t due_ms, enum queue_charge charge,
                 const char *history, queue_answer_fn *fn, void *arg)
{
    struct call *c = new_call(CALL_DELAY, token, id, arg);

    c->due_ms = due_ms;
    c->charge = charge;
    c->text = mem_string(history);
    c->fn = fn;
    calls_add(q, c);
}

void queue_release(struct queue *q, const char *token, const char *id, queue_answer_fn *fn, void *arg)
{
    struct call *c = new_call(CALL_RELEASE, token, id, arg);

    c->fn = fn;
    calls_add(q, c);
}

void queue_bury(struct queue *q, const char *token, const char *reason, const char *id, const void *result, size_t len,
                int64_t ttl_s, const char *reply_to, queue_answer_fn *fn, void *arg)
{
    struct call *c = new_call(CALL_BURY, token, id, arg);

    c->text = mem_string(reason);
    if (id) {
        c->blob = mem_bytes(result, len);
        c->blob_len = len;
        c->reply_to = mem_string(reply_to);
    }
    c->ttl_s = ttl_s > 0 ? ttl_s : 1;
    c->fn = fn;
    calls_add(q, c);
}

void queue_task_state(struct queue *q, const char *id, queue_state_fn *fn, void *arg)
{
    struct call *c = new_call(CALL_LOOK, NULL, id, arg);

    c->state_fn = fn;
    calls_add(q, c);
}

void queue_worker_alive(struct queue *q, const char *worker, queue_alive_fn *fn, void *arg)
{
    struct call *c = new_call(CALL_LOOK, NULL, NULL, arg);

    c->text = mem_string(worker);
    c->alive_fn = fn;
    calls_add(q, c);
}
