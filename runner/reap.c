#include "runner/reap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/bytes.h"

enum { REAP_MS = 2000 };

void reap_init(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void account(struct reaped *r, const struct rusage *usage)
{
    int64_t rss = (int64_t)usage->ru_maxrss * 1024;

    r->cpu_us += ((int64_t)usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 + usage->ru_utime.tv_usec +
                 usage->ru_stime.tv_usec;
    if (rss > r->max_rss_bytes)
        r->max_rss_bytes = rss;
}

/* Returns whether there are children that have not ended. */
static bool reap(struct reaped *r)
{
    for (;;) {
        struct rusage usage;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG | __WALL, &usage);

        if (pid == 0)
            return true;
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            return false;
        account(r, &usage);
        if (pid == r->pid) {
            r->ended = true;
            r->status = status;
        }
    }
}

void reap_ended(struct reaped *r)
{
    reap(r);
}

/* The parent of a process, from /proc/PID/stat: what stands between the parentheses is the process's own choice. */
static pid_t parent_of(const char *name)
{
    char path[64], stat[512];
    const char *behind;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%.20s/stat", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, stat, sizeof(stat) - 1);
    close(fd);
    if (n <= 0)
        return -1;
    stat[n] = 0;
    behind = strrchr(stat, ')');
    return behind && strlen(behind) > 4 ? (pid_t)strtol(behind + 4, NULL, 10) : -1;
}

/* Children only: theirs become ours when they are dead, and are found next time. */
static void kill_children(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    pid_t self = getpid();

    if (!proc)
        return;
    while ((entry = readdir(proc)))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == self)
            kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
    closedir(proc);
}

bool reap_everything(struct reaped *r)
{
    int64_t until = now_ms() + REAP_MS;

    while (reap(r)) {
        if (now_ms() >= until)
            return false;
        if (getpid() == 1)
            kill(-1, SIGKILL);
        else
            kill_children();
        if (reap(r))
            poll(NULL, 0, 1);
    }
    return true;
}
