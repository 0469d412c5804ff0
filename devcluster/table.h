#pragma once
#include <json-c/json_types.h>
#include <stddef.h>
#include <stdint.h>

#include "devcluster/kinds.h"

/** A meta.k8s.io/v1 Table of objects of one kind, as `kubectl get` prints it; owned by the caller. Ages are
 *  counted up to `now_ms`, milliseconds since 1970. */
struct json_object *table_of(const struct kind *kind, struct json_object *const items[], size_t n, uint64_t version,
                             int64_t now_ms);
