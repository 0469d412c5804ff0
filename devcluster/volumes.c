#include "devcluster/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"

enum { FILE_MAX = 2 << 20, OPEN_MAX_WALK = 16 };

/* A path inside a volume: no way out of it. */
static bool is_inside(const char *path)
{
    return path[0] && path[0] != '/' && strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 &&
           !strstr(path, "/../") && (strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
}

static int make_parents(const char *dir, const char *path, struct fault *f)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        _cleanup_free_ char *full = mem_format("%s/%.*s", dir, (int)(slash - path), path);

        if (mkdir(full, 0755) < 0 && errno != EEXIST)
            return fault_errno(f, errno, "volume folder");
    }
    return 0;
}

static int write_file(const char *dir, const char *path, int64_t mode, const char *bytes, size_t len, struct fault *f)
{
    _cleanup_free_ char *full = mem_format("%s/%s", dir, path);
    int fd, result = 0;

    if (!is_inside(path))
        return fault_set(f, FAULT_INVALID, "\"%.100s\" is no path inside a volume", path);
    if (make_parents(dir, path, f) < 0)
        return -1;
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fault_errno(f, errno, "volume file");
    if (write(fd, bytes, len) != (ssize_t)len || fchmod(fd, (mode_t)(mode & 0777)) < 0)
        result = fault_errno(f, errno, "volume file");
    close(fd);
    return result;
}

static int write_key(struct json_object *cm, const char *dir, const char *key, const char *path, int64_t mode,
                     struct fault *f)
{
    struct json_object *data = field_peek(cm, "data"), *binary = field_peek(cm, "binaryData");
    _cleanup_(buf_release)
    struct buf bytes = BUF_INIT(FILE_MAX);
    const char *text = NULL;
    size_t len = 0;

    if (data && field_bytes(data, key, FIELD_OPTIONAL, FILE_MAX, &text, &len, f) < 0)
        return -1;
    if (text)
        return write_file(dir, path, mode, text, len, f);
    if (binary && field_bytes(binary, key, FIELD_OPTIONAL, 2 * FILE_MAX, &text, &len, f) < 0)
        return -1;
    if (!text)
        return fault_set(f, FAULT_GONE, "configmap references non-existent config key: %.64s", key);
    if (digest_base64_decode(text, len, &bytes, f) < 0)
        return -1;
    return write_file(dir, path, mode, buf_str(&bytes), bytes.len, f);
}

static int write_all(struct json_object *cm, const char *map, const char *dir, int64_t mode, struct fault *f)
{
    struct json_object *entries = field_peek(cm, map);

    if (!json_object_is_type(entries, json_type_object))
        return 0;
    json_object_object_foreach(entries, key, value)
    {
        (void)value;
        if (write_key(cm, dir, key, key, mode, f) < 0)
            return -1;
    }
    return 0;
}

static int write_items(struct json_object *cm, struct json_object *items, const char *dir, int64_t mode,
                       struct fault *f)
{
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *item = json_object_array_get_idx(items, i);
        const char *key = field_peek_string(item, "key"), *path = field_peek_string(item, "path");

        if (!key || !path)
            return fault_set(f, FAULT_INVALID, "volume item %zu lacks key or path", i);
        if (write_key(cm, dir, key, path, field_peek_int(item, "mode", mode), f) < 0)
            return -1;
    }
    return 0;
}

static int make_configmap(struct store *store, const char *ns, struct json_object *source, const char *dir,
                          struct fault *f)
{
    const char *name = field_peek_string(source, "name");
    const struct object *cm = name ? store_find(store, kind_configmap, ns, name) : NULL;
    struct json_object *items = field_peek(source, "items");
    int64_t mode = field_peek_int(source, "defaultMode", 0644);

    if (!cm && field_peek_bool(source, "optional"))
        return 0;
    if (!cm)
        return fault_set(f, FAULT_GONE, "configmap \"%.100s\" not found", name ? name : "");
    if (json_object_is_type(items, json_type_array))
        return write_items(cm->json, items, dir, mode, f);
    if (write_all(cm->json, "data", dir, mode, f) < 0)
        return -1;
    return write_all(cm->json, "binaryData", dir, mode, f);
}

static int make_volume(struct store *store, struct json_object *pod, struct json_object *volume, const char *dir,
                       int64_t owner, struct fault *f)
{
    struct json_object *source = field_peek(volume, "configMap"), *empty = NULL;

    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return fault_errno(f, errno, "volume folder");
    if (source && make_configmap(store, tree_string(pod, "metadata.namespace"), source, dir, f) < 0) {
        enum fault_kind kind = f->kind;

        fault_wrap(f, "MountVolume.SetUp failed for volume \"%.64s\"", field_peek_string(volume, "name"));
        f->kind = kind;
        return -1;
    }
    if (json_object_object_get_ex(volume, "emptyDir", &empty) &&
        (chmod(dir, 0777) < 0 || (owner >= 0 && chown(dir, (uid_t)owner, (gid_t)owner) < 0)))
        return fault_errno(f, errno, "volume folder");
    return 0;
}

static struct json_object *find_volume(struct json_object *volumes, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(volumes); i++) {
        struct json_object *v = json_object_array_get_idx(volumes, i);
        const char *n = field_peek_string(v, "name");

        if (n && strcmp(n, name) == 0)
            return v;
    }
    return NULL;
}

static int add_mount(struct json_object *volumes, struct json_object *mount, const char *dir, struct sandbox_plan *plan,
                     struct fault *f)
{
    const char *name = field_peek_string(mount, "name"), *sub = field_peek_string(mount, "subPath");
    const char *to = field_peek_string(mount, "mountPath");
    struct json_object *volume = find_volume(volumes, name), *empty = NULL;
    bool read_only = field_peek_bool(mount, "readOnly") || !json_object_object_get_ex(volume, "emptyDir", &empty);
    _cleanup_free_ char *from = mem_format("%s/%s%s%s", dir, name, sub ? "/" : "", sub ? sub : "");

    if (plan->n_mounts == SANDBOX_MOUNTS_MAX)
        return fault_set(f, FAULT_INVALID, "more than %d mounts", SANDBOX_MOUNTS_MAX);
    if ((sub && !is_inside(sub)) || to[0] != '/')
        return fault_set(f, FAULT_INVALID, "\"%.100s\" cannot be mounted at \"%.100s\"", sub ? sub : name, to);
    sandbox_plan_mount(plan, from, to, read_only);
    return 0;
}

int volumes_make(struct store *store, struct json_object *pod, const char *dir, int64_t owner,
                 struct sandbox_plan *plan, struct fault *f)
{
    struct json_object *volumes = tree_at(pod, "spec.volumes");
    struct json_object *container = json_object_array_get_idx(tree_at(pod, "spec.containers"), 0);
    struct json_object *mounts = field_peek(container, "volumeMounts");

    if (!json_object_is_type(volumes, json_type_array))
        return 0;
    for (size_t i = 0; i < json_object_array_length(volumes); i++) {
        struct json_object *v = json_object_array_get_idx(volumes, i);
        _cleanup_free_ char *path = mem_format("%s/%s", dir, field_peek_string(v, "name"));

        if (make_volume(store, pod, v, path, owner, f) < 0)
            return -1;
    }
    for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++)
        if (add_mount(volumes, json_object_array_get_idx(mounts, i), dir, plan, f) < 0)
            return -1;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_DNR && chmod(path, 0700) == 0) /* the pod's own doing; what is in it waits for the next round */
        return 0;
    if (remove(path) < 0 && errno != ENOENT)
        return 0;
    return 0;
}

void volumes_remove(const char *dir)
{
    for (int rounds = 0; rounds < 3 && nftw(dir, remove_one, OPEN_MAX_WALK, FTW_DEPTH | FTW_PHYS) == 0; rounds++)
        if (access(dir, F_OK) < 0)
            return;
}
