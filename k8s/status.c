#include "k8s/status.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/utf8.h"

enum { DEPTH = 32, BODY_READ = 65536 };

static const char quota_words[] = "exceeded quota";

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static enum fault_kind kind_of(int status, const char *reason, struct json_object *details, const char *message)
{
    switch (status) {
    case 404:
    case 410:
        return FAULT_GONE;
    case 409:
        if (is(reason, "AlreadyExists"))
            return FAULT_EXISTS;
        /* Two creates counted against one quota at the same moment: the second is to be sent again. */
        if (is(field_peek_string(details, "kind"), "resourcequotas"))
            return FAULT_TRANSIENT;
        return FAULT_REFUSED;
    case 413:
        return FAULT_TOO_BIG;
    case 429:
        return FAULT_THROTTLED;
    case 408:
    case 504:
        return FAULT_TIMEOUT; /* the server may still be working on it */
    default:
        if (status >= 500) /* etcd refuses what is over its own limit with a 500 */
            return message && strstr(message, "request is too large") ? FAULT_TOO_BIG : FAULT_TRANSIENT;
        return FAULT_REFUSED;
    }
}

/* One line of printable text, cut between two characters. */
static void set_text(struct fault *f, int status, const char *reason, const char *text, size_t len)
{
    char *line = f->text;
    size_t room, used;

    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    snprintf(line, sizeof(f->text), "HTTP %d%s%.40s%s", status, reason ? " " : "", reason ? reason : "",
             len ? ": " : "");
    used = strlen(line);
    room = sizeof(f->text) - 1 - used;
    if (len > room)
        len = utf8_floor(text, room);
    for (size_t i = 0; i < len; i++)
        line[used + i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
    line[used + len] = '\0';
}

int status_fault(int http_status, int64_t retry_after_ms, const char *body, size_t len, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *status = NULL;
    struct json_object *details;
    struct fault ignored = FAULT_INIT;
    const char *reason, *message, *quota;
    int64_t wait_s;

    if (len > BODY_READ || field_parse(body, len, DEPTH, &status, &ignored) < 0)
        status = NULL;
    reason = field_peek_string(status, "reason");
    message = field_peek_string(status, "message");
    details = field_peek(status, "details");
    wait_s = field_peek_int(details, "retryAfterSeconds", 0);
    *f = (struct fault){.kind = kind_of(http_status, reason, details, message), .code = http_status};
    f->retry_after_ms = wait_s > 0 && wait_s < 86400 && wait_s * 1000 > retry_after_ms ? wait_s * 1000 : retry_after_ms;
    if (http_status >= 300 && http_status < 400)
        message = "a redirect, which is not followed: is the address that of an API server?";
    quota = message ? strstr(message, quota_words) : NULL;
    if (quota) /* what comes before is a long name, and may push it out of the text */
        message = quota;
    if (message)
        set_text(f, http_status, reason, message, strlen(message));
    else
        set_text(f, http_status, reason, body, len);
    return -1;
}
