#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "devcluster/args.h"

/* One container: a process tree under bubblewrap, which has no network, sees the host's /usr read-only, a made-up
 * /etc and its volumes, and runs as process 1 of its own namespaces. Its memory is summed from /proc many times a
 * second; when it is over the limit, all of it is killed. The CPU limit is ignored. */

struct loop;
struct sandbox;

enum { SANDBOX_MOUNTS_MAX = 64, SANDBOX_PROCESSES_MAX = 512 };

struct sandbox_mount {
    char *from, *to;
    bool read_only;
};

struct sandbox_plan {
    const char *bwrap, *etc; /* borrowed: the program, and the folder that becomes /etc */
    struct args argv;        /* what to run */
    struct args env;         /* name, value, name, value, ... */
    struct sandbox_mount mounts[SANDBOX_MOUNTS_MAX];
    size_t n_mounts;
    char *hostname, *workdir;                  /* workdir NULL: / */
    char *termination_file, *termination_path; /* where the termination message goes, outside and inside */
    bool writable_tmp;                         /* the root file system is not read-only: /tmp can be written */
    int64_t uid, gid;                          /* inside */
    int64_t host_uid;                          /* outside: the user to become, -1: stay */
    int64_t memory;                            /* bytes, 0: no limit */
};

void sandbox_plan_release(struct sandbox_plan *plan);
void sandbox_plan_mount(struct sandbox_plan *plan, const char *from, const char *to, bool read_only);

struct sandbox_end {
    bool started;  /* false: the program could not be executed */
    int exit_code; /* 128 + N after signal N */
    bool out_of_memory;
};

struct sandbox_events {
    void (*output)(void *arg, const char *bytes, size_t len); /* stdout and stderr, in the order written */
    void (*running)(void *arg);                               /* the program runs; not called if it ended at once */
    void (*end)(void *arg, const struct sandbox_end *end);    /* exactly once, last; all output has been delivered */
};

/** Starts it; `plan` is only read. The events come from the loop, none before this has returned. */
int sandbox_start(struct loop *loop, const struct sandbox_plan *plan, const struct sandbox_events *events, void *arg,
                  struct sandbox **ret, struct fault *f);

/** Kills what still runs; no event follows. */
void sandbox_free(struct sandbox *s);
DEFINE_CLEANUP(struct sandbox, sandbox_free)

/** SIGKILL ends the whole tree, SIGTERM goes to its process 1. */
void sandbox_signal(struct sandbox *s, int signo);

/** The command line for bubblewrap; `status_fd` is where it reports. Pure. */
void sandbox_command(const struct sandbox_plan *plan, int status_fd, struct args *ret);
