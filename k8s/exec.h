#pragma once
#include <stdint.h>

#include "base/loop.h"

/* One run of an exec credential plugin (client.authentication.k8s.io/v1 and v1beta1): a child process that prints an
 * ExecCredential. It gets no descriptors of ours but stderr, which passes through; its stdin is empty. Output is
 * capped at 1 MiB. When it ends, or has to be ended, all that it started is killed. */

struct exec;
struct exec_credential;
struct kubeconfig;

/** Runs exactly once, never after exec_cancel(); one of the two is NULL. `c` may be taken from, field by field.
 *  Faults: INVALID if the command is not there or answers what is no credential (installHint is in the text),
 *  TRANSIENT if it fails, TIMEOUT. */
typedef void exec_fn(void *arg, struct exec_credential *c, const struct fault *f);

/** `config` (with its exec) and `ca` (PEM, for provideClusterInfo; may be NULL) are read before this returns. Never
 *  NULL. */
struct exec *exec_start(struct loop *l, const struct kubeconfig *config, const char *ca, int64_t limit_ms, exec_fn *fn,
                        void *arg);

/** Kills the plugin if it runs, and clears the pointer. */
void exec_cancel(struct exec **e);
