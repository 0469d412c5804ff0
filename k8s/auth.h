#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/http.h"

/* Who we are, kept up to date: a token file is read again once a minute, CA and client certificate every five
 * minutes (what cannot be read or understood then is passed over, the old ones stay), an exec plugin is run before
 * what it gave expires, one at a time. Nothing of it leaves over plain http. */

struct auth;
struct auth_wait; /* one asking */
struct kubeconfig;

/* `code` of every fault of a plugin. */
enum { AUTH_PLUGIN = -2 };

struct auth_credentials {
    uint64_t serial;    /* changes when they do */
    const char *header; /* "Authorization: ..."; NULL if there is none */
    struct http_tls tls;
};

/** `config` is borrowed. Reads the files for the first time: a fault names the one that cannot be used. A plugin is
 *  run when it is first needed. */
int auth_new(struct loop *l, const struct kubeconfig *config, struct auth **ret_auth, struct fault *f);
void auth_free(struct auth *a);
DEFINE_CLEANUP(struct auth, auth_free)

/** Runs exactly once, never after auth_cancel(); one of `c` and `f` is NULL, both borrowed for the call. Faults are
 *  those of a plugin: INVALID, TRANSIENT, TIMEOUT. After one, others follow at once for a while (1 s to 30 s). */
typedef void auth_fn(void *arg, const struct auth_credentials *c, const struct fault *f);
struct auth_wait *auth_ask(struct auth *a, auth_fn *fn, void *arg);
void auth_cancel(struct auth_wait **w);

/** The server answered 401 to these. Returns whether asking again may give others; those are dropped then. Files are
 *  read again for that. */
bool auth_refused(struct auth *a, uint64_t serial);

/** Adds to a refusal what the server was shown and where it came from: what has to be mended. No secret is told. */
void auth_explain(const struct auth *a, struct fault *f);

/** The server's certificate was not trusted: the CA is read again before it is used again. */
void auth_distrust(struct auth *a);
