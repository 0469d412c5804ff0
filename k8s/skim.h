#pragma once
#include <stddef.h>

#include "base/buf.h"

/* Leaves members out of a JSON text before it becomes objects: four fifths of a pod are what we sent ourselves, and
 * parsing them was the largest single cost of a watch. */

/** Appends `json`, one object, to `out` without the members whose paths stand in `leave_out` ("object.spec.volumes",
 *  ended by NULL; at most four names deep, names without escapes). A path goes on in each object of an array, as in
 *  "items.spec". What is left out is looked at only as far as is
 *  needed to find its end. Returns 0, or -1 with `out` as it was: not well formed, or over the ceiling; then the
 *  whole is for the parser to judge. */
int skim(const char *json, size_t len, const char *const leave_out[], struct buf *out);
