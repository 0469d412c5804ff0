#pragma once
#include <json-c/json_types.h>
#include <stdint.h>

#include "devcluster/kinds.h"

/** Fills in what the API server fills in on creation: the type, uid, creationTimestamp and the defaults of a Job, a
 *  Pod, a namespace. What only the server may set and the object carried is dropped. The object has been checked. */
void defaults_fill(const struct kind *kind, const char *ns, struct json_object *object, int64_t wall_ms);
