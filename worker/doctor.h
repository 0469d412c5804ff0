#pragma once
#include <stdbool.h>

#include "base/loop.h"
#include "worker/config.h"

/* execq-worker --doctor: looks at everything a worker needs, and says what has to be changed. It takes a seat at the
 * queue for a moment, makes the runner's ConfigMap if it is not there, and runs the canary; it claims no request. What
 * does not answer is called bad after `call-budget`, so it always ends. */

enum { DOCTOR_WELL = 0, DOCTOR_BAD = 1, DOCTOR_SETTING = 2 };

/** Runs the loop, prints the findings on stdout (as a table or as one JSON object) and returns one of the above.
 * Warnings are well; what could not be found out is bad. */
int doctor_run(struct loop *l, const struct config *c, bool json);
