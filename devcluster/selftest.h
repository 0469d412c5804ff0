#pragma once
#include <stdint.h>

#include "base/fault.h"

struct cluster;

/** Runs one empty sandbox, so that a machine where none can run says so at once and not by failing pods. Waits for it
 *  (some milliseconds, before anything is served). Also finds bubblewrap if no path was given. */
int selftest_sandbox(struct cluster *c, const char *dir, int64_t uid, struct fault *f);

/** The path of bubblewrap in PATH, the caller's. */
int selftest_find(const char *program, char **ret, struct fault *f);
