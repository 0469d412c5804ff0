#pragma once
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/pod_state.h"

/* The pods of one label selector, kept up to date by one list and one watch on a connection of its own: bookmarks,
 * resume at the last resourceVersion, relist on 410, back-off when the server ends watches at once. What vanished
 * between two lists is reported as gone. */

struct kube;
struct pods;
struct pods_follower;

struct pods_events {
    /** The watch had to begin anew, or cannot: "pods-list-failed", "pods-watch-broken" (goes on where it was),
     *  "pods-watch-too-old" and "pods-watch-failed" (list again). "pods-listed", with `f` NULL: a list came, so the
     *  pods are in sight, for the first time or again. NULL: nobody wants to know. */
    void (*on_notice)(void *arg, const char *event, const struct fault *f);
    void *arg;
};

/** Starts at once and never gives up. `container` as in pod_state_read(). The strings are copied. */
struct pods *pods_new(struct kube *k, const char *selector, const char *container, const struct pods_events *e);
void pods_free(struct pods *p); /* NULL is fine; followers must be gone */
DEFINE_CLEANUP(struct pods, pods_free)

/** `state` is borrowed for the call; NULL: the pod that was reported before is gone. A Job whose first pod vanished
 *  may report another one. */
typedef void pods_fn(void *arg, const struct pod_state *state);

/** Reports the pod of this Job whenever it changes; first, soon, as it is known now, if it is. */
struct pods_follower *pods_follow(struct pods *p, const char *job_uid, pods_fn *fn, void *arg);
void pods_unfollow(struct pods_follower **follower); /* NULL in it is fine */

/** Whether a list has succeeded, so that "not known" means "not there". */
bool pods_synced(const struct pods *p);
