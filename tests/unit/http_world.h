#pragma once
/* An HTTP client (k8s/http.h) and a server that follows a script (script_server.h), on one loop. */
#include "unit/check.h"

#include <semaphore.h>

#include "base/buf.h"
#include "base/loop.h"
#include "fake/script_server.h"
#include "k8s/http.h"

struct world {
    struct loop *loop;
    struct script_server *server; /* says nothing until it is told what */
    struct http *http;
    char url[128]; /* of the server */
};

/* What became of a request. */
struct outcome {
    struct world *world;
    int times, status;
    int64_t retry_after_ms;
    bool truncated;
    struct fault fault;
    struct buf bytes, streamed;
    struct http_request *request, *other;
    void (*in_done)(struct outcome *o); /* NULL: the loop stops */
    void (*in_bytes)(struct outcome *o);
};

/* No name is known: libcurl's getaddrinfo() is ours. "stuck.test" hangs until it is let go, once for each request. */
extern sem_t let_go;

/** Set-up and tear-down of a test. */
int world_set_up(void **state);
int world_tear_down(void **state);
#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_set_up, world_tear_down)

void outcome_init(struct outcome *o, struct world *w);
void outcome_release(struct outcome *o);

/** For a struct outcome: an http_done_fn, and what takes the bytes of a stream. */
void on_done(void *arg, const struct http_reply *reply, const struct fault *f);
void on_bytes(void *arg, const char *bytes, size_t len);

/** A GET of w->url, of at most 20 s and 1000 bytes. */
struct http_ask get_ask(const struct world *w);

/** Runs one request to its end. */
void world_run(struct world *w, const struct http_ask *a, struct outcome *o);

/** Lets the loop run for so long. */
void world_turn(struct world *w, int64_t ms);

/* Scripts of the server. */
void script_silence(void *arg, struct script_peer *p, const struct script_request *r);
void script_echo(void *arg, struct script_peer *p, const struct script_request *r); /* what it was asked, and how */
void script_three_pieces(void *arg, struct script_peer *p, const struct script_request *r);
