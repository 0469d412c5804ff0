#pragma once
#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4), in pieces. A copy of the struct is a copy of the state. */

enum { SHA256_BYTES = 32 };

struct sha256 {
    uint32_t h[8];
    uint64_t total;
    unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t len);
void sha256_end(struct sha256 *s, unsigned char ret[SHA256_BYTES]);
