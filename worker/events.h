#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>

#include "worker/verdict.h"

/* Why there is no pod, or no container, where only the events can tell: pure. */

/** What this list of events tells of a Job without a pod or a pod without a container; false if it tells nothing.
 * `uid`: whose events count, or NULL for all. `ret_final`: waiting would change nothing. */
bool events_explain(struct json_object *events, const char *uid, struct verdict *ret, bool *ret_final);
