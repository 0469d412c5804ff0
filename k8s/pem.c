#include "k8s/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <time.h>

static X509 *read_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return x;
}

static int no_password(char *text, int size, int writing, void *arg)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)arg;
    return -1; /* without this OpenSSL asks on the terminal */
}

bool pem_has_certificate(const char *pem)
{
    X509 *x = read_certificate(pem);
    bool ok = x != NULL;

    X509_free(x);
    ERR_clear_error();
    return ok;
}

bool pem_is_pair(const char *cert, const char *key)
{
    X509 *x = read_certificate(cert);
    BIO *bio = BIO_new_mem_buf(key, -1);
    EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    bool ok = x && k && X509_check_private_key(x, k) == 1;

    EVP_PKEY_free(k);
    BIO_free(bio);
    X509_free(x);
    ERR_clear_error();
    return ok;
}

int64_t pem_end_ms(const char *pem)
{
    X509 *x = read_certificate(pem);
    struct tm tm;
    int64_t ms = 0;

    if (x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
        ms = (int64_t)timegm(&tm) * 1000;
    X509_free(x);
    ERR_clear_error();
    return ms;
}
