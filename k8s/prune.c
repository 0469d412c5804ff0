#include "k8s/prune.h"

#include <stdbool.h>
#include <string.h>

#include "base/skim.h"

enum { PATH_LEN = 128 };

struct pruner {
    struct skim in;
    const char *const *keep;
    struct buf *out;
};

static bool put(struct pruner *p, const char *bytes, size_t len)
{
    struct fault ignored = FAULT_INIT;

    return buf_add(p->out, bytes, len, &ignored) == 0;
}

enum plan { LEAVE_OUT, KEEP, LOOK_INSIDE };

static enum plan plan_for(const struct pruner *p, const char *path)
{
    size_t len = strlen(path);

    for (const char *const *k = p->keep; *k; k++)
        if (strncmp(*k, path, len) == 0 && ((*k)[len] == '\0' || (*k)[len] == '.'))
            return (*k)[len] ? LOOK_INSIDE : KEEP;
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

static bool read_object(struct pruner *p, const char *path);
static bool read_array(struct pruner *p, const char *path);

/* One member; `*ret_kept` tells whether it is in the output. */
static bool read_member(struct pruner *p, const char *path, bool first, bool *ret_kept)
{
    char own[PATH_LEN];
    const char *key, *value;
    enum plan plan = LEAVE_OUT;

    skim_space(&p->in);
    key = p->in.at;
    if (!skim_string(&p->in))
        return false;
    if (extend(path, key + 1, (size_t)(p->in.at - key - 2), own))
        plan = plan_for(p, own);
    if (!skim_take(&p->in, ':'))
        return false;
    skim_space(&p->in);
    value = p->in.at;
    *ret_kept = plan != LEAVE_OUT;
    if (plan == LEAVE_OUT)
        return skim_value(&p->in);
    if (!first && !put(p, ",", 1))
        return false;
    if (plan == LOOK_INSIDE && value < p->in.end && *value == '{')
        return put(p, key, (size_t)(value - key)) && read_object(p, own);
    if (plan == LOOK_INSIDE && value < p->in.end && *value == '[')
        return put(p, key, (size_t)(value - key)) && read_array(p, own);
    return skim_value(&p->in) && put(p, key, (size_t)(p->in.at - key));
}

static bool read_object(struct pruner *p, const char *path)
{
    bool first = true, kept;

    if (!skim_take(&p->in, '{') || !put(p, "{", 1))
        return false;
    if (skim_take(&p->in, '}'))
        return put(p, "}", 1);
    do {
        if (!read_member(p, path, first, &kept))
            return false;
        first = first && !kept;
    } while (skim_take(&p->in, ','));
    return skim_take(&p->in, '}') && put(p, "}", 1);
}

/* An element that is no object stays as it is. */
static bool read_element(struct pruner *p, const char *path)
{
    const char *from;

    skim_space(&p->in);
    from = p->in.at;
    if (from < p->in.end && *from == '{')
        return read_object(p, path);
    return skim_value(&p->in) && put(p, from, (size_t)(p->in.at - from));
}

static bool read_array(struct pruner *p, const char *path)
{
    if (!skim_take(&p->in, '[') || !put(p, "[", 1))
        return false;
    if (skim_take(&p->in, ']'))
        return put(p, "]", 1);
    for (;;) {
        if (!read_element(p, path))
            return false;
        if (!skim_take(&p->in, ','))
            return skim_take(&p->in, ']') && put(p, "]", 1);
        if (!put(p, ",", 1))
            return false;
    }
}

int prune(const char *json, size_t len, const char *const keep[], struct buf *out)
{
    struct pruner p = {.in = {.at = json, .end = json + len}, .keep = keep, .out = out};
    size_t before = out->len;

    if (read_object(&p, "")) {
        skim_space(&p.in);
        if (p.in.at == p.in.end)
            return 0;
    }
    if (out->data) {
        out->len = before;
        out->data[before] = '\0';
    }
    return -1;
}
