#include "k8s/skim.h"

#include <stdbool.h>
#include <string.h>

enum { PATH_LEN = 128 };

struct reader {
    const char *at, *end;
    const char *const *keep;
    struct buf *out;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && is_space(*r->at))
        r->at++;
}

static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool skip_string(struct reader *r)
{
    const char *close, *escape;

    if (!take(r, '"'))
        return false;
    while ((close = memchr(r->at, '"', (size_t)(r->end - r->at)))) {
        escape = memchr(r->at, '\\', (size_t)(close - r->at));
        if (!escape) {
            r->at = close + 1;
            return true;
        }
        r->at = escape + 2; /* at most behind the quotation mark */
    }
    return false;
}

static bool skip_value(struct reader *r)
{
    int depth = 0;

    skip_space(r);
    while (r->at < r->end) {
        char c = *r->at;

        if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_space(c)))
            return true; /* the end of a number or a word */
        if (c == '"') {
            if (!skip_string(r))
                return false;
        } else {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            r->at++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            return true;
    }
    return false;
}

static bool put(struct reader *r, const char *bytes, size_t len)
{
    struct fault ignored = FAULT_INIT;

    return buf_add(r->out, bytes, len, &ignored) == 0;
}

enum plan { LEAVE_OUT, KEEP, LOOK_INSIDE };

static enum plan plan_for(const struct reader *r, const char *path)
{
    size_t len = strlen(path);

    for (const char *const *p = r->keep; *p; p++)
        if (strncmp(*p, path, len) == 0 && ((*p)[len] == '\0' || (*p)[len] == '.'))
            return (*p)[len] ? LOOK_INSIDE : KEEP;
    return LEAVE_OUT;
}

/* Whether it is not longer than any that could be meant. */
static bool extend(const char *path, const char *name, size_t len, char ret[PATH_LEN])
{
    size_t at = strlen(path);

    if (at + 1 + len >= PATH_LEN)
        return false;
    memcpy(ret, path, at);
    if (at > 0)
        ret[at++] = '.';
    memcpy(ret + at, name, len);
    ret[at + len] = '\0';
    return true;
}

static bool read_object(struct reader *r, const char *path);
static bool read_array(struct reader *r, const char *path);

/* One member; `*ret_kept` tells whether it is in the output. */
static bool read_member(struct reader *r, const char *path, bool first, bool *ret_kept)
{
    char own[PATH_LEN];
    const char *key, *value;
    enum plan plan = LEAVE_OUT;

    skip_space(r);
    key = r->at;
    if (!skip_string(r))
        return false;
    if (extend(path, key + 1, (size_t)(r->at - key - 2), own))
        plan = plan_for(r, own);
    if (!take(r, ':'))
        return false;
    skip_space(r);
    value = r->at;
    *ret_kept = plan != LEAVE_OUT;
    if (plan == LEAVE_OUT)
        return skip_value(r);
    if (!first && !put(r, ",", 1))
        return false;
    if (plan == LOOK_INSIDE && value < r->end && *value == '{')
        return put(r, key, (size_t)(value - key)) && read_object(r, own);
    if (plan == LOOK_INSIDE && value < r->end && *value == '[')
        return put(r, key, (size_t)(value - key)) && read_array(r, own);
    return skip_value(r) && put(r, key, (size_t)(r->at - key));
}

static bool read_object(struct reader *r, const char *path)
{
    bool first = true, kept;

    if (!take(r, '{') || !put(r, "{", 1))
        return false;
    if (take(r, '}'))
        return put(r, "}", 1);
    do {
        if (!read_member(r, path, first, &kept))
            return false;
        first = first && !kept;
    } while (take(r, ','));
    return take(r, '}') && put(r, "}", 1);
}

/* An element that is no object stays as it is. */
static bool read_element(struct reader *r, const char *path)
{
    const char *from;

    skip_space(r);
    from = r->at;
    if (from < r->end && *from == '{')
        return read_object(r, path);
    return skip_value(r) && put(r, from, (size_t)(r->at - from));
}

static bool read_array(struct reader *r, const char *path)
{
    if (!take(r, '[') || !put(r, "[", 1))
        return false;
    if (take(r, ']'))
        return put(r, "]", 1);
    for (;;) {
        if (!read_element(r, path))
            return false;
        if (!take(r, ','))
            return take(r, ']') && put(r, "]", 1);
        if (!put(r, ",", 1))
            return false;
    }
}

int skim(const char *json, size_t len, const char *const keep[], struct buf *out)
{
    struct reader r = {.at = json, .end = json + len, .keep = keep, .out = out};
    size_t before = out->len;

    if (read_object(&r, "")) {
        skip_space(&r);
        if (r.at == r.end)
            return 0;
    }
    if (out->data) {
        out->len = before;
        out->data[before] = '\0';
    }
    return -1;
}
