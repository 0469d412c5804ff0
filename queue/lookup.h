#pragma once
#include "base/cleanup.h"
#include "base/loop.h"

/* A name to an address without blocking (evdns): /etc/hosts, literal addresses, then the servers of
 * /etc/resolv.conf. Both files are read for each lookup: it follows a failure, and they may be why. */

struct lookup;

/** `address` is numeric, or NULL with the fault; both are borrowed for the call. Runs once, unless it is freed first.
 */
typedef void lookup_fn(void *arg, const char *address, const struct fault *f);

struct lookup *lookup_new(struct loop *l, const char *host, lookup_fn *fn, void *arg);
void lookup_free(struct lookup *u); /* also from within its callback; NULL is fine */
DEFINE_CLEANUP(struct lookup, lookup_free)
