#pragma once
#include <hiredis/hiredis.h>
#include <stdbool.h>

/* A redis-server of one test: in a folder of its own below /tmp, on a Unix socket, gone with the test. */

struct redis_server {
    char folder[64];
    char url[128]; /* redis+unix://... */
    int pid;       /* 0: does not run */
    redisContext *link;
    char options[256]; /* kept over a restart */
};

/** Starts it; `options` is "appendonly yes appendfsync always" or "". Fails the test if it does not come up. */
struct redis_server *redis_server_start(const char *options);
void redis_server_kill(struct redis_server *s);  /* SIGKILL, as if the machine went down */
void redis_server_again(struct redis_server *s); /* on the same folder */
void redis_server_pause(struct redis_server *s, bool stop);
void redis_server_stop(struct redis_server *s); /* and removes the folder */

/** One command, blocking; fails the test on an error reply unless told otherwise. The caller frees the reply. */
redisReply *redis_do(struct redis_server *s, const char *format, ...);
redisReply *redis_try(struct redis_server *s, const char *format, ...);

/** The same for answers that are a number, or a string as a number; -1 for nil. */
long long redis_number(struct redis_server *s, const char *format, ...);
/** The same for a string; NULL for nil. The caller frees it. */
char *redis_string(struct redis_server *s, const char *format, ...);
void redis_push(struct redis_server *s, const char *key, const void *bytes, size_t len);
