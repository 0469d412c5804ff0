#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Waiting for processes and ending what is left of them. The runner is PID 1 or a subreaper: every orphan below it
 * becomes its child. */

struct reaped {
    pid_t pid;      /* the one that is waited for */
    bool ended;     /* it has ended, */
    int status;     /* and how */
    int64_t cpu_us; /* of everything waited for so far */
    int64_t max_rss_bytes;
};

/** Becomes a subreaper, and hides the runner's memory and descriptors from the code where the kernel lets it. */
void reap_init(void);

/** Waits for whatever has ended, without blocking. */
void reap_ended(struct reaped *r);

/** Kills every process but the runner and waits for it, for two seconds at most: kill(-1) if the runner is PID 1,
 *  else its descendants only. Returns whether nothing is left. */
bool reap_everything(struct reaped *r);
