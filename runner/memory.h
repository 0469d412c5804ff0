#pragma once
#include <stdint.h>

/** How many processes the kernel has killed for want of memory in the control group that is visible here (v2:
 *  memory.events, v1: memory.oom_control); -1 where none is to be seen, as under gVisor. */
int64_t memory_kills(void);
