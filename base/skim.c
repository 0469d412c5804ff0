#include "base/skim.h"

#include <string.h>

#include "base/mem.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void skim_space(struct skim *s)
{
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

bool skim_take(struct skim *s, char c)
{
    skim_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

bool skim_string(struct skim *s)
{
    const char *close, *escape;

    if (!skim_take(s, '"'))
        return false;
    while ((close = memchr(s->at, '"', (size_t)(s->end - s->at)))) {
        escape = memchr(s->at, '\\', (size_t)(close - s->at));
        if (!escape) {
            s->at = close + 1;
            return true;
        }
        s->at = escape + 2; /* at most behind the quotation mark */
    }
    s->at = s->end;
    return false;
}

/* An object or array: to behind the bracket that closes the first. Only depth is counted, not which bracket. */
static bool skip_nested(struct skim *s)
{
    static const bool counts[256] = {['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true};
    size_t depth = 0;

    for (;;) {
        while (s->at < s->end && !counts[(unsigned char)*s->at])
            s->at++;
        if (s->at == s->end)
            return false;
        if (*s->at == '"') {
            if (!skim_string(s))
                return false;
        } else if (*s->at == '{' || *s->at == '[') {
            s->at++;
            depth++;
        } else {
            s->at++;
            if (--depth == 0)
                return true;
        }
    }
}

bool skim_value(struct skim *s)
{
    const char *start;

    skim_space(s);
    if (s->at == s->end)
        return false;
    if (*s->at == '"')
        return skim_string(s);
    if (*s->at == '{' || *s->at == '[')
        return skip_nested(s);
    start = s->at;
    while (s->at < s->end && !is_space(*s->at) && !strchr(",}]", *s->at))
        s->at++;
    return s->at > start && s->at < s->end;
}

bool skim_begin(struct skim *s, const char *bytes, size_t len)
{
    *s = (struct skim){.at = bytes, .end = bytes + len};
    return skim_take(s, '{');
}

bool skim_next(struct skim *s, struct skim_member *ret)
{
    skim_take(s, ',');
    skim_space(s);
    ret->name = s->at + 1;
    if (!skim_string(s))
        return false;
    ret->name_len = (size_t)(s->at - ret->name) - 1;
    if (!skim_take(s, ':'))
        return false;
    skim_space(s);
    ret->value = s->at;
    if (!skim_value(s))
        return false;
    ret->value_len = (size_t)(s->at - ret->value);
    return true;
}

bool skim_member_is(const struct skim_member *m, const char *name)
{
    return m->name_len == strlen(name) && memcmp(m->name, name, m->name_len) == 0;
}

bool skim_member_has_nul(const struct skim_member *m)
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

char *skim_member_text(const struct skim_member *m)
{
    if (m->value_len < 2 || m->value[0] != '"' || memchr(m->value, '\\', m->value_len) ||
        memchr(m->value, '\0', m->value_len))
        return NULL;
    return mem_bytes(m->value + 1, m->value_len - 2);
}

char *skim_member_compact(const struct skim_member *m)
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
