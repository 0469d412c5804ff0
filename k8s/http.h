#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/loop.h"

/* HTTP requests on the loop: libcurl's multi_socket, one `struct http` a pool of connections. HTTP/1.1 throughout:
 * 7.88 reports a broken HTTP/2 stream as a success with a short body, and one unread stream starves the others.
 * Redirects are not followed. Nothing is repeated here, except what libcurl does by itself: a request of which not
 * one byte of an answer came, on a connection that had been idle, is sent again on a new one. */

struct http;
struct http_request;

/* PEM texts; NULL for none. */
struct http_tls {
    const char *ca; /* the only roots trusted; NULL: the system's */
    const char *cert, *key;
    bool insecure; /* trusts any certificate */
};

/* `code` of the TRANSIENT fault when TLS fails: as a rule the server's certificate is not trusted. */
enum { HTTP_UNTRUSTED = -1 };

typedef void http_bytes_fn(void *arg, const char *bytes, size_t len);

/* Everything is borrowed for the call of http_start(). */
struct http_ask {
    const char *method; /* "GET", "POST", "DELETE" */
    const char *url;
    const char *connect_to;    /* "host:port:address:port" as CURLOPT_CONNECT_TO has it, or NULL */
    const char *proxy;         /* NULL: what the environment says */
    const char *const *header; /* whole lines, ended by NULL */
    const char *body;          /* this one until the request has ended */
    size_t body_len;
    const struct http_tls *tls; /* NULL: as all zero */
    int64_t limit_ms;           /* until all has come; 0: no limit */
    int64_t silence_ms;         /* without a byte (for the first one 10 s at most); 0: no limit */
    size_t max;                 /* bytes of the body */
    bool cut;                   /* past max: what fits, marked as truncated; otherwise FAULT_TOO_BIG */
    bool fresh;                 /* on a connection of its own: those at hand may be dead */
    http_bytes_fn *on_bytes;    /* a stream: gets what follows a 200 or a 101 piece by piece; max is for others */
};

struct http_reply {
    int status;
    int64_t retry_after_ms; /* 0 if the header is not there */
    const char *bytes;      /* never NULL, followed by a NUL; empty for a stream */
    size_t len;
    bool truncated;
};

/** Runs exactly once, never after http_cancel(); one of `reply` and `f` is NULL, both borrowed. Faults: TRANSIENT
 *  (connection, TLS, name lookup, a body that ends early), TIMEOUT, TOO_BIG. */
typedef void http_done_fn(void *arg, const struct http_reply *reply, const struct fault *f);

/** `idle` connections at most are kept open between requests; how many are used at once is the caller's business. */
struct http *http_new(struct loop *l, unsigned idle);
void http_free(struct http *h); /* cancels what is outstanding */
DEFINE_CLEANUP(struct http, http_free)

/** Never NULL. What cannot even start is reported through `done`, as everything else. */
struct http_request *http_start(struct http *h, const struct http_ask *a, http_done_fn *done, void *arg);

/** Ends the request if there is one and clears the pointer; at any moment, also inside its own callbacks. */
void http_cancel(struct http_request **r);
