#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"

/* Starting a program with what posix_spawn(3) cannot do: another user, and limits. */

struct spawn {
    char *const *argv;     /* argv[0] is the path */
    int out;               /* becomes stdout and stderr */
    int extra;             /* becomes descriptor 3 */
    int null;              /* becomes stdin */
    int64_t uid;           /* the user and group to become, -1: stay */
    int64_t address_space; /* RLIMIT_AS, 0: as it is */
    int64_t processes;     /* RLIMIT_NPROC, 0: as it is */
};

/** Returns the process id, or -1. The environment is empty, signals are as the system gives them, the session is a
 *  new one. No other descriptors get there. */
pid_t spawn(const struct spawn *s, struct fault *f);
