#include "queue/redis_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

enum { URL_MAX = 4096, PORT_DEFAULT = 6379, DB_MAX = 1 << 20 };

static int hex(int c)
{
    if (isdigit(c))
        return c - '0';
    c = tolower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%40" and its like. The fault names the part, never its content: it may be the password. */
static int decode(const char *s, size_t len, const char *part, char **ret, struct fault *f)
{
    char *out = mem_zero(len + 1, 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)s[i];

        if (c == '%') {
            int high = len - i > 2 ? hex((unsigned char)s[i + 1]) : -1;
            int low = len - i > 2 ? hex((unsigned char)s[i + 2]) : -1;

            c = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (c < ' ' || c == 127) {
            mem_wipe(out, len + 1);
            free(out);
            return fault_set(f, FAULT_INVALID, "Redis URL: the %s has a bad %% escape or a control character", part);
        }
        out[n++] = (char)c;
    }
    *ret = out;
    return 0;
}

static int read_number(const char *s, size_t len, const char *part, int64_t min, int64_t max, int *ret, struct fault *f)
{
    char digits[16] = "";
    struct fault ignored = FAULT_INIT;
    int64_t n;

    if (len < sizeof(digits))
        memcpy(digits, s, len);
    if (!isdigit((unsigned char)digits[0]) || text_to_int(digits, min, max, &n, &ignored) < 0)
        return fault_set(f, FAULT_INVALID, "Redis URL: the %s must be a number from %lld to %lld", part, (long long)min,
                         (long long)max);
    *ret = (int)n;
    return 0;
}

/* The bytes between "://" and the "@", if there is one before the path begins. */
static int read_user(const char *s, size_t len, struct redis_url *u, struct fault *f)
{
    const char *colon = memchr(s, ':', len);
    size_t user_len = colon ? (size_t)(colon - s) : len;

    if (user_len > 0 && decode(s, user_len, "user", &u->user, f) < 0)
        return -1;
    if (colon && decode(colon + 1, len - user_len - 1, "password", &u->password, f) < 0)
        return -1;
    if (u->user && !u->password)
        return fault_set(f, FAULT_INVALID, "Redis URL: a user without a password; write user:password@");
    return 0;
}

/* "host", "host:port", "[::1]:port" */
static int read_host(const char *s, size_t len, struct redis_url *u, struct fault *f)
{
    const char *end = s + len, *colon;

    u->port = PORT_DEFAULT;
    if (len > 0 && s[0] == '[') {
        const char *close = memchr(s, ']', len);

        if (!close || (close + 1 < end && close[1] != ':'))
            return fault_set(f, FAULT_INVALID, "Redis URL: a literal IPv6 address is written [::1]:6379");
        colon = close + 1 < end ? close + 1 : NULL;
        s++;
        len = (size_t)(close - s);
    } else {
        colon = memchr(s, ':', len);
        len = colon ? (size_t)(colon - s) : len;
    }
    if (len == 0 || len > 253)
        return fault_set(f, FAULT_INVALID, "Redis URL: no host, as in redis://host:6379");
    if (colon && read_number(colon + 1, (size_t)(end - colon - 1), "port", 1, 65535, &u->port, f) < 0)
        return -1;
    return decode(s, len, "host", &u->host, f);
}

/* What follows the host: nothing, "/" or "/3". */
static int read_host_db(const char *s, struct redis_url *u, struct fault *f)
{
    if (*s == '\0' || strcmp(s, "/") == 0)
        return 0;
    if (*s != '/')
        return fault_set(f, FAULT_INVALID, "Redis URL: nothing but /database may follow the host");
    return read_number(s + 1, strlen(s + 1), "database", 0, DB_MAX, &u->db, f);
}

/* "/path/to.sock" or "/path/to.sock?db=3" */
static int read_socket(const char *s, struct redis_url *u, struct fault *f)
{
    size_t len = strcspn(s, "?");

    if (s[0] != '/')
        return fault_set(f, FAULT_INVALID, "Redis URL: a socket's path is absolute, as in unix:///run/redis.sock");
    if (decode(s, len, "path", &u->path, f) < 0)
        return -1;
    if (strlen(u->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return fault_set(f, FAULT_INVALID, "Redis URL: the socket's path is too long");
    if (s[len] == '\0')
        return 0;
    if (strncmp(s + len, "?db=", 4) != 0)
        return fault_set(f, FAULT_INVALID, "Redis URL: nothing but ?db=number may follow the path");
    return read_number(s + len + 4, strlen(s + len + 4), "database", 0, DB_MAX, &u->db, f);
}

static const char *after_scheme(const char *url, bool *ret_socket)
{
    static const char *const scheme[] = {"redis://", "redis+unix://", "unix://"};

    for (size_t i = 0; i < COUNT_OF(scheme); i++)
        if (strncasecmp(url, scheme[i], strlen(scheme[i])) == 0) {
            *ret_socket = i > 0;
            return url + strlen(scheme[i]);
        }
    return NULL;
}

static const char *end_of_user(const char *rest)
{
    return memrchr(rest, '@', strcspn(rest, "/?#"));
}

static int parse(const char *rest, bool socket, struct redis_url *u, struct fault *f)
{
    const char *at = end_of_user(rest);
    size_t host_len;

    if (at && read_user(rest, (size_t)(at - rest), u, f) < 0)
        return -1;
    rest = at ? at + 1 : rest;
    if (socket)
        return read_socket(rest, u, f);
    host_len = strcspn(rest, "/?#");
    if (read_host(rest, host_len, u, f) < 0)
        return -1;
    return read_host_db(rest + host_len, u, f);
}

int redis_url_parse(const char *url, struct redis_url *ret, struct fault *f)
{
    struct redis_url u = {0};
    bool socket;
    const char *rest = after_scheme(url, &socket);

    if (strncasecmp(url, "rediss://", 9) == 0)
        return fault_set(f, FAULT_INVALID,
                         "Redis URL: rediss:// (TLS) is not supported; use a TLS proxy beside the worker");
    if (!rest || strlen(url) > URL_MAX)
        return fault_set(f, FAULT_INVALID, "Redis URL: must begin with redis:// or redis+unix://");
    if (parse(rest, socket, &u, f) < 0) {
        redis_url_release(&u);
        return -1;
    }
    *ret = u;
    return 0;
}

void redis_url_release(struct redis_url *u)
{
    free(u->host);
    free(u->path);
    free(u->user);
    if (u->password)
        mem_wipe(u->password, strlen(u->password));
    free(u->password);
    *u = (struct redis_url){0};
}

/* Works on anything, also on what redis_url_parse() refuses: better too much hidden than too little. */
char *redis_url_masked(const char *url)
{
    const char *rest = strstr(url, "://"), *at = strrchr(url, '@'), *colon;

    if (!at)
        return mem_string(url);
    rest = rest && rest < at ? rest + 3 : url;
    colon = memchr(rest, ':', (size_t)(at - rest));
    if (!colon)
        return mem_string(url);
    return mem_format("%.*s:***%s", (int)(colon - url), url, at);
}
