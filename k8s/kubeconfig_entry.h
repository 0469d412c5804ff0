#pragma once
#include <json-c/json_types.h>

#include "base/fault.h"

/* One named entry of a kubeconfig file, and the reading of a cluster and of a user. For k8s/kubeconfig alone. */

struct kubeconfig;

enum kubeconfig_part { KUBECONFIG_CLUSTER, KUBECONFIG_USER, KUBECONFIG_CONTEXT };

/* Borrowed from the document and the list of files. */
struct kubeconfig_entry {
    const char *file; /* relative paths start at its folder */
    enum kubeconfig_part part;
    const char *name;
    struct json_object *body; /* NULL if there is none */
};

/** Fill their part of `c`; what was filled stays with `c` on failure too. Faults name file, entry and field. The
 *  cluster is read before the user. */
int kubeconfig_read_cluster(const struct kubeconfig_entry *e, struct kubeconfig *c, struct fault *f);
int kubeconfig_read_user(const struct kubeconfig_entry *e, struct kubeconfig *c, struct fault *f);

/** What the cluster has to tell to exec plugins; NULL if nothing. The caller ends it with json_object_put(). */
struct json_object *kubeconfig_exec_extension(const struct kubeconfig_entry *e);
