#include "base/digest.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void digest_sha256(const void *bytes, size_t len, unsigned char ret[DIGEST_BYTES])
{
    if (!EVP_Digest(bytes, len, ret, NULL, EVP_sha256(), NULL))
        abort(); /* SHA-256 cannot fail but for memory */
}

void digest_sha256_hex(const void *bytes, size_t len, char ret[DIGEST_HEX])
{
    static const char digit[] = "0123456789abcdef";
    unsigned char sum[DIGEST_BYTES];

    digest_sha256(bytes, len, sum);
    for (size_t i = 0; i < sizeof(sum); i++) {
        ret[2 * i] = digit[sum[i] >> 4];
        ret[2 * i + 1] = digit[sum[i] & 15];
    }
    ret[2 * sizeof(sum)] = '\0';
}

void digest_base32(const unsigned char *bytes, size_t chars, char *ret)
{
    static const char digit[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < chars; i++) {
        if (have < 5) {
            bits = (bits << 8 | *bytes++) & 0xffff;
            have += 8;
        }
        have -= 5;
        ret[i] = digit[bits >> have & 31];
    }
    ret[chars] = '\0';
}

int digest_base64_encode(const void *bytes, size_t len, struct buf *b, struct fault *f)
{
    size_t size = (len + 2) / 3 * 4;
    char *text = mem_zero(size + 1, 1);
    int r;

    EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
    r = buf_add(b, text, size, f);
    free(text);
    return r;
}

int digest_base64_decode(const char *text, size_t len, struct buf *b, struct fault *f)
{
    char *packed = mem_zero(len + 1, 1);
    unsigned char *out = mem_zero(len / 4 + 1, 3);
    size_t n = 0, pad = 0;
    int got, r = -1;

    for (size_t i = 0; i < len; i++)
        if (!isspace((unsigned char)text[i]))
            packed[n++] = text[i];
    while (pad < 2 && pad < n && packed[n - 1 - pad] == '=')
        pad++;
    /* OpenSSL drops a '-' at the end without a word, and takes '=' anywhere. */
    got = n % 4 || memchr(packed, '-', n) || memchr(packed, '=', n - pad)
              ? -1
              : EVP_DecodeBlock(out, (unsigned char *)packed, (int)n);
    if (got < 0)
        fault_set(f, FAULT_INVALID, "not base64");
    else
        r = buf_add(b, out, (size_t)got - pad, f);
    mem_wipe(packed, len); /* it may have been a key */
    mem_wipe(out, (len / 4 + 1) * 3);
    free(packed);
    free(out);
    return r;
}
