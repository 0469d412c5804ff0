#include "cli/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/lines.h"

enum { LINE_MAX_BYTES = 64 << 20 }; /* far above any result: the worker's ceiling is 4 MiB by default */

struct journal {
    int fd;
    char *path;
    off_t end;
    bool dirty;
};

static char *first_line(const char *digest)
{
    return mem_format("{\"execq_batch\":\"%s\"}", digest);
}

static int write_all(int fd, const char *bytes, size_t len, off_t offset, struct fault *f)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_errno(f, errno, "cannot write");
        bytes += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

/* An empty journal gets its first line; a used one must begin with it. */
static int read_back(struct journal *j, const char *digest, journal_found_fn *found, void *arg, struct fault *f)
{
    _cleanup_(lines_freep)
    struct lines *lines = lines_new(j->fd, LINE_MAX_BYTES);
    _cleanup_free_ char *first = first_line(digest);
    struct line line;
    int more;

    while ((more = lines_next(lines, &line, f)) > 0 && !line.torn) {
        if (line.number == 1 && strcmp(line.bytes, first) != 0)
            return fault_set(f, FAULT_EXISTS,
                             "it belongs to another batch, or its input has changed since: "
                             "remove it, or choose another -o");
        if (line.number > 1 && !line.too_long)
            found(arg, line.bytes, line.len, line.offset);
        j->end = lines_end(lines);
    }
    if (more < 0)
        return -1;
    if (ftruncate(j->fd, j->end) < 0)
        return fault_errno(f, errno, "cannot cut off a torn line");
    return j->end == 0 ? journal_add(j, first, strlen(first), &(off_t){0}, f) : 0;
}

int journal_open(const char *path, const char *digest, journal_found_fn *found, void *arg, struct journal **ret,
                 struct fault *f)
{
    _cleanup_(journal_freep)
    struct journal *j = mem_new(struct journal);

    j->path = mem_string(path);
    j->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (j->fd < 0)
        return fault_errno(f, errno, "cannot open %.150s", path);
    if (flock(j->fd, LOCK_EX | LOCK_NB) < 0)
        return fault_set(f, FAULT_EXISTS, "%.150s is in use: does this batch run already?", path);
    if (read_back(j, digest, found, arg, f) < 0)
        return fault_wrap(f, "%.150s", path);
    *ret = TAKE(j);
    return 0;
}

void journal_free(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    free(j->path);
    free(j);
}

int journal_add(struct journal *j, const char *bytes, size_t len, off_t *ret_offset, struct fault *f)
{
    if (write_all(j->fd, bytes, len, j->end, f) < 0 || write_all(j->fd, "\n", 1, j->end + (off_t)len, f) < 0)
        return fault_wrap(f, "%.150s", j->path);
    *ret_offset = j->end;
    j->end += (off_t)len + 1;
    j->dirty = true;
    return 0;
}

int journal_sync(struct journal *j, struct fault *f)
{
    if (j->dirty && fdatasync(j->fd) < 0)
        return fault_errno(f, errno, "cannot write %.150s", j->path);
    j->dirty = false;
    return 0;
}

int journal_copy(struct journal *j, off_t offset, size_t len, int fd, struct fault *f)
{
    char piece[65536];

    for (len++ /* the line end */; len > 0;) {
        ssize_t n = pread(j->fd, piece, len < sizeof(piece) ? len : sizeof(piece), offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fault_errno(f, n < 0 ? errno : EIO, "cannot read %.150s", j->path);
        for (ssize_t done = 0; done < n;) {
            ssize_t w = write(fd, piece + done, (size_t)(n - done));

            if (w < 0 && errno != EINTR)
                return fault_errno(f, errno, "cannot write the results");
            done += w > 0 ? w : 0;
        }
        offset += n;
        len -= (size_t)n;
    }
    return 0;
}

void journal_remove(struct journal *j)
{
    unlink(j->path);
}
