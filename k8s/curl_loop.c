#include "k8s/curl_loop.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/mem.h"

struct curl_loop {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    curl_loop_fn *on_finished;
};

static void collect(struct curl_loop *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left))) {
        CURL *easy = m->easy_handle;
        CURLcode result = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(c->multi, easy); /* the message dies with it */
        c->on_finished(easy, result);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct curl_loop *c = arg;
    int running, mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

    curl_multi_socket_action(c->multi, fd, mask, &running);
    collect(c);
}

static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *stored)
{
    struct curl_loop *c = arg;
    struct event *e = stored;
    short events = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);

    (void)easy;
    if (e)
        event_free(e);
    e = NULL;
    if (what != CURL_POLL_REMOVE) {
        e = event_new(loop_base(c->loop), fd, events, on_socket, c);
        if (!e || event_add(e, NULL) < 0)
            abort(); /* out of memory, as in mem.c */
        curl_multi_assign(c->multi, fd, e);
    }
    return 0;
}

static void on_timer(void *arg)
{
    struct curl_loop *c = arg;
    int running;

    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(c);
}

static int timer_wanted(CURLM *multi, long ms, void *arg)
{
    struct curl_loop *c = arg;

    (void)multi;
    if (ms < 0)
        loop_cancel(&c->timer);
    else
        loop_after(c->loop, &c->timer, ms, on_timer, c);
    return 0;
}

/* Once a process: libcurl's own start is not safe to repeat from several places. */
static void init_once(void)
{
    static bool done;

    if (!done && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
    done = true;
}

struct curl_loop *curl_loop_new(struct loop *l, unsigned idle, curl_loop_fn *on_finished)
{
    struct curl_loop *c = mem_new(struct curl_loop);

    init_once();
    c->loop = l;
    c->on_finished = on_finished;
    c->multi = curl_multi_init();
    if (!c->multi)
        abort(); /* out of memory */
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)idle);
    return c;
}

void curl_loop_free(struct curl_loop *c)
{
    curl_multi_cleanup(c->multi);
    loop_cancel(&c->timer);
    free(c);
}

CURLMcode curl_loop_add(struct curl_loop *c, CURL *easy)
{
    return curl_multi_add_handle(c->multi, easy);
}

void curl_loop_remove(struct curl_loop *c, CURL *easy)
{
    curl_multi_remove_handle(c->multi, easy);
}
