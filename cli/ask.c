#include <hiredis/hiredis.h>
#include <string.h>

#include "cli/collect_run.h"
#include "cli/snippet.h"

/* One row on its way: look at result:ID; if there is none, at task:ID; if that leaves no trace, push. */

enum {
    PAUSE_MS = 1000, /* after an error of Redis that passes */
    MISSED_MAX = 3,  /* finished, and no result, this many looks in a row: somebody else took it */
    ADDED_MAX = 256, /* as in rows.c */
};

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
    run_pump(r);
}

static void after_pause(void *arg)
{
    struct run *r = arg;

    r->sweep = 0;
    run_pump(r);
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
        run_give_up(r, &f);
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
        !run_take(r, reply->element[0]->str, reply->element[0]->len))
        run_take_lost(r, a->row);
    if (a->row->state == ROW_DONE || run_is_over(r))
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
        run_take_lost(r, a->row);
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
        run_give_up(r, &f);
        ask_end(a);
        return;
    }
    a->bytes = payload.len;
    a->era = r->era;
    r->bytes_out += payload.len;
    ask_redis(a, 3, (const char *[]){"RPUSH", r->inbox_key, payload.data},
              (const size_t[]){strlen("RPUSH"), strlen(r->inbox_key), payload.len}, on_pushed);
}

void ask_begin(struct run *r, struct row *row)
{
    struct ask *a = free_ask(r);

    a->row = row;
    row->busy = true;
    r->asking++;
    look(a);
}
