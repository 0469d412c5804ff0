#pragma once
#include "base/buf.h"
#include "worker/run.h"

/* The result of a request, from what is known of it: the runner's report, the verdict, the times. Pure. */

/* Everything is borrowed. */
struct answer {
    const char *id;
    const struct request *request; /* NULL: it could not be understood */
    const struct verdict *verdict;
    const struct run *run;        /* of the last attempt; zeroed if there was none */
    struct json_object *attempts; /* array; NULL: none */
    const char *worker;
    /* Since 1970, by one clock; over: when the run was known to have ended. */
    int64_t claimed_ms, over_ms, published_ms;
    bool bare; /* without what the request carries along and without `attempts`: where all of it is too large */
};

/** Appends the result in one line. Output is shortened until it fits; FAULT_TOO_BIG: not even so.
 *
 *  The times add up. A pod says whole seconds of its node's clock, so they are held between what the worker saw itself,
 *  and the runner knows exactly how long it took. */
int answer_encode(const struct answer *a, struct buf *out, struct fault *f);
