#pragma once
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/kube.h"
#include "k8s/pods.h"
#include "worker/config.h"
#include "worker/runner_map.h"

/* The settings' way into the cluster: credentials, client, the watch of one worker's pods, the runner's ConfigMap. */

struct kubeconfig;

struct cluster {
    struct kubeconfig *kubeconfig;
    struct kube *kube;
    struct pods *pods;
    struct runner_map *map; /* NULL: setting runner-path, the images have a runner */
    /* The pods were listed, and can be: the moment in which credentials and rights prove good. What is claimed before
     * would be lost on a cluster that does not let us in, while it loses nothing in the queue. */
    bool in_sight;
    void (*on_sight)(void *arg); /* it changed; NULL: nobody wants to know */
    void *arg;
};

/** `cluster` is zeroed. `label` selects the pods; `may_write` as in kube_settings, NULL: always. Nothing is asked of
 * the cluster yet but the list of pods. */
int cluster_open(struct cluster *c, struct loop *l, const struct config *config, const char *label,
                 bool (*may_write)(void *arg), void *arg, struct fault *f);

/** Followers and calls must be gone; also half-open or zeroed. */
void cluster_close(struct cluster *c);

/** The ConfigMap's name for attempts; NULL with runner-path. */
static inline const char *cluster_runner_map(const struct cluster *c)
{
    return c->map ? runner_map_get_name(c->map) : NULL;
}
