#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void buf_init(struct buf *b, size_t ceiling)
{
    *b = (struct buf)BUF_INIT(ceiling);
}

void buf_release(struct buf *b)
{
    free(b->data);
    buf_init(b, b->ceiling);
}

static void reserve(struct buf *b, size_t more)
{
    size_t want = b->len + more + 1, cap = b->cap ? b->cap : 64;

    if (want <= b->cap)
        return;
    while (cap < want)
        cap *= 2;
    b->data = mem_resize(b->data, cap, 1);
    b->cap = cap;
}

static void append(struct buf *b, const void *bytes, size_t len)
{
    reserve(b, len);
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

int buf_add(struct buf *b, const void *bytes, size_t len, struct fault *f)
{
    if (len > b->ceiling - b->len)
        return fault_set(f, FAULT_TOO_BIG, "more than %zu bytes", b->ceiling);
    append(b, bytes, len);
    return 0;
}

int buf_add_string(struct buf *b, const char *s, struct fault *f)
{
    return buf_add(b, s, strlen(s), f);
}

int buf_addf(struct buf *b, struct fault *f, const char *format, ...)
{
    va_list args;
    int len, r;
    char small[256];
    char *big;

    va_start(args, format);
    len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (len < 0)
        return fault_set(f, FAULT_BUG, "bad format");
    if ((size_t)len < sizeof(small))
        return buf_add(b, small, (size_t)len, f);
    big = mem_zero((size_t)len + 1, 1);
    va_start(args, format);
    vsnprintf(big, (size_t)len + 1, format, args);
    va_end(args);
    r = buf_add(b, big, (size_t)len, f);
    free(big);
    return r;
}

size_t buf_fill(struct buf *b, const void *bytes, size_t len)
{
    size_t room = b->ceiling - b->len;

    if (len > room)
        len = room;
    append(b, bytes, len);
    return len;
}

void buf_consume(struct buf *b, size_t len)
{
    if (len >= b->len) {
        buf_clear(b);
        return;
    }
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
    b->data[b->len] = '\0';
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    char *data;

    reserve(b, 0);
    b->data[b->len] = '\0';
    data = b->data;
    if (ret_len)
        *ret_len = b->len;
    buf_init(b, b->ceiling);
    return data;
}
