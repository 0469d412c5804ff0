#include "devcluster/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/api.h"
#include "devcluster/call.h"
#include "devcluster/cluster.h"
#include "devcluster/counters.h"
#include "devcluster/options.h"
#include "devcluster/pages.h"
#include "devcluster/tls.h"
#include "devcluster/tree.h"

enum { BODY_MAX = 3 << 20, BODY_WALL = 8 << 20, HEADERS_MAX = 64 << 10, DEPTH_MAX = 64, IDLE_S = 7200, BACKLOG = 512 };

struct server {
    struct cluster *cluster;
    struct evhttp *http;
    SSL_CTX *tls;
    char *authority; /* PEM */
    char token[33];
    uint16_t port;
};

uint16_t server_port(const struct server *s)
{
    return s->port;
}

static struct bufferevent *new_connection(struct event_base *base, void *arg)
{
    struct server *s = arg;
    SSL *ssl = SSL_new(s->tls);
    struct bufferevent *bev;

    if (!ssl)
        return NULL;
    bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* clients that just close are clients that left */
    return bev;
}

/* Requests. */

static bool is_authorized(const struct server *s, struct evhttp_request *req)
{
    const char *header = evhttp_find_header(evhttp_request_get_input_headers(req), "Authorization");
    size_t len = strlen(s->token);

    return header && strncmp(header, "Bearer ", 7) == 0 && strlen(header + 7) == len &&
           CRYPTO_memcmp(header + 7, s->token, len) == 0;
}

static int read_method(struct evhttp_request *req, enum route_method *ret)
{
    switch (evhttp_request_get_command(req)) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        *ret = METHOD_GET;
        return 0;
    case EVHTTP_REQ_POST:
        *ret = METHOD_POST;
        return 0;
    case EVHTTP_REQ_PUT:
        *ret = METHOD_PUT;
        return 0;
    case EVHTTP_REQ_PATCH:
        *ret = METHOD_PATCH;
        return 0;
    case EVHTTP_REQ_DELETE:
        *ret = METHOD_DELETE;
        return 0;
    default:
        return -1;
    }
}

/* Reads the body into call->body. On a fault it has answered. */
static bool read_body(struct call *call, bool needed)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(call->req);
    const char *type = evhttp_find_header(evhttp_request_get_input_headers(call->req), "Content-Type");
    size_t len = evbuffer_get_length(input);
    struct fault f = FAULT_INIT;

    if (len > BODY_MAX)
        call_refuse_text(call, 413, "Request entity too large: limit is 3145728");
    else if (len == 0 && needed)
        call_refuse_text(call, 400, "the request has no body");
    else if (len > 0 && type && !strstr(type, "json"))
        call_refuse_text(call, 415, "the body of the request was in an unknown format: only JSON is");
    else if (len > 0 && type && strstr(type, "json-patch"))
        call_refuse_text(call, 415, "of the patches only application/merge-patch+json is understood");
    else if (len > 0 && field_parse((const char *)evbuffer_pullup(input, -1), len, DEPTH_MAX, &call->body, &f) < 0)
        call_refuse_text(call, 400, f.text);
    else
        return true;
    return false;
}

/* The answers a rule may order in place of the real one. True if it has been given. */
static bool answer_fault(struct call *call, enum fault_action action)
{
    /* clang-format off */
    static const struct { enum fault_action action; int code, retry_after_s; const char *text; } answers[] = {
        {ACTION_403, 403, 0, "is forbidden: exceeded quota: devcluster, requested: count/pods=1, used: count/pods=1, "
                             "limited: count/pods=1"},
        {ACTION_409, 409, 0, "Operation cannot be fulfilled: the object has been modified"},
        {ACTION_410, 410, 0, "The resourceVersion for the provided watch is too old."},
        {ACTION_429, 429, 1, "too many requests, please try again later"},
        {ACTION_500, 500, 0, "an error on the server has prevented the request from succeeding"},
        {ACTION_503, 503, 1, "the server is currently unable to handle the request"},
        {ACTION_504, 504, 0, "Timeout: request did not complete within the allotted timeout"},
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT_OF(answers); i++)
        if (answers[i].action == action) {
            struct refusal r;

            refuse(&r, answers[i].code, refusal_reason(answers[i].code), "%s", answers[i].text);
            r.retry_after_s = answers[i].retry_after_s;
            call_refuse(call, &r);
            return true;
        }
    return false;
}

static void proceed(void *arg)
{
    struct call *call = arg;
    enum fault_action action = call->fault;

    call->fault = ACTION_NONE;
    if (answer_fault(call, action))
        return;
    if (action == ACTION_RESET) {
        call_reset(call);
    } else if (action == ACTION_STALL) {
        call_stall(call);
    } else {
        call->fault = action; /* what the answer itself will meet */
        api_handle(call);
    }
}

static const char *name_in(const struct call *call)
{
    const char *name;

    if (call->route.name[0])
        return call->route.name;
    name = tree_string(call->body, "metadata.name");
    return name ? name : tree_string(call->body, "metadata.generateName");
}

static void handle_objects(struct call *call, enum route_method method)
{
    int verb = route_verb(&call->route, method, call_query_is_true(call, "watch"));
    struct fault_hit hit;

    if (verb < 0) {
        call_refuse_text(call, 405, "the server does not allow this method on the requested resource");
        return;
    }
    call->verb = (enum verb)verb;
    counters_request(call->cluster->counters, call->verb, call->route.kind);
    if (!read_body(call, verb == VERB_CREATE || verb == VERB_UPDATE || verb == VERB_PATCH))
        return;
    hit = faults_of_request(call->cluster->faults, call->verb, call->route.kind->resource, name_in(call));
    call->fault = hit.action;
    if (hit.ms > 0) {
        call_expect_close(call);
        loop_after(call->cluster->loop, &call->timer, hit.ms, proceed, call);
    } else {
        proceed(call);
    }
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct server *s = arg;
    struct call *call = call_new(s->cluster, req);
    const char *raw = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
    _cleanup_free_ char *path = evhttp_uridecode(raw ? raw : "/", 0, NULL);
    enum route_method method;

    if (log_threshold >= LEVEL_DEBUG)
        log_debug("request", NUM("method", evhttp_request_get_command(req)), STR("uri", evhttp_request_get_uri(req)));
    if (!path || read_method(req, &method) < 0) {
        call_refuse_text(call, 405, "the server does not allow this method on the requested resource");
    } else if (!is_authorized(s, req) && !pages_is_open(path)) {
        call_refuse_text(call, 401, "Unauthorized");
    } else if (route_parse(path, &call->route)) {
        handle_objects(call, method);
    } else {
        counters_request(s->cluster->counters, VERB_GET, NULL);
        if (read_body(call, false))
            pages_handle(call, method, path);
    }
}

/* Listening. */

static int open_socket(const char *host, uint16_t port, uint16_t *ret_port, struct fault *f)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE}, *found;
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char service[8];
    int fd, one = 1;

    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return fault_set(f, FAULT_INVALID, "--listen: no such host: %.100s", host);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* connections inherit it */
    }
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        int error = errno;

        freeaddrinfo(found);
        if (fd >= 0)
            close(fd);
        return fault_errno(f, error, "--listen %.100s:%u", host, port);
    }
    freeaddrinfo(found);
    *ret_port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                    : ((struct sockaddr_in *)&address)->sin_port);
    return fd;
}

static void make_token(char token[33])
{
    unsigned char bytes[32];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        abort();
    digest_base32(bytes, 32, token);
}

static int start(struct server *s, struct fault *f)
{
    const struct options *o = s->cluster->options;
    int fd;

    if (tls_new(o->host, &s->tls, &s->authority, f) < 0)
        return -1;
    s->http = evhttp_new(loop_base(s->cluster->loop));
    if (!s->http)
        return fault_set(f, FAULT_BUG, "libevent has no HTTP server to give");
    evhttp_set_bevcb(s->http, new_connection, s);
    evhttp_set_gencb(s->http, on_request, s);
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                            EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE);
    evhttp_set_max_body_size(s->http, BODY_WALL); /* what is over 3 MiB gets a Status; over this, libevent's own 413 */
    evhttp_set_max_headers_size(s->http, HEADERS_MAX);
    evhttp_set_timeout(s->http, IDLE_S); /* the default of 50 s would end quiet watches */
    evhttp_set_default_content_type(s->http, NULL);
    fd = open_socket(o->host, o->port, &s->port, f);
    if (fd < 0)
        return -1;
    if (!evhttp_accept_socket_with_handle(s->http, fd)) {
        close(fd);
        return fault_set(f, FAULT_BUG, "libevent does not accept the socket");
    }
    return 0;
}

int server_new(struct cluster *c, struct server **ret, struct fault *f)
{
    struct server *s = mem_new(struct server);

    s->cluster = c;
    make_token(s->token);
    if (start(s, f) < 0) {
        server_free(s);
        return -1;
    }
    *ret = s;
    return 0;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    if (s->http)
        evhttp_free(s->http);
    SSL_CTX_free(s->tls);
    free(s->authority);
    mem_wipe(s->token, sizeof(s->token));
    free(s);
}

/* kubeconfig. */

static int print_kubeconfig(const struct server *s, struct buf *b, struct fault *f)
{
    const char *host = s->cluster->options->host;
    bool six = strchr(host, ':') != NULL;

    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
        host = "127.0.0.1";
        six = false;
    }
    if (buf_addf(b, f,
                 "apiVersion: v1\nkind: Config\ncurrent-context: devcluster\npreferences: {}\nclusters:\n"
                 "- name: devcluster\n  cluster:\n    server: https://%s%s%s:%u\n    certificate-authority-data: ",
                 six ? "[" : "", host, six ? "]" : "", s->port) < 0 ||
        digest_base64_encode(s->authority, strlen(s->authority), b, f) < 0)
        return -1;
    return buf_addf(b, f,
                    "\ncontexts:\n- name: devcluster\n  context:\n    cluster: devcluster\n    user: devcluster\n"
                    "    namespace: default\nusers:\n- name: devcluster\n  user:\n    token: %s\n",
                    s->token);
}

int server_write_kubeconfig(const struct server *s, const char *path, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(64 << 10);
    _cleanup_free_ char *beside = mem_format("%s.%ld.part", path, (long)getpid());
    ssize_t written;
    int fd;

    if (print_kubeconfig(s, &b, f) < 0)
        return -1;
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_errno(f, errno, "--kubeconfig %.100s", path);
    written = write(fd, b.data, b.len);
    if (close(fd) < 0 || written != (ssize_t)b.len || rename(beside, path) < 0) {
        int error = errno;

        unlink(beside);
        return fault_errno(f, error, "--kubeconfig %.100s", path);
    }
    return 0;
}
