#pragma once
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/kube.h"
#include "worker/runner_programs.h"

/* The ConfigMap that brings the runner into every pod. It is shared by all workers of a namespace, owned by nobody,
 * immutable, and named by what is in it: workers of another version have one of their own beside it, and nothing has to
 * be renewed under pods that are just starting. */

enum {
    RUNNER_MAP_NAME = sizeof("execq-runner-") - 1 + 12 + 1,
    RUNNER_MAP_JSON_MAX = 1536 * 1024, /* a ConfigMap has at most 1 MiB of bytes, a third more as base64 */
};

/** The name for these programs, pure: a digest over their names and bytes. */
void runner_map_name(const struct runner_program *programs, size_t count, char ret[RUNNER_MAP_NAME]);

/** The ConfigMap as JSON, for an API call or for `kubectl create -f -`. */
int runner_map_json(const struct runner_program *programs, size_t count, struct buf *out, struct fault *f);

struct runner_map;

/** `programs` and what they point to are borrowed. */
struct runner_map *runner_map_new(struct kube *k, const struct runner_program *programs, size_t count);
void runner_map_free(struct runner_map *m); /* NULL is fine; ends what is under way without a callback */
DEFINE_CLEANUP(struct runner_map, runner_map_free)

/** `f` is NULL when the ConfigMap is there, with our bytes in it. Otherwise, borrowed for the call: a fault that passes
 *  (fault_is_passing(), a quota: refusal_is_quota()), after which it may be asked for again later, or one that says
 * what has to be done about it. */
typedef void runner_map_fn(void *arg, const struct fault *f);

/** Looks whether it is there and creates it if it is not. One at a time; may be asked again after the callback, also
 *  when it was there before: somebody may have deleted it. */
void runner_map_ask(struct runner_map *m, runner_map_fn *fn, void *arg);

const char *runner_map_get_name(const struct runner_map *m);
