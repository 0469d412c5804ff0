#include "devcluster/statedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "devcluster/options.h"
#include "devcluster/volumes.h"

enum {
    FIRST_UID = 730000, /* away from people, containers' usual ranges (100000, 165536, 524288) and systemd's */
    SETTLED_S = 60,
};

static const char prefix[] = "execq-devcluster.";

/* Temporary folders carry a lock that lasts as long as their process: those of runs that were killed are swept away by
 * the next one. */

static int lock(const char *dir, int flags)
{
    _cleanup_free_ char *path = mem_format("%s/lock", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* `now`: when our own folder was made. Only what is a minute older is looked at: it has its lock by then. */
static void sweep(const char *parent, time_t now)
{
    DIR *all = opendir(parent);
    struct dirent *entry;

    while (all && (entry = readdir(all))) {
        _cleanup_free_ char *dir = mem_format("%s/%s", parent, entry->d_name);
        struct stat st;
        int fd;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) ||
            st.st_uid != geteuid() || st.st_mtime > now - SETTLED_S)
            continue;
        fd = lock(dir, 0);
        if (fd < 0)
            continue; /* it is alive */
        volumes_remove(dir);
        close(fd);
    }
    if (all)
        closedir(all);
}

/* Whether everyone may pass through the folder and all above it. */
static bool is_open(const char *dir)
{
    char *path = realpath(dir, NULL), *slash;
    bool everyone = path != NULL;
    struct stat st;

    while (everyone && path[0]) {
        everyone = stat(path, &st) == 0 && (st.st_mode & S_IXOTH);
        slash = strrchr(path, '/');
        *slash = '\0';
    }
    free(path);
    return everyone;
}

/* Below TMPDIR or /tmp; for `everyone` only where pods that are users of their own can get to. */
static int make_temporary(bool everyone, char **ret_dir, int *ret_lock, struct fault *f)
{
    const char *parents[] = {getenv("TMPDIR"), "/tmp"};

    for (size_t i = 0; i < COUNT_OF(parents); i++) {
        _cleanup_free_ char *dir = NULL;
        struct stat st;

        if (!parents[i] || parents[i][0] != '/' || (everyone && !is_open(parents[i])))
            continue;
        dir = mem_format("%s/%sXXXXXX", parents[i], prefix);
        if (!mkdtemp(dir) || chmod(dir, 0711) < 0 || (*ret_lock = lock(dir, O_CREAT)) < 0 || stat(dir, &st) < 0)
            return fault_errno(f, errno, "%.100s", dir);
        sweep(parents[i], st.st_mtime);
        *ret_dir = TAKE(dir);
        return 0;
    }
    return fault_set(f, FAULT_INVALID, "--dir: its parents must let others pass (chmod o+x), or /tmp must");
}

int statedir_open(const struct options *o, struct statedir *ret, struct fault *f)
{
    struct statedir s = {.first_uid = geteuid() == 0 ? FIRST_UID : -1, .lock = -1};

    if (!o->dir) {
        if (make_temporary(s.first_uid >= 0, &s.dir, &s.lock, f) < 0)
            return -1;
    } else if ((mkdir(o->dir, 0711) < 0 && errno != EEXIST) || !(s.dir = realpath(o->dir, NULL))) {
        return fault_errno(f, errno, "--dir %.100s", o->dir);
    }
    s.remove_dir = !o->dir;
    s.remove_pods_dir = s.first_uid >= 0 && !is_open(s.dir);
    if (!s.remove_pods_dir) {
        s.pods_dir = mem_string(s.dir);
    } else if (make_temporary(true, &s.pods_dir, &s.lock, f) < 0) {
        statedir_release(&s);
        return -1;
    }
    *ret = s;
    return 0;
}

void statedir_release(struct statedir *s)
{
    if (s->remove_pods_dir && s->pods_dir)
        volumes_remove(s->pods_dir);
    if (s->remove_dir && s->dir)
        volumes_remove(s->dir);
    if (s->lock > 0)
        close(s->lock);
    free(s->dir);
    free(s->pods_dir);
    *s = (struct statedir){0};
}
