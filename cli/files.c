#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "cli/outcome.h"
#include "cli/terminal.h"

enum { PART_MAX = 255 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* The next part of a path, without the slash behind it; NULL if it could lead somewhere else. */
static const char *next_part(const char *path, char part[static PART_MAX + 1])
{
    size_t len = strcspn(path, "/");

    if (len == 0 || len > PART_MAX)
        return NULL;
    snprintf(part, PART_MAX + 1, "%.*s", (int)len, path);
    return strcmp(part, ".") == 0 || strcmp(part, "..") == 0 ? NULL : path + len;
}

/* The folder in which the file belongs, and the file's name in it. */
static int open_folder(int dir, const char *path, char name[static PART_MAX + 1], int *ret_fd, struct fault *f)
{
    _cleanup_(close_fd)
    int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);

    for (const char *rest = path;; rest++) {
        int next;

        rest = next_part(rest, name);
        if (!rest)
            return fault_set(f, FAULT_INVALID, "no path below a folder");
        if (!*rest)
            break;
        if (mkdirat(at, name, 0777) < 0 && errno != EEXIST)
            return fault_errno(f, errno, "cannot make %s", name);
        next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return fault_errno(f, errno, "cannot enter %s", name);
        close(at);
        at = next;
    }
    *ret_fd = at;
    at = -1;
    return 0;
}

static int write_all(int fd, const struct buf *b, struct fault *f)
{
    for (size_t done = 0; done < b->len;) {
        ssize_t n = write(fd, b->data + done, b->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_errno(f, errno, "cannot write");
        done += (size_t)n;
    }
    return 0;
}

static int write_file(int dir, const char *path, const struct buf *content, bool force, struct fault *f)
{
    _cleanup_(close_fd)
    int folder = -1, fd = -1;
    char name[PART_MAX + 1];

    if (open_folder(dir, path, name, &folder, f) < 0)
        return -1;
    if (force && unlinkat(folder, name, 0) < 0 && errno != ENOENT)
        return fault_errno(f, errno, "cannot replace it");
    fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return fault_set(f, FAULT_EXISTS, "exists already; --force replaces it");
    if (fd < 0)
        return fault_errno(f, errno, "cannot create it");
    if (write_all(fd, content, f) < 0) {
        unlinkat(folder, name, 0);
        return -1;
    }
    return 0;
}

static int write_one(int dir, const char *path, struct json_object *file, bool force, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf content = {0};

    if (!json_object_is_type(file, json_type_object))
        return fault_set(f, FAULT_INVALID, "its content cannot be read");
    if (outcome_bytes(file, "text", "base64", &content, f) < 0)
        return -1;
    return write_file(dir, path, &content, force, f);
}

size_t files_write(struct json_object *files, const char *dir, bool force)
{
    _cleanup_(close_fd)
    int fd = -1;
    size_t failed = 0;

    if (json_object_object_length(files) == 0)
        return 0;
    (void)mkdir(dir, 0777); /* whether it worked shows in the next line */
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "execq: cannot write files to %s: %s\n", dir, strerror(errno));
        return (size_t)json_object_object_length(files);
    }
    json_object_object_foreach(files, path, file)
    {
        _cleanup_free_ char *shown = terminal_plain(path), *why = NULL;
        struct fault f = FAULT_INIT;

        if (write_one(fd, path, file, force, &f) < 0) {
            why = terminal_plain(f.text);
            fprintf(stderr, "execq: %s: %s\n", shown, why);
            failed++;
        } else if (field_peek_bool(file, "truncated")) {
            fprintf(stderr, "execq: %s is only the beginning; the file has %lld bytes\n", shown,
                    (long long)field_peek_int(file, "bytes", -1));
        }
    }
    return failed;
}

void files_list(struct json_object *files)
{
    json_object_object_foreach(files, path, file)
    {
        _cleanup_free_ char *shown = terminal_plain(path);

        fprintf(stderr, "execq: %s (%lld bytes) came back; --output-dir DIR writes it\n", shown,
                (long long)field_peek_int(file, "bytes", -1));
    }
}
