#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Deleting, and the garbage collector: dependents (by ownerReferences) of what is gone are deleted too, and what
 * names only owners that never were. Finalizers beside foregroundDeletion are not looked at. */

struct cluster;
struct object;
struct reaper;

enum propagation { PROPAGATE_DEFAULT, PROPAGATE_BACKGROUND, PROPAGATE_FOREGROUND, PROPAGATE_ORPHAN };

struct delete_options {
    enum propagation propagation; /* the default orphans for Jobs, as batch/v1 does over plain REST, else background */
    int64_t grace_s;              /* of a pod; -1: what its spec says */
};

struct reaper *reaper_new(struct cluster *c);
void reaper_free(struct reaper *r);

/** Deletes an object. A pod with processes, or an owner in the foreground, stays for a while with a
 *  deletionTimestamp: true then. False: it is gone, and `o` is freed. */
bool reaper_delete(struct cluster *c, struct object *o, const struct delete_options *options);

/** The object has no processes left and is removed in the next turn (for the kubelet). */
void reaper_remove_soon(struct cluster *c, const struct object *o);
