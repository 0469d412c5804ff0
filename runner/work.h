#pragma once
#include "runner/plan.h"
#include "runner/report.h"

/** Carries out a plan: files, compile stage, run or cases, output files. Nothing of it runs any more when this
 *  returns. The two paths are hidden from the code where that is possible. */
void work(const struct plan *p, const char *plan_path, const char *message_path, struct outcome *ret);
void work_release(struct outcome *o);
