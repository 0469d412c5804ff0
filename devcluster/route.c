#include "devcluster/route.h"

#include <stdio.h>
#include <string.h>

enum { PARTS_MAX = 8, PATH_MAX_LEN = 1024 };

/* Splits at slashes; empty parts vanish. Returns how many, -1 if there are too many. */
static int split(char *path, char *parts[PARTS_MAX])
{
    int n = 0;

    while (*path) {
        if (*path == '/') {
            *path++ = '\0';
            continue;
        }
        if (n == PARTS_MAX)
            return -1;
        parts[n++] = path;
        path += strcspn(path, "/");
    }
    return n;
}

static bool copy(char *to, size_t size, const char *from)
{
    return (size_t)snprintf(to, size, "%s", from) < size;
}

static bool read_sub(const char *word, struct route *route)
{
    if (strcmp(word, "status") == 0)
        route->sub = SUB_STATUS;
    else if (strcmp(word, "log") == 0 && route->kind->log)
        route->sub = SUB_LOG;
    else if (strcmp(word, "attach") == 0 && route->kind->log)
        route->sub = SUB_ATTACH;
    else
        return false;
    return true;
}

/* What follows the version: [namespaces NS] RESOURCE [NAME [SUB]], or namespaces NAME [status]. */
static bool read_rest(const char *group, const char *version, char **parts, int n, struct route *route)
{
    if (n >= 3 && strcmp(parts[0], "namespaces") == 0 && strcmp(parts[2], "status") != 0) {
        if (!copy(route->ns, sizeof(route->ns), parts[1]))
            return false;
        parts += 2;
        n -= 2;
    }
    if (n < 1 || n > 3)
        return false;
    route->kind = kind_find(group, version, parts[0]);
    if (!route->kind || (route->ns[0] && !route->kind->namespaced))
        return false;
    if (n >= 2 && !copy(route->name, sizeof(route->name), parts[1]))
        return false;
    if (route->name[0] && route->kind->namespaced && !route->ns[0])
        return false;
    return n < 3 || read_sub(parts[2], route);
}

bool route_parse(const char *path, struct route *ret)
{
    char text[PATH_MAX_LEN];
    char *parts[PARTS_MAX];
    struct route route = {0};
    bool ok = false;
    int n;

    if (!copy(text, sizeof(text), path))
        return false;
    n = split(text, parts);
    if (n >= 3 && strcmp(parts[0], "api") == 0)
        ok = read_rest("", parts[1], parts + 2, n - 2, &route);
    else if (n >= 4 && strcmp(parts[0], "apis") == 0)
        ok = read_rest(parts[1], parts[2], parts + 3, n - 3, &route);
    if (ok)
        *ret = route;
    return ok;
}

int route_verb(const struct route *route, enum route_method method, bool watch)
{
    bool one = route->name[0] != '\0';

    if (route->sub == SUB_LOG)
        return method == METHOD_GET ? VERB_LOG : -1;
    if (route->sub == SUB_ATTACH)
        return method == METHOD_GET ? VERB_ATTACH : -1;
    if (route->sub == SUB_STATUS && method != METHOD_GET)
        return -1;
    switch (method) {
    case METHOD_GET:
        if (watch)
            return VERB_WATCH;
        return one ? VERB_GET : VERB_LIST;
    case METHOD_POST:
        return one || (route->kind->namespaced && !route->ns[0]) ? -1 : VERB_CREATE;
    case METHOD_PUT:
        return one ? VERB_UPDATE : -1;
    case METHOD_PATCH:
        return one ? VERB_PATCH : -1;
    case METHOD_DELETE:
        return one ? VERB_DELETE : VERB_DELETECOLLECTION;
    }
    return -1;
}
