#include "script_redis.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit/check.h"

static void on_read(struct bufferevent *b, void *arg)
{
    struct script_redis *s = arg;
    struct evbuffer *in = bufferevent_get_input(b);
    size_t len = strlen(s->got), n = evbuffer_get_length(in);

    if (n > sizeof(s->got) - 1 - len)
        n = sizeof(s->got) - 1 - len;
    evbuffer_remove(in, s->got + len, n);
    s->got[len + n] = '\0';
    for (char *p = s->got + len; (p = strstr(p, "\r\n"));)
        memcpy(p, "| ", 2);
    for (const char *p = s->got + len; (p = strstr(p, "SETNAME")); p++)
        if (s->greeting)
            bufferevent_write(b, s->greeting, strlen(s->greeting));
    for (const char *p = s->got + len; (p = strstr(p, "ECHO")); p++) {
        if (s->answer && !*s->answer) {
            script_redis_hang_up(s);
            return;
        }
        if (s->answer)
            bufferevent_write(b, s->answer, strlen(s->answer));
    }
}

static void on_end(struct bufferevent *b, short what, void *arg)
{
    struct script_redis *s = arg;

    (void)what;
    bufferevent_free(b);
    if (b == s->peer)
        s->peer = NULL;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
    struct script_redis *s = arg;

    (void)l;
    (void)from;
    (void)len;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    s->accepted++;
    s->peer = bufferevent_socket_new(loop_base(s->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(s->peer, on_read, NULL, on_end, s);
    bufferevent_enable(s->peer, EV_READ | EV_WRITE);
}

struct script_redis *script_redis_new(struct loop *l, const struct sockaddr *a, size_t len)
{
    struct script_redis *s = mem_new(struct script_redis);

    *s = (struct script_redis){.greeting = "+OK\r\n", .answer = "$2\r\nhi\r\n", .loop = l};
    s->listener = evconnlistener_new_bind(loop_base(l), on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
                                          a, (int)len);
    assert_non_null(s->listener);
    return s;
}

void script_redis_free(struct script_redis *s)
{
    script_redis_hang_up(s);
    evconnlistener_free(s->listener);
    event_base_loop(loop_base(s->loop), EVLOOP_NONBLOCK);
    free(s);
}

int script_redis_port(const struct script_redis *s)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);

    getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&a, &len);
    return ntohs(a.sin_port);
}

void script_redis_say(struct script_redis *s, const char *bytes, size_t len)
{
    if (s->peer)
        bufferevent_write(s->peer, bytes, len);
}

void script_redis_hang_up(struct script_redis *s)
{
    if (s->peer)
        bufferevent_free(s->peer);
    s->peer = NULL;
}
