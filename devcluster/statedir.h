#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

/* Where things live, and as whom the pods run. */

struct options;

struct statedir {
    char *dir;      /* kubeconfig, unless it is elsewhere */
    char *pods_dir; /* what pods can reach: every folder above it lets others pass */
    bool remove_dir, remove_pods_dir;
    int lock;          /* held while a temporary folder is in use; 0 or -1: none */
    int64_t first_uid; /* kubelet_new() */
};

/** Makes what is missing. Root's pods become users that nobody else is, so `pods_dir` is `dir` only if such a user
 *  can get there. */
int statedir_open(const struct options *o, struct statedir *ret, struct fault *f);
void statedir_release(struct statedir *s); /* removes what was temporary */
