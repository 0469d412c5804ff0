#include "runner/glob.h"

#include <stddef.h>
#include <string.h>

/* Where to go on with the pattern, and how much of the path a star has taken so far. */
struct retry {
    const char *p, *s;
    bool folders; /* takes whole folders only */
};

static bool take_more(struct retry *r)
{
    if (!r->p || !*r->s)
        return false;
    if (!r->folders) {
        r->s++;
        return true;
    }
    r->s = strchr(r->s, '/');
    if (!r->s) {
        r->p = NULL;
        return false;
    }
    r->s++;
    return true;
}

/* One place to come back to for each kind of star suffices: what an earlier star of the same kind could still take,
 * the later one can take too. A double star forgets the single one before it. */
bool glob_match(const char *pattern, const char *s)
{
    struct retry star = {0}, deep = {0};
    const char *p = pattern;

    for (;;) {
        if (p[0] == '*' && p[1] == '*') {
            bool folders = (p == pattern || p[-1] == '/') && p[2] == '/';

            p += folders ? 3 : 2;
            deep = (struct retry){p, s, folders};
            star.p = NULL;
        } else if (p[0] == '*') {
            p++;
            star = (struct retry){p, s, false};
        } else if (*s && (p[0] == *s || (p[0] == '?' && *s != '/'))) {
            p++, s++;
        } else if (!*s && !*p) {
            return true;
        } else if (star.p && *star.s != '/' && take_more(&star)) {
            p = star.p, s = star.s;
        } else if (take_more(&deep)) {
            p = deep.p, s = deep.s;
            star.p = NULL;
        } else {
            return false;
        }
    }
}
