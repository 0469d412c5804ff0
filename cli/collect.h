#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "cli/journal.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "cli/session.h"
#include "cli/tally.h"

/* Runs a batch: pushes its requests with a bounded number open at once, collects their results from one reply list
 * into the journal, and makes up for whatever is lost on the way.
 *
 * Nothing here runs twice: ids are the same each time, and workers drop repeats. So the one rule is to look at
 * result:ID and task:ID before pushing, and to push again whatever left no trace. */

struct collect {
    struct session *session;
    struct rows *rows;
    struct journal *journal;
    size_t window; /* open requests, at most */
    struct tally tally;
    struct progress progress;
};

/** For journal_open(): takes a result that an earlier run left in the journal. `arg` is the struct collect. */
void collect_found(void *arg, const char *bytes, size_t len, off_t offset);

/** Runs until every row is done. FAULT_CANCELLED: interrupted; other faults end the batch too. What is in the
 *  journal stays there either way. */
int collect_run(struct collect *c, struct fault *f);
