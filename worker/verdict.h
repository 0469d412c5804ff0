#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "k8s/pod_state.h"
#include "queue/request.h"
#include "queue/result.h"
#include "worker/report.h"

/* What became of an attempt: the words of the runner and of the cluster -> status and reason of docs/protocol.md.
 * Pure. */

struct verdict {
    enum status status;
    enum reason reason;
    bool hopeless; /* the same again would end the same way */
    bool access;   /* the way into the cluster is shut (refusal_is_access): no request is to blame */
    int exit_code, signal;
    char message[256]; /* for the error object; "" if there is nothing to say */
};

/** What the runner reported. It comes before what the pod says: where the code was done, it does not matter what
 *  happened to the pod. Only where the runner was stopped, or the pod died of its disk, the pod says why. */
void verdict_of_report(const struct report *report, const struct pod_state *pod, const struct request *r,
                       struct verdict *ret);

/** Whether the report does not tell all: the runner was stopped, or something was killed by nobody knows whom, and the
 *  pod's own end says what it was. */
bool verdict_needs_pod(const struct report *report);

/** Of a pod that ended without a report. */
void verdict_of_ended(const struct pod_state *pod, struct verdict *ret);

/** Of a pod that did not start in time, or cannot, or was taken away and does not end: `pod` NULL if none was ever
 * seen. */
void verdict_of_unended(const struct pod_state *pod, struct verdict *ret);

/** Of a call to the API that failed for good, `doing` what. */
void verdict_of_fault(const struct fault *f, const char *doing, struct verdict *ret);

/** One of our own making. */
void verdict_of_reason(enum reason reason, bool hopeless, const char *message, struct verdict *ret);

/** The runner should have reported long ago, on a node that is well: the code starves it. */
void verdict_of_silence(int64_t run_ms, struct verdict *ret);

/** Adds to the message what kept us from knowing more. */
void verdict_add(struct verdict *v, const char *what, const char *why);

/** The status of one of the runner's runs (a case, a compile stage) by itself. */
enum status verdict_of_run(const struct report_run *run);
