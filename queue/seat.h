#pragma once
/* Private to queue/: what the files behind queue.h share.
 *
 *   queue.c   the public calls, the two connections, what an error reply means
 *   lease.c   registering, beating, losing the lease, promoting what is due
 *   claim.c   claiming
 *   waker.c   noticing that something came
 *   calls.c   admit, finish, delay, release, bury: kept until answered, sent in batches
 *   held.c    the claims that are held
 *   leave.c   a clean end
 *   reaper.c  taking over from the dead; sweep.c: what only hands can put out of order */
#include <sys/queue.h>

#include "base/buf.h"
#include "queue/conn.h"
#include "queue/queue.h"
#include "queue/script.h"
#include "queue/words.h"

enum {
    PAYLOAD_MAX = 2 * 1024 * 1024, /* of any queue; claim.lua stays below conn.c's REPLY_MAX with it */
    HEAD_MAX = 4096,               /* of a payload that is too large */
    BATCH_MAX = 64,                /* items in one script call: beyond that nothing is gained (docs/protocol.md) */
    BATCH_BYTES = 4 * 1024 * 1024, /* Redis serves nobody else while it runs one */
    BATCHES_OUT = 4,               /* calls of one kind on their way; what comes meanwhile makes the next batch */
    PROTOCOL = 1,
    KEEP_S = 30 * 24 * 3600, /* how long the record of a task lives that nobody touches */
    FORGET_DEAD_MS = 600000, /* how long a dead worker's id is looked at */
    PROMOTE_MAX = 100,
    RETRY_MS = 1000, /* after an error of Redis that passes */
};

/* In the order in which they are sent: what frees memory in Redis goes first. CALL_LOOK: an HGET, of no claim. */
enum call_kind { CALL_FINISH, CALL_BURY, CALL_DELAY, CALL_RELEASE, CALL_ADMIT, CALL_LOOK, CALL_KINDS };

struct call {
    enum call_kind kind;
    char *token, *id; /* id: NULL where there is none */
    char *text;       /* digest, history, reason or worker */
    char *blob;       /* result */
    size_t blob_len;
    char *reply_to;
    int64_t ttl_s, due_ms;
    enum queue_charge charge;
    unsigned sent;       /* how often */
    queue_answer_fn *fn; /* NULL: nobody asks */
    queue_admit_fn *admit_fn;
    queue_state_fn *state_fn;
    queue_alive_fn *alive_fn;
    void *arg;
    TAILQ_ENTRY(call) entry;
};
TAILQ_HEAD(call_list, call);

struct batch {
    struct queue *queue;
    enum call_kind kind;
    struct call_list calls;
    TAILQ_ENTRY(batch) entry;
};

/* A claim that came through on_claim and is not settled yet. */
struct held {
    char *token, *id, *digest; /* id, digest: once admitted */
    int64_t ttl_s;
    unsigned calls; /* waiting or on their way for it */
    bool seen;
};

enum seat_state {
    SEAT_DOWN,        /* no connection */
    SEAT_REGISTERING, /* connected */
    SEAT_READY,       /* registered in this session */
};

/* Another worker, as the reaper saw it last. */
struct peer {
    char *name, *beats;
    int64_t still_since;
};

/* What a dead worker holds. */
struct estate {
    char *token, *id; /* id: "" if it was not admitted */
};

struct queue {
    struct loop *loop;
    struct queue_events on;
    struct queue_settings set; /* the strings are the queue's own */
    struct redis_url url;
    char *name, *worker_base, *details;
    char *worker; /* worker_base, or with a generation behind it */
    unsigned generation;
    char *uid;
    struct conn *work, *wait; /* commands; the blocking look */
    enum seat_state state;

    /* lease.c */
    bool registered;   /* under this name, once */
    unsigned session;  /* raised with every registration */
    char instance[33]; /* tells this seat from another of the same name */
    int64_t confirmed; /* when the last confirmed beat was sent */
    bool beating;      /* on its way */
    int64_t beat_sent;
    int64_t clock_offset; /* Redis' clock minus loop_now() */
    int64_t due;          /* next due of `delayed`, Redis' clock; -1: none known */
    int64_t workers;      /* registered ones, about */
    bool promoting;
    char **due_ids;
    size_t due_count;
    struct loop_timer *beat_timer, *lease_timer, *promote_timer, *retry_timer;
    bool told, told_connected, told_leased;
    struct fault fault, told_fault; /* why it is down */
    int64_t scripts_loaded;         /* when; 0: never */
    bool memory_checked;

    /* claim.c */
    unsigned want;
    bool alone, claiming, in_quarantine;
    unsigned asked;
    int64_t token_floor;
    int64_t bytes_over; /* how far the inbox was over its cap in bytes, less what was popped since */
    struct loop_timer *claim_timer;

    /* waker.c */
    bool looking, wait_full; /* a look is on its way; Redis refuses to wait: it is full */
    bool inbox_empty;        /* the last claim said so */
    unsigned fruitless;      /* claims in a row that brought nothing */
    bool woken;              /* the claim at hand follows a wake */
    struct loop_timer *look_timer;

    /* calls.c */
    struct call_list waiting[CALL_KINDS];
    unsigned out[CALL_KINDS];
    TAILQ_HEAD(, batch) batches;
    struct loop_timer *flush_timer;
    size_t pending; /* calls not answered */

    /* held.c */
    void *held; /* tsearch(3) tree of struct held */
    size_t held_count;

    /* reaper.c */
    struct loop_timer *reap_timer;
    struct peer *peers;
    size_t peer_count;
    int64_t look_sent, look_before;
    bool reaping;
    char **dead; /* names still to be looked through in this round */
    size_t dead_count;
    struct estate *estate; /* of the last of them */
    size_t estate_count, estate_at, estate_asked;

    /* leaving */
    bool leaving, unregistering, left;
    loop_fn *left_fn;
    void *left_arg;
    struct loop_timer *left_timer;
};

/* ---- queue.c ---- */

/** Sends what `w` holds on the working connection; releases `w`. */
int seat_send(struct queue *q, struct words *w, conn_reply_fn *fn, void *arg);

enum seat_trouble {
    TROUBLE_NONE,
    TROUBLE_LOST,    /* the connection went: it comes back by itself */
    TROUBLE_AGAIN,   /* say it again at once: Redis had forgotten the script */
    TROUBLE_PASSING, /* say it again later; where needed the connection was restarted */
    TROUBLE_LASTING, /* refused for good */
};
/** What to make of a reply, which may be NULL. Reloads scripts, restarts the connection where that helps. */
enum seat_trouble seat_judge(struct queue *q, const struct redisReply *reply, struct fault *f);
void seat_notice(struct queue *q, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** Tells on_state if it changed. */
void seat_tell_state(struct queue *q);
void seat_inboxes(struct queue *q, struct words *w);     /* the keys */
void seat_inbox_names(struct queue *q, struct words *w); /* their names, in the same order */
enum { SEAT_INBOXES = 1 };

/* ---- lease.c ---- */
void lease_register(struct queue *q);
void lease_down(struct queue *q);                /* the connection went */
void lease_lose(struct queue *q);                /* Redis says that this seat is not registered */
bool lease_fresh(const struct queue *q);         /* confirmed within half of it */
void lease_due(struct queue *q, int64_t due_ms); /* something is due at that time on Redis' clock */
void lease_free(struct queue *q);

/* ---- claim.c ---- */
void claim_soon(struct queue *q); /* in the next turn, if there is reason to */
void claim_down(struct queue *q);
void claim_free(struct queue *q);

/* ---- waker.c ---- */
void waker_open(struct queue *q);
void waker_look(struct queue *q); /* if there is reason to */
void waker_free(struct queue *q);

/* ---- calls.c ---- */
void calls_add(struct queue *q, struct call *call); /* owns it from here on */
void calls_flush_soon(struct queue *q);
void calls_release(struct queue *q, const char *token, const char *id); /* nobody asks for the answer */
void calls_lose(struct queue *q);                                       /* QUEUE_LOST for all */

/* ---- call_words.c ---- */
void calls_write(struct queue *q, const struct batch *b, struct words *w);
void calls_write_bury(struct queue *q, const char *worker, const struct call *c, struct words *w);
void calls_free(struct queue *q);

/* ---- held.c ---- */
struct held *held_find(struct queue *q, const char *token);
struct held *held_add(struct queue *q, const char *token);
void held_remove(struct queue *q, const char *token);
/** Calls `fn` for each; it may remove any. */
void held_each(struct queue *q, void (*fn)(struct queue *q, struct held *h));
void held_free(struct queue *q);
int64_t token_number(const char *token);

/* ---- leave.c ---- */
void leave_go_on(struct queue *q); /* something was settled */
void leave_lost(struct queue *q);  /* there is no seat any more */

/* ---- reaper.c ---- */
void reaper_start(struct queue *q);
void reaper_down(struct queue *q);
void reaper_free(struct queue *q);
void reaper_sweep(struct queue *q); /* sweep.c */
