#include "k8s/api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "k8s/auth.h"
#include "k8s/kubeconfig.h"
#include "k8s/status.h"
#include "k8s/url.h"

enum { HEADERS_MAX = 12, SWITCHING = 101 };

struct api_call {
    struct api *api;
    struct api_ask ask;
    http_done_fn *done;
    void *arg;
    uint64_t serial; /* of the credentials it went with */
    bool replayed;
    struct auth_wait *wait;
    struct http_request *request;
    bool calling, cancelled; /* inside on_bytes; ended there */
    TAILQ_ENTRY(api_call) entry;
};

struct api {
    struct loop *loop;
    const struct kubeconfig *config;
    struct auth *auth;
    struct http *http[API_LANES];
    char *base;              /* what stands before the path */
    char *connect_to, *host; /* for a tls-server-name; else NULL */
    int64_t requests;
    TAILQ_HEAD(, api_call) calls;
};

static void ask_credentials(struct api_call *c);

static void release(struct api_call *c)
{
    auth_cancel(&c->wait);
    http_cancel(&c->request);
    if (c->api)
        TAILQ_REMOVE(&c->api->calls, c, entry);
    free(c);
}

static void end(struct api_call *c, const struct http_reply *reply, const struct fault *f)
{
    http_done_fn *done = c->done;
    void *arg = c->arg;

    release(c);
    done(arg, reply, f);
}

/* 3. */
static void on_reply(void *arg, const struct http_reply *reply, const struct fault *f)
{
    struct api_call *c = arg;
    struct fault refusal = FAULT_INIT;

    c->request = NULL;
    if (f && f->code == HTTP_UNTRUSTED)
        auth_distrust(c->api->auth);
    if (f || (reply->status >= 200 && reply->status < 300) || (reply->status == SWITCHING && c->ask.header)) {
        end(c, reply, f);
        return;
    }
    if (reply->status == 401 && !c->replayed && auth_refused(c->api->auth, c->serial)) {
        c->replayed = true;
        ask_credentials(c);
        return;
    }
    status_fault(reply->status, reply->retry_after_ms, reply->bytes, reply->len, &refusal);
    if (reply->status == 401)
        auth_explain(c->api->auth, &refusal);
    end(c, NULL, &refusal);
}

static void on_bytes(void *arg, const char *bytes, size_t len)
{
    struct api_call *c = arg;

    c->calling = true;
    c->ask.on_bytes(c->arg, bytes, len);
    c->calling = false;
    if (c->cancelled)
        release(c);
}

/* 2. */
static void send(struct api_call *c, const struct auth_credentials *cred)
{
    struct api *a = c->api;
    _cleanup_free_ char *url = mem_format("%s%s", a->base, c->ask.path);
    const char *header[HEADERS_MAX];
    size_t n = 0;
    struct http_ask ask = {.method = c->ask.method,
                           .url = url,
                           .connect_to = a->connect_to,
                           .proxy = a->config->proxy_url,
                           .header = header,
                           .body = c->ask.body,
                           .body_len = c->ask.body_len,
                           .tls = &cred->tls,
                           .limit_ms = c->ask.limit_ms,
                           .silence_ms = c->ask.silence_ms,
                           .max = c->ask.max,
                           .cut = c->ask.cut,
                           .fresh = c->ask.fresh,
                           .on_bytes = c->ask.on_bytes ? on_bytes : NULL};

    header[n++] = "Accept: application/json, */*";
    if (c->ask.body)
        header[n++] = "Content-Type: application/json";
    if (cred->header)
        header[n++] = cred->header;
    if (a->host)
        header[n++] = a->host;
    for (const char *const *line = c->ask.header; line && *line && n + 1 < HEADERS_MAX; line++)
        header[n++] = *line;
    header[n] = NULL;
    a->requests++;
    c->serial = cred->serial;
    c->request = http_start(a->http[c->ask.lane], &ask, on_reply, c);
}

static void on_credentials(void *arg, const struct auth_credentials *cred, const struct fault *f)
{
    struct api_call *c = arg;
    struct fault held = FAULT_INIT;

    c->wait = NULL;
    if (f) {
        end(c, NULL, f);
    } else if (c->ask.may_send && !c->ask.may_send(c->arg)) {
        fault_set(&held, FAULT_CANCELLED, "held back");
        end(c, NULL, &held);
    } else {
        send(c, cred);
    }
}

/* 1. */
static void ask_credentials(struct api_call *c)
{
    c->wait = auth_ask(c->api->auth, on_credentials, c);
}

struct api_call *api_start(struct api *a, const struct api_ask *ask, http_done_fn *done, void *arg)
{
    struct api_call *c = mem_new(struct api_call);

    c->api = a;
    c->ask = *ask;
    c->done = done;
    c->arg = arg;
    TAILQ_INSERT_TAIL(&a->calls, c, entry);
    ask_credentials(c);
    return c;
}

/* Its own ends, and nothing of it comes back; the memory stays while on_bytes is on the stack. */
static void stop(struct api_call *c)
{
    auth_cancel(&c->wait);
    http_cancel(&c->request);
    TAILQ_REMOVE(&c->api->calls, c, entry);
    c->api = NULL;
    c->cancelled = true;
    if (!c->calling)
        release(c);
}

void api_cancel(struct api_call **call)
{
    struct api_call *c = *call;

    *call = NULL;
    if (c && !c->cancelled)
        stop(c);
}

/* The TLS name stands in the address, for libcurl takes SNI and the name to be verified from there; the connection
 * goes to the server all the same. */
static int set_base(struct api *a, struct fault *f)
{
    const char *server = a->config->server, *name = a->config->tls_server_name;
    const char *host_end = strchr(strstr(server, "://") + 3, '/');
    _cleanup_free_ char *host = NULL;
    bool six;
    int port;

    if (!name || strncmp(server, "https://", 8) != 0) {
        a->base = mem_string(server);
        return 0;
    }
    if (url_host(server, &host, &port, f) < 0)
        return fault_wrap(f, "tls-server-name");
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != strlen(name))
        return fault_set(f, FAULT_INVALID, "tls-server-name \"%.64s\" is no host name", name);
    six = strchr(host, ':') != NULL;
    a->base = mem_format("https://%s:%d%s", name, port, host_end ? host_end : "");
    a->connect_to = mem_format("%s:%d:%s%s%s:%d", name, port, six ? "[" : "", host, six ? "]" : "", port);
    a->host = mem_format("Host: %s%s%s:%d", six ? "[" : "", host, six ? "]" : "", port);
    return 0;
}

int api_new(struct loop *l, const struct kubeconfig *config, const unsigned idle[API_LANES], struct api **ret_api,
            struct fault *f)
{
    _cleanup_(api_freep)
    struct api *a = mem_new(struct api);

    TAILQ_INIT(&a->calls);
    a->loop = l;
    a->config = config;
    if (set_base(a, f) < 0 || auth_new(l, config, &a->auth, f) < 0)
        return -1;
    for (int i = 0; i < API_LANES; i++)
        a->http[i] = http_new(l, idle[i]);
    *ret_api = TAKE(a);
    return 0;
}

void api_free(struct api *a)
{
    struct api_call *c;

    while ((c = TAILQ_FIRST(&a->calls)))
        stop(c);
    for (int i = 0; i < API_LANES; i++)
        if (a->http[i])
            http_free(a->http[i]);
    if (a->auth)
        auth_free(a->auth);
    free(a->base);
    free(a->connect_to);
    free(a->host);
    free(a);
}

const char *api_server(const struct api *a)
{
    return a->config->server;
}

int64_t api_requests(const struct api *a)
{
    return a->requests;
}

struct loop *api_loop(const struct api *a)
{
    return a->loop;
}
