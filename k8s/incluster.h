#pragma once
#include <stdbool.h>

#include "base/fault.h"

/* The credentials that a pod finds: KUBERNETES_SERVICE_HOST and _PORT, and token, ca.crt and namespace in a folder. */

struct kubeconfig;

#define INCLUSTER_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

/** Whether both variables are set. */
bool incluster_is(void);

/** `folder`: INCLUSTER_FOLDER, or a test's. The token must be there; without ca.crt the system's roots are used. */
int incluster_load(const char *folder, struct kubeconfig **ret_config, struct fault *f);
