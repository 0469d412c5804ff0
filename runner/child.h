#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "runner/bytes.h"

/* One program, started in a session of its own with three descriptors and nothing else, as far away from the runner
 * as the kernel allows:
 *
 *   full     user, pid, mount, network, ipc and uts namespaces of its own and a fresh /proc. A nest, PID 1 of the pid
 *            namespace, stands between runner and program: it reaps, passes SIGTERM on and notes how the program
 *            ended. Whatever the program leaves behind dies with the nest.
 *   network  user, network, ipc and uts namespaces: where no fresh /proc may be mounted.
 *   none     neither: where unshare is refused (runc with the default seccomp profile).
 */
enum isolation { ISOLATION_NONE, ISOLATION_NETWORK, ISOLATION_FULL };

struct child_limits { /* 0: leave as it is */
    int64_t cpu_ms, file_size_bytes, processes, stack_bytes, address_bytes, open_files;
    int64_t core_bytes; /* here 0 is a limit of 0 */
};

struct child_spec {
    const char **argv, **env; /* env: the whole environment */
    const char *cwd;
    int in, out, err; /* each > 2 */
    struct child_limits limits;
    bool network;        /* leave it the network that there is */
    const char *hide[2]; /* files that a full isolation covers with /dev/null; NULL: none */
};

/* Where nest and child leave word, in memory shared with the runner that no exec keeps. */
enum child_word { CHILD_SILENT, CHILD_NOT_ISOLATED, CHILD_NOT_STARTED, CHILD_ENDED };

struct child_page {
    enum child_word word;
    int error;        /* CHILD_NOT_STARTED: an errno */
    const char *what; /* and what failed; a literal */
    int status;       /* CHILD_ENDED, from a nest: what wait() said of the program */
};

struct child {
    pid_t pid; /* the nest's in full isolation, else the program's */
    enum isolation isolation;
    volatile struct child_page *page;
};

/** Starts the program. -1: it could not be forked, or `level` is refused by this kernel (errno as fork's); a later
 *  refusal shows as the word CHILD_NOT_ISOLATED when it has ended. */
int child_start(const struct child_spec *spec, enum isolation level, struct child *ret_child);

/** SIGTERM for the program and its process group. */
void child_terminate(const struct child *c);

/** SIGKILL for all that belongs to it and can be named: the nest, or the process group. */
void child_kill(const struct child *c);

/** Forgets the page. The process must have been waited for. */
void child_release(struct child *c);
