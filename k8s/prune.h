#pragma once
#include <stddef.h>

#include "base/buf.h"

/* Keeps of a JSON text what somebody reads before it becomes objects: eight ninths of a pod are what we sent ourselves
 * and who changed it when, and parsing them was the largest single cost of a watch. */

/** Appends `json`, one object, to `out` with no other members than those whose paths stand in `keep`
 *  ("object.metadata.name", ended by NULL; no path of 128 bytes or more, names without escapes), each with all that is
 *  in it. A path goes on in each object of an array, as in "items.metadata"; what has no members where a path goes on
 *  is kept as it is. What is left out is looked at only as far as is needed to find its end. Returns 0, or -1 with
 *  `out` as it was: not well formed, or over the ceiling; then the whole is for the parser to judge. */
int prune(const char *json, size_t len, const char *const keep[], struct buf *out);
