#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/loop.h"

/* Removes the Jobs that workers left behind: every now and then lists those of this installation and deletes each
 * whose request is finished or forgotten. What still waits or runs is left to whoever takes the request up: it will
 * find the Job by its name. What nobody has heard of is another worker's own, its canary, as long as that one has a
 * seat under the name that the Job carries. */

struct kube;
struct queue;
struct sweeper;

struct sweeper_settings {
    struct kube *kube;
    struct queue *queue;
    const char *queue_name, *label; /* of the Jobs of this worker */
    int64_t period_ms;              /* between two rounds, half of it random; younger Jobs are left alone */
    bool (*is_held)(void *arg, const char *job); /* whether a pipeline of this process looks after it */
    void *arg;
};

struct sweeper *sweeper_new(struct loop *l, const struct sweeper_settings *s);
void sweeper_free(struct sweeper *s); /* after queue_free(): a question to the queue cannot be taken back */
DEFINE_CLEANUP(struct sweeper, sweeper_free)
