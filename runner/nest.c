#include "runner/nest.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), result;
    ssize_t n;

    if (fd < 0)
        return -1;
    n = write(fd, text, strlen(text));
    result = n == (ssize_t)strlen(text) ? 0 : -1;
    close(fd);
    return result;
}

/* The same numbers inside as outside: files keep their owner, and a user other than 0 loses all capabilities with
 * its first exec. */
static int map_user(uid_t uid, gid_t gid)
{
    char map[48];

    write_file("/proc/self/setgroups", "deny"); /* older kernels and gVisor do without */
    snprintf(map, sizeof(map), "%u %u 1", (unsigned)uid, (unsigned)uid);
    if (write_file("/proc/self/uid_map", map) < 0)
        return -1;
    snprintf(map, sizeof(map), "%u %u 1", (unsigned)gid, (unsigned)gid);
    return write_file("/proc/self/gid_map", map);
}

/* Programs that talk to themselves over 127.0.0.1 work; nothing else is in reach. */
static void loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP;
        ioctl(fd, SIOCSIFFLAGS, &request);
    }
    close(fd);
}

static int fresh_proc(const struct child_spec *spec)
{
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(spec->hide); i++)
        if (spec->hide[i])
            mount("/dev/null", spec->hide[i], NULL, MS_BIND, NULL); /* of use, but nothing rests on it */
    return 0;
}

static pid_t program;

static void pass_on(int signo)
{
    kill(-program, signo);
}

static _Noreturn void watch_over(volatile struct child_page *page)
{
    struct sigaction forward = {.sa_handler = pass_on};
    sigset_t none;
    int status;
    pid_t pid;

    child_close_from(0);
    child_drop_privileges();
    child_default_signals(); /* which PID 1 of a namespace ignores, whoever in it sends them */
    sigaction(SIGTERM, &forward, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (;;) {
        pid = wait(&status);
        if (pid == program) {
            page->status = status;
            if (page->word == CHILD_SILENT)
                page->word = CHILD_ENDED;
            _exit(0);
        }
        if (pid < 0 && errno == ECHILD) /* what a handler leaves in errno is something else */
            _exit(1);
    }
}

/* Of the descriptors only the program's own three are left, before there is a program: gVisor shows it those of PID 1
 * in /proc whatever PR_SET_DUMPABLE says, and the runner's standard output and termination message would be among them
 * for one that is quick. */
static int keep_streams(const struct child_spec *spec)
{
    if (dup2(spec->in, 0) < 0 || dup2(spec->out, 1) < 0 || dup2(spec->err, 2) < 0)
        return -1;
    child_close_from(3);
    return 0;
}

/* As PID 1 of its namespaces. */
static _Noreturn void start_program(const struct child_spec *spec, volatile struct child_page *page)
{
    struct child_spec own = *spec;

    own.in = 0, own.out = 1, own.err = 2;
    program = keep_streams(spec) < 0 ? -1 : fork();
    if (program == 0)
        child_become(&own, ISOLATION_FULL, page);
    if (program < 0) {
        page->error = errno;
        page->what = "fork for";
        page->word = CHILD_NOT_STARTED;
        _exit(127);
    }
    watch_over(page);
}

_Noreturn void nest_run(const struct child_spec *spec, enum isolation level, uid_t uid, gid_t gid,
                        volatile struct child_page *page)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);             /* else /proc/self belongs to root; nothing foreign runs yet */
    write_file("/proc/self/oom_score_adj", "1000"); /* the kernel shall take the code, not the runner */
    if (level != ISOLATION_NONE) {
        if (map_user(uid, gid) < 0 || (level == ISOLATION_FULL && fresh_proc(spec) < 0)) {
            page->word = CHILD_NOT_ISOLATED;
            _exit(127);
        }
        if (!spec->network)
            loopback_up();
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (level != ISOLATION_FULL)
        child_become(spec, level, page);
    start_program(spec, page);
}
