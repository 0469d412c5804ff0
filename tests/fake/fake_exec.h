#pragma once
#include "k8s/exec.h"

/* In place of k8s/exec.c: runs are counted, the test says what they give. */

void fake_exec_reset(void);
int fake_exec_runs(void);
bool fake_exec_running(void);

/** Ends the run that is under way; delivered by fake_loop_settle(). `expires_ms`: wall clock, 0 for none. */
void fake_exec_give(const char *token, const char *cert, const char *key, int64_t expires_ms);
void fake_exec_fail(const char *text);
