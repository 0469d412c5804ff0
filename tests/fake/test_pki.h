#pragma once

/* Certificates made on the spot. */

struct pki {
    char *ca;                       /* PEM */
    char *server_cert, *server_key; /* for 127.0.0.1 and the name "kubernetes" */
    char *client_cert, *client_key; /* CN as asked for */
};

void pki_make(struct pki *p, const char *client_name);
void pki_release(struct pki *p);

/** An SSL_CTX of a server with these; `asks`: for a certificate of the client's, which may be missing. The caller
 *  ends it with SSL_CTX_free(). */
void *pki_server_context(const struct pki *p, int asks);
