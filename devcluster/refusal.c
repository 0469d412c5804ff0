#include "devcluster/refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "devcluster/tree.h"

int refuse(struct refusal *r, int code, const char *reason, const char *format, ...)
{
    va_list args;

    r->code = code;
    r->reason = reason;
    r->retry_after_s = 0;
    va_start(args, format);
    vsnprintf(r->text, sizeof(r->text), format, args);
    va_end(args);
    return -1;
}

int refuse_invalid(struct refusal *r, const char *kind, const char *name, const char *format, ...)
{
    char why[384];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    return refuse(r, 422, "Invalid", "%s \"%.64s\" is invalid: %s", kind, name ? name : "", why);
}

struct json_object *refusal_status(const struct refusal *r, const char *kind, const char *name)
{
    struct json_object *status = tree_new(), *details;

    tree_set_string(status, "kind", "Status");
    tree_set_string(status, "apiVersion", "v1");
    tree_set(status, "metadata", tree_new());
    tree_set_string(status, "status", "Failure");
    tree_set_string(status, "message", r->text);
    tree_set_string(status, "reason", r->reason);
    details = tree_make(status, "details");
    if (name)
        tree_set_string(details, "name", name);
    if (kind)
        tree_set_string(details, "kind", kind);
    if (r->retry_after_s)
        tree_set_int(details, "retryAfterSeconds", r->retry_after_s);
    tree_set_int(status, "code", r->code);
    return status;
}

const char *refusal_reason(int code)
{
    /* clang-format off */
    static const struct { int code; const char *reason; } table[] = {
        {400, "BadRequest"},    {401, "Unauthorized"},     {403, "Forbidden"},   {404, "NotFound"},
        {405, "MethodNotAllowed"}, {409, "Conflict"},      {410, "Expired"},     {413, "RequestEntityTooLarge"},
        {415, "UnsupportedMediaType"}, {422, "Invalid"},   {429, "TooManyRequests"}, {500, "InternalError"},
        {503, "ServiceUnavailable"}, {504, "Timeout"},
    };
    /* clang-format on */

    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].code == code)
            return table[i].reason;
    return "Unknown";
}
