#include "k8s/http.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "k8s/curl_loop.h"

enum {
    CONNECT_MS = 10000,
    IDLE_S = 75, /* the API server closes at 90 s */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_EVERY_S = 10,
    ANSWER_MS = 10000,     /* for a reply to begin, where a long silence is allowed later: a watch */
    UNANSWERED_MS = 30000, /* sent and not acknowledged by the peer's kernel */
    PENDING_MAX = 64 << 20,
    ANEW_MS = 60000, /* after a handshake that failed: some servers cannot resume the session that they gave */
};

struct http_request {
    struct http *http;
    CURL *easy;
    struct curl_slist *header, *connect_to;
    struct buf bytes; /* the body so far; for a stream, what was not delivered yet */
    http_bytes_fn *on_bytes;
    http_done_fn *done;
    void *arg;
    int64_t silence_ms, heard_ms;
    bool answered; /* the first line of the reply has come */
    struct loop_timer *limit, *silence, *deliver;
    bool stream, cut, truncated, too_big;
    bool headers_whole; /* the empty line was the last one so far */
    bool finished;      /* libcurl is done with it: `result` counts */
    bool calling;       /* inside a callback of its own: freed after it */
    bool cancelled;
    CURLcode result;
    char error[CURL_ERROR_SIZE];
    TAILQ_ENTRY(http_request) entry;
};

struct http {
    struct loop *loop;
    struct curl_loop *curl;
    /* Of TLS. libcurl 7.88 keeps them with each transfer; but a stream's connection is never used again, and most of
     * what a new one costs is looking at certificates that were looked at before. */
    CURLSH *sessions;
    int64_t anew_until_ms; /* without them */
    TAILQ_HEAD(, http_request) requests;
};

static void deliver(void *arg);

/* Close-on-exec, which 7.88 does not set, and an end to waiting for a peer that is gone. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    unsigned unanswered = UNANSWERED_MS;
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

    (void)arg;
    (void)purpose;
    if (fd >= 0 && (a->family == AF_INET || a->family == AF_INET6))
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof(unanswered));
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* The callbacks run later, from the loop. */
static void on_finished(CURL *easy, CURLcode result)
{
    struct http_request *r = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
    r->result = result;
    r->finished = true;
    if (result == CURLE_SSL_CONNECT_ERROR)
        r->http->anew_until_ms = loop_now(r->http->loop) + ANEW_MS;
    loop_cancel(&r->limit);
    loop_cancel(&r->silence);
    loop_defer(r->http->loop, &r->deliver, deliver, r);
}

/* Called from inside libcurl: only stores. */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct http_request *r = arg;
    size_t len = size * n;
    long status = 0;

    r->heard_ms = loop_now(r->http->loop);
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (r->on_bytes && (status == 200 || status == 101) && !r->stream) {
        r->stream = true;
        r->bytes.ceiling = PENDING_MAX;
    }
    if (buf_fill(&r->bytes, bytes, len) < len) {
        r->truncated = r->cut && !r->stream;
        r->too_big = !r->truncated;
        return CURL_WRITEFUNC_ERROR;
    }
    if (r->stream)
        loop_defer(r->http->loop, &r->deliver, deliver, r);
    return len;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct http_request *r = arg;
    size_t len = size * n;

    r->heard_ms = loop_now(r->http->loop);
    r->answered = true;
    r->headers_whole = len <= 2 && memchr("\r\n", bytes[0], 2);
    return len;
}

/* The life of a request. */

/* Everything that ties it to the loop and to libcurl. */
static void detach(struct http_request *r)
{
    loop_cancel(&r->limit);
    loop_cancel(&r->silence);
    loop_cancel(&r->deliver);
    TAILQ_REMOVE(&r->http->requests, r, entry);
    if (!r->finished)
        curl_loop_remove(r->http->curl, r->easy);
    curl_easy_cleanup(r->easy);
    r->http = NULL;
}

static void release(struct http_request *r)
{
    if (r->http)
        detach(r);
    curl_slist_free_all(r->header);
    curl_slist_free_all(r->connect_to);
    buf_release(&r->bytes);
    free(r);
}

static int64_t retry_after(struct http_request *r)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds < 0 ? 0 : seconds > 86400 ? 86400000 : (int64_t)seconds * 1000;
}

static void describe(const struct http_request *r, struct fault *f)
{
    const char *what = r->error[0] ? r->error : curl_easy_strerror(r->result);

    if (r->too_big)
        fault_set(f, FAULT_TOO_BIG, "a reply of more than %zu bytes", r->bytes.ceiling);
    else if (r->result == CURLE_OPERATION_TIMEDOUT)
        fault_set(f, FAULT_TIMEOUT, "%s", what);
    else
        fault_set(f, FAULT_TRANSIENT, "%s", what);
    if (r->result == CURLE_PEER_FAILED_VERIFICATION) {
        fault_wrap(f, "the server's certificate %s",
                   strstr(what, "subject name") ? "is for another name (see tls-server-name)"
                                                : "is not trusted (see certificate-authority)");
        f->code = HTTP_UNTRUSTED;
    } else if (r->result == CURLE_SSL_CONNECT_ERROR) { /* so is a CA that was made anew under its old name */
        fault_wrap(f, "no TLS with the server (see certificate-authority)");
        f->code = HTTP_UNTRUSTED;
    }
}

static void end(struct http_request *r, const struct http_reply *reply, const struct fault *f)
{
    http_done_fn *done = r->done;
    void *arg = r->arg;

    r->calling = true;
    r->cancelled = true; /* from here on it is the callback's: a cancel finds nothing to do */
    done(arg, reply, f);
    r->calling = false;
    release(r);
}

static void finish(struct http_request *r)
{
    struct fault f = FAULT_INIT;
    long status = 0;

    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (r->result == CURLE_OK && !r->headers_whole) { /* which libcurl takes for a whole answer */
        r->result = CURLE_PARTIAL_FILE;
        snprintf(r->error, sizeof(r->error), "the connection ended inside the headers");
    }
    if (r->result == CURLE_OK || r->truncated) {
        struct http_reply reply = {.status = (int)status,
                                   .retry_after_ms = retry_after(r),
                                   .bytes = r->stream ? "" : buf_str(&r->bytes),
                                   .len = r->stream ? 0 : r->bytes.len,
                                   .truncated = r->truncated};

        end(r, &reply, NULL);
        return;
    }
    describe(r, &f);
    end(r, NULL, &f);
}

/* What has come of a stream, and the end of any. */
static void deliver(void *arg)
{
    struct http_request *r = arg;

    if (r->stream && r->bytes.len > 0) {
        size_t len;
        char *bytes = buf_take(&r->bytes, &len);

        r->calling = true;
        r->on_bytes(r->arg, bytes, len);
        r->calling = false;
        free(bytes);
        if (r->cancelled) {
            release(r);
            return;
        }
    }
    if (r->finished)
        finish(r);
}

static void give_up(struct http_request *r, const char *why, int64_t ms)
{
    curl_loop_remove(r->http->curl, r->easy); /* closes the connection */
    r->finished = true;
    r->result = CURLE_OPERATION_TIMEDOUT;
    snprintf(r->error, sizeof(r->error), why, (long long)ms);
    loop_cancel(&r->limit);
    loop_cancel(&r->silence);
    loop_defer(r->http->loop, &r->deliver, deliver, r);
}

static void on_limit(void *arg)
{
    give_up(arg, "no answer in time", 0);
}

static int64_t patience(const struct http_request *r)
{
    return r->answered || r->silence_ms < ANSWER_MS ? r->silence_ms : ANSWER_MS;
}

/* Not armed again with each byte: the timer looks when the last one came. */
static void on_silence(void *arg)
{
    struct http_request *r = arg;
    int64_t quiet = loop_now(r->http->loop) - r->heard_ms;

    if (quiet >= patience(r))
        give_up(r, "the connection was silent for %lld ms", quiet);
    else
        loop_after(r->http->loop, &r->silence, patience(r) - quiet, on_silence, r);
}

static void set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem, .len = pem ? strlen(pem) : 0, .flags = CURL_BLOB_COPY};

    if (pem)
        curl_easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, const struct http_tls *t)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!t)
        return;
    if (t->ca) { /* a blob replaces the system's bundle, but not its folder of certificates */
        set_blob(easy, CURLOPT_CAINFO_BLOB, t->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    set_blob(easy, CURLOPT_SSLCERT_BLOB, t->cert);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, t->key);
    curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
    curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
    if (t->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (!longer)
        abort();
    *list = longer;
}

static void set_request(struct http_request *r, const struct http_ask *a)
{
    for (const char *const *line = a->header; line && *line; line++)
        add_line(&r->header, *line);
    add_line(&r->header, "Expect:"); /* otherwise a large body waits a second for a 100 that never comes */
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->header);
    curl_easy_setopt(r->easy, CURLOPT_URL, a->url);
    if (a->connect_to) {
        add_line(&r->connect_to, a->connect_to);
        curl_easy_setopt(r->easy, CURLOPT_CONNECT_TO, r->connect_to);
    }
    if (a->proxy)
        curl_easy_setopt(r->easy, CURLOPT_PROXY, a->proxy);
    if (a->body) {
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, a->body);
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->body_len);
    }
    curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, a->method);
    set_tls(r->easy, a->tls);
}

static void set_transport(struct http_request *r, const struct http_ask *a)
{
    CURL *e = r->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_USERAGENT, "execq/" EXECQ_VERSION);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a cancel does not wait for the name lookup's thread */
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_EVERY_S);
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, a->fresh ? 1L : 0L);
    if (loop_now(r->http->loop) >= r->http->anew_until_ms)
        curl_easy_setopt(e, CURLOPT_SHARE, r->http->sessions);
}

struct http_request *http_start(struct http *h, const struct http_ask *a, http_done_fn *done, void *arg)
{
    struct http_request *r = mem_new(struct http_request);
    CURLMcode m;

    r->http = h;
    r->done = done;
    r->on_bytes = a->on_bytes;
    r->arg = arg;
    r->cut = a->cut;
    r->silence_ms = a->silence_ms;
    r->heard_ms = loop_now(h->loop);
    buf_init(&r->bytes, a->max);
    TAILQ_INSERT_TAIL(&h->requests, r, entry);
    r->easy = curl_easy_init();
    if (!r->easy)
        abort(); /* out of memory */
    set_request(r, a);
    set_transport(r, a);
    if (a->limit_ms > 0)
        loop_after(h->loop, &r->limit, a->limit_ms, on_limit, r);
    if (a->silence_ms > 0)
        loop_after(h->loop, &r->silence, patience(r), on_silence, r);
    m = curl_loop_add(h->curl, r->easy);
    if (m != CURLM_OK) {
        loop_cancel(&r->limit);
        loop_cancel(&r->silence);
        r->finished = true;
        r->result = CURLE_FAILED_INIT;
        snprintf(r->error, sizeof(r->error), "%s", curl_multi_strerror(m));
        loop_defer(h->loop, &r->deliver, deliver, r);
    }
    return r;
}

void http_cancel(struct http_request **request)
{
    struct http_request *r = *request;

    *request = NULL;
    if (!r || r->cancelled)
        return;
    r->cancelled = true;
    if (!r->calling)
        release(r);
}

struct http *http_new(struct loop *l, unsigned idle)
{
    struct http *h = mem_new(struct http);

    h->loop = l;
    TAILQ_INIT(&h->requests);
    h->curl = curl_loop_new(l, idle, on_finished);
    h->sessions = curl_share_init();
    if (!h->sessions || curl_share_setopt(h->sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        abort(); /* out of memory */
    return h;
}

void http_free(struct http *h)
{
    struct http_request *r;

    while ((r = TAILQ_FIRST(&h->requests))) {
        r->cancelled = true;
        detach(r);
        if (!r->calling) /* otherwise its own callback is on the stack, and frees it */
            release(r);
    }
    curl_loop_free(h->curl);
    curl_share_cleanup(h->sessions);
    free(h);
}
