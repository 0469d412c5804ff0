#include "runner/work.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner/reap.h"

/* What the parts of one plan share. */
struct bench {
    const struct plan *plan;
    const char **env;
    const char **scratch;
    const char *hide[2];
    enum isolation level;
    int64_t budget; /* bytes that the report may still keep */
    int64_t ends;   /* when the time for everything is over */
};

static size_t count(const char **list)
{
    size_t n = 0;

    while (list[n])
        n++;
    return n;
}

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");

    return strncmp(a, b, n + 1) == 0;
}

/* What the runner was started with (the image's and the pod's), and over it the plan's. */
static const char **merge_env(const char **over)
{
    size_t own = count((const char **)environ), more = count(over), n = 0;
    const char **merged = need_zero(own + more + 1, sizeof(*merged));

    for (size_t i = 0; i < own; i++) {
        bool hidden = false;

        for (size_t k = 0; k < more && !hidden; k++)
            hidden = same_name(over[k], environ[i]);
        if (!hidden)
            merged[n++] = environ[i];
    }
    for (size_t k = 0; k < more; k++)
        merged[n++] = over[k];
    return merged;
}

static const char **join(const char **a, const char **b)
{
    size_t n = count(a), m = count(b);
    const char **joined = need_zero(n + m + 1, sizeof(*joined));

    memcpy(joined, a, n * sizeof(*a));
    memcpy(joined + n, b, m * sizeof(*b));
    return joined;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct run_spec spec_of(const struct bench *b, const char **argv, int64_t timeout_ms, int64_t output_bytes)
{
    const struct plan *p = b->plan;
    int64_t left = b->ends - now_ms();

    return (struct run_spec){
        .argv = argv,
        .env = b->env,
        .cwd = p->cwd,
        .timeout_ms = least(timeout_ms, left > 0 ? left : 0),
        .grace_ms = p->grace_ms,
        .output_bytes = least(output_bytes, b->budget / 2),
        .kill_output_bytes = p->kill_output_bytes,
        .disk_bytes = p->disk_bytes,
        .scratch = b->scratch,
        .limits = {.cpu_ms = p->cpu_ms,
                   .file_size_bytes = p->file_size_bytes,
                   .processes = p->processes,
                   .stack_bytes = p->stack_bytes,
                   .core_bytes = p->core_bytes,
                   .address_bytes = p->address_bytes,
                   .open_files = p->open_files},
        .network = p->network,
        .hide = {b->hide[0], b->hide[1]},
    };
}

static void run(struct bench *b, const struct run_spec *spec, struct run_result *ret)
{
    run_program(spec, &b->level, ret);
    b->budget -= (int64_t)(ret->out.kept.len + ret->err.kept.len);
}

static bool succeeded(const struct run_result *r)
{
    return r->end == RUN_EXITED && r->exit_code == 0;
}

/* True if there is something to run afterwards. */
static bool compile(struct bench *b, struct outcome *o)
{
    struct run_spec spec;

    if (!b->plan->compile_argv)
        return true;
    spec = spec_of(b, b->plan->compile_argv, b->plan->compile_timeout_ms, b->plan->output_bytes);
    run(b, &spec, &o->compile);
    o->has_compile = true;
    return succeeded(&o->compile);
}

static void run_one(struct bench *b, struct outcome *o)
{
    struct run_spec spec = spec_of(b, b->plan->argv, b->plan->timeout_ms, b->plan->output_bytes);

    spec.in = b->plan->in;
    run(b, &spec, &o->run);
    o->has_run = true;
}

static enum verdict run_case(struct bench *b, const struct plan_case *c, struct run_result *ret)
{
    const struct plan *p = b->plan;
    const char **argv = join(p->argv, c->args);
    struct run_spec spec = spec_of(b, argv, c->timeout_ms ? c->timeout_ms : p->timeout_ms, p->case_output_bytes);
    unsigned char digest[SHA256_BYTES];
    struct compare compare;

    compare_init(&compare, c->mode);
    spec.in = c->in;
    spec.compare = c->has_digest ? &compare : NULL;
    run(b, &spec, ret);
    free(argv);
    if (!succeeded(ret))
        return VERDICT_FAILED;
    if (!c->has_digest)
        return VERDICT_UNCHECKED;
    compare_end(&compare, digest);
    return memcmp(digest, c->digest, sizeof(digest)) == 0 ? VERDICT_PASSED : VERDICT_WRONG;
}

static void run_cases(struct bench *b, struct outcome *o)
{
    const struct plan *p = b->plan;
    bool stop = false;

    o->case_count = p->case_count;
    o->cases = need_zero(p->case_count, sizeof(*o->cases));
    o->verdicts = need_zero(p->case_count, sizeof(*o->verdicts));
    for (size_t i = 0; i < p->case_count; i++) {
        if (stop || now_ms() >= b->ends) {
            o->verdicts[i] = VERDICT_SKIPPED;
            continue;
        }
        if (run_stopped()) { /* between two of them: the report has to say that the rest was not the plan's doing */
            o->cases[i] = (struct run_result){.end = RUN_STOPPED, .exit_code = -1, .signal = -1};
            o->verdicts[i] = VERDICT_FAILED;
            stop = true;
            continue;
        }
        o->verdicts[i] = run_case(b, &p->cases[i], &o->cases[i]);
        stop = o->cases[i].end == RUN_STOPPED ||
               (p->stop_on_first_failure && (o->verdicts[i] == VERDICT_FAILED || o->verdicts[i] == VERDICT_WRONG));
    }
}

void work(const struct plan *p, const char *plan_path, const char *message_path, struct outcome *ret)
{
    const char *here[2] = {p->cwd, NULL};
    struct bench b = {
        .plan = p,
        .env = merge_env(p->env),
        .scratch = p->scratch[0] ? p->scratch : here,
        .hide = {plan_path, message_path},
        .level = p->isolate ? ISOLATION_FULL : ISOLATION_NONE,
        .budget = p->report_bytes,
        .ends = now_ms() + p->total_ms,
    };

    if (files_create(p, &ret->error) < 0) {
        ret->at = "files";
    } else {
        if (compile(&b, ret)) {
            if (p->case_count > 0)
                run_cases(&b, ret);
            else
                run_one(&b, ret);
        }
        files_collect(p, &b.budget, &ret->files);
    }
    ret->isolation = b.level;
    ret->network = p->network || b.level == ISOLATION_NONE;
    ret->announce = p->announce;
    free(b.env);
}

void work_release(struct outcome *o)
{
    run_result_release(&o->compile);
    run_result_release(&o->run);
    for (size_t i = 0; i < o->case_count; i++)
        run_result_release(&o->cases[i]);
    free(o->cases);
    free(o->verdicts);
    files_release(&o->files);
}
