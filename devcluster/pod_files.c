#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/pod.h"
#include "devcluster/podlog.h"
#include "devcluster/sandbox.h"
#include "devcluster/store.h"
#include "devcluster/volumes.h"

static int make_dir(struct pod *p, struct fault *f)
{
    if (p->dir)
        return 0;
    p->dir = mem_format("%s/%s", kubelet_dir(p->kubelet), p->object->uid);
    if (mkdir(p->dir, 0711) < 0 && errno != EEXIST)
        return fault_errno(f, errno, "pod folder");
    return 0;
}

int pod_make_volumes(struct pod *p, struct sandbox_plan *plan, struct fault *f)
{
    _cleanup_free_ char *volumes = NULL;

    if (make_dir(p, f) < 0)
        return -1;
    volumes = mem_format("%s/volumes", p->dir);
    if (mkdir(volumes, 0711) < 0 && errno != EEXIST)
        return fault_errno(f, errno, "pod folder");
    return volumes_make(p->cluster->store, p->object->json, volumes, kubelet_user(p->kubelet, p->place), plan, f);
}

int pod_make_files(struct pod *p, struct sandbox_plan *plan, struct fault *f)
{
    _cleanup_free_ char *log = mem_format("%s/log", p->dir);
    int64_t user = kubelet_user(p->kubelet, p->place);
    int fd;

    if (podlog_open(log, &p->log, f) < 0)
        return -1;
    plan->termination_file = mem_format("%s/termination", p->dir);
    fd = open(plan->termination_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_errno(f, errno, "termination message");
    if (fchmod(fd, 0666) < 0 || (user >= 0 && fchown(fd, (uid_t)user, (gid_t)user) < 0)) {
        close(fd);
        return fault_errno(f, errno, "termination message");
    }
    close(fd);
    return 0;
}
