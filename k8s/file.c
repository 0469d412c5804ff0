#include "k8s/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int file_read(const char *path, struct buf *b, struct fault *f)
{
    char piece[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), result = 0;
    ssize_t n;

    if (fd < 0)
        return fault_errno(f, errno, "%.150s", path);
    while (result == 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
        if (n > 0)
            result = buf_add(b, piece, (size_t)n, f);
        else if (errno != EINTR)
            result = fault_errno(f, errno, "%.150s", path);
    }
    if (result < 0 && f->kind == FAULT_TOO_BIG)
        fault_wrap(f, "%.150s", path);
    close(fd);
    return result;
}

int file_read_trimmed(const char *path, struct buf *b, struct fault *f)
{
    size_t space = 0;

    if (file_read(path, b, f) < 0)
        return -1;
    while (b->len > 0 && isspace((unsigned char)b->data[b->len - 1]))
        b->data[--b->len] = '\0';
    while (space < b->len && isspace((unsigned char)b->data[space]))
        space++;
    buf_consume(b, space);
    if (b->len == 0)
        return fault_set(f, FAULT_INVALID, "%.150s: is empty", path);
    return 0;
}
