#pragma once
#include "queue/request.h"
#include "queue/result.h"
#include "worker/report.h"

/* The runner's report as the members of a result: pure. */

struct answer {
    struct result_compile compile;
    struct result_case *cases;
    struct result_file *files;
};

/** Fills streams, usage, compile, cases and files of `ret_result` from `report`, from which they are borrowed; the
 *  arrays are `ret_answer`'s, which the caller releases after the result was encoded. */
void answer_fill(const struct request *request, const struct report *report, struct answer *ret_answer,
                 struct result *ret_result);
void answer_release(struct answer *a);
