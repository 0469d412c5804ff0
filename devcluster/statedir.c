#include "devcluster/statedir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "devcluster/options.h"
#include "devcluster/volumes.h"

enum { FIRST_UID = 730000 }; /* away from people, containers' usual ranges (100000, 165536, 524288) and systemd's */

static char *make_temporary(struct fault *f)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = mem_format("%s/execq-devcluster.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");

    if (!mkdtemp(dir) || chmod(dir, 0711) < 0) {
        fault_errno(f, errno, "%.100s", dir);
        free(dir);
        return NULL;
    }
    return dir;
}

/* Whether everyone may pass through the folder and all above it. */
static bool is_open(const char *dir)
{
    char *path = realpath(dir, NULL), *slash;
    bool open = path != NULL;
    struct stat st;

    while (open && path[0]) {
        open = stat(path, &st) == 0 && (st.st_mode & S_IXOTH);
        slash = strrchr(path, '/');
        *slash = '\0';
    }
    free(path);
    return open;
}

int statedir_open(const struct options *o, struct statedir *ret, struct fault *f)
{
    struct statedir s = {.first_uid = geteuid() == 0 ? FIRST_UID : -1};

    if (o->dir && mkdir(o->dir, 0711) < 0 && errno != EEXIST)
        return fault_errno(f, errno, "--dir %.100s", o->dir);
    s.dir = o->dir ? realpath(o->dir, NULL) : make_temporary(f);
    if (!s.dir)
        return o->dir ? fault_errno(f, errno, "--dir %.100s", o->dir) : -1;
    s.remove_dir = !o->dir;
    s.remove_pods_dir = s.first_uid >= 0 && !is_open(s.dir);
    s.pods_dir = s.remove_pods_dir ? make_temporary(f) : mem_string(s.dir);
    if (!s.pods_dir) {
        statedir_release(&s);
        return -1;
    }
    if (s.remove_pods_dir && !is_open(s.pods_dir)) {
        statedir_release(&s);
        return fault_set(f, FAULT_INVALID, "--dir: its parents must let others pass (chmod o+x), or TMPDIR's must");
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
    free(s->dir);
    free(s->pods_dir);
    *s = (struct statedir){0};
}
