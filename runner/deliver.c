#include "runner/deliver.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* First pass: how long it is, its digest, and its first bytes. */
struct measure {
    int64_t total;
    struct sha256 hash;
    char head[DELIVER_MESSAGE_MAX];
};

/* Second pass: lines. */
struct lines {
    int fd;
    bool failed;
    int64_t count;
    size_t len;
    char line[DELIVER_LINE_MAX + 1];
};

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd full = {fd, POLLOUT, 0};

            poll(&full, 1, 1000);
        } else if (n < 0 && errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static void take_measure(void *arg, const char *bytes, size_t len)
{
    struct measure *m = arg;

    if (m->total < DELIVER_MESSAGE_MAX) {
        size_t room = DELIVER_MESSAGE_MAX - (size_t)m->total;

        memcpy(m->head + m->total, bytes, len < room ? len : room);
    }
    sha256_add(&m->hash, bytes, len);
    m->total += (int64_t)len;
}

static void end_line(struct lines *l, size_t len)
{
    char next = l->line[len];

    l->line[len] = '\n';
    if (!l->failed && write_all(l->fd, l->line, len + 1) < 0)
        l->failed = true;
    l->line[len] = next;
    l->count++;
    memmove(l->line, l->line + len, l->len - len);
    l->len -= len;
}

static void take_lines(void *arg, const char *bytes, size_t len)
{
    struct lines *l = arg;

    while (len > 0) {
        size_t room = DELIVER_LINE_MAX - l->len, n = len < room ? len : room;

        memcpy(l->line + l->len, bytes, n);
        l->len += n;
        bytes += n;
        len -= n;
        if (l->len == DELIVER_LINE_MAX)
            end_line(l, bytes_text_floor(l->line, l->len));
    }
}

static int write_message(int fd, const char *bytes, size_t len)
{
    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 || write_all(fd, bytes, len) < 0)
        return RUNNER_EXIT_MESSAGE;
    if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
        return RUNNER_EXIT_MESSAGE;
    return 0;
}

/* The code may have left the log in the middle of a line. */
static int write_log(const struct outcome *o, int fd, int64_t *ret_lines)
{
    static struct lines l; /* too large for a small stack */
    struct emit j = {.take = take_lines, .arg = &l};

    l = (struct lines){.fd = fd};
    l.failed = write_all(fd, "\n", 1) < 0;
    report_write(o, &j);
    if (l.len > 0)
        end_line(&l, l.len);
    *ret_lines = l.count;
    return l.failed ? RUNNER_EXIT_LOG : 0;
}

/* After the message, which is the truth for everyone, whatever becomes of this. */
static void announce(int log, const char *report, size_t len)
{
    static const char again[] = ",\"again\":true}";
    char line[DELIVER_MESSAGE_MAX + sizeof(again) + 2];
    int n = snprintf(line, sizeof(line), "\n%.*s\n", (int)len, report);

    if (write_all(log, line, (size_t)n) < 0 || poll(NULL, 0, DELIVER_AGAIN_MS) != 0)
        return; /* a signal: it is to leave */
    n = snprintf(line, sizeof(line), "\n%.*s%s\n", (int)len - 1, report, again);
    write_all(log, line, (size_t)n);
}

static int write_short(const struct outcome *o, int message, int log, const struct measure *m)
{
    int code = write_message(message, m->head, (size_t)m->total);

    if (code == 0 && o->announce && o->isolation == ISOLATION_FULL)
        announce(log, m->head, (size_t)m->total);
    return code;
}

int deliver(const struct outcome *o, int message, int log)
{
    static struct measure m;
    struct emit j = {.take = take_measure, .arg = &m};
    unsigned char digest[SHA256_BYTES];
    char text[256], hex[2 * SHA256_BYTES + 1];
    int64_t lines;
    int code;

    m = (struct measure){0};
    sha256_init(&m.hash);
    report_write(o, &j);
    if (m.total <= DELIVER_MESSAGE_MAX)
        return write_short(o, message, log, &m);
    code = write_log(o, log, &lines); /* the message comes last: without it nothing is believed */
    if (code != 0)
        return code;
    sha256_end(&m.hash, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    snprintf(text, sizeof(text), "{\"execq_report\":1,\"lines\":%lld,\"bytes\":%lld,\"sha256\":\"%s\"}",
             (long long)lines, (long long)m.total, hex);
    return write_message(message, text, strlen(text));
}
