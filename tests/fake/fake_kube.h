#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "fake_objects.h"
#include "fake_pods.h"
#include "fake_run.h"
#include "k8s/kube.h"

/* A cluster in memory, on the fake loop: linked in place of k8s/kube.c and k8s/pods.c (execq_fake_kube). Here is what
 * answers the calls of k8s/kube.h, each one 10 ms later; what stands in the cluster is fake_objects.h, what its pods
 * do fake_run.h, and who follows them fake_pods.h. */

enum fake_verb { FAKE_CREATE, FAKE_GET, FAKE_LIST, FAKE_DELETE, FAKE_LOG };

struct kube *fake_kube_new(struct loop *l);

/** The nodes' clocks go ahead of ours by so much (or behind it). */
void fake_kube_clock(struct kube *k, int64_t ahead_ms);

/** Every call takes so much longer. */
void fake_kube_slow(struct kube *k, int64_t ms);

/** The next such call ends in this fault; `done`: it takes effect all the same. `times` such calls in all. At most 8
 *  such orders. */
void fake_kube_fault(struct kube *k, enum fake_verb verb, enum kube_kind kind, const struct fault *f, bool done,
                     int times);

int fake_kube_count(const struct kube *k, enum fake_verb verb, enum kube_kind kind);
int fake_kube_calls(const struct kube *k);   /* all of them */
size_t fake_kube_live(const struct kube *k); /* calls that have not come back, followers that were not ended */
/** JSON of the last Job or ConfigMap that was created; "" if there was none. */
const char *fake_kube_created(const struct kube *k, enum kube_kind kind);
