#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/loop.h"

/* The Kubernetes verbs that execq needs, each one asynchronous call on the loop. Credentials are looked after here
 * (k8s/kubeconfig, k8s/auth), so is repeating what fails in passing: 429, 5xx, resets and time-outs are tried again
 * within budget_ms, obeying Retry-After, and only then reported. A missing right is asked for again for three seconds:
 * an API server that has just started knows no Role for a moment, and refuses everyone (seen on 1.34 and 1.35). A
 * create that is repeated may meet its own first try: that is FAULT_EXISTS, as for any other object of that name. */

struct kube;
struct kube_call; /* one outstanding call */
struct kubeconfig;

enum kube_kind { KUBE_CONFIGMAP, KUBE_JOB, KUBE_POD, KUBE_EVENT };

struct kube_settings {
    const struct kubeconfig *config; /* borrowed for the client's life */
    const char *namespace_;          /* NULL: the context's */
    int64_t call_ms;                 /* for one try; 0: 10000 */
    int64_t budget_ms;               /* for a call with all its repeats; 0: 30000 */
    double writes_per_second;        /* creates and deletes, token bucket; 0: 50 */
    unsigned connections;            /* for short calls; 0: 8. The watch and the logs have their own */
    unsigned log_reads;              /* logs read at once; 0: 16 */
    size_t reply_max;                /* bytes of one reply; 0: 16 MiB */
    bool (*may_write)(void *arg); /* asked before each create and delete is sent: false holds it back. NULL: always */
    void *may_write_arg;
};

/** Reads the credentials' files; a fault names the one that cannot be used. The process must ignore SIGPIPE. */
int kube_new(struct loop *l, const struct kube_settings *s, struct kube **ret_kube, struct fault *f);
void kube_free(struct kube *k); /* NULL is fine; outstanding callbacks do not run any more */
DEFINE_CLEANUP(struct kube, kube_free)

struct kube_reply {
    int status;                 /* HTTP */
    struct json_object *object; /* what came as JSON; NULL for a log */
    const char *bytes;          /* of a log or a path; NULL otherwise */
    size_t len;
    bool truncated; /* the log was longer than asked for */
};

/** Runs exactly once, never after kube_cancel(); one of `reply` and `f` is NULL; both are borrowed for the call.
 *  Faults: EXISTS (409 AlreadyExists), GONE (404, 410), REFUSED (401, 403, 400, 409 Conflict, 422; code tells),
 *  TOO_BIG (413, or over reply_max), INVALID (a credential plugin that is not there or answers nonsense), and, when
 *  the budget is used up, TRANSIENT, THROTTLED or TIMEOUT. The budget begins with the first try: what a call waits
 *  before, held back or for its turn, does not count. */
typedef void kube_fn(void *arg, const struct kube_reply *reply, const struct fault *f);

/** `body` is copied. Only metadata.name and metadata.uid of the object that comes back are read. */
struct kube_call *kube_create(struct kube *k, enum kube_kind kind, const char *body, size_t len, kube_fn *fn,
                              void *arg);
struct kube_call *kube_get(struct kube *k, enum kube_kind kind, const char *name, kube_fn *fn, void *arg);
/** `selector` is a label selector, `fields` a field selector; NULL for none. Comes whole (pages are joined). */
struct kube_call *kube_list(struct kube *k, enum kube_kind kind, const char *selector, const char *fields, kube_fn *fn,
                            void *arg);

/** `items` is an array, borrowed for the call, from which the call must not be cancelled. A list that expires half-way
 *  begins again: then `first` is true once more. */
typedef void kube_page_fn(void *arg, struct json_object *items, bool first);

/** As kube_list(), a page at a time: thousands of objects never stand in memory together. `fn` comes last and gets the
 *  last page. `keep` (k8s/prune.h; not copied): KUBE_LIST_KEEPS, and the members that are read, as "items.metadata". */
#define KUBE_LIST_KEEPS "metadata"
struct kube_call *kube_walk(struct kube *k, enum kube_kind kind, const char *selector, const char *const keep[],
                            kube_page_fn *page, kube_fn *fn, void *arg);
/** Background propagation; `uid` (NULL: any) as precondition: another object of that name is REFUSED, code 409. What
 *  comes back is read as after kube_create(). */
struct kube_call *kube_delete(struct kube *k, enum kube_kind kind, const char *name, const char *uid, kube_fn *fn,
                              void *arg);
/** The pod's log: at most `limit` bytes from its start, or the last `tail_lines` if that is > 0. */
struct kube_call *kube_log(struct kube *k, const char *pod, const char *container, size_t limit, int tail_lines,
                           kube_fn *fn, void *arg);
/** GET of a path outside any kind ("/version", "/readyz"): the bytes, and the object too if they are JSON. */
struct kube_call *kube_get_path(struct kube *k, const char *path, kube_fn *fn, void *arg);

/** Ends the call if there is one and clears the pointer. What was sent may still take effect. */
void kube_cancel(struct kube_call **call);

/** Looks at once whether the held writes may go: for when may_write became true. Otherwise it is asked every second. */
void kube_resume(struct kube *k);

const char *kube_namespace(const struct kube *k);
const char *kube_server(const struct kube *k); /* for people */
/** How many requests were sent so far, by all verbs, repeats included. */
int64_t kube_requests(const struct kube *k);
