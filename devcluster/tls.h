#pragma once
#include <openssl/types.h>

#include "base/fault.h"

/* A certificate authority that lives as long as the process, and one certificate of it for this machine. */

/** A server context with a new certificate for 127.0.0.1, ::1, localhost and `host` (an address or a name); the
 *  authority's certificate comes as PEM. The caller ends them with SSL_CTX_free() and free(). */
int tls_new(const char *host, SSL_CTX **ret_context, char **ret_authority, struct fault *f);
