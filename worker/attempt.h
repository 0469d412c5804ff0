#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "k8s/manifest.h"
#include "queue/request.h"
#include "worker/config.h"

/* One attempt at a request as the cluster sees it: its name, its Job, its ConfigMap. Pure. */

enum { ATTEMPT_NAME_MAX = 64 };

/* Everything is borrowed. */
struct attempt {
    const struct config *config;
    const struct request *request;
    const struct language *language;
    const char *uid;        /* of the installation */
    const char *worker;     /* label of the shared watch */
    const char *token;      /* of the claim */
    const char *runner_map; /* ConfigMap with the runner; NULL: setting runner-path says where it is in the image */
    int number;             /* from 1 */
    int64_t ttl_ms;         /* of a Job that has ended and was not deleted; 0: the setting job-ttl */
    bool announce;          /* somebody listens to what the runner prints */
};

/** "execq-" + base32 of SHA-256(uid, queue, id), 32 characters, + "-" + number: the same for whoever takes the
 *  request up again, so that a second worker finds what the first began. */
void attempt_name(const struct attempt *a, char ret[ATTEMPT_NAME_MAX]);

/** The time that the runner has for everything: compile stage, run or cases. */
int64_t attempt_run_ms(const struct attempt *a);

int attempt_job(const struct attempt *a, struct buf *out, struct fault *f);

/** The code, and the plan that tells the runner what to do with it. */
int attempt_configmap(const struct attempt *a, const char *job_uid, struct buf *out, struct fault *f);
