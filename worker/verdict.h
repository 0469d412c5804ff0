#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "k8s/pod_state.h"
#include "queue/result.h"

/* What became of an attempt: the cluster's words -> status and reason of docs/protocol.md. Pure. */

struct verdict {
    enum status status;
    enum reason reason;
    bool hopeless; /* the same again would end the same way */
    bool has_log;  /* a container ran: there is output to fetch */
    int exit_code, signal;
    char message[256]; /* for the error object; "" if there is nothing to say */
};

/** Of a pod that ended. `timeout_ms` is the request's: a container that ran for longer was late, whoever noticed. */
void verdict_of_ended(const struct pod_state *pod, int64_t timeout_ms, struct verdict *ret);

/** Of a pod that did not start in time, or cannot: `pod` NULL if none was ever seen. */
void verdict_of_waiting(const struct pod_state *pod, struct verdict *ret);

/** Of a call to the API that failed for good, `doing` what. */
void verdict_of_fault(const struct fault *f, const char *doing, struct verdict *ret);

/** One of our own making. */
void verdict_of_reason(enum reason reason, bool hopeless, const char *message, struct verdict *ret);

/** The code ran out of its time. */
void verdict_of_timeout(int64_t timeout_ms, struct verdict *ret);
