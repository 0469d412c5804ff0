#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "k8s/api.h"
#include "k8s/kube.h"

/* Between the verbs (k8s/kube.c) and the server (k8s/api): holds writes back, keeps to the limits of the lanes, and
 * repeats what fails in passing. For k8s/kube.c alone.
 *
 *   new -> held -> queued -> sent -> ended            (reads skip held)
 *                    ^         |
 *     held, queued <- waiting <-     a passing fault; or straight to queued for the next page of a list
 */

struct sender;

enum call_at { CALL_NEW, CALL_HELD, CALL_QUEUED, CALL_SENT, CALL_WAITING, CALL_ENDED };

/** What a 2xx answer holds: 0 with `ret` filled, 1 if the call goes on (path changed), -1 with a fault, which is
 *  repeated if it is a passing one. */
typedef int call_read_fn(struct kube_call *c, const struct http_reply *in, struct kube_reply *ret, struct fault *f);

struct kube_call {
    struct sender *sender;
    enum call_at at;
    enum api_lane lane;
    const char *method;
    bool write, cut;
    bool begins;       /* something new: it comes behind everything that waits and does not */
    char *path, *body; /* owned */
    size_t body_len, max;
    call_read_fn *read;
    const char *const *keep;              /* members of the answer that are read, as in k8s/prune.h; NULL: all */
    void (*on_gone)(struct kube_call *c); /* a 410 is no end but a new beginning (pages that expired); or NULL */
    kube_fn *fn;
    void *arg;
    int tries;     /* failed so far */
    int forbidden; /* of them, for want of a right */
    int64_t budget_end_ms;
    struct fault last;
    struct api_call *call;
    struct loop_timer *turn, *budget, *pause;
    /* A list that comes in pages: the address of the first, and what has come; or who gets each page, and whether
     * one has come. */
    char *first_page;
    kube_page_fn *page;
    bool begun;
    struct json_object *joined;
    size_t joined_bytes;
    TAILQ_ENTRY(kube_call) entry, gate;
};

struct sender_settings {
    int64_t call_ms, budget_ms;
    double writes_per_second;
    unsigned at_once[API_LANES]; /* requests; of the lanes short and log */
    bool (*may_write)(void *arg);
    void *may_write_arg;
};

struct sender *sender_new(struct api *a, const struct sender_settings *s);
void sender_free(struct sender *s);

/** Takes over what `filled` owns. */
struct kube_call *sender_start(struct sender *s, const struct kube_call *filled);
void sender_cancel(struct kube_call *c);
void sender_resume(struct sender *s);
