#include "cli/collect.h"

#include <hiredis/hiredis.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "cli/outcome.h"
#include "cli/snippet.h"
#include "queue/keys.h"

enum {
    ASKS_MAX = 64,            /* rows that are being looked at or pushed at once */
    PUSH_BYTES_MAX = 8 << 20, /* of pushes that are not answered yet */
    SILENCE_MS = 10000,       /* without a result: look whether one was lost */
    TICK_MS = 200,
    SYNC_MS = 2000,
    PAUSE_MS = 1000, /* after an error of Redis that passes */
    BLOCK_S = 5,     /* of one BLPOP */
    MISSED_MAX = 3,  /* finished, and no result, this many looks in a row: somebody else took it */
    ADDED_MAX = 256, /* as in rows.c */
};

struct run;

/* A row on its way through look, trace and push. */
struct ask {
    struct run *run;
    struct row *row; /* NULL: free */
    size_t bytes;    /* of its push */
    unsigned era;    /* when that was sent */
};

struct run {
    struct collect *c;
    struct session *s;
    struct conn *collector; /* takes from the reply list; the session's own connection does the rest */
    struct conn_events collector_events;
    struct ask asks[ASKS_MAX];
    size_t asking, bytes_out;
    size_t next;  /* rows below were looked at at least once */
    size_t sweep; /* the next open row to look at again; == next: none */
    size_t open;
    unsigned era;         /* raised with each connection, and each time the inbox is looked at */
    unsigned inbox_era;   /* of the last such look */
    unsigned lost_before; /* what was pushed in an earlier era and left no trace since is lost */
    int64_t last_ms;      /* the last result, or the last time it was looked for */
    int64_t sync_ms;
    struct loop_timer *tick, *pause, *pop_later;
    bool popping; /* a command is out on the collector */
    bool said_no_worker;
    struct fault fault;
    char reply_key[KEY_MAX], inbox_key[KEY_MAX], workers_key[KEY_MAX];
};

void tally_add(struct tally *t, const char *status)
{
    size_t i = 0;

    while (i < t->n && strcmp(t->list[i].status, status) != 0)
        i++;
    if (i == TALLY_MAX)
        i--;
    if (i == t->n) {
        snprintf(t->list[i].status, sizeof(t->list[i].status), "%s", status);
        t->n++;
    }
    t->list[i].count++;
}

size_t tally_of(const struct tally *t, const char *status)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->list[i].status, status) == 0)
            return t->list[i].count;
    return 0;
}

/* ---- results ---- */

static void count(struct collect *c, struct row *row, const char *status, off_t offset, size_t len)
{
    row->state = ROW_DONE;
    row->result_offset = offset;
    row->result_len = len;
    tally_add(&c->tally, status);
    c->progress.done++;
    if (strcmp(status, "ok") != 0)
        c->progress.failed++;
}

/* The row that a result belongs to, unless it is done already; NULL also for what cannot be read. */
static struct row *row_of(struct collect *c, const char *bytes, size_t len, char status[static 32])
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    struct fault f = FAULT_INIT;
    const char *id, *name;
    struct row *row;

    if (field_parse(bytes, len, 32, &root, &f) < 0)
        return NULL;
    id = field_peek_string(root, "id");
    name = field_peek_string(root, "status");
    row = id && name ? rows_find(c->rows, id) : NULL;
    if (!row || row->state == ROW_DONE)
        return NULL;
    snprintf(status, 32, "%s", name);
    return row;
}

void collect_found(void *arg, const char *bytes, size_t len, off_t offset)
{
    struct collect *c = arg;
    char status[32];
    struct row *row = row_of(c, bytes, len, status);

    if (row)
        count(c, row, status, offset, len);
}

static bool is_over(const struct run *r)
{
    return r->c->progress.done == r->c->rows->n || r->fault.kind != FAULT_NONE || r->s->interrupted;
}

static void end(struct run *r)
{
    loop_stop(r->s->loop);
}

static void give_up(struct run *r, const struct fault *f)
{
    if (r->fault.kind == FAULT_NONE)
        r->fault = *f;
    end(r);
}

/* Writes a result down. False if it is of no row that waits for one. */
static bool take(struct run *r, const char *bytes, size_t len)
{
    char status[32];
    struct row *row = row_of(r->c, bytes, len, status);
    struct fault f = FAULT_INIT;
    off_t offset;

    if (!row || memchr(bytes, '\n', len)) /* a result is one line */
        return false;
    if (journal_add(r->c->journal, bytes, len, &offset, &f) < 0) {
        give_up(r, &f);
        return true;
    }
    if (row->state == ROW_OPEN)
        r->open--;
    count(r->c, row, status, offset, len);
    r->last_ms = loop_now(r->s->loop);
    if (is_over(r))
        end(r);
    return true;
}

/* The request was finished, but nobody has its result any more. */
static void take_lost(struct run *r, const struct row *row)
{
    _cleanup_free_ char *json = mem_format(
        "{\"id\":\"%s\",\"status\":\"infra_error\",\"error\":{\"reason\":\"internal\",\"message\":"
        "\"finished, but its result was taken by another client or cannot be read\",\"retryable\":false}}",
        row->id);

    (void)take(r, json, strlen(json));
}

/* ---- one row: look, trace, push ---- */

static void pump(struct run *r);
static void look(struct ask *a);
static void trace(struct ask *a);
static void push(struct ask *a);

static struct ask *free_ask(struct run *r)
{
    for (size_t i = 0; i < ASKS_MAX; i++)
        if (!r->asks[i].row)
            return &r->asks[i];
    return NULL;
}

static void ask_end(struct ask *a)
{
    struct run *r = a->run;

    a->row->busy = false;
    a->row = NULL;
    r->bytes_out -= a->bytes;
    a->bytes = 0;
    r->asking--;
    pump(r);
}

static void after_pause(void *arg)
{
    struct run *r = arg;

    r->sweep = 0;
    pump(r);
}

/* No answer, or one that will not do: the row is looked at again. */
static void ask_failed(struct ask *a, const struct redisReply *reply)
{
    struct run *r = a->run;
    struct fault f = FAULT_INIT;
    bool restart = false;

    a->row->era = 0;
    if (reply && session_error_passes(reply, &restart)) {
        if (!r->pause)
            loop_after(r->s->loop, &r->pause, PAUSE_MS, after_pause, r);
        if (restart)
            conn_restart(r->s->conn, reply->str);
    } else if (reply) {
        fault_set(&f, FAULT_REFUSED, "Redis: %.200s",
                  reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of another type");
        give_up(r, &f);
    } else if (conn_is_up(r->s->conn) && !r->pause) {
        loop_after(r->s->loop, &r->pause, PAUSE_MS, after_pause, r);
    }
    ask_end(a);
}

static void ask_redis(struct ask *a, int argc, const char *const words[], const size_t *len, conn_reply_fn *fn)
{
    size_t lengths[8];
    struct fault f = FAULT_INIT;

    for (int i = 0; !len && i < argc; i++)
        lengths[i] = strlen(words[i]);
    if (conn_send(a->run->s->conn, argc, words, len ? len : lengths, 0, fn, a, &f) < 0)
        ask_failed(a, NULL);
}

static void on_look(void *arg, struct redisReply *reply)
{
    struct ask *a = arg;
    struct run *r = a->run;

    if (!reply || reply->type != REDIS_REPLY_ARRAY) {
        ask_failed(a, reply);
        return;
    }
    if (a->row->state != ROW_DONE && reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_STRING &&
        !take(r, reply->element[0]->str, reply->element[0]->len))
        take_lost(r, a->row);
    if (a->row->state == ROW_DONE || is_over(r))
        ask_end(a);
    else
        trace(a);
}

static void look(struct ask *a)
{
    char key[KEY_MAX];
    const char *words[] = {"LRANGE", key_for(key, a->run->s->queue, "result", a->row->id), "0", "0"};

    ask_redis(a, 4, words, NULL, on_look);
}

static void on_trace(void *arg, struct redisReply *reply)
{
    struct ask *a = arg;
    struct run *r = a->run;
    bool finished;

    if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL)) {
        ask_failed(a, reply);
        return;
    }
    if (a->row->state == ROW_OPEN && reply->type == REDIS_REPLY_NIL && a->row->era < r->lost_before) {
        push(a);
        return;
    }
    finished = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, "finished") == 0;
    a->row->missed = finished ? a->row->missed + 1 : 0;
    if (a->row->state == ROW_OPEN && a->row->missed >= MISSED_MAX)
        take_lost(r, a->row);
    ask_end(a);
}

static void trace(struct ask *a)
{
    char key[KEY_MAX];
    const char *words[] = {"HGET", key_for(key, a->run->s->queue, "task", a->row->id), "state"};

    ask_redis(a, 3, words, NULL, on_trace);
}

static void on_pushed(void *arg, struct redisReply *reply)
{
    struct ask *a = arg;

    if (!reply || reply->type != REDIS_REPLY_INTEGER) {
        ask_failed(a, reply);
        return;
    }
    a->row->era = a->era;
    ask_end(a);
}

static void push(struct ask *a)
{
    struct run *r = a->run;
    _cleanup_(buf_release)
    struct buf payload = BUF_INIT(snippet_limits()->payload_max + ADDED_MAX);
    struct fault f = FAULT_INIT;

    if (rows_payload(r->c->rows, a->row, &payload, &f) < 0) {
        give_up(r, &f);
        ask_end(a);
        return;
    }
    a->bytes = payload.len;
    a->era = r->era;
    r->bytes_out += payload.len;
    ask_redis(a, 3, (const char *[]){"RPUSH", r->inbox_key, payload.data},
              (const size_t[]){strlen("RPUSH"), strlen(r->inbox_key), payload.len}, on_pushed);
}

/* ---- all rows ---- */

static void begin(struct run *r, struct row *row)
{
    struct ask *a = free_ask(r);

    a->row = row;
    row->busy = true;
    r->asking++;
    look(a);
}

/* Keeps as many rows on their way as there is room for: first those to look at again, then new ones. */
static void pump(struct run *r)
{
    struct rows *rows = r->c->rows;

    while (!is_over(r) && !r->pause && conn_is_up(r->s->conn) && r->asking < ASKS_MAX &&
           r->bytes_out < PUSH_BYTES_MAX) {
        struct row *row;

        if (r->sweep < r->next) {
            row = &rows->list[r->sweep++];
            if (row->state == ROW_OPEN && !row->busy)
                begin(r, row);
            continue;
        }
        if (r->open >= r->c->window || r->next == rows->n)
            return;
        row = &rows->list[r->next++];
        r->sweep = r->next;
        if (row->state == ROW_NEW) {
            row->state = ROW_OPEN;
            r->open++;
            begin(r, row);
        }
    }
}

/* ---- the reply list ---- */

static void pop(struct run *r, bool wait);

static void pop_again(void *arg)
{
    pop(arg, true);
}

static void on_popped(void *arg, struct redisReply *reply)
{
    struct run *r = arg;
    bool restart = false;
    struct fault f = FAULT_INIT;

    r->popping = false;
    if (!reply)
        return; /* lost; on_collector_up() goes on */
    if (reply->type == REDIS_REPLY_ERROR) {
        if (session_error_passes(reply, &restart)) {
            if (restart)
                conn_restart(r->collector, reply->str);
            else
                loop_after(r->s->loop, &r->pop_later, PAUSE_MS, pop_again, r);
            return;
        }
        fault_set(&f, FAULT_REFUSED, "Redis: %.200s", reply->str);
        give_up(r, &f);
        return;
    }
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            (void)take(r, reply->element[i]->str, reply->element[i]->len); /* BLPOP's key is no result: passed over */
    pump(r);
    pop(r, reply->type != REDIS_REPLY_ARRAY);
}

/* After something came more may be there: taken 16 at a time, without waiting. */
static void pop(struct run *r, bool wait)
{
    char seconds[16];
    const char *blpop[] = {"BLPOP", r->reply_key, seconds}, *lpop[] = {"LPOP", r->reply_key, "16"};
    size_t len[3];
    struct fault f = FAULT_INIT;

    if (is_over(r) || r->popping || !conn_is_up(r->collector))
        return;
    snprintf(seconds, sizeof(seconds), "%d", BLOCK_S);
    for (size_t i = 0; i < 3; i++)
        len[i] = strlen((wait ? blpop : lpop)[i]);
    r->popping = conn_send(r->collector, 3, wait ? blpop : lpop, len, wait ? BLOCK_S * 1000 : 0, on_popped, r, &f) == 0;
}

static void on_collector_up(void *arg)
{
    struct run *r = arg;

    r->sweep = 0; /* what was popped for a connection that died is still at result:ID */
    pump(r);
    pop(r, true);
}

static void on_collector_down(void *arg, const struct fault *f)
{
    (void)arg;
    (void)f; /* the session's connection says so */
}

/* ---- time ---- */

static void on_inbox(void *arg, struct redisReply *reply)
{
    struct run *r = arg;

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        r->lost_before = r->inbox_era; /* nothing waits: what was pushed before the question has been taken up */
    r->sweep = 0;
    pump(r);
}

static void on_workers(void *arg, struct redisReply *reply)
{
    struct run *r = arg;
    bool any = !reply || reply->type != REDIS_REPLY_ARRAY;

    for (size_t i = 0; !any && i < reply->elements; i++)
        any = reply->element[i]->type == REDIS_REPLY_STRING && strncmp(reply->element[i]->str, "dead", 4) != 0;
    if (!any && !r->said_no_worker) {
        r->said_no_worker = true;
        progress_hide();
        fprintf(stderr, "execq: no worker is running on queue %s; waiting for one\n", r->s->queue);
    }
}

static void ask_how_it_is(struct run *r)
{
    const char *llen[] = {"LLEN", r->inbox_key}, *hvals[] = {"HVALS", r->workers_key};
    const size_t llen_len[] = {4, strlen(r->inbox_key)}, hvals_len[] = {5, strlen(r->workers_key)};
    struct fault f = FAULT_INIT;

    r->last_ms = loop_now(r->s->loop);
    r->inbox_era = ++r->era;
    if (conn_send(r->s->conn, 2, hvals, hvals_len, 0, on_workers, r, &f) == 0)
        (void)conn_send(r->s->conn, 2, llen, llen_len, 0, on_inbox, r, &f); /* down: the next connection sweeps */
}

static void on_tick(void *arg)
{
    struct run *r = arg;
    int64_t now = loop_now(r->s->loop);
    struct fault f = FAULT_INIT;

    loop_after(r->s->loop, &r->tick, TICK_MS, on_tick, r);
    progress_show(&r->c->progress, now);
    if (now - r->sync_ms >= SYNC_MS) {
        r->sync_ms = now;
        if (journal_sync(r->c->journal, &f) < 0)
            give_up(r, &f);
    }
    if (r->open > 0 && now - r->last_ms >= SILENCE_MS)
        ask_how_it_is(r);
    pump(r);
}

static void on_notice(void *arg, const char *text)
{
    (void)arg;
    progress_hide();
    fprintf(stderr, "execq: %s\n", text);
}

/* ---- the whole ---- */

static void set_up(struct run *r, struct collect *c)
{
    struct conn_settings settings = {.url = &c->session->url, .name = "execq-batch"};

    *r = (struct run){.c = c, .s = c->session, .era = 1, .lost_before = 1, .fault = FAULT_INIT};
    for (size_t i = 0; i < ASKS_MAX; i++)
        r->asks[i].run = r;
    key_for(r->reply_key, r->s->queue, "reply", c->rows->reply_to);
    key_of(r->inbox_key, r->s->queue, "requests");
    key_of(r->workers_key, r->s->queue, "workers");
    r->sync_ms = c->progress.begun_ms = loop_now(r->s->loop);
    c->progress.total = c->rows->n;
    c->progress.done_before = c->progress.done;
    r->s->on_notice = on_notice;
    r->collector_events = (struct conn_events){.on_up = on_collector_up, .on_down = on_collector_down, .arg = r};
    r->collector = conn_new(r->s->loop, &settings, &r->collector_events);
}

int collect_run(struct collect *c, struct fault *f)
{
    struct run r;
    unsigned ups = c->session->ups;

    set_up(&r, c);
    ask_how_it_is(&r); /* also tells early if no worker runs */
    on_tick(&r);
    while (!is_over(&r)) {
        loop_run(r.s->loop);
        if (r.s->ups != ups) { /* another connection, perhaps another Redis */
            ups = r.s->ups;
            r.lost_before = ++r.era;
            r.sweep = 0;
            pump(&r);
        }
    }
    progress_hide();
    loop_cancel(&r.tick);
    loop_cancel(&r.pause);
    loop_cancel(&r.pop_later);
    conn_free(r.collector);
    conn_free(r.s->conn); /* its callbacks point into `r` */
    r.s->conn = NULL;
    if (r.fault.kind != FAULT_NONE) {
        *f = r.fault;
        return -1;
    }
    if (journal_sync(c->journal, f) < 0)
        return -1;
    return c->progress.done == c->rows->n ? 0 : fault_set(f, FAULT_CANCELLED, "interrupted");
}
