#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/pods.h"

/* What is known of the pods of one selector, by Job, and who wants to know. Fed by k8s/pods.c; reports run from the
 * loop, so that a follower may do anything in them, freeing the table included. For k8s/pods.c alone. */

struct pod_table;

struct pod_table *pod_table_new(struct loop *l, const char *container);
void pod_table_free(struct pod_table *t);
DEFINE_CLEANUP(struct pod_table, pod_table_free)

/** A pod as a list or an event shows it. One without the label of its Job's uid, a name or a uid of its own is passed
 * over. */
void pod_table_put(struct pod_table *t, struct json_object *pod);

/** It was deleted, and this is the last of it: still reported as it ended, then as gone. */
void pod_table_remove(struct pod_table *t, struct json_object *pod);

/** Between these two every pod of a list is put; what was not is gone. */
void pod_table_begin_list(struct pod_table *t);
void pod_table_end_list(struct pod_table *t);

struct pods_follower *pod_table_follow(struct pod_table *t, const char *job_uid, pods_fn *fn, void *arg);
void pod_table_unfollow(struct pods_follower *f);

size_t pod_table_count(const struct pod_table *t);
