#include "devcluster/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXTRA_FD = 3, FIRST_FREE_FD = 10, PODS_NICE = 5 /* we, and who talks to us, come first */ };

static void limit(__rlimit_resource_t what, int64_t value)
{
    struct rlimit r = {.rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value};

    setrlimit(what, &r);
}

/* Runs in the child, which shares our memory until it executes: nothing but system calls in here. */
static __attribute__((noreturn)) void child(const struct spawn *s)
{
    static char *const no_environment[] = {NULL};
    sigset_t none;
    int out, extra, null;

    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    out = fcntl(s->out, F_DUPFD_CLOEXEC, FIRST_FREE_FD); /* out of the way of 0 to 3 */
    extra = fcntl(s->extra, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    null = fcntl(s->null, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
        dup2(extra, EXTRA_FD) < 0)
        _exit(126);
    close_range(EXTRA_FD + 1, ~0U, 0); /* whatever we were started with is not for pods */
    limit(RLIMIT_CORE, 0);
    setpriority(PRIO_PROCESS, 0, PODS_NICE);
    if (s->address_space > 0)
        limit(RLIMIT_AS, s->address_space);
    if (s->processes > 0)
        limit(RLIMIT_NPROC, s->processes);
    /* the bare calls: libc's would try to tell threads about it */
    if (s->uid >= 0 && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, s->uid, s->uid, s->uid) < 0 ||
                        syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0))
        _exit(126);
    execve(s->argv[0], s->argv, no_environment);
    _exit(127);
}

pid_t spawn(const struct spawn *s, struct fault *f)
{
    pid_t pid = vfork(); /* a fork would copy the page tables of all objects for every pod */

    if (pid == 0)
        child(s);
    return pid < 0 ? fault_errno(f, errno, "cannot start a process") : pid;
}
