#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "worker/config.h"
#include "worker/finding.h"
#include "worker/report.h"
#include "worker/verdict.h"

/* The tiny programs of which it is known how they end, and what it means when one ends otherwise. A cluster that
 * turns its own faults into the user's shows here: lost streams, an out-of-memory kill that is only an exit code, a
 * network that is open. Pure. */

enum probe_kind {
    PROBE_LANGUAGE, /* prints to both streams, ends with 3 */
    PROBE_TIMEOUT,  /* prints, then sleeps for longer than it may */
    PROBE_MEMORY,   /* takes more than it may */
    PROBE_NETWORK,  /* tries what should be out of reach; also looks at the kernel */
};

enum {
    PROBE_LANGUAGES_MAX = 16,
    PROBES_MAX = PROBE_LANGUAGES_MAX + 3,
    PROBE_JSON_MAX = 16 << 10,
    PROBE_MEMORY_BYTES = 128 << 20, /* the limit of the memory probe, which takes twice as much */
};

struct probe {
    enum probe_kind kind;
    char language[32]; /* whose image it runs in */
};

/** The probes for a comma-separated list of languages, the setting `canary`: one a language, and timeout, memory and
 *  network in the first one's image. An empty list has none. FAULT_INVALID: there is no probe for a language, it is
 *  not among `languages`, or there are too many of them. */
int probes_of(const char *list, const struct languages *languages, struct probe ret[PROBES_MAX], size_t *ret_count,
              struct fault *f);

/** "python", "timeout", "memory", "network": fit for an id ("c++" is "cxx"). */
const char *probe_name(const struct probe *p);

/** Appends the request. `server` is the API server's URL; `timeout_s` is how long the timeout probe may run. */
int probe_request(const struct probe *p, const char *id, const char *server, int64_t timeout_s, struct buf *out,
                  struct fault *f);

/* How a probe ended; borrowed. */
struct probe_end {
    const struct verdict *verdict;
    const struct report *report; /* NULL: none */
    bool killed;                 /* the container ended without one, and the pod knows no reason */
    int64_t timeout_s;           /* as above */
};

void probe_judge(const struct probe *p, const struct config *c, const struct probe_end *e, struct finding *ret);

/** What the network probe saw of the kernel, compared with the setting `runtime-class`. Returns whether there is
 *  anything to say. */
bool probe_judge_runtime(const struct config *c, const struct probe_end *e, struct finding *ret);
