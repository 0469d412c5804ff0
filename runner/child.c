#include "runner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/nest.h"

static void limit(int resource, int64_t soft, int64_t hard)
{
    struct rlimit now, want = {.rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard};

    if (getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY && want.rlim_max > now.rlim_max) {
        want.rlim_max = now.rlim_max;
        if (want.rlim_cur > want.rlim_max)
            want.rlim_cur = want.rlim_max;
    }
    setrlimit(resource, &want);
}

/* RLIMIT_NPROC counts what a user has in a user namespace. Outside of one of our own that is every pod of the node
 * that runs under the same number, so it is left alone there. */
static void set_limits(const struct child_limits *l, enum isolation isolation)
{
    int64_t cpu_s = (l->cpu_ms + 999) / 1000;

    limit(RLIMIT_CORE, l->core_bytes, l->core_bytes);
    if (l->cpu_ms)
        limit(RLIMIT_CPU, cpu_s, cpu_s + 1);
    if (l->file_size_bytes)
        limit(RLIMIT_FSIZE, l->file_size_bytes, l->file_size_bytes);
    if (l->stack_bytes)
        limit(RLIMIT_STACK, l->stack_bytes, l->stack_bytes);
    if (l->open_files)
        limit(RLIMIT_NOFILE, l->open_files, l->open_files);
    if (l->processes && isolation != ISOLATION_NONE) {
        int64_t most = l->processes + (isolation == ISOLATION_FULL); /* the nest is one */

        limit(RLIMIT_NPROC, most, most);
    }
    if (l->address_bytes)
        limit(RLIMIT_AS, l->address_bytes, l->address_bytes);
}

void child_default_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};

    for (int i = 1; i < 65; i++)
        sigaction(i, &plain, NULL);
}

static void reset_signals(void)
{
    sigset_t none;

    child_default_signals();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void give_up(volatile struct child_page *page, const char *what)
{
    page->error = errno;
    page->what = what;
    page->word = CHILD_NOT_STARTED;
    _exit(127);
}

/* From fork to exec. Nothing of the runner's but memory reaches this far, and exec ends that. */
_Noreturn void child_become(const struct child_spec *spec, enum isolation isolation, volatile struct child_page *page)
{
    setsid();
    if (dup2(spec->in, 0) < 0 || dup2(spec->out, 1) < 0 || dup2(spec->err, 2) < 0)
        give_up(page, "set up the streams of");
    child_close_from(3);
    if (chdir(spec->cwd) < 0)
        give_up(page, "change to the working directory of");
    child_drop_privileges();
    set_limits(&spec->limits, isolation);
    reset_signals();
    environ = (char **)spec->env;
    execvp(spec->argv[0], (char *const *)spec->argv);
    give_up(page, "start");
}

void child_close_from(unsigned first)
{
    int most = 65536;
    struct rlimit l;

    if (syscall(SYS_close_range, first, ~0U, 0) == 0)
        return;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < (rlim_t)most)
        most = (int)l.rlim_cur;
    for (int fd = (int)first; fd < most; fd++)
        close(fd);
}

/* A new user namespace gives every capability in it, and user 0 keeps them over an exec: neither is for the code. */
void child_drop_privileges(void)
{
    struct {
        uint32_t version;
        int pid;
    } head = {0x20080522, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } none[2] = {{0, 0, 0}, {0, 0, 0}};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (int cap = 0; cap < 64; cap++)
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    prctl(PR_SET_SECUREBITS, 0x3, 0, 0, 0); /* SECBIT_NOROOT and its lock */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    syscall(SYS_capset, &head, none);
}

static int flags_of(const struct child_spec *spec, enum isolation level)
{
    int flags = 0;

    if (level != ISOLATION_NONE)
        flags = CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS | (spec->network ? 0 : CLONE_NEWNET);
    if (level == ISOLATION_FULL)
        flags |= CLONE_NEWPID | CLONE_NEWNS;
    return flags;
}

int child_start(const struct child_spec *spec, enum isolation level, struct child *ret_child)
{
    volatile struct child_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                                            0);
    uid_t uid = geteuid();
    gid_t gid = getegid();
    pid_t runner = getpid(), pid;
    int error;

    if (page == MAP_FAILED)
        return -1;
    /* Only in a process without threads is a bare clone as good as fork; the runner has none. */
    pid = level == ISOLATION_NONE ? fork() : (pid_t)syscall(SYS_clone, flags_of(spec, level) | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (level == ISOLATION_NONE && getppid() != runner)
            _exit(127);
        nest_run(spec, level, uid, gid, page);
    }
    error = errno;
    if (pid < 0) {
        munmap((void *)page, sizeof(*page));
        errno = error;
        return -1;
    }
    *ret_child = (struct child){.pid = pid, .isolation = level, .page = page};
    return 0;
}

void child_terminate(const struct child *c)
{
    if (c->isolation == ISOLATION_FULL || kill(-c->pid, SIGTERM) < 0)
        kill(c->pid, SIGTERM);
}

void child_kill(const struct child *c)
{
    if (c->isolation != ISOLATION_FULL)
        kill(-c->pid, SIGKILL);
    kill(c->pid, SIGKILL);
}

void child_release(struct child *c)
{
    if (c->page)
        munmap((void *)c->page, sizeof(*c->page));
    c->page = NULL;
}
