#pragma once
#include <json-c/json_types.h>

#include "base/buf.h"
#include "base/fault.h"
#include "devcluster/args.h"
#include "devcluster/sandbox.h"

/** Fills what a pod's spec says about its process: argv, environment, user, working directory, memory, the path of
 *  the termination message. Volumes and the borrowed paths are the caller's part. */
int podplan_read(struct json_object *pod, struct sandbox_plan *plan, struct fault *f);

/** Replaces $(NAME) by the value of NAME in `env` (name, value, name, value, ...); unknown ones stay, $$(NAME) gives
 *  $(NAME). */
int podplan_expand(const char *text, const struct args *env, struct buf *ret, struct fault *f);
