#pragma once
#include <stdbool.h>

#include "devcluster/route.h"

/* What is no object: health, version, discovery, metrics, and the page where faults are ordered
 * (GET, POST, DELETE /devcluster/faults; POST /devcluster/compact forgets the history of changes). */

struct call;

/** Whether a page may be read without the token. */
bool pages_is_open(const char *path);

/** Answers a call; 404 for what there is not. */
void pages_handle(struct call *call, enum route_method method, const char *path);
