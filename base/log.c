#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { VALUE_MAX = 1024, LINE_MAX_BYTES = 16384 };

enum log_level log_threshold = LEVEL_INFO;
static bool as_json;

static const char *const level_name[] = {"error", "warning", "info", "debug"};

void log_open(enum log_level level, bool json)
{
    log_threshold = level;
    as_json = json;
}

const char *log_level_name(enum log_level level)
{
    return level_name[level];
}

int log_level_parse(const char *name, enum log_level *ret_level, struct fault *f)
{
    for (unsigned i = 0; i < sizeof(level_name) / sizeof(level_name[0]); i++)
        if (strcmp(name, level_name[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return fault_set(f, FAULT_INVALID, "\"%.40s\" is no log level: error, warning, info or debug", name);
}

/* Everything below ignores a full line buffer on purpose: a line that was cut is better than none. */

static void add_quoted(struct buf *line, const char *s)
{
    struct fault f;
    size_t n = 0;

    buf_fill(line, "\"", 1);
    for (const unsigned char *c = (const unsigned char *)s; *c && n < VALUE_MAX; c++, n++) {
        if (*c == '"' || *c == '\\')
            (void)buf_addf(line, &f, "\\%c", *c);
        else if (*c == '\n')
            (void)buf_add(line, "\\n", 2, &f);
        else if (*c < 0x20 || *c == 0x7f)
            (void)buf_addf(line, &f, "\\u%04x", *c);
        else
            buf_fill(line, c, 1);
    }
    buf_fill(line, "\"", 1);
}

static bool is_plain(const char *s)
{
    size_t n = 0;

    for (; *s; s++, n++)
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s == 0x7f || strchr("\"\\=", *s) || n >= VALUE_MAX)
            return false;
    return n > 0;
}

static void add_field(struct buf *line, const struct log_field *field)
{
    struct fault f;

    if (as_json)
        (void)buf_addf(line, &f, ",\"%s\":", field->key);
    else
        (void)buf_addf(line, &f, " %s=", field->key);
    if (!field->text)
        (void)buf_addf(line, &f, "%lld", (long long)field->number);
    else if (!as_json && is_plain(field->text))
        (void)buf_add_string(line, field->text, &f);
    else
        add_quoted(line, field->text);
}

static void add_start(struct buf *line, enum log_level level, const char *event)
{
    struct fault f;
    struct timespec now;
    struct tm tm;
    char stamp[32];

    clock_gettime(CLOCK_REALTIME, &now); /* the one place beside loop.c: a log line needs no loop */
    gmtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    if (as_json)
        (void)buf_addf(line, &f, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":\"%s\"", stamp,
                       now.tv_nsec / 1000000, level_name[level], event);
    else
        (void)buf_addf(line, &f, "%s.%03ldZ %s %s", stamp, now.tv_nsec / 1000000, level_name[level], event);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    _cleanup_(buf_release)
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    ssize_t written;

    add_start(&line, level, event);
    for (; fields->key; fields++)
        add_field(&line, fields);
    line.ceiling += 2;
    buf_fill(&line, as_json ? "}\n" : "\n", as_json ? 2 : 1);
    written = write(STDERR_FILENO, line.data, line.len);
    (void)written; /* nobody is left to tell */
}
