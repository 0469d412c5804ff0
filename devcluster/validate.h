#pragma once
#include <json-c/json_types.h>

#include "devcluster/kinds.h"
#include "devcluster/refusal.h"

/* What the API server checks before it stores something, for the fields that execq uses, with its codes and about its
 * words. What only this stand-in cannot do (more than one container, init containers) is refused with 422 too. */

/** Checks an object that is to be created in `ns` ("" for none) or to replace another one. */
int validate_object(const struct kind *kind, const char *ns, struct json_object *object, struct refusal *r);

/** What may not change: the whole data of an immutable ConfigMap, the pod template of a Job, ... */
int validate_update(const struct kind *kind, struct json_object *old, struct json_object *object, struct refusal *r);

/** Whether `name` is a DNS subdomain (lower-case letters, digits, '-', '.') of at most `max` characters. */
int validate_name(const char *name, size_t max);
