#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* What goes to and comes from an exec credential plugin, pure. */

struct kubeconfig;

struct exec_credential {
    char *token;        /* NULL if there is none */
    char *cert, *key;   /* PEM; NULL if there are none */
    int64_t expires_ms; /* wall clock; 0: until the server refuses it */
};
void exec_credential_release(struct exec_credential *c); /* secrets are wiped; also a cleanup */

/** The JSON for KUBERNETES_EXEC_INFO, which the caller frees. `ca`: PEM, for provideClusterInfo; may be NULL. */
char *exec_info(const struct kubeconfig *config, const char *ca);

/** The plugin's output -> credential. It must answer in the version that it was asked in. */
int exec_parse(const char *output, size_t len, const char *api_version, struct exec_credential *ret, struct fault *f);
