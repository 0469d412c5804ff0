#pragma once
#include "k8s/http.h"

/* In place of k8s/http.c: requests are written down, the test answers them. With the fake loop: what is answered
 * arrives with fake_loop_settle(), limits are the fake loop's time. */

struct fake_request {
    struct http *http; /* which lane: see fake_http_lane() */
    char method[16], url[2048];
    char header[8][256]; /* "" after the last */
    char *body;          /* "" if there is none */
    bool fresh, cut, stream;
    size_t max;
    int64_t limit_ms, silence_ms;
    char tls[3][2048]; /* ca, cert and key; "" for none */
    char connect_to[256];
    enum { FAKE_OPEN, FAKE_ANSWERED, FAKE_DONE, FAKE_CANCELLED } at;
};

void fake_http_reset(void); /* before and after each test */
int fake_http_count(void);  /* requests so far */
struct fake_request *fake_http_at(int i);
struct fake_request *fake_http_last(void);
int fake_http_open(void); /* how many wait for an answer */

/** In the order in which the lanes were made: 0 short, 1 log, 2 watch. */
int fake_http_lane(const struct fake_request *r);

/* To request `i`. */
void fake_http_answer(int i, int status, const char *body);
void fake_http_answer_later(int i, int status, int64_t retry_after_ms, const char *body); /* with a Retry-After */
void fake_http_bytes_reply(int i, const char *bytes, size_t len, bool truncated);
void fake_http_fail(int i, enum fault_kind kind, int code, const char *text);
void fake_http_stream(int i, const char *bytes); /* of a 200; delivered at once */
