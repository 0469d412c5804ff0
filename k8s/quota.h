#pragma once
#include <stdbool.h>

/* What a ResourceQuota says when it refuses. Pure. */

/** Whether the request alone is more than the whole quota allows, so that waiting for room is in vain:
 *  "exceeded quota: q, requested: limits.memory=4Gi, used: limits.memory=0, limited: limits.memory=2Gi"
 *  [kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota]. A quota of 0 is
 *  a door that is shut, for whatever while: false, as is a message that cannot be read or was cut. */
bool quota_never_fits(const char *message);
