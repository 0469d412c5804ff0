#pragma once
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>

#include "devcluster/faults.h"
#include "devcluster/refusal.h"
#include "devcluster/route.h"

/* One HTTP request, from its arrival to its answer. Whichever of the functions that end it is called frees the call:
 * nobody touches it afterwards. If the client leaves first, the call ends by itself: `on_gone` tells whoever holds it.
 */

struct cluster;
struct object;
struct evbuffer;

struct call {
    struct cluster *cluster;
    struct evhttp_request *req;
    enum verb verb;
    struct route route;
    struct evkeyvalq query;
    struct json_object *body; /* NULL if there is none */
    const char *accept;       /* borrowed from req; "" if absent */
    enum fault_action fault;  /* what is still to happen to the answer: ACTION_LOSE_REPLY, ACTION_HALF_BODY or none */

    void (*on_gone)(void *arg); /* runs once if the client leaves (or the server stops) before the call has ended */
    void *on_gone_arg;

    struct loop_timer *timer;
    bool was_empty; /* at the last look before the end: nothing waited to be sent */
};

/** Takes over a request whose answer is yet to come. */
struct call *call_new(struct cluster *cluster, struct evhttp_request *req);

/** A parameter of the query, NULL if absent. */
const char *call_query(const struct call *call, const char *name);
bool call_query_is_true(const struct call *call, const char *name);

/** Whether the client asked for a Table (kubectl get). */
bool call_wants_table(const struct call *call);

/** A header of the answer to come. */
void call_header(struct call *call, const char *name, const char *value);

/* These end the call. */
void call_send(struct call *call, int code, const char *type, struct evbuffer *body); /* frees body */
void call_send_text(struct call *call, int code, const char *type, const char *text, size_t len);
void call_send_json(struct call *call, int code, struct json_object *json); /* takes json */
void call_send_object(struct call *call, int code, const struct object *o);
void call_refuse(struct call *call, const struct refusal *r);
/** The same with the reason that belongs to the code. */
void call_refuse_text(struct call *call, int code, const char *text);
/** Closes the connection without a word: with RST, without, or when these last bytes of a stream have left. */
void call_reset(struct call *call);
void call_cut(struct call *call);
void call_cut_after(struct call *call, struct evbuffer *last);
/** Never answers; ends when the client leaves. */
void call_stall(struct call *call);

/** A stream: begin once, then any number of chunks (which are emptied), then call_end() or call_cut(). */
void call_begin(struct call *call, int code, const char *type);
void call_chunk(struct call *call, struct evbuffer *chunk);
void call_end(struct call *call);
/** Another protocol from here on, as the client asked for (headers Upgrade and Sec-WebSocket-Protocol; -1 if it did
 * not): begin so, then any number of writes (which are emptied), then call_stall() or call_reset(). */
int call_switch(struct call *call, const char *upgrade, const char *protocol);
void call_write(struct call *call, struct evbuffer *bytes);
/** What has been handed over and not yet gone out. */
size_t call_backlog(const struct call *call);

/** Makes libevent notice a client that leaves although nothing has been sent yet. */
void call_expect_close(struct call *call);
