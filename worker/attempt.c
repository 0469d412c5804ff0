#include "worker/attempt.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

enum { NAME_CHARS = 32, NAME_SOURCE_MAX = 512 };

void attempt_name(const struct attempt *a, char ret[ATTEMPT_NAME_MAX])
{
    unsigned char sum[DIGEST_BYTES];
    char source[NAME_SOURCE_MAX], hash[NAME_CHARS + 1];
    int len = snprintf(source, sizeof(source), "%s\n%s\n%s\n%s", a->uid, a->config->queue, "", a->request->id);

    digest_sha256(source, (size_t)len, sum);
    digest_base32(sum, NAME_CHARS, hash);
    snprintf(ret, ATTEMPT_NAME_MAX, "execq-%s-%d", hash, a->number);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t whole_seconds(int64_t ms)
{
    return (ms + 999) / 1000;
}

/* `env` has room for one more than the request has. */
static void fill(const struct attempt *a, const char *name, struct manifest_env *env, struct manifest *m)
{
    const struct request *r = a->request;
    const struct config *c = a->config;
    size_t n = 0;

    for (; r->env[n].name; n++)
        env[n] = (struct manifest_env){r->env[n].name, r->env[n].value};
    env[n] = (struct manifest_env){NULL, NULL};
    *m = (struct manifest){
        .name = name,
        .worker = a->worker,
        .uid = a->uid,
        .id = r->id,
        .queue = c->queue,
        .digest = r->digest,
        .token = a->token,
        .image = r->image ? r->image : a->language->image,
        .argv = (const char *const *)(r->argv ? r->argv : a->language->argv),
        .args = (const char *const *)r->args,
        .env = env,
        .file = a->language->file,
        .code = r->code,
        .code_len = r->code_len,
        .cpu_milli = r->cpu_milli,
        .cpu_request_milli = least(c->cpu_request_milli, r->cpu_milli),
        .memory_bytes = r->memory_bytes,
        .memory_request_bytes = least(c->memory_request_bytes, r->memory_bytes),
        .disk_bytes = r->disk_bytes,
        .start_s = whole_seconds(c->start_budget_ms),
        .timeout_s = whole_seconds(r->timeout_ms),
        .ttl_s = whole_seconds(c->job_ttl_ms),
        .runtime_class = c->runtime_class,
        .gvisor_toleration = c->gvisor_toleration,
        .service_account = c->service_account,
        .priority_class = c->priority_class,
        .node_arch = c->node_arch,
        .run_as = c->run_as,
        .seccomp = c->seccomp,
    };
}

static struct manifest_env *env_for(const struct request *r)
{
    size_t n = 0;

    while (r->env[n].name)
        n++;
    return mem_zero(n + 1, sizeof(struct manifest_env));
}

int attempt_job(const struct attempt *a, struct buf *out, struct fault *f)
{
    _cleanup_free_ struct manifest_env *env = env_for(a->request);
    char name[ATTEMPT_NAME_MAX];
    struct manifest m;

    attempt_name(a, name);
    fill(a, name, env, &m);
    return manifest_job(&m, out, f);
}

int attempt_configmap(const struct attempt *a, const char *job_uid, struct buf *out, struct fault *f)
{
    _cleanup_free_ struct manifest_env *env = env_for(a->request);
    char name[ATTEMPT_NAME_MAX];
    struct manifest m;

    attempt_name(a, name);
    fill(a, name, env, &m);
    return manifest_configmap(&m, job_uid, out, f);
}
