#include <hiredis/hiredis.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "cli/collect_run.h"

enum {
    SILENCE_MS = 10000, /* without a result: look whether one was lost */
    TICK_MS = 200,
    SYNC_MS = 2000,
    BLOCK_S = 5, /* of one BLPOP */
    POP_PAUSE_MS = 1000,
};

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

bool run_is_over(const struct run *r)
{
    return r->c->progress.done == r->c->rows->n || r->fault.kind != FAULT_NONE || r->s->interrupted;
}

static void end(struct run *r)
{
    loop_stop(r->s->loop);
}

void run_give_up(struct run *r, const struct fault *f)
{
    if (r->fault.kind == FAULT_NONE)
        r->fault = *f;
    end(r);
}

/* Writes a result down. False if it is of no row that waits for one. */
bool run_take(struct run *r, const char *bytes, size_t len)
{
    char status[32];
    struct row *row = row_of(r->c, bytes, len, status);
    struct fault f = FAULT_INIT;
    off_t offset;

    if (!row || memchr(bytes, '\n', len)) /* a result is one line */
        return false;
    if (journal_add(r->c->journal, bytes, len, &offset, &f) < 0) {
        run_give_up(r, &f);
        return true;
    }
    if (row->state == ROW_OPEN)
        r->open--;
    count(r->c, row, status, offset, len);
    r->last_ms = loop_now(r->s->loop);
    if (run_is_over(r))
        end(r);
    return true;
}

/* The request was finished, but nobody has its result any more. */
void run_take_lost(struct run *r, const struct row *row)
{
    _cleanup_free_ char *json = mem_format(
        "{\"id\":\"%s\",\"status\":\"infra_error\",\"error\":{\"reason\":\"internal\",\"message\":"
        "\"finished, but its result was taken by another client or cannot be read\",\"retryable\":false}}",
        row->id);

    (void)run_take(r, json, strlen(json));
}

/* ---- all rows ---- */

/* Keeps as many rows on their way as there is room for: first those to look at again, then new ones. */
void run_pump(struct run *r)
{
    struct rows *rows = r->c->rows;

    while (!run_is_over(r) && !r->pause && conn_is_up(r->s->conn) && r->asking < ASKS_MAX &&
           r->bytes_out < PUSH_BYTES_MAX) {
        struct row *row;

        if (r->sweep < r->next) {
            row = &rows->list[r->sweep++];
            if (row->state == ROW_OPEN && !row->busy)
                ask_begin(r, row);
            continue;
        }
        if (r->open >= r->c->window || r->next == rows->n)
            return;
        row = &rows->list[r->next++];
        r->sweep = r->next;
        if (row->state == ROW_NEW) {
            row->state = ROW_OPEN;
            r->open++;
            ask_begin(r, row);
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
                loop_after(r->s->loop, &r->pop_later, POP_PAUSE_MS, pop_again, r);
            return;
        }
        fault_set(&f, FAULT_REFUSED, "Redis: %.200s", reply->str);
        run_give_up(r, &f);
        return;
    }
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            (void)run_take(r, reply->element[i]->str,
                           reply->element[i]->len); /* BLPOP's key is no result: passed over */
    run_pump(r);
    pop(r, reply->type != REDIS_REPLY_ARRAY);
}

/* After something came more may be there: taken 16 at a time, without waiting. */
static void pop(struct run *r, bool wait)
{
    char seconds[16];
    const char *blpop[] = {"BLPOP", r->reply_key, seconds}, *lpop[] = {"LPOP", r->reply_key, "16"};
    size_t len[3];
    struct fault f = FAULT_INIT;

    if (run_is_over(r) || r->popping || !conn_is_up(r->collector))
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
    run_pump(r);
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
    run_pump(r);
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
            run_give_up(r, &f);
    }
    if (r->open > 0 && now - r->last_ms >= SILENCE_MS)
        ask_how_it_is(r);
    run_pump(r);
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
    while (!run_is_over(&r)) {
        loop_run(r.s->loop);
        if (r.s->ups != ups) { /* another connection, perhaps another Redis */
            ups = r.s->ups;
            r.lost_before = ++r.era;
            r.sweep = 0;
            run_pump(&r);
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
