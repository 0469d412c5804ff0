#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"
#include "queue/result.h"

/* Whether a request gets another attempt, and when: pure. */

struct retry_case {
    enum status status;
    enum reason reason;
    bool hopeless;        /* the same again would end the same way */
    unsigned infra, code; /* what the request allows */
    char *const *on;      /* narrows it to these statuses and reasons; NULL: all */
    int infra_used, code_used;
    bool access;       /* the way into the cluster is shut (refusal_is_access) */
    int64_t waited_ms; /* since the first refusal by a quota or for want of access, 0 if this is it */
    int64_t left_ms;   /* until the request's deadline; INT64_MAX if it has none */
};

struct retry_plan {
    bool again;
    enum queue_charge charge;
    int64_t delay_ms;
};

/** `random` is 32 random bits. The rules:
 *  - a quota that is used up, and credentials or rights that the operator has to mend, charge nothing for
 *    QUOTA_PATIENCE_MS, then count as a fault of our side (not where the whole quota is too small: hopeless);
 *  - a fault of our side is repeated `infra` times, unless it is hopeless, poison or internal;
 *  - a failure of the code (not ok) is repeated `code` times;
 *  - never when the next attempt would start after the deadline.
 *  Delays double from 1 s (quota, access: 5 s) to 30 s, of which a random half is taken off. */
struct retry_plan retry_decide(const struct retry_case *c, uint32_t random);

enum { QUOTA_PATIENCE_MS = 600000 };
