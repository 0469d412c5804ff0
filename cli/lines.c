#include "cli/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { PIECE = 65536 };

struct lines {
    int fd;
    char piece[PIECE];
    size_t at, have; /* of the piece */
    off_t next;      /* where the next piece begins */
    struct buf line;
    size_t number;
    bool end;
};

struct lines *lines_new(int fd, size_t line_max)
{
    struct lines *l = mem_new(struct lines);

    l->fd = fd;
    buf_init(&l->line, line_max);
    return l;
}

void lines_free(struct lines *l)
{
    buf_release(&l->line);
    free(l);
}

static ssize_t read_piece(int fd, char *to, size_t size, off_t offset, struct fault *f)
{
    ssize_t n;

    do
        n = pread(fd, to, size, offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? fault_errno(f, errno, "cannot read") : n;
}

static int refill(struct lines *l, struct fault *f)
{
    ssize_t n = read_piece(l->fd, l->piece, sizeof(l->piece), l->next, f);

    if (n < 0)
        return -1;
    l->at = 0;
    l->have = (size_t)n;
    l->next += n;
    l->end = n == 0;
    return 0;
}

off_t lines_end(const struct lines *l)
{
    return l->next - (off_t)(l->have - l->at);
}

int lines_next(struct lines *l, struct line *ret, struct fault *f)
{
    struct line line = {.offset = lines_end(l), .torn = true};
    bool any = false;

    buf_clear(&l->line);
    while (line.torn) {
        const char *from, *newline;
        size_t n;

        if (l->at == l->have && refill(l, f) < 0)
            return -1;
        if (l->end)
            break;
        any = true;
        from = l->piece + l->at;
        newline = memchr(from, '\n', l->have - l->at);
        n = newline ? (size_t)(newline - from) : l->have - l->at;
        if (buf_fill(&l->line, from, n) < n)
            line.too_long = true;
        l->at += n + (newline ? 1 : 0);
        line.torn = !newline;
    }
    if (!any)
        return 0;
    line.bytes = buf_str(&l->line);
    line.len = l->line.len;
    line.number = ++l->number;
    *ret = line;
    return 1;
}

int lines_read_at(int fd, off_t offset, size_t len, struct buf *into, struct fault *f)
{
    char piece[PIECE];

    buf_clear(into);
    while (into->len < len) {
        size_t left = len - into->len;
        ssize_t n = read_piece(fd, piece, left < sizeof(piece) ? left : sizeof(piece), offset + (off_t)into->len, f);

        if (n < 0)
            return -1;
        if (n == 0)
            return fault_set(f, FAULT_INVALID, "the file has become shorter");
        if (buf_add(into, piece, (size_t)n, f) < 0)
            return -1;
    }
    return 0;
}
