#include "script_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/mem.h"

struct script_peer {
    struct script_server *server;
    struct bufferevent *bev;
    int number;
    bool closing;
    struct loop_timer *later;
    char *later_text;
    TAILQ_ENTRY(script_peer) entry;
};

struct script_server {
    struct loop *loop;
    SSL_CTX *tls;
    script_fn *fn;
    void *arg;
    struct evconnlistener *listener;
    int connections, requests;
    TAILQ_HEAD(, script_peer) peers;
};

static void drop(struct script_peer *p)
{
    loop_cancel(&p->later);
    free(p->later_text);
    TAILQ_REMOVE(&p->server->peers, p, entry);
    bufferevent_free(p->bev);
    free(p);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        drop(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct script_peer *p = arg;

    if (p->closing && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        drop(p);
}

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");

    return at ? (size_t)strtoul(at + 17, NULL, 10) : 0;
}

/* Whether a whole request was there. */
static bool take_request(struct script_peer *p)
{
    struct evbuffer *in = bufferevent_get_input(p->bev);
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    struct script_request r = {.connection = p->number};
    char *head, *method, *path, *body;
    size_t head_len, len;

    if (end.pos < 0)
        return false;
    head_len = (size_t)end.pos + 4;
    head = mem_zero(head_len + 1, 1);
    evbuffer_copyout(in, head, head_len);
    len = content_length(head);
    if (evbuffer_get_length(in) < head_len + len) {
        free(head);
        return false;
    }
    evbuffer_drain(in, head_len);
    body = mem_zero(len + 1, 1);
    evbuffer_remove(in, body, len);
    method = mem_bytes(head, strcspn(head, " "));
    path = mem_bytes(head + strlen(method) + 1, strcspn(head + strlen(method) + 1, " "));
    r.head = head;
    r.method = method;
    r.path = path;
    r.body = body;
    r.body_len = len;
    r.number = ++p->server->requests;
    p->server->fn(p->server->arg, p, &r);
    free(head);
    free(body);
    free(method);
    free(path);
    return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    take_request(arg); /* the clients here do not pipeline */
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *a, int len, void *arg)
{
    struct script_server *s = arg;
    struct script_peer *p = mem_new(struct script_peer);

    (void)listener;
    (void)a;
    (void)len;
    p->server = s;
    p->number = ++s->connections;
    if (s->tls)
        p->bev = bufferevent_openssl_socket_new(loop_base(s->loop), fd, SSL_new(s->tls), BUFFEREVENT_SSL_ACCEPTING,
                                                BEV_OPT_CLOSE_ON_FREE);
    else
        p->bev = bufferevent_socket_new(loop_base(s->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    TAILQ_INSERT_TAIL(&s->peers, p, entry);
    bufferevent_setcb(p->bev, on_read, on_written, on_event, p);
    bufferevent_enable(p->bev, EV_READ | EV_WRITE);
}

struct script_server *script_server_new(struct loop *l, void *tls, script_fn *fn, void *arg)
{
    struct script_server *s = mem_new(struct script_server);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    s->loop = l;
    s->tls = tls;
    s->fn = fn;
    s->arg = arg;
    TAILQ_INIT(&s->peers);
    s->listener = evconnlistener_new_bind(loop_base(l), on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 64,
                                          (struct sockaddr *)&a, sizeof(a));
    if (!s->listener)
        abort();
    return s;
}

void script_server_free(struct script_server *s)
{
    struct script_peer *p;

    while ((p = TAILQ_FIRST(&s->peers)))
        drop(p);
    evconnlistener_free(s->listener);
    free(s);
}

int script_server_port(const struct script_server *s)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);

    getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&a, &len);
    return ntohs(a.sin_port);
}

int script_server_requests(const struct script_server *s)
{
    return s->requests;
}

int script_server_connections(const struct script_server *s)
{
    return s->connections;
}

void script_server_handle(struct script_server *s, script_fn *fn, void *arg)
{
    s->fn = fn;
    s->arg = arg;
}

void script_send(struct script_peer *p, const void *bytes, size_t len)
{
    bufferevent_write(p->bev, bytes, len);
}

void script_text(struct script_peer *p, const char *text)
{
    script_send(p, text, strlen(text));
}

void script_answer(struct script_peer *p, int status, const char *headers, const char *body)
{
    char *text = mem_format("HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);

    script_text(p, text);
    free(text);
}

void script_chunked(struct script_peer *p)
{
    script_text(p, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void script_chunk(struct script_peer *p, const void *bytes, size_t len)
{
    char head[32];

    snprintf(head, sizeof(head), "%zx\r\n", len);
    script_text(p, head);
    script_send(p, bytes, len);
    script_text(p, "\r\n");
}

void script_last_chunk(struct script_peer *p)
{
    script_text(p, "0\r\n\r\n");
}

static void send_later(void *arg)
{
    struct script_peer *p = arg;

    script_text(p, p->later_text);
}

void script_later(struct script_peer *p, int64_t ms, const char *text)
{
    free(p->later_text);
    p->later_text = mem_string(text);
    loop_after(p->server->loop, &p->later, ms, send_later, p);
}

void script_close(struct script_peer *p)
{
    p->closing = true;
    if (evbuffer_get_length(bufferevent_get_output(p->bev)) == 0)
        drop(p);
}

void script_reset(struct script_peer *p)
{
    struct linger now = {.l_onoff = 1};

    bufferevent_flush(p->bev, EV_WRITE, BEV_FLUSH);
    setsockopt(bufferevent_getfd(p->bev), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    drop(p);
}

const char *script_header(const struct script_request *r, const char *name)
{
    static char value[4096];
    size_t len = strlen(name);

    for (const char *line = strstr(r->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1 + strspn(line + len + 1, " ");
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r"), line);
            return value;
        }
    }
    return NULL;
}

const char *script_client_name(struct script_peer *p)
{
    static char name[256];
    SSL *ssl = p->server->tls ? bufferevent_openssl_get_ssl(p->bev) : NULL;
    X509 *x = ssl ? SSL_get1_peer_certificate(ssl) : NULL;

    if (!x)
        return NULL;
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof(name));
    X509_free(x);
    return name;
}

bool script_resumed(struct script_peer *p)
{
    SSL *ssl = p->server->tls ? bufferevent_openssl_get_ssl(p->bev) : NULL;

    return ssl && SSL_session_reused(ssl);
}
