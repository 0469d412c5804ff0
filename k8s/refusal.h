#pragma once
#include <stdbool.h>

#include "base/fault.h"

/* What a refusal by the API server, or on the way to it, is about; of the faults of k8s/kube.h. Pure. */

/** Whether a refusal says that a quota is used up: to be waited for, not to be blamed on anyone. */
bool refusal_is_quota(const struct fault *f);

/** Whether the API server said that this account may not do that at all: a right is missing (RBAC), whatever was asked
 *  for. A policy that refuses the object itself (403, too) is none. */
bool refusal_is_forbidden(const struct fault *f);

/** Whether the way into the cluster is shut, which its operator has to mend and no request is to blame for: a right is
 *  missing, the credentials are not taken (401), a credential plugin fails, the server's certificate is not trusted. */
bool refusal_is_access(const struct fault *f);
