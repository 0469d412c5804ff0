#pragma once
#include "k8s/kube.h"

/* What a watch and an attach need of the client. For k8s/ alone. */

struct api;

struct api *kube_api(const struct kube *k);
struct loop *kube_loop(const struct kube *k);

/** The caller frees it. `version`: a resourceVersion. */
char *kube_watch_path(const struct kube *k, enum kube_kind kind, const char *selector, const char *version,
                      int timeout_s);
char *kube_attach_path(const struct kube *k, const char *pod, const char *container);
