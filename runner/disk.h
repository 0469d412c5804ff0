#pragma once
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

/* How much stands in the scratch folders, counted in slices of a few milliseconds so that nothing else waits for it.
 * Links are not followed. What was deleted and is still open is not seen. */

enum { DISK_DEPTH_MAX = 128 };

struct disk {
    const char **folders; /* borrowed; ended by NULL */
    size_t next;
    DIR *open[DISK_DEPTH_MAX];
    int depth;
    int64_t sum;
    bool deep; /* something was deeper than DISK_DEPTH_MAX */
};

void disk_init(struct disk *d, const char **folders);

/** Counts for about `slice_ms`. True when a count is complete: then `ret_bytes` has it (INT64_MAX if folders lie too
 *  deep to be counted), and the next call begins anew. */
bool disk_count(struct disk *d, int64_t slice_ms, int64_t *ret_bytes);
void disk_release(struct disk *d);
