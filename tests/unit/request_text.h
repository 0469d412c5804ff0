#pragma once
/* Texts of requests, and the limits they are read with. */
#include "unit/check.h"

#include "queue/request.h"

/* The begin of a request that says all it must; what follows is a member and "}". */
#define A "{\"id\":\"a\",\"code\":\"\","
/* Of 100 and of 32 bytes; the second is 16 folders. */
#define N100 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define D16  "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/"

extern const struct request_limits limits;

/** Reads a request that must be good; the caller frees it with request_free(). */
struct request *parse(const char *payload);

/** As request_parse(): 0, or -1 with a fault. */
int parse_bytes(const char *bytes, size_t len, struct fault *f);

/** Builds `before`, n times `piece`, `after`; the caller frees it. */
char *repeat(const char *before, const char *piece, size_t n, const char *after);
