#pragma once
#include <stdint.h>

/* How much memory a sandbox uses, from its own /proc (which lists nothing but its own processes). */

struct memory_use {
    int64_t bytes; /* what would be charged to its cgroup: anonymous and shared memory, no file pages */
    int processes;
};

/** `proc_fd`: the sandbox's /proc, opened. What is surely below `enough` is only estimated (from above), which is
 *  much cheaper. -1 if nothing could be read: it is dying. */
int memory_look(int proc_fd, int64_t enough, struct memory_use *ret);
