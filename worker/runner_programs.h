#pragma once
#include <stddef.h>

/* The runner (docs/runner.md) for each architecture that it was built for, as part of this program: the worker needs
 * no file beside it. The native one is always there. */

struct runner_program {
    const char *arch;  /* as the node's label kubernetes.io/arch says it: "amd64", "arm64". Key in the ConfigMap */
    const char *bytes; /* an ELF file; lives as long as the process */
    size_t len;
};

/** All of them; returns how many, at least 1. The order is the same in every build. */
size_t runner_programs(const struct runner_program **ret);

/** The one for nodes of `arch`; NULL if there is none ("" has none either). */
const struct runner_program *runner_program_for(const char *arch);
