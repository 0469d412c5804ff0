#include "devcluster/call.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/store.h"

enum { END_LOOK_MS = 1 };

static void on_close(struct evhttp_connection *connection, void *arg);

struct call *call_new(struct cluster *cluster, struct evhttp_request *req)
{
    struct call *call = mem_new(struct call);
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
    const char *accept = evhttp_find_header(evhttp_request_get_input_headers(req), "Accept");

    call->cluster = cluster;
    call->req = req;
    call->accept = accept ? accept : "";
    TAILQ_INIT(&call->query);
    if (query && evhttp_parse_query_str(query, &call->query) < 0)
        TAILQ_INIT(&call->query); /* libevent has emptied it; what cannot be read was not said */
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_close, call);
    return call;
}

static void call_free(struct call *call)
{
    loop_cancel(&call->timer);
    evhttp_clear_headers(&call->query);
    json_object_put(call->body);
    free(call);
}

/* The request goes back to libevent, which will finish it: the call is over for us. */
static struct evhttp_request *let_go(struct call *call)
{
    struct evhttp_request *req = call->req;
    struct evhttp_connection *connection = evhttp_request_get_connection(req);

    if (connection)
        evhttp_connection_set_closecb(connection, NULL, NULL);
    call_free(call);
    return req;
}

static void on_close(struct evhttp_connection *connection, void *arg)
{
    struct call *call = arg;
    struct evhttp_request *req = call->req;

    (void)connection;
    /* A request that is being answered when its connection fails is taken off it and left to us; otherwise it is
     * freed together with the connection. */
    if (!evhttp_request_get_connection(req))
        evhttp_request_free(req);
    if (call->on_gone)
        call->on_gone(call->on_gone_arg);
    call_free(call);
}

const char *call_query(const struct call *call, const char *name)
{
    return evhttp_find_header(&call->query, name); /* ignores case, which does no harm here */
}

bool call_query_is_true(const struct call *call, const char *name)
{
    const char *value = call_query(call, name);

    return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

bool call_wants_table(const struct call *call)
{
    return strstr(call->accept, "as=Table") != NULL;
}

void call_header(struct call *call, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(call->req), name, value);
}

/* Cutting. The connection may not be freed inside libevent's own callbacks, so all of it happens a turn later. */

static void cut_now(void *arg)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(let_go(arg));

    if (connection)
        evhttp_connection_free(connection); /* and the request */
}

static void reset_now(void *arg)
{
    struct call *call = arg;
    struct evhttp_connection *connection = evhttp_request_get_connection(call->req);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (connection)
        setsockopt(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), SOL_SOCKET, SO_LINGER, &linger,
                   sizeof(linger));
    cut_now(call);
}

void call_reset(struct call *call)
{
    call->on_gone = NULL;
    loop_defer(call->cluster->loop, &call->timer, reset_now, call);
}

static void on_all_sent(struct evhttp_connection *connection, void *arg)
{
    struct call *call = arg;

    (void)connection;
    loop_defer(call->cluster->loop, &call->timer, cut_now, call);
}

void call_cut(struct call *call)
{
    call->on_gone = NULL;
    loop_defer(call->cluster->loop, &call->timer, cut_now, call);
}

void call_cut_after(struct call *call, struct evbuffer *last)
{
    call->on_gone = NULL;
    if (evbuffer_get_length(last) > 0)
        evhttp_send_reply_chunk_with_cb(call->req, last, on_all_sent, call);
    else
        call_cut(call);
}

/* libevent stops reading once a request is complete and would call a pipelined second one an error of the program's:
 * without a read callback it only looks for the end. */
void call_expect_close(struct call *call)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(call->req);
    struct bufferevent *bev = connection ? evhttp_connection_get_bufferevent(connection) : NULL;
    bufferevent_data_cb on_read, on_write;
    bufferevent_event_cb on_event;
    void *arg;

    if (!bev)
        return;
    bufferevent_getcb(bev, &on_read, &on_write, &on_event, &arg);
    bufferevent_setcb(bev, NULL, on_write, on_event, arg);
    bufferevent_enable(bev, EV_READ);
}

void call_stall(struct call *call)
{
    call->on_gone = NULL;
    call_expect_close(call);
}

/* Answering. */

static void send_half(struct call *call, int code, const char *type, struct evbuffer *body)
{
    struct evbuffer *half = evbuffer_new();

    evbuffer_remove_buffer(body, half, evbuffer_get_length(body) / 2);
    call_begin(call, code, type);
    call_cut_after(call, half);
    evbuffer_free(half);
}

void call_send(struct call *call, int code, const char *type, struct evbuffer *body)
{
    call->on_gone = NULL;
    if (call->fault == ACTION_LOSE_REPLY) {
        call_reset(call);
    } else if (call->fault == ACTION_HALF_BODY) {
        send_half(call, code, type, body);
    } else {
        struct evhttp_request *req;

        call_header(call, "Content-Type", type);
        req = let_go(call);
        evhttp_send_reply(req, code, code == 201 ? "Created" : code < 300 ? "OK" : refusal_reason(code), body);
    }
    evbuffer_free(body);
}

void call_send_text(struct call *call, int code, const char *type, const char *text, size_t len)
{
    struct evbuffer *body = evbuffer_new();

    evbuffer_add(body, text, len);
    call_send(call, code, type, body);
}

void call_send_json(struct call *call, int code, struct json_object *json)
{
    size_t len;
    const char *text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
                                                         &len);

    call_send_text(call, code, "application/json", text, len);
    json_object_put(json);
}

void call_send_object(struct call *call, int code, const struct object *o)
{
    call_send_text(call, code, "application/json", o->text, o->len);
}

void call_refuse(struct call *call, const struct refusal *r)
{
    const struct kind *kind = call->route.kind;
    char seconds[16];

    if (r->retry_after_s) {
        snprintf(seconds, sizeof(seconds), "%d", r->retry_after_s);
        call_header(call, "Retry-After", seconds);
    }
    call_send_json(call, r->code,
                   refusal_status(r, kind ? kind->resource : NULL, call->route.name[0] ? call->route.name : NULL));
}

void call_refuse_text(struct call *call, int code, const char *text)
{
    struct refusal r;

    refuse(&r, code, refusal_reason(code), "%s", text);
    call_refuse(call, &r);
}

void call_begin(struct call *call, int code, const char *type)
{
    call_header(call, "Content-Type", type);
    evhttp_send_reply_start(call->req, code, "OK");
}

void call_chunk(struct call *call, struct evbuffer *chunk)
{
    if (evbuffer_get_length(chunk) > 0)
        evhttp_send_reply_chunk(call->req, chunk);
}

/* RFC 6455, 4.2.2: the key and this, SHA-1, base64. */
static void accept_key(struct call *call, const char *key)
{
    _cleanup_free_ char *text = mem_format("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    struct buf accept = BUF_INIT(64);
    unsigned char sum[EVP_MAX_MD_SIZE];
    struct fault ignored = FAULT_INIT;
    unsigned len;

    if (EVP_Digest(text, strlen(text), sum, &len, EVP_sha1(), NULL) != 1)
        abort(); /* out of memory */
    digest_base64_encode(sum, len, &accept, &ignored);
    call_header(call, "Sec-WebSocket-Accept", buf_str(&accept));
    buf_release(&accept);
}

int call_switch(struct call *call, const char *upgrade, const char *protocol)
{
    struct evkeyvalq *in = evhttp_request_get_input_headers(call->req);
    const char *wants = evhttp_find_header(in, "Upgrade"), *key = evhttp_find_header(in, "Sec-WebSocket-Key");
    const char *speaks = evhttp_find_header(in, "Sec-WebSocket-Protocol");

    if (!wants || !key || !speaks || strcasecmp(wants, upgrade) != 0 || !strstr(speaks, protocol))
        return -1;
    accept_key(call, key);
    call_header(call, "Upgrade", upgrade);
    call_header(call, "Connection", "Upgrade");
    call_header(call, "Sec-WebSocket-Protocol", protocol);
    evhttp_send_reply_start(call->req, 101, "Switching Protocols");
    call_expect_close(call);
    return 0;
}

void call_write(struct call *call, struct evbuffer *bytes)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(call->req);

    if (connection)
        bufferevent_write_buffer(evhttp_connection_get_bufferevent(connection), bytes);
}

/*
 * libevent tells of a drained TLS buffer one turn later, and takes the news of an earlier chunk for the end of the
 * whole reply if that was asked for in between: it stops writing, and what is still in the buffer is never sent
 * (2.1.12, bufferevent_openssl). So the end is only asked for when the buffer was empty for a turn.
 */
static void end_when_quiet(void *arg)
{
    struct call *call = arg;
    bool empty = call_backlog(call) == 0;

    if (empty && call->was_empty) {
        evhttp_send_reply_end(let_go(call));
        return;
    }
    call->was_empty = empty;
    loop_after(call->cluster->loop, &call->timer, END_LOOK_MS, end_when_quiet, call);
}

void call_end(struct call *call)
{
    call->on_gone = NULL;
    call->was_empty = false;
    end_when_quiet(call);
}

size_t call_backlog(const struct call *call)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(call->req);

    if (!connection)
        return 0;
    return evbuffer_get_length(bufferevent_get_output(evhttp_connection_get_bufferevent(connection)));
}
