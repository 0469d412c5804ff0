#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

/* An HTTP server in the test's own process and on its own loop that does what the test says, byte for byte: half a
 * line and then silence, a reset, a body that ends early. It reads requests properly (with Content-Length) and
 * answers only through its handler. */

struct script_server;
struct script_peer; /* one connection */

struct script_request {
    const char *head;          /* request line and headers, as they came */
    const char *method, *path; /* path with its query */
    const char *body;
    size_t body_len;
    int connection, number; /* which connection, and which request of the server, from 1 */
};

typedef void script_fn(void *arg, struct script_peer *p, const struct script_request *r);

/** `tls`: an SSL_CTX, borrowed, or NULL for plain http. */
struct script_server *script_server_new(struct loop *l, void *tls, script_fn *fn, void *arg);
void script_server_free(struct script_server *s);
int script_server_port(const struct script_server *s);
int script_server_requests(const struct script_server *s);
int script_server_connections(const struct script_server *s);

/** A new handler for what comes from now on. */
void script_server_handle(struct script_server *s, script_fn *fn, void *arg);

/* For the handler, and later as long as the connection stands. */
void script_send(struct script_peer *p, const void *bytes, size_t len);
void script_text(struct script_peer *p, const char *text);
/** A whole answer with Content-Length; `headers`: further lines, each ended by \r\n, or "". */
void script_answer(struct script_peer *p, int status, const char *headers, const char *body);
/** Head of a chunked 200, and a chunk. */
void script_chunked(struct script_peer *p);
void script_chunk(struct script_peer *p, const void *bytes, size_t len);
void script_last_chunk(struct script_peer *p);
/** Sends after `ms`, if the connection stands then. */
void script_later(struct script_peer *p, int64_t ms, const char *text);
void script_close(struct script_peer *p); /* after what was sent */
void script_reset(struct script_peer *p); /* now, with RST */

/** The value of a header, or NULL; borrowed until the next call. */
const char *script_header(const struct script_request *r, const char *name);

/** CN of the client's certificate, or NULL; borrowed until the next call. */
const char *script_client_name(struct script_peer *p);

/** Whether its session of TLS was one of a connection before. */
bool script_resumed(struct script_peer *p);
