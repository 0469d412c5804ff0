#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* The text goes into results and logs, which are UTF-8: what was cut at its end loses the rest of a character. */
static void end_whole(struct fault *f)
{
    f->text[utf8_floor(f->text, strlen(f->text))] = '\0';
}

static void set(struct fault *f, enum fault_kind kind, int code, const char *format, va_list args)
{
    f->kind = kind;
    f->code = code;
    f->retry_after_ms = 0;
    vsnprintf(f->text, sizeof(f->text), format, args);
    end_whole(f);
}

int fault_set(struct fault *f, enum fault_kind kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set(f, kind, 0, format, args);
    va_end(args);
    return -1;
}

static enum fault_kind kind_of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case EACCES:
    case EPERM:
    case ENOTDIR:
    case EISDIR:
    case EINVAL:
    case ENAMETOOLONG:
        return FAULT_INVALID;
    case EFBIG:
        return FAULT_TOO_BIG;
    case EEXIST:
        return FAULT_EXISTS;
    case ETIMEDOUT:
        return FAULT_TIMEOUT;
    default:
        return FAULT_TRANSIENT;
    }
}

int fault_errno(struct fault *f, int error, const char *format, ...)
{
    va_list args;
    size_t used;

    va_start(args, format);
    set(f, kind_of_errno(error), error, format, args);
    va_end(args);
    used = strlen(f->text);
    snprintf(f->text + used, sizeof(f->text) - used, ": %s", strerror(error));
    end_whole(f);
    return -1;
}

int fault_wrap(struct fault *f, const char *format, ...)
{
    char inner[sizeof(f->text)];
    va_list args;
    size_t used;

    memcpy(inner, f->text, sizeof(inner));
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    used = strlen(f->text);
    snprintf(f->text + used, sizeof(f->text) - used, ": %s", inner);
    end_whole(f);
    return -1;
}

bool fault_is_passing(const struct fault *f)
{
    return f->kind == FAULT_TRANSIENT || f->kind == FAULT_THROTTLED || f->kind == FAULT_TIMEOUT;
}

const char *fault_kind_name(enum fault_kind kind)
{
    static const char *const name[] = {
        [FAULT_NONE] = "none",
        [FAULT_TRANSIENT] = "transient",
        [FAULT_THROTTLED] = "throttled",
        [FAULT_TIMEOUT] = "timeout",
        [FAULT_EXISTS] = "exists",
        [FAULT_GONE] = "gone",
        [FAULT_REFUSED] = "refused",
        [FAULT_TOO_BIG] = "too_big",
        [FAULT_INVALID] = "invalid",
        [FAULT_CANCELLED] = "cancelled",
        [FAULT_BUG] = "bug",
    };

    return (unsigned)kind < sizeof(name) / sizeof(name[0]) ? name[kind] : "unknown";
}
