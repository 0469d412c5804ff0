#pragma once
#include <stdbool.h>

#include "base/buf.h"

/* Addresses of the API, pure. */

/** `text` as it stands in a kubeconfig -> "https://host[:port][/prefix]" without a slash at its end; query and
 *  fragment are dropped. Without a scheme it is https if `tls`, else http, as with kubectl. */
int url_server(const char *text, bool tls, char **ret_server, struct fault *f);

/** Host (IPv6 without brackets) and port of what url_server() returned; the caller frees the host. */
int url_host(const char *server, char **ret_host, int *ret_port, struct fault *f);

/** Appends percent-encoded: everything but A-Z a-z 0-9 - . _ ~ */
int url_add_escaped(struct buf *url, const char *text, struct fault *f);

/** Appends "name=value", the value encoded, after the '?' or '&' that is due. */
int url_add_query(struct buf *url, const char *name, const char *value, struct fault *f);
int url_add_number(struct buf *url, const char *name, long long value, struct fault *f);
