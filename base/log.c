#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/utf8.h"

enum { VALUE_MAX = 1024, FIELD_MAX_BYTES = VALUE_MAX * 6 + 128 /* all escaped */, LINE_MAX_BYTES = 16384 };

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

/* Everything below ignores a full buffer on purpose: a line that lacks something is better than none. */

/* The bytes of the well-formed character at `s`, at most `max`; 0 if there is none. */
static size_t character(const char *s, size_t max)
{
    for (size_t n = 1; n <= max && n <= 4; n++)
        if (utf8_is_valid(s, n))
            return n;
    return 0;
}

/* Control characters, also those from U+0080 to U+009F: terminals obey them too. */
static bool is_control(const char *s, size_t n)
{
    unsigned char first = (unsigned char)s[0];

    return first < 0x20 || first == 0x7f || (n == 2 && first == 0xc2 && (unsigned char)s[1] < 0xa0);
}

static void add_quoted(struct buf *field, const char *s)
{
    size_t left = strnlen(s, VALUE_MAX), n;
    struct fault f;

    if (left == VALUE_MAX)
        left = utf8_floor(s, left);
    buf_fill(field, "\"", 1);
    for (; left > 0; s += n, left -= n) {
        n = character(s, left);
        if (n == 0) {
            n = 1;
            buf_fill(field, "\\ufffd", 6);
        } else if (*s == '"' || *s == '\\') {
            (void)buf_addf(field, &f, "\\%c", *s);
        } else if (*s == '\n') {
            buf_fill(field, "\\n", 2);
        } else if (is_control(s, n)) {
            (void)buf_addf(field, &f, "\\u%04x", (unsigned char)s[n - 1]);
        } else {
            buf_fill(field, s, n);
        }
    }
    buf_fill(field, "\"", 1);
}

static bool is_plain(const char *s)
{
    size_t left = strnlen(s, VALUE_MAX), n;

    if (left == 0 || left == VALUE_MAX)
        return false;
    for (; left > 0; s += n, left -= n) {
        n = character(s, left);
        if (n == 0 || is_control(s, n) || strchr(" \"\\=", *s))
            return false;
    }
    return true;
}

static void add_field(struct buf *line, const struct log_field *field)
{
    _cleanup_(buf_release)
    struct buf text = BUF_INIT(FIELD_MAX_BYTES);
    struct fault f;

    if (as_json)
        (void)buf_addf(&text, &f, ",\"%s\":", field->key);
    else
        (void)buf_addf(&text, &f, " %s=", field->key);
    if (!field->text)
        (void)buf_addf(&text, &f, "%lld", (long long)field->number);
    else if (!as_json && is_plain(field->text))
        (void)buf_add_string(&text, field->text, &f);
    else
        add_quoted(&text, field->text);
    (void)buf_add(line, text.data, text.len, &f); /* whole or not at all */
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
