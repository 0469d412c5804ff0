#include "devcluster/kubelet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/call.h"
#include "devcluster/cluster.h"
#include "devcluster/options.h"
#include "devcluster/pod.h"
#include "devcluster/store.h"
#include "devcluster/volumes.h"

enum { CACHE_MAX = 16 << 20 };

struct kubelet {
    struct cluster *cluster;
    char *pods_dir, *etc_dir;
    int64_t first_uid;
    struct pod **places;                           /* options->pods of them; NULL: free */
    TAILQ_HEAD(pods, pod) queued, pods, forgotten; /* without a place yet; all others; about to be freed */
    struct kubelet_numbers numbers;
    struct loop_timer *schedule, *retry, *bury;
};

/* /etc as the pods see it: made once, for all. */

static int write_etc(const char *dir, const char *name, const char *bytes, size_t len, struct fault *f)
{
    _cleanup_free_ char *path = mem_format("%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || fchmod(fd, 0644) < 0) {
        int error = errno;

        if (fd >= 0)
            close(fd);
        return fault_errno(f, error, "%.100s", path);
    }
    close(fd);
    return 0;
}

static int copy_cache(const char *dir, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(CACHE_MAX);
    char bytes[65536];
    ssize_t len;
    int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0; /* then the loader searches */
    while ((len = read(fd, bytes, sizeof(bytes))) > 0)
        buf_fill(&b, bytes, (size_t)len);
    close(fd);
    return write_etc(dir, "ld.so.cache", buf_str(&b), b.len, f);
}

static int make_etc(const char *dir, struct fault *f)
{
    /* clang-format off */
    static const struct { const char *name, *text; } files[] = {
        {"passwd", "root:x:0:0:root:/root:/bin/sh\n"
                   "nonroot:x:65532:65532:nonroot:/:/bin/sh\n"
                   "nobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n"},
        {"group",  "root:x:0:\nnonroot:x:65532:\nnogroup:x:65534:\n"},
        {"hosts",  "127.0.0.1 localhost\n::1 localhost\n"},
        {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
        {"resolv.conf", "nameserver 127.0.0.1\n"},
    };
    /* clang-format on */
    _cleanup_free_ char *alternatives = mem_format("%s/alternatives", dir);

    if ((mkdir(dir, 0755) < 0 && errno != EEXIST) || chmod(dir, 0755) < 0 ||
        (mkdir(alternatives, 0755) < 0 && errno != EEXIST))
        return fault_errno(f, errno, "%.100s", dir);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (write_etc(dir, files[i].name, files[i].text, strlen(files[i].text), f) < 0)
            return -1;
    return copy_cache(dir, f);
}

/* Places. */

static int find_place(const struct kubelet *k)
{
    for (int i = 0; i < k->cluster->options->pods; i++)
        if (!k->places[i])
            return i;
    return -1;
}

static void give_place(struct kubelet *k, struct pod *p, int place)
{
    TAILQ_REMOVE(&k->queued, p, entry);
    TAILQ_INSERT_TAIL(&k->pods, p, entry);
    k->places[place] = p;
    k->numbers.running++;
    k->numbers.waiting--;
    pod_begin(p, place);
}

static void schedule(void *arg)
{
    struct kubelet *k = arg;
    struct pod *p, *next;

    for (p = TAILQ_FIRST(&k->queued); p; p = next) {
        int place = find_place(k);

        next = TAILQ_NEXT(p, entry);
        if (p->fault.action == ACTION_NEVER_SCHEDULE)
            pod_wait(p, "0/1 nodes are available: 1 Insufficient memory. (ordered)");
        else if (place < 0)
            pod_wait(p, "0/1 nodes are available: 1 Too many pods.");
        else
            give_place(k, p, place);
    }
}

static void schedule_soon(struct kubelet *k)
{
    if (!k->schedule)
        loop_defer(k->cluster->loop, &k->schedule, schedule, k);
}

void kubelet_leave(struct kubelet *k, struct pod *pod)
{
    k->places[pod->place] = NULL;
    pod->place = -1;
    k->numbers.running--;
    schedule_soon(k);
}

void kubelet_count_start(struct kubelet *k)
{
    k->numbers.started++;
}

int64_t kubelet_user(const struct kubelet *k, int place)
{
    return k->first_uid < 0 ? -1 : k->first_uid + place;
}

const char *kubelet_dir(const struct kubelet *k)
{
    return k->pods_dir;
}

const char *kubelet_etc(const struct kubelet *k)
{
    return k->etc_dir;
}

/* Pods come and go. */

static void bury(void *arg)
{
    struct kubelet *k = arg;
    struct pod *p;

    while ((p = TAILQ_FIRST(&k->forgotten))) {
        TAILQ_REMOVE(&k->forgotten, p, entry);
        pod_free(p);
    }
}

void kubelet_forget(struct kubelet *k, struct pod *pod)
{
    if (pod->step == POD_QUEUED) {
        k->numbers.waiting--;
        TAILQ_REMOVE(&k->queued, pod, entry);
    } else {
        TAILQ_REMOVE(&k->pods, pod, entry);
    }
    TAILQ_INSERT_TAIL(&k->forgotten, pod, entry);
    if (!k->bury)
        loop_defer(k->cluster->loop, &k->bury, bury, k);
}

static void retry_mounts(void *arg)
{
    struct kubelet *k = arg;

    for (int i = 0; i < k->cluster->options->pods; i++)
        if (k->places[i])
            pod_retry_mounts(k->places[i]);
}

static void on_change(void *arg, const struct change *change, struct object *o)
{
    struct kubelet *k = arg;
    struct pod *p;

    if (change->kind == kind_configmap && change->type == CHANGE_ADDED && !k->retry)
        loop_defer(k->cluster->loop, &k->retry, retry_mounts, k);
    if (change->kind != kind_pod)
        return;
    if (change->type == CHANGE_ADDED) {
        p = pod_new(k, k->cluster, o);
        o->data = p;
        TAILQ_INSERT_TAIL(&k->queued, p, entry);
        k->numbers.waiting++;
        schedule_soon(k);
    } else if (change->type == CHANGE_DELETED && o->data) {
        p = o->data;
        o->data = NULL;
        pod_orphan(p);
    }
}

int kubelet_new(struct cluster *c, const char *dir, int64_t first_uid, struct kubelet **ret, struct fault *f)
{
    _cleanup_(kubelet_freep)
    struct kubelet *k = mem_new(struct kubelet);

    k->cluster = c;
    k->first_uid = first_uid;
    k->pods_dir = mem_format("%s/pods", dir);
    k->etc_dir = mem_format("%s/etc", dir);
    k->places = mem_zero((size_t)c->options->pods, sizeof(struct pod *));
    TAILQ_INIT(&k->queued);
    TAILQ_INIT(&k->pods);
    TAILQ_INIT(&k->forgotten);
    volumes_remove(k->pods_dir); /* of a run that was killed */
    if ((mkdir(k->pods_dir, 0711) < 0 && errno != EEXIST) || chmod(k->pods_dir, 0711) < 0)
        return fault_errno(f, errno, "%.100s", k->pods_dir);
    if (make_etc(k->etc_dir, f) < 0)
        return -1;
    store_listen(c->store, on_change, k);
    *ret = TAKE(k);
    return 0;
}

void kubelet_free(struct kubelet *k)
{
    struct pod *p;

    if (!k)
        return;
    loop_cancel(&k->schedule);
    loop_cancel(&k->retry);
    loop_cancel(&k->bury);
    TAILQ_CONCAT(&k->pods, &k->queued, entry);
    TAILQ_CONCAT(&k->pods, &k->forgotten, entry);
    while ((p = TAILQ_FIRST(&k->pods))) {
        TAILQ_REMOVE(&k->pods, p, entry);
        if (p->object)
            p->object->data = NULL;
        pod_free(p);
    }
    volumes_remove(k->pods_dir);
    volumes_remove(k->etc_dir);
    free(k->pods_dir);
    free(k->etc_dir);
    free(k->places);
    free(k);
}

bool kubelet_has(const struct kubelet *k, const struct object *pod)
{
    const struct pod *p = pod->data;

    (void)k;
    return p && p->step != POD_QUEUED;
}

void kubelet_delete(struct kubelet *k, struct object *pod, int64_t grace_s)
{
    (void)k;
    if (pod->data)
        pod_delete(pod->data, grace_s);
}

void kubelet_log(struct kubelet *k, struct object *pod, struct call *call)
{
    (void)k;
    pod_send_log(pod->data, call);
}

void kubelet_attach(struct kubelet *k, struct object *pod, struct call *call)
{
    (void)k;
    pod_attach(pod->data, call);
}

void kubelet_numbers(const struct kubelet *k, struct kubelet_numbers *ret)
{
    *ret = k->numbers;
}
