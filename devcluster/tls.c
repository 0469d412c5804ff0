#include "devcluster/tls.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "base/mem.h"

enum { DAYS = 30 };

DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
DEFINE_CLEANUP(X509, X509_free)
DEFINE_CLEANUP(SSL_CTX, SSL_CTX_free)
DEFINE_CLEANUP(BIO, BIO_free_all)

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    int ok;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ok = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static X509 *new_certificate(const char *name, X509 *issuer, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_NAME *subject;
    uint64_t serial;

    if (!cert || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1) {
        X509_free(cert);
        return NULL;
    }
    subject = X509_get_subject_name(cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), (long)DAYS * 24 * 3600);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"execq-devcluster", -1, -1, 0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(cert, key);
    return cert;
}

static X509 *make_authority(EVP_PKEY *key)
{
    X509 *cert = new_certificate("authority", NULL, key);

    if (cert && add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE") &&
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(cert, cert, NID_subject_key_identifier, "hash") && X509_sign(cert, key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *make_leaf(const char *host, EVP_PKEY *key, X509 *authority, EVP_PKEY *authority_key)
{
    X509 *cert = new_certificate("server", authority, key);
    unsigned char address[16];
    bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    _cleanup_free_ char *names = mem_format("IP:127.0.0.1,IP:::1,DNS:localhost,%s:%s", is_address ? "IP" : "DNS", host);

    if (cert && add_extension(cert, authority, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, authority, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, authority, NID_ext_key_usage, "serverAuth") &&
        add_extension(cert, authority, NID_subject_alt_name, names) &&
        add_extension(cert, authority, NID_subject_key_identifier, "hash") &&
        add_extension(cert, authority, NID_authority_key_identifier, "keyid:always") &&
        X509_sign(cert, authority_key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static char *to_pem(X509 *cert)
{
    _cleanup_(BIO_free_allp)
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;

    if (!bio || !PEM_write_bio_X509(bio, cert))
        return NULL;
    len = BIO_get_mem_data(bio, &text);
    return mem_bytes(text, (size_t)len);
}

static int failed(struct fault *f)
{
    char why[128];

    ERR_error_string_n(ERR_get_error(), why, sizeof(why));
    return fault_set(f, FAULT_BUG, "cannot make a certificate: %s", why);
}

int tls_new(const char *host, SSL_CTX **ret_context, char **ret_authority, struct fault *f)
{
    _cleanup_(EVP_PKEY_freep)
    EVP_PKEY *authority_key = EVP_EC_gen("P-256");
    _cleanup_(EVP_PKEY_freep)
    EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(SSL_CTX_freep)
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    _cleanup_(X509_freep)
    X509 *authority = authority_key ? make_authority(authority_key) : NULL;
    _cleanup_(X509_freep)
    X509 *leaf = authority && key ? make_leaf(host, key, authority, authority_key) : NULL;
    _cleanup_free_ char *pem = authority ? to_pem(authority) : NULL;

    if (!context || !leaf || !pem || SSL_CTX_use_certificate(context, leaf) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1)
        return failed(f);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    *ret_context = TAKE(context);
    *ret_authority = TAKE(pem);
    return 0;
}
