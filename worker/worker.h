#pragma once
#include "base/cleanup.h"
#include "base/loop.h"
#include "worker/config.h"

/* The daemon: a seat at the queue, a client of the cluster, and as many pipelines as there are slots. */

struct worker;

/** Reads the credentials, starts connecting. Faults are for the operator. `config` is borrowed. */
int worker_new(struct loop *l, const struct config *config, struct worker **ret_worker, struct fault *f);
void worker_free(struct worker *w);
DEFINE_CLEANUP(struct worker, worker_free)

/** Works until a signal ends it, or something that an operator has to mend (the log says what). 0 after a drain, 1 if
 * it had to leave before that was done or because of such a thing. */
int worker_run(struct worker *w);
