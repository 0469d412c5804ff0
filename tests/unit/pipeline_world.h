#pragma once
/* One worker's pipelines between a queue and a cluster in memory, on the fake loop. Whatever happens there, each test
 * ends with world_end(): no call, follower, timer or claim is left. */
#include "unit/check.h"

#include "fake/fake_attach.h"
#include "fake/fake_kube.h"
#include "fake/fake_loop.h"
#include "fake/fake_queue.h"
#include "worker/early.h"
#include "worker/pipeline.h"

#define PAYLOAD "{\"id\":\"a1\",\"code\":\"print(6*7)\",\"timeout_s\":10}"
#define LABEL   "test-worker"
#define A_DAY   (24 * 3600 * 1000)

/* What the runner says. */
#define EXIT(code) "\"end\":\"exit\",\"exit_code\":" #code
#define SIGNAL(n)  "\"end\":\"signal\",\"signal\":" #n
#define ENDED(how) "\"end\":\"" how "\",\"signal\":15"
#define STOPPED    ENDED("stopped")

/* What it announces before its pod has ended. */
#define EARLY(word)                                               \
    "\n{\"execq_report\":1,\"isolation\":\"full\",\"run\":{" word \
    ",\"wall_ms\":70,\"cpu_ms\":20,\"max_rss_bytes\":4096,"       \
    "\"stdout\":\"early\\n\",\"stdout_bytes\":6,\"stderr\":\"\",\"stderr_bytes\":0},\"wall_ms\":80}\n"

struct world {
    struct loop *loop;
    struct queue *queue;
    struct kube *kube;
    struct pods *pods;
    struct early *early;
    struct config config;
    struct request_limits limits;
    struct pipeline_context context;
    struct pipeline *current; /* the last one that was started and is not done */
    int running, troubles;
};

void world_begin(struct world *w); /* nothing is planted, and every run goes well */

/** Takes it down after checking that nothing is left but `objects` in the cluster. */
void world_end(struct world *w, const char *row, size_t objects);

void world_free(struct world *w); /* unchecked */

/** Pushes a request and lets a day pass. */
void world_run(struct world *w, const char *payload);

/** A field of the last result, as text; "null" if there is none. `path`: a name, or two with a dot. Until the next
 *  call. */
const char *world_result(struct world *w, const char *path);

/** Fails unless the last result has this status, and this error.reason if one is given. */
void row_status(struct world *w, const char *row, const char *status, const char *reason);
