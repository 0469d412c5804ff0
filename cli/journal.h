#pragma once
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/fault.h"

/* What a batch has finished so far: RESULTS.part, a first line that names the batch, then one result a line in the
 * order of their coming. A process that is killed loses at most the line it was writing. */

struct journal;

/** Hands over each whole line that is there; `bytes` is borrowed. */
typedef void journal_found_fn(void *arg, const char *bytes, size_t len, off_t offset);

/** Opens or begins `path`, for one process at a time. FAULT_EXISTS: it belongs to another batch (another digest) or is
 *  in use. A torn last line is cut off. */
int journal_open(const char *path, const char *digest, journal_found_fn *found, void *arg, struct journal **ret,
                 struct fault *f);
void journal_free(struct journal *j);
DEFINE_CLEANUP(struct journal, journal_free)

/** Appends a line (`bytes` without line ends); `ret_offset` is where it begins. */
int journal_add(struct journal *j, const char *bytes, size_t len, off_t *ret_offset, struct fault *f);

/** To the disk, if something was added since. */
int journal_sync(struct journal *j, struct fault *f);

/** Copies one line of the journal to `fd`. */
int journal_copy(struct journal *j, off_t offset, size_t len, int fd, struct fault *f);

/** Removes the file: the batch is done. */
void journal_remove(struct journal *j);
