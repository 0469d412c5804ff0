#pragma once
#include <stddef.h>
#include <sys/queue.h>

/* Those who read a log while it grows (`follow=true`). One that does not keep up is cut off at 8 MiB. */

struct call;
struct follower;

TAILQ_HEAD(followers, follower);

/** Begins the answer; what is there already has to be sent with follow_send() afterwards. */
void follow_start(struct followers *all, struct call *call);
void follow_send(struct followers *all, const char *bytes, size_t len);
void follow_end(struct followers *all);
