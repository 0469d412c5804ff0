#include "worker/limits.h"

void limits_of(const struct config *c, struct request_limits *ret)
{
    *ret = (struct request_limits){
        .payload_max = (size_t)c->payload_max,
        .timeout_ms = c->timeout_ms,
        .timeout_max_ms = c->timeout_max_ms,
        .cpu_milli = c->cpu_milli,
        .cpu_max_milli = c->cpu_max_milli,
        .memory_bytes = c->memory_bytes,
        .memory_max_bytes = c->memory_max_bytes,
        .disk_bytes = c->disk_bytes,
        .disk_max_bytes = c->disk_max_bytes,
        .output_bytes = c->output_max,
        .output_max_bytes = c->output_max,
        .result_ttl_s = c->result_ttl_ms / 1000,
        .result_ttl_max_s = c->result_ttl_max_ms / 1000,
        .retry_infra = (unsigned)c->retry_infra,
        .retry_code = (unsigned)c->retry_code,
        .retry_max = (unsigned)c->retry_max,
    };
}
