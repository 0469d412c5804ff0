#pragma once
#include <json-c/json_types.h>

#include "devcluster/kinds.h"
#include "devcluster/refusal.h"

/* The part of validate.h that looks into pod templates. */

int validate_job(struct json_object *job, struct refusal *r);
int validate_pod(struct json_object *pod, struct refusal *r);

/** Of validate.c: names and values of a map of labels found at `path`. */
int validate_labels(struct json_object *labels, const char *path, const struct kind *kind, const char *name,
                    struct refusal *r);
