#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/fault.h"

/* Scheduler and kubelet in one: gives pods a place on the one node, in order of arrival, prepares their volumes, runs
 * them and writes their status. */

struct call;
struct cluster;
struct kubelet;
struct object;

struct kubelet_numbers {
    size_t running, waiting;
    uint64_t started;
};

/** `dir` (borrowed) is where the pods live. `first_uid`: the host's user ids from there on are the pods', one for
 *  each place; -1: they all run as the present user. */
int kubelet_new(struct cluster *c, const char *dir, int64_t first_uid, struct kubelet **ret, struct fault *f);
void kubelet_free(struct kubelet *k); /* kills what still runs */
DEFINE_CLEANUP(struct kubelet, kubelet_free)

/** Whether the node has the pod, so that its deletion takes a while. */
bool kubelet_has(const struct kubelet *k, const struct object *pod);

/** The pod has been marked for deletion: SIGTERM, after `grace_s` SIGKILL, and it is removed when it is dead. */
void kubelet_delete(struct kubelet *k, struct object *pod, int64_t grace_s);

/** Answers a request for the log. */
void kubelet_log(struct kubelet *k, struct object *pod, struct call *call);

/** Answers a request to attach: standard output only. */
void kubelet_attach(struct kubelet *k, struct object *pod, struct call *call);

void kubelet_numbers(const struct kubelet *k, struct kubelet_numbers *ret);
