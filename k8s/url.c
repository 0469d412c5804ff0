#include "k8s/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

static void curl_url_cleanupp(CURLU **u)
{
    curl_url_cleanup(*u);
}

static void curl_freep(char **s)
{
    curl_free(*s);
}
#define _cleanup_url_  _cleanup_(curl_url_cleanupp)
#define _cleanup_part_ _cleanup_(curl_freep)

static CURLU *parse(const char *text, struct fault *f)
{
    CURLU *u = curl_url();
    CURLUcode e = u ? curl_url_set(u, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;

    if (e == CURLUE_OK)
        return u;
    curl_url_cleanup(u);
    fault_set(f, FAULT_INVALID, "\"%.100s\" is not an address: %s", text, curl_url_strerror(e));
    return NULL;
}

static char *part(CURLU *u, CURLUPart what)
{
    char *s = NULL;

    curl_url_get(u, what, &s, 0);
    return s;
}

int url_server(const char *text, bool tls, char **ret_server, struct fault *f)
{
    _cleanup_free_ char *full = strstr(text, "://") ? mem_string(text)
                                                    : mem_format("%s://%s", tls ? "https" : "http", text);
    _cleanup_url_ CURLU *u = parse(full, f);
    _cleanup_part_ char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *user = NULL;
    size_t len;

    if (!u)
        return -1;
    scheme = part(u, CURLUPART_SCHEME);
    host = part(u, CURLUPART_HOST);
    port = part(u, CURLUPART_PORT);
    path = part(u, CURLUPART_PATH);
    user = part(u, CURLUPART_USER);
    if (!scheme || (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
        return fault_set(f, FAULT_INVALID, "\"%.100s\" is neither https nor http", text);
    if (user)
        return fault_set(f, FAULT_INVALID, "an address with a user name in it is not supported");
    len = path ? strlen(path) : 0;
    while (len > 0 && path[len - 1] == '/')
        len--;
    *ret_server = mem_format("%s://%s%s%s%.*s", scheme, host, port ? ":" : "", port ? port : "", (int)len,
                             path ? path : "");
    return 0;
}

int url_host(const char *server, char **ret_host, int *ret_port, struct fault *f)
{
    _cleanup_url_ CURLU *u = parse(server, f);
    _cleanup_part_ char *host = NULL, *port = NULL;
    int64_t number;
    size_t len;

    if (!u)
        return -1;
    host = part(u, CURLUPART_HOST);
    if (curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK || !host)
        return fault_set(f, FAULT_INVALID, "\"%.100s\" has no host or port", server);
    if (text_to_int(port, 1, 65535, &number, f) < 0)
        return fault_wrap(f, "port");
    len = strlen(host);
    *ret_host = host[0] == '[' ? mem_bytes(host + 1, len - 2) : mem_bytes(host, len);
    *ret_port = (int)number;
    return 0;
}

int url_add_escaped(struct buf *url, const char *text, struct fault *f)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        int r = isalnum(c) || strchr("-._~", c) ? buf_add(url, text, 1, f) : buf_addf(url, f, "%%%02X", c);

        if (r < 0)
            return -1;
    }
    return 0;
}

int url_add_query(struct buf *url, const char *name, const char *value, struct fault *f)
{
    if (buf_addf(url, f, "%c%s=", strchr(buf_str(url), '?') ? '&' : '?', name) < 0)
        return -1;
    return url_add_escaped(url, value, f);
}

int url_add_number(struct buf *url, const char *name, long long value, struct fault *f)
{
    char s[24];

    snprintf(s, sizeof(s), "%lld", value);
    return url_add_query(url, name, s, f);
}
