#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>

#include "devcluster/kinds.h"
#include "devcluster/refusal.h"

/* Creating and changing objects as the API server does: checks, defaults, system fields. Deleting is reaper.h. */

struct cluster;
struct object;

/** Creates an object in `ns` ("" for a kind without). Takes `json`. With `dry_run` nothing is stored; `*ret_dry` is
 *  then what would have been, the caller's. */
int objects_create(struct cluster *c, const struct kind *kind, const char *ns, struct json_object *json, bool dry_run,
                   struct object **ret, struct json_object **ret_dry, struct refusal *r);

/** Replaces an object (PUT). Takes `json`. */
int objects_update(struct cluster *c, struct object *o, struct json_object *json, struct refusal *r);

/** Applies a JSON merge patch (RFC 7386); borrowed. */
int objects_patch(struct cluster *c, struct object *o, struct json_object *patch, struct refusal *r);

/** Stores a core/v1 Event about an object: type "Normal" or "Warning". The oldest ones make room. */
void objects_event(struct cluster *c, const struct object *about, const char *type, const char *reason,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/** What a new cluster holds: the namespaces default and kube-system, their service account, a node for `pods` pods. */
void objects_first(struct cluster *c, int pods);
