#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "k8s/kube.h"

/* The Jobs and ConfigMaps that stand in the cluster in memory (fake_kube.h): those that calls created, and those that
 * a test plants, which count as no call. A planted Job gets its pod as any other does: when a call creates its
 * ConfigMap. */

/** A Job that another worker, or somebody, made; its uid is "uid-planted". `deleting`: it is gone after 3 s, and
 *  gets no pod. */
void fake_kube_plant_job(struct kube *k, const char *json, bool deleting);
void fake_kube_plant_configmap(struct kube *k, const char *name, const char *owner_uid);
void fake_kube_plant_json(struct kube *k, enum kube_kind kind, const char *json); /* as it is */

size_t fake_kube_objects(const struct kube *k); /* Jobs and ConfigMaps that stand */
