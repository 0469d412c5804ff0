#pragma once
#include <json-c/json_types.h>
#include <stddef.h>
#include <stdint.h>

#include "devcluster/kinds.h"

/** A meta.k8s.io/v1 Table of objects of one kind, as `kubectl get` prints it; owned by the caller. */
struct json_object *table_of(const struct kind *kind, struct json_object *const items[], size_t n, uint64_t version);
