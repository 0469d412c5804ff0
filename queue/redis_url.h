#pragma once
#include "base/fault.h"

/* Where Redis is, as people write it:
 *
 *     redis://[[user]:password@]host[:port][/db]      rediss:// is refused (hiredis 0.14 has no TLS)
 *     redis+unix://[[user]:password@]/path/to.sock[?db=n], also unix://
 *
 * A host may be a literal IPv6 address in brackets. User, password, path and host are percent-decoded. */

struct redis_url {
    char *host; /* NULL for a socket */
    char *path; /* NULL for a host */
    int port, db;
    char *user, *password; /* NULL if absent; a password without a user belongs to Redis' user "default" */
};

int redis_url_parse(const char *url, struct redis_url *ret, struct fault *f); /* the fault never shows the password */
void redis_url_release(struct redis_url *u);                                  /* also for a zeroed one */
char *redis_url_masked(const char *url); /* for people: the password as ***; the caller frees */
