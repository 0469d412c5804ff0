#pragma once
#include <stddef.h>
#include <sys/socket.h>

#include "base/loop.h"

struct bufferevent;
struct evconnlistener;

/* A Redis that says what it is told, on the loop of the test, on a socket that the test chooses. It understands
 * nothing: whatever comes is written down, and two words in it are answered. */

struct script_redis {
    /* The test's: what is said to each SETNAME, with which a client ends its greeting, and to each ECHO. NULL: nothing;
     * "" to an ECHO: hangs up. At first "+OK\r\n" and "$2\r\nhi\r\n". */
    const char *greeting, *answer;
    /* For the test to read: all that came, "| " for each end of a line, at most 4 KiB; and how many connections. */
    char got[4096];
    int accepted;
    /* Its own. */
    struct loop *loop;
    struct evconnlistener *listener;
    struct bufferevent *peer; /* the last one accepted; NULL: it is gone */
};

/** Listens at `a`; a test that cannot have that fails. */
struct script_redis *script_redis_new(struct loop *l, const struct sockaddr *a, size_t len);
/** Lets the loop have one turn, in which it notices connections that their other ends have closed: close them first. */
void script_redis_free(struct script_redis *s);

int script_redis_port(const struct script_redis *s); /* of TCP */

/** To the connection that was accepted last; nothing happens if it is gone. */
void script_redis_say(struct script_redis *s, const char *bytes, size_t len);
void script_redis_hang_up(struct script_redis *s);
