#pragma once
#include <stddef.h>
#include <sys/queue.h>

/* Those who read what a container prints while it does: its log (`follow=true`), or attached to it, by WebSocket. One
 * that does not keep up is cut off at 8 MiB. */

struct call;
struct follower;

TAILQ_HEAD(followers, follower);

/** Begins the answer; what is there already has to be sent with follow_send() afterwards. */
void follow_start(struct followers *all, struct call *call);
/** Begins the answer to a request to attach, or refuses it if it is none for a WebSocket of v4.channel.k8s.io. */
void follow_attach(struct followers *all, struct call *call);
void follow_send(struct followers *all, const char *bytes, size_t len);
void follow_end(struct followers *all);
