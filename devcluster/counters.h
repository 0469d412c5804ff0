#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "devcluster/kinds.h"

/* How many requests there were, for /metrics: tests assert on them. */

struct counters;
struct cluster;

struct counters *counters_new(void);
void counters_free(struct counters *c);

/** Counts a request; `kind` NULL for the pages that are no objects. */
void counters_request(struct counters *c, enum verb verb, const struct kind *kind);

/** All numbers of the cluster as Prometheus text. */
int counters_print(const struct cluster *cluster, struct buf *b, struct fault *f);
