#pragma once
/* A cluster in memory whose pods do what a canary's do on a healthy one. */
#include "unit/check.h"

#include "fake/fake_kube.h"
#include "fake/fake_loop.h"
#include "worker/canary.h"
#include "worker/readiness.h"

#define LABEL "test-worker"
#define A_DAY (24 * 3600 * 1000)

#define REPORT_IN(isolation, run)                                       \
    "{\"execq_report\":1,\"isolation\":\"" isolation "\",\"run\":{" run \
    ",\"wall_ms\":1,\"cpu_ms\":1,\"max_rss_bytes\":1},\"wall_ms\":2}"
#define REPORT(run)       REPORT_IN("full", run)
#define STREAM(n, s, len) "\"" n "\":\"" s "\",\"" n "_bytes\":" #len
#define EXIT(code)        "\"end\":\"exit\",\"exit_code\":" #code ","
#define TIMEOUT           "\"end\":\"timeout\",\"signal\":9,"
#define QUIET             STREAM("stderr", "", 0)
#define LOOKED            EXIT(0) STREAM("stdout", "looked\\n", 7) "," QUIET

struct world {
    struct loop *loop;
    struct config config;
    struct request_limits limits;
    struct cluster cluster;
    struct canary *canary;
    struct readiness *readiness;
    struct finding list[CANARY_FINDINGS_MAX];
    size_t count;
    int called, changes;
};

/* What the pod of the probe of Python does until it is told otherwise. */
extern const struct fake_run good_python;

/** `canary`: the setting. */
void world_begin(struct world *w, const char *canary);

/** `objects`: what stands in the cluster then. */
void world_end(struct world *w, const char *row, size_t objects);

/** The name of the Job that was made last; static. */
const char *world_last_job(const struct world *w);
