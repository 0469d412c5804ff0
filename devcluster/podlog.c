#include "devcluster/podlog.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct podlog {
    int fd; /* -1 while closed */
    size_t size;
    char *path;
};

int podlog_open(const char *path, struct podlog **ret, struct fault *f)
{
    struct podlog *l;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return fault_errno(f, errno, "log file %.100s", path);
    l = mem_new(struct podlog);
    l->fd = fd;
    l->path = mem_string(path);
    *ret = l;
    return 0;
}

void podlog_close(struct podlog *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void podlog_free(struct podlog *l)
{
    if (!l)
        return;
    podlog_close(l);
    free(l->path);
    free(l);
}

void podlog_clear(struct podlog *l)
{
    l->size = 0;
    if (l->fd >= 0 && ftruncate(l->fd, 0) < 0)
        l->size = 0; /* the old bytes are overwritten, and `size` says how many count */
}

void podlog_add(struct podlog *l, const char *bytes, size_t len)
{
    ssize_t written;

    if (l->fd < 0)
        return;
    if (l->size + len > PODLOG_MAX)
        podlog_clear(l);
    written = pwrite(l->fd, bytes, len, (off_t)l->size);
    if (written > 0)
        l->size += (size_t)written; /* a full disk loses the rest, as on a real node */
}

/* Records begin after a newline, and every 16 KiB of a line. The last one may lack its newline. */
size_t podlog_tail(const char *text, size_t len, int64_t tail)
{
    size_t *starts, n = 0, at = 0, keep, start;

    if (tail < 0)
        return 0;
    if (tail == 0)
        return len;
    keep = (size_t)tail < len ? (size_t)tail : len;
    starts = mem_zero(keep ? keep : 1, sizeof(*starts)); /* the last `keep` beginnings, in a circle */
    while (at < len) {
        size_t most = len - at < PODLOG_PIECE ? len - at : PODLOG_PIECE;
        const char *end = memchr(text + at, '\n', most);

        starts[n++ % keep] = at;
        at += end ? (size_t)(end - (text + at)) + 1 : most;
        if (!end && at < len && text[at] == '\n')
            at++; /* the line ended just where the piece did */
    }
    start = n == 0 ? len : n <= keep ? 0 : starts[n % keep];
    free(starts);
    return start;
}

int podlog_read(struct podlog *l, int64_t tail, int64_t limit, struct evbuffer *to, struct fault *f)
{
    int fd = l->fd >= 0 ? l->fd : open(l->path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    size_t start, len;
    ssize_t got;

    if (fd < 0)
        return fault_errno(f, errno, "log file");
    text = mem_zero(l->size + 1, 1);
    got = pread(fd, text, l->size, 0);
    if (fd != l->fd)
        close(fd);
    if (got < 0)
        return fault_errno(f, errno, "log file");
    start = podlog_tail(text, (size_t)got, tail);
    len = (size_t)got - start;
    if (limit >= 0 && len > (size_t)limit)
        len = (size_t)limit;
    evbuffer_add(to, text + start, len);
    return 0;
}
