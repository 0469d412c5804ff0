#pragma once
#include <stdint.h>

#include "base/fault.h"

/* HTTPS, the bearer token, and from a request to its call. */

struct cluster;
struct server;

/** Listens at the options' address with a certificate and a token of its own. */
int server_new(struct cluster *c, struct server **ret, struct fault *f);
void server_free(struct server *s); /* cuts every connection */

uint16_t server_port(const struct server *s);

/** Writes a kubeconfig with the address, the authority and the token: to a file beside it first, mode 0600. */
int server_write_kubeconfig(const struct server *s, const char *path, struct fault *f);
