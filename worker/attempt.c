#include "worker/attempt.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "worker/plan.h"
#include "worker/report.h"

enum { NAME_CHARS = 32, NAME_SOURCE_MAX = 512, PLAN_MAX = 2 << 20 };

enum { CASE_OVER_MS = 500 }; /* to kill a case that does not end when it is asked to, and what it leaves behind */

#define PLAN_FILE ".plan" /* beside the code */

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

/* All cases together get no more than the longest run that is allowed. */
static int64_t cases_ms(const struct attempt *a)
{
    int64_t most = a->config->timeout_max_ms, sum = 0;

    for (size_t i = 0; i < a->request->case_count && sum < most; i++)
        sum += a->request->cases[i].timeout_ms + CASE_OVER_MS;
    return least(sum, most);
}

int64_t attempt_run_ms(const struct attempt *a)
{
    const struct request *r = a->request;
    int64_t compile = plan_compiles(r, a->language) ? a->config->compile_timeout_ms : 0;

    return compile + (r->case_count > 0 ? cases_ms(a) : r->timeout_ms);
}

/* Job and ConfigMap are made from the same description. */
static void fill(const struct attempt *a, const char *name, struct manifest *m)
{
    const struct request *r = a->request;
    const struct config *c = a->config;

    *m = (struct manifest){
        .name = name,
        .worker = a->worker,
        .uid = a->uid,
        .id = r->id,
        .queue = c->queue,
        .digest = r->digest,
        .token = a->token,
        .image = r->image ? r->image : a->language->image,
        .runner_map = a->runner_map,
        .runner_key = c->node_arch,
        .cpu_milli = r->cpu_milli,
        .cpu_request_milli = least(c->cpu_request_milli, r->cpu_milli),
        .memory_bytes = r->memory_bytes,
        .memory_request_bytes = least(c->memory_request_bytes, r->memory_bytes),
        .disk_bytes = r->disk_bytes,
        .start_s = whole_seconds(c->start_budget_ms),
        .run_s = whole_seconds(attempt_run_ms(a)),
        .ttl_s = whole_seconds(a->ttl_ms ? a->ttl_ms : c->job_ttl_ms),
        .runtime_class = c->runtime_class,
        .gvisor_toleration = c->gvisor_toleration,
        .service_account = c->service_account,
        .priority_class = c->priority_class,
        .node_arch = c->node_arch,
        .run_as = c->run_as,
        .seccomp = c->seccomp,
    };
}

int attempt_job(const struct attempt *a, struct buf *out, struct fault *f)
{
    const char *argv[] = {a->runner_map ? MANIFEST_RUNNER_DIR "/runner" : a->config->runner_path,
                          MANIFEST_CODE_DIR "/" PLAN_FILE, NULL};
    char name[ATTEMPT_NAME_MAX];
    struct manifest m;

    attempt_name(a, name);
    fill(a, name, &m);
    m.argv = argv;
    return manifest_job(&m, out, f);
}

int attempt_configmap(const struct attempt *a, const char *job_uid, struct buf *out, struct fault *f)
{
    const struct plan_limits limits = {
        .total_ms = attempt_run_ms(a),
        .compile_timeout_ms = a->config->compile_timeout_ms,
        .output_limit = a->config->output_limit,
        .report_bytes = least(a->config->result_max, REPORT_KEPT_MAX),
        .processes = a->config->processes,
        .announce = a->announce,
    };
    _cleanup_(buf_release)
    struct buf plan = BUF_INIT(PLAN_MAX);
    struct manifest_file files[2];
    char name[ATTEMPT_NAME_MAX];
    struct manifest m;

    if (plan_write(a->request, a->language, &limits, &plan, f) < 0)
        return -1;
    attempt_name(a, name);
    fill(a, name, &m);
    files[0] = (struct manifest_file){a->language->file, a->request->code, a->request->code_len};
    files[1] = (struct manifest_file){PLAN_FILE, buf_str(&plan), plan.len};
    m.files = files;
    m.file_count = COUNT_OF(files);
    return manifest_configmap(&m, job_uid, out, f);
}
