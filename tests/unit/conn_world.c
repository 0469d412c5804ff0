#include "unit/conn_world.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

struct loop *loop;
struct script_redis *server;
char folder[64], socket_url[128];
struct seen seen;

int world_set_up(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct fault f = FAULT_INIT;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(loop_new(&loop, &f), 0);
    snprintf(folder, sizeof(folder), "/tmp/execq-conn-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", folder);
    snprintf(socket_url, sizeof(socket_url), "unix://%s/s", folder);
    server = script_redis_new(loop, (struct sockaddr *)&a, sizeof(a));
    return 0;
}

int world_tear_down(void **state)
{
    char path[80];

    (void)state;
    script_redis_free(server);
    loop_free(loop);
    snprintf(path, sizeof(path), "%s/s", folder);
    unlink(path);
    rmdir(folder);
    libevent_global_shutdown();
    return 0;
}

static void on_up(void *arg)
{
    (void)arg;
    seen.up++;
}

static void on_down(void *arg, const struct fault *f)
{
    (void)arg;
    seen.down++;
    seen.fault = *f;
}

static void on_reply(void *arg, struct redisReply *reply)
{
    (void)arg;
    if (reply)
        snprintf(seen.reply, sizeof(seen.reply), "%s", reply->str ? reply->str : "");
    seen.replies += reply != NULL;
    seen.nulls += reply == NULL;
    if (seen.to_restart)
        conn_restart(seen.to_restart, "told to");
    seen.to_restart = NULL;
    if (seen.to_free)
        conn_free(seen.to_free);
    seen.to_free = NULL;
}

static struct redis_url url;

struct conn *open_conn(const char *where, int64_t connect_ms, int64_t silence_ms)
{
    struct conn_settings set = {.url = &url, .name = "me", .connect_ms = connect_ms, .silence_ms = silence_ms};
    struct conn_events on = {.on_up = on_up, .on_down = on_down};
    struct fault f = FAULT_INIT;

    if (redis_url_parse(where, &url, &f) < 0)
        fail_msg("%s", f.text);
    return conn_new(loop, &set, &on);
}

void close_conn(struct conn *c)
{
    conn_free(c);
    release_url();
}

void release_url(void)
{
    redis_url_release(&url);
}

int echo(struct conn *c, int64_t patience_ms)
{
    struct fault f = FAULT_INIT;
    int r = conn_send(c, 2, (const char *const[]){"ECHO", "x"}, (const size_t[]){4, 1}, patience_ms, on_reply, NULL,
                      &f);

    if (r < 0)
        assert_int_equal(f.kind, FAULT_TRANSIENT);
    return r;
}

static void nothing(void *arg)
{
    (void)arg;
}

void turn(void)
{
    struct loop_timer *tick = NULL;

    loop_after(loop, &tick, 2, nothing, NULL);
    event_base_loop(loop_base(loop), EVLOOP_ONCE);
    loop_cancel(&tick);
}

void pass(int64_t ms)
{
    for (int64_t end = loop_now(loop) + ms; loop_now(loop) < end;)
        turn();
}
