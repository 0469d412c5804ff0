#include "test_pki.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");

    if (!k)
        abort();
    return k;
}

static void extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    if (!e || !X509_add_ext(x, e, -1))
        abort();
    X509_EXTENSION_free(e);
}

static X509 *new_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *x = X509_new();

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    X509_set_pubkey(x, key);
    if (!issuer)
        extend(x, NID_basic_constraints, "critical,CA:TRUE");
    else
        extend(x, NID_subject_alt_name, "IP:127.0.0.1,DNS:kubernetes");
    if (!X509_sign(x, issuer_key, EVP_sha256()))
        abort();
    return x;
}

static char *take(BIO *b)
{
    char *bytes, *text;
    long len = BIO_get_mem_data(b, &bytes);

    text = mem_bytes(bytes, (size_t)len);
    BIO_free(b);
    return text;
}

static char *certificate_pem(X509 *x)
{
    BIO *b = BIO_new(BIO_s_mem());

    PEM_write_bio_X509(b, x);
    return take(b);
}

static char *key_pem(EVP_PKEY *k)
{
    BIO *b = BIO_new(BIO_s_mem());

    PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL);
    return take(b);
}

void pki_make(struct pki *p, const char *client_name)
{
    EVP_PKEY *ca_key = new_key(), *server_key = new_key(), *client_key = new_key();
    X509 *ca = new_certificate("test CA", ca_key, NULL, ca_key);
    X509 *server = new_certificate("server", server_key, ca, ca_key);
    X509 *client = new_certificate(client_name, client_key, ca, ca_key);

    p->ca = certificate_pem(ca);
    p->server_cert = certificate_pem(server);
    p->server_key = key_pem(server_key);
    p->client_cert = certificate_pem(client);
    p->client_key = key_pem(client_key);
    X509_free(ca);
    X509_free(server);
    X509_free(client);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(server_key);
    EVP_PKEY_free(client_key);
}

void pki_release(struct pki *p)
{
    free(p->ca);
    free(p->server_cert);
    free(p->server_key);
    free(p->client_cert);
    free(p->client_key);
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

void *pki_server_context(const struct pki *p, int asks)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    BIO *cert = BIO_new_mem_buf(p->server_cert, -1), *key = BIO_new_mem_buf(p->server_key, -1);
    X509 *x = PEM_read_bio_X509(cert, NULL, NULL, NULL);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);

    if (!SSL_CTX_use_certificate(c, x) || !SSL_CTX_use_PrivateKey(c, k))
        abort();
    if (asks)
        SSL_CTX_set_verify(c, SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_session_id_context(c, (const unsigned char *)"test", 4);
    X509_free(x);
    EVP_PKEY_free(k);
    BIO_free(cert);
    BIO_free(key);
    return c;
}
