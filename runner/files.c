#include "runner/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/glob.h"

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* --- in -------------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const struct span *s)
{
    for (size_t done = 0; done < s->len;) {
        ssize_t n = write(fd, s->bytes + done, s->len - done);

        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Opens (and makes) the folders of a path; `*ret_name` is its last part. The descriptor is the caller's. */
static int open_folders(int root, const char *path, const char **ret_name)
{
    int at = dup(root);
    const char *slash;

    while (at >= 0 && (slash = strchr(path, '/'))) {
        char part[256];
        int next, error;

        memcpy(part, path, (size_t)(slash - path)); /* the plan's parser allows 255 */
        part[slash - path] = 0;
        if (mkdirat(at, part, 0755) < 0 && errno != EEXIST)
            next = -1;
        else
            next = openat(at, part, FOLDER);
        error = errno;
        close(at);
        errno = error;
        at = next;
        path = slash + 1;
    }
    *ret_name = path;
    return at;
}

static int create(int root, const struct plan_file *file)
{
    const char *name;
    int at = open_folders(root, file->path, &name), fd, error, result = -1;

    if (at < 0)
        return -1;
    if (unlinkat(at, name, 0) < 0 && errno != ENOENT) {
        fd = -1;
    } else {
        fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (fd >= 0 && write_all(fd, &file->content) == 0 && fchmod(fd, (mode_t)file->mode) == 0)
        result = 0;
    error = errno;
    if (fd >= 0)
        close(fd);
    close(at);
    errno = error;
    return result;
}

int files_create(const struct plan *p, struct why *why)
{
    int root;

    if (mkdir(p->cwd, 0755) < 0 && errno != EEXIST && p->file_count > 0)
        return why_errno(why, errno, "cannot make the working directory %.100s", p->cwd);
    root = open(p->cwd, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return why_errno(why, errno, "cannot open the working directory %.100s", p->cwd);
    for (size_t i = 0; i < p->file_count; i++)
        if (create(root, &p->files[i]) < 0) {
            why_errno(why, errno, "cannot create the file %.100s", p->files[i].path);
            close(root);
            return -1;
        }
    close(root);
    return 0;
}

/* --- out ------------------------------------------------------------------------------------------------------- */

struct search {
    const struct plan *plan;
    struct found_files *found;
    int64_t *budget;
    int64_t until;
    size_t looked;
    char path[PLAN_PATH_MAX + 256];
};

/* The most that some glob lets through; -1 if none matches. */
static int64_t wanted(const struct plan *p, const char *path)
{
    int64_t most = -1;

    for (size_t i = 0; i < p->output_count; i++)
        if (p->outputs[i].max_bytes > most && glob_match(p->outputs[i].glob, path))
            most = p->outputs[i].max_bytes;
    return most;
}

static void read_content(int fd, struct found_file *file, int64_t most)
{
    static char chunk[65536];
    ssize_t n;

    while ((int64_t)file->content.len < most && (n = read(fd, chunk, sizeof(chunk))) > 0)
        bytes_keep(&file->content, chunk, (size_t)n, (size_t)most);
}

/* `fd` is open for reading, O_NONBLOCK: whether it is a plain file is seen here. */
static void collect(struct search *s, int fd, int64_t most)
{
    struct found_files *found = s->found;
    struct found_file *file;
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        found->omitted++;
        return;
    }
    found->list = need_array(found->list, found->count + 1, sizeof(*file));
    file = &found->list[found->count++];
    *file = (struct found_file){.path = need_array(NULL, strlen(s->path) + 1, 1), .size = st.st_size};
    memcpy(file->path, s->path, strlen(s->path) + 1);
    read_content(fd, file, most < *s->budget ? most : *s->budget);
    *s->budget -= (int64_t)file->content.len;
}

static void look_into(struct search *s, int fd, size_t at, int depth);

static void look_at(struct search *s, int folder, const char *name, size_t at, int depth)
{
    size_t n = strlen(name);
    struct stat st;
    int64_t most;
    int fd;

    if (++s->looked > FILES_LOOK_MAX || (s->looked % 64 == 0 && now_ms() > s->until))
        s->found->cut_short = true;
    if (s->found->cut_short || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (at + n + 2 > sizeof(s->path) || depth >= PLAN_DEPTH_MAX) {
        s->found->cut_short |= S_ISDIR(st.st_mode);
        return;
    }
    memcpy(s->path + at, name, n + 1);
    if (S_ISDIR(st.st_mode)) {
        s->path[at + n] = '/';
        look_into(s, openat(folder, name, FOLDER), at + n + 1, depth + 1);
        return;
    }
    most = S_ISREG(st.st_mode) ? wanted(s->plan, s->path) : -1;
    if (most < 0)
        return;
    fd = s->found->count < FILES_OUT_MAX
             ? openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
             : -1;
    if (fd < 0) {
        s->found->omitted++;
        return;
    }
    collect(s, fd, most);
    close(fd);
}

static void look_into(struct search *s, int fd, size_t at, int depth)
{
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!folder) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (!s->found->cut_short && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            look_at(s, dirfd(folder), entry->d_name, at, depth);
    closedir(folder);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct found_file *)a)->path, ((const struct found_file *)b)->path);
}

void files_collect(const struct plan *p, int64_t *budget, struct found_files *ret)
{
    struct search s = {.plan = p, .found = ret, .budget = budget, .until = now_ms() + FILES_LOOK_MS};

    *ret = (struct found_files){0};
    if (p->output_count == 0)
        return;
    look_into(&s, open(p->cwd, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, 0);
    if (ret->count > 1)
        qsort(ret->list, ret->count, sizeof(*ret->list), by_path);
}

void files_release(struct found_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].path);
        bytes_release(&f->list[i].content);
    }
    free(f->list);
    *f = (struct found_files){0};
}
