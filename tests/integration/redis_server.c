#include "integration/redis_server.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/check.h"

enum { OPTIONS_MAX = 24, UP_TRIES = 2000 };

static void run_server(struct redis_server *s, char *words)
{
    char *argv[OPTIONS_MAX + 16] = {"redis-server", "--port",      "0",  "--save",    "",   "--unixsocket",
                                    "redis.sock",   "--daemonize", "no", "--logfile", "log"};
    int n = 11;

    for (char *w; (w = strsep(&words, " ")) && n < OPTIONS_MAX + 14;) {
        char *option;

        if (!*w)
            continue;
        if (asprintf(&option, "--%s", w) < 0)
            _exit(1);
        argv[n++] = option;
        if ((w = strsep(&words, " ")))
            argv[n++] = w;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* no server outlives its test */
    if (chdir(s->folder) == 0)
        execvp(argv[0], argv);
    _exit(1);
}

static void link_up(struct redis_server *s)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/redis.sock", s->folder);
    for (int i = 0; i < UP_TRIES; i++) {
        redisReply *r;

        s->link = redisConnectUnix(path);
        r = s->link && !s->link->err ? redisCommand(s->link, "PING") : NULL;
        if (r && r->type == REDIS_REPLY_STATUS) {
            freeReplyObject(r);
            return;
        }
        if (r)
            freeReplyObject(r);
        if (s->link)
            redisFree(s->link);
        s->link = NULL;
        poll(NULL, 0, 5);
    }
    fail_msg("redis-server does not come up: see %s/log", s->folder);
}

void redis_server_again(struct redis_server *s)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/redis.sock", s->folder);
    unlink(path);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        run_server(s, s->options);
    link_up(s);
}

struct redis_server *redis_server_start(const char *options)
{
    struct redis_server *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    snprintf(s->folder, sizeof(s->folder), "/tmp/execq-redis-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->options, sizeof(s->options), "%s", options);
    snprintf(s->url, sizeof(s->url), "redis+unix://%s/redis.sock", s->folder);
    redis_server_again(s);
    return s;
}

void redis_server_kill(struct redis_server *s)
{
    if (s->link)
        redisFree(s->link);
    s->link = NULL;
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

void redis_server_pause(struct redis_server *s, bool stop)
{
    kill(s->pid, stop ? SIGSTOP : SIGCONT);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
    (void)st;
    (void)type;
    (void)w;
    return remove(path);
}

void redis_server_stop(struct redis_server *s)
{
    redis_server_kill(s);
    nftw(s->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(s);
}

static redisReply *do_it(struct redis_server *s, bool strict, const char *format, va_list args)
{
    redisReply *r = redisvCommand(s->link, format, args);

    if (!r)
        fail_msg("redis %s: %s", format, s->link->errstr);
    if (strict && r->type == REDIS_REPLY_ERROR)
        fail_msg("redis %s: %s", format, r->str);
    return r;
}

redisReply *redis_do(struct redis_server *s, const char *format, ...)
{
    va_list args;
    redisReply *r;

    va_start(args, format);
    r = do_it(s, true, format, args);
    va_end(args);
    return r;
}

redisReply *redis_try(struct redis_server *s, const char *format, ...)
{
    va_list args;
    redisReply *r;

    va_start(args, format);
    r = do_it(s, false, format, args);
    va_end(args);
    return r;
}

long long redis_number(struct redis_server *s, const char *format, ...)
{
    va_list args;
    redisReply *r;
    long long n = -1;

    va_start(args, format);
    r = do_it(s, true, format, args);
    va_end(args);
    if (r->type == REDIS_REPLY_INTEGER)
        n = r->integer;
    else if (r->type == REDIS_REPLY_STRING)
        n = strtoll(r->str, NULL, 10);
    freeReplyObject(r);
    return n;
}

char *redis_string(struct redis_server *s, const char *format, ...)
{
    va_list args;
    redisReply *r;
    char *text = NULL;

    va_start(args, format);
    r = do_it(s, true, format, args);
    va_end(args);
    if (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS)
        text = strdup(r->str);
    freeReplyObject(r);
    return text;
}

void redis_push(struct redis_server *s, const char *key, const void *bytes, size_t len)
{
    freeReplyObject(redis_do(s, "RPUSH %s %b", key, bytes, len));
}
