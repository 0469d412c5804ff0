#include "queue/skim.h"

#include <string.h>

#include "base/mem.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct skim *s)
{
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

static bool take(struct skim *s, char c)
{
    skip_space(s);
    if (s->at >= s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* From the opening quote to behind the closing one. */
static bool skip_string(struct skim *s)
{
    if (!take(s, '"'))
        return false;
    for (; s->at < s->end; s->at++) {
        if (*s->at == '"') {
            s->at++;
            return true;
        }
        if (*s->at == '\\')
            s->at++;
    }
    return false;
}

/* An object or array: to behind the bracket that closes the first. Only depth is counted, not which bracket. */
static bool skip_nested(struct skim *s)
{
    size_t depth = 0;

    while (s->at < s->end) {
        char c = *s->at;

        if (c == '"') {
            if (!skip_string(s))
                return false;
            continue;
        }
        s->at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return true;
    }
    return false;
}

static bool skip_value(struct skim *s)
{
    const char *start;

    skip_space(s);
    if (s->at >= s->end)
        return false;
    if (*s->at == '"')
        return skip_string(s);
    if (*s->at == '{' || *s->at == '[')
        return skip_nested(s);
    start = s->at;
    while (s->at < s->end && !is_space(*s->at) && !strchr(",}]", *s->at))
        s->at++;
    return s->at > start && s->at < s->end; /* at the very end it may be cut */
}

bool skim_begin(struct skim *s, const char *bytes, size_t len)
{
    *s = (struct skim){.at = bytes, .end = bytes + len};
    return take(s, '{');
}

bool skim_next(struct skim *s, struct skim_member *ret)
{
    take(s, ',');
    skip_space(s);
    ret->name = s->at + 1;
    if (!skip_string(s))
        return false;
    ret->name_len = (size_t)(s->at - ret->name) - 1;
    if (!take(s, ':'))
        return false;
    skip_space(s);
    ret->value = s->at;
    if (!skip_value(s))
        return false;
    ret->value_len = (size_t)(s->at - ret->value);
    return true;
}

bool skim_is(const struct skim_member *m, const char *name)
{
    return m->name_len == strlen(name) && memcmp(m->name, name, m->name_len) == 0;
}

bool skim_name_has_nul(const struct skim_member *m)
{
    for (size_t i = 0; i + 5 < m->name_len; i++) {
        if (m->name[i] != '\\')
            continue;
        if (memcmp(m->name + i, "\\u0000", 6) == 0)
            return true;
        i++; /* what is escaped escapes nothing */
    }
    return false;
}

char *skim_string(const struct skim_member *m)
{
    if (m->value_len < 2 || m->value[0] != '"' || memchr(m->value, '\\', m->value_len) ||
        memchr(m->value, '\0', m->value_len))
        return NULL;
    return mem_bytes(m->value + 1, m->value_len - 2);
}

char *skim_compact(const struct skim_member *m)
{
    char *out = mem_zero(m->value_len + 1, 1);
    bool quoted = false;
    size_t n = 0;

    for (size_t i = 0; i < m->value_len; i++) {
        char c = m->value[i];

        if (!quoted && is_space(c))
            continue;
        out[n++] = c;
        if (quoted && c == '\\' && i + 1 < m->value_len)
            out[n++] = m->value[++i];
        else if (c == '"')
            quoted = !quoted;
    }
    return out;
}
