#pragma once
#include "k8s/pods.h"

/* In place of k8s/pods.c: the pods of the cluster in memory (fake_kube.h), on the fake loop. A Job whose ConfigMap is
 * there gets a pod, which waits, starts and ends as fake_run.h says; whoever follows the Job is told of each step at
 * once. There is no list and no watch, so on_notice() is never called; a selector is not looked at: pods_new() gives
 * pods of every Job. */

struct pods *fake_pods_new(struct kube *k, const char *label); /* the shared watch of that worker */
