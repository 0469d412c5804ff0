#pragma once
#include "cli/collect.h"
#include "queue/keys.h"

/* What collect.c (the whole) and ask.c (one row) share; nobody else includes it. */

enum {
    ASKS_MAX = 64,            /* rows that are being looked at or pushed at once */
    PUSH_BYTES_MAX = 8 << 20, /* of pushes that are not answered yet */
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

/** Whether nothing more is to be done: all results are there, it failed, or it was interrupted. */
bool run_is_over(const struct run *r);
/** Ends the run with this fault. */
void run_give_up(struct run *r, const struct fault *f);
/** Writes a result down. False if it is of no row that waits for one. */
bool run_take(struct run *r, const char *bytes, size_t len);
/** The request was finished, but nobody has its result any more: writes that down. */
void run_take_lost(struct run *r, const struct row *row);
/** Keeps as many rows on their way as there is room for: first those to look at again, then new ones. */
void run_pump(struct run *r);

/** Takes a row (not busy; there is room for one more) through look, trace and push; ends with run_pump(). */
void ask_begin(struct run *r, struct row *row);
