#include "runner/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int why_set(struct why *w, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(w->text, sizeof(w->text), format, ap);
    va_end(ap);
    return -1;
}

int why_errno(struct why *w, int error, const char *format, ...)
{
    va_list ap;
    size_t used;

    va_start(ap, format);
    vsnprintf(w->text, sizeof(w->text), format, ap);
    va_end(ap);
    used = strlen(w->text);
    snprintf(w->text + used, sizeof(w->text) - used, ": %s", strerror(error));
    return -1;
}

void *need_array(void *p, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total) || !(p = realloc(p, total ? total : 1)))
        _exit(RUNNER_EXIT_MEMORY);
    return p;
}

void *need_zero(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);

    if (!p)
        _exit(RUNNER_EXIT_MEMORY);
    return p;
}

void bytes_keep(struct bytes *b, const void *from, size_t len, size_t most)
{
    size_t room = b->len < most ? most - b->len : 0;

    if (len > room)
        len = room;
    if (len == 0)
        return;
    if (b->cap - b->len < len) {
        size_t cap = b->cap ? b->cap : 4096;

        while (cap - b->len < len)
            cap *= 2;
        b->data = need_array(b->data, cap, 1);
        b->cap = cap;
    }
    memcpy(b->data + b->len, from, len);
    b->len += len;
}

void bytes_release(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t unix_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Length of the well-formed character at `s`, 0 if there is none; `len` > 0. */
static size_t character(const unsigned char *s, size_t len)
{
    unsigned c = s[0];
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

    if (n == 0 || n > len || c == 0)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f)) /* overlong, surrogate, beyond U+10FFFF */
        return 0;
    return n;
}

bool bytes_are_text(const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;

    while (len > 0) {
        size_t n = character(s, len);

        if (n == 0)
            return false;
        s += n;
        len -= n;
    }
    return true;
}

size_t bytes_text_floor(const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    size_t back = 0;

    while (back < 3 && back < len && (s[len - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < len) {
        unsigned c = s[len - 1 - back];
        size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

        if (want > back + 1)
            return len - back - 1;
    }
    return len;
}
