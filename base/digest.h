#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* SHA-256 and the encodings, over OpenSSL's libcrypto (which libcurl brings along). */

enum { DIGEST_BYTES = 32, DIGEST_HEX = 65 };

/** SHA-256 of the bytes. */
void digest_sha256(const void *bytes, size_t len, unsigned char ret[DIGEST_BYTES]);

/** The same in lower-case hexadecimal, NUL-terminated. */
void digest_sha256_hex(const void *bytes, size_t len, char ret[DIGEST_HEX]);

/** The first `chars` characters of the base32 form (a-z, 2-7: fit for a DNS label), NUL-terminated.
 *  `ret` has room for chars + 1; the bytes must be enough for them (5 bits a character). */
void digest_base32(const unsigned char *bytes, size_t chars, char *ret);

/** Standard base64 with padding. Encoding appends to `b`; decoding also takes white space in between. */
int digest_base64_encode(const void *bytes, size_t len, struct buf *b, struct fault *f);
int digest_base64_decode(const char *text, size_t len, struct buf *b, struct fault *f);
