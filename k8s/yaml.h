#pragma once
#include <json-c/json_types.h>
#include <stddef.h>

#include "base/fault.h"

/* One YAML document as a JSON value, which base/field.h then reads: what kubectl does with a kubeconfig too. Plain
 * scalars become null, booleans and numbers where they look like one, quoted ones stay strings.
 *
 * Ceilings: 1 MiB of text, 32 levels, 100,000 nodes with what aliases stand for counted each time. Refused, and
 * said so with the line: a second document, a name twice in one mapping, a merge key ("<<"), an alias inside its own
 * anchor, a tag that is not of the core schema. */

enum { YAML_TEXT_MAX = 1 << 20, YAML_DEPTH_MAX = 32, YAML_NODES_MAX = 100000 };

/** The caller ends the value with json_object_put(). An empty document is NULL. */
int yaml_parse(const char *bytes, size_t len, struct json_object **ret_value, struct fault *f);
