#pragma once
#include <json-c/json_types.h>
#include <stdint.h>

#include "base/fault.h"
#include "devcluster/sandbox.h"

/* A pod's volumes as folders below its own: ConfigMaps are written out, emptyDirs made, others are empty and
 * read-only. */

struct store;

/** Makes them below `dir` and adds the container's mounts to `plan`. `owner` (-1: nobody else) gets the emptyDirs.
 *  FAULT_GONE: a ConfigMap is not there yet, the text says which; anything else will not pass. */
int volumes_make(struct store *store, struct json_object *pod, const char *dir, int64_t owner,
                 struct sandbox_plan *plan, struct fault *f);

/** Removes a folder and all that is in it. */
void volumes_remove(const char *dir);
