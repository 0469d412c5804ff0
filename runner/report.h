#pragma once
#include "runner/emit.h"
#include "runner/files.h"
#include "runner/plan.h"
#include "runner/run.h"

/* What became of a plan, and its JSON (docs/runner.md lists the members). */

enum verdict { VERDICT_NONE, VERDICT_PASSED, VERDICT_WRONG, VERDICT_FAILED, VERDICT_SKIPPED, VERDICT_UNCHECKED };

struct outcome {
    struct why error; /* "": none; else what kept the runner from running anything */
    const char *at;   /* and where: "plan" or "files" */
    enum isolation isolation;
    bool network;              /* the code had the network that there was */
    bool has_compile, has_run; /* which of these ran */
    struct run_result compile, run;
    struct run_result *cases; /* case_count of them; skipped ones are empty */
    enum verdict *verdicts;
    size_t case_count;
    struct found_files files;
    int64_t wall_ms, clock_ms; /* how long it took, and when that was over, since 1970 */
    bool announce;             /* somebody may be listening to the log while it is written */
};

void report_write(const struct outcome *o, struct emit *j);
