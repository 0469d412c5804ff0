#include "unit/request_text.h"

#include <stdlib.h>

#include "base/mem.h"

const struct request_limits limits = {
    .payload_max = 1 << 20,
    .timeout_ms = 300000,
    .timeout_max_ms = 3600000,
    .cpu_milli = 500,
    .cpu_max_milli = 4000,
    .memory_bytes = 512 << 20,
    .memory_max_bytes = (int64_t)8 << 30,
    .disk_bytes = 1 << 30,
    .disk_max_bytes = (int64_t)10 << 30,
    .output_bytes = 1 << 20,
    .output_max_bytes = 4 << 20,
    .result_ttl_s = 3600,
    .result_ttl_max_s = 86400,
    .retry_infra = 2,
    .retry_code = 0,
    .retry_max = 10,
};

struct request *parse(const char *payload)
{
    struct request *r = NULL;
    struct fault f = FAULT_INIT;
    char *id = NULL;

    if (request_parse(payload, strlen(payload), &limits, &r, &id, &f) < 0)
        fail_msg("%s: %s", payload, f.text);
    assert_string_equal(id, r->id);
    free(id);
    return r;
}

int parse_bytes(const char *bytes, size_t len, struct fault *f)
{
    struct request *r = NULL;
    char *id = NULL;
    int got = request_parse(bytes, len, &limits, &r, &id, f);

    request_free(r);
    free(id);
    return got;
}

char *repeat(const char *before, const char *piece, size_t n, const char *after)
{
    size_t piece_len = strlen(piece), at = strlen(before);
    char *s = mem_zero(at + n * piece_len + strlen(after) + 1, 1);

    memcpy(s, before, at);
    for (size_t i = 0; i < n; i++, at += piece_len)
        memcpy(s + at, piece, piece_len);
    memcpy(s + at, after, strlen(after));
    return s;
}
