#include "worker/answer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "queue/result.h"

/* What a result only borrows. */
struct parts {
    struct result_compile compile;
    struct result_case *cases;
    struct result_file *files;
};

static struct result_stream stream_of(const struct report_stream *s)
{
    return (struct result_stream){.bytes = s->bytes, .len = s->len, .truncated = s->truncated, .total = s->total};
}

static const char *const verdict_names[] = {
    [REPORT_PASSED] = "passed",   [REPORT_WRONG] = "wrong",         [REPORT_FAILED] = "failed",
    [REPORT_SKIPPED] = "skipped", [REPORT_UNCHECKED] = "unchecked",
};

static struct result_case case_of(const struct report_case *c)
{
    const struct report_run *run = &c->run;

    if (c->verdict == REPORT_SKIPPED)
        return (struct result_case){.verdict = verdict_names[c->verdict]};
    return (struct result_case){
        .verdict = verdict_names[c->verdict],
        .ran = true,
        /* A result has cases only if the code is to blame: what the pod was stopped for is its disk. */
        .status = run->end == REPORT_STOPPED ? STATUS_DISK_LIMIT : verdict_of_run(run),
        .exit_code = run->exit_code,
        .signal = run->signal,
        .out = stream_of(&run->out),
        .err = stream_of(&run->err),
        .wall_ms = run->wall_ms,
        .cpu_ms = run->cpu_ms,
        .max_rss_bytes = run->max_rss_bytes,
    };
}

static int64_t more(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* All cases together. */
static void fill_cases(const struct report *report, struct parts *p, struct result *r)
{
    r->wall_ms = r->cpu_ms = r->max_rss_bytes = 0;
    p->cases = mem_zero(report->case_count, sizeof(*p->cases));
    for (size_t i = 0; i < report->case_count; i++) {
        p->cases[i] = case_of(&report->cases[i]);
        r->wall_ms += p->cases[i].wall_ms;
        r->cpu_ms += p->cases[i].cpu_ms;
        r->max_rss_bytes = more(r->max_rss_bytes, p->cases[i].max_rss_bytes);
    }
    r->cases = p->cases;
    r->case_count = report->case_count;
}

static void fill_run(const struct report_run *run, struct result *r)
{
    r->out = stream_of(&run->out);
    r->err = stream_of(&run->err);
    r->wall_ms = run->wall_ms;
    r->cpu_ms = run->cpu_ms;
    r->max_rss_bytes = run->max_rss_bytes;
}

static void fill_compile(const struct report_run *run, struct parts *p, struct result *r)
{
    p->compile = (struct result_compile){
        .exit_code = run->exit_code,
        .out = stream_of(&run->out),
        .err = stream_of(&run->err),
        .wall_ms = run->wall_ms,
        .cpu_ms = run->cpu_ms,
        .max_rss_bytes = run->max_rss_bytes,
    };
    r->compile = &p->compile;
}

static void fill_files(const struct report *report, struct parts *p, struct result *r)
{
    p->files = mem_zero(report->file_count, sizeof(*p->files));
    for (size_t i = 0; i < report->file_count; i++)
        p->files[i] = (struct result_file){report->files[i].path, stream_of(&report->files[i].content)};
    r->files = p->files;
    r->file_count = report->file_count;
    r->files_omitted = report->files_omitted;
}

static void fill_report(const struct answer *a, struct parts *p, struct result *r)
{
    const struct report *report = a->run->report;
    bool ran = report->run || report->case_count > 0;

    if (report->run)
        fill_run(report->run, r);
    else if (report->case_count > 0)
        fill_cases(report, p, r);
    if (report->compile && ran)
        fill_compile(report->compile, p, r);
    else if (report->compile)
        fill_run(report->compile, r); /* the code did not come to running */
    if (a->request->outputs[0])
        fill_files(report, p, r);
}

static int64_t clamp(int64_t t, int64_t low, int64_t high)
{
    return t < low ? low : t > high ? high : t;
}

static void fill_times(const struct answer *a, struct result *r)
{
    const struct await *pod = &a->run->await;
    int64_t ran = a->run->report ? a->run->report->wall_ms : -1;

    r->queued_ms = a->request ? a->request->submitted_ms : 0;
    r->claimed_ms = a->claimed_ms;
    r->created_ms = a->run->created_ms;
    r->published_ms = a->published_ms;
    if (pod->finished_ms)
        r->finished_ms = clamp(pod->finished_ms + 999, r->created_ms, a->over_ms);
    if (pod->started_ms && ran >= 0 && pod->finished_ms)
        r->started_ms = clamp(r->finished_ms - ran, r->created_ms, r->finished_ms);
    else if (pod->started_ms)
        r->started_ms = clamp(pod->started_ms, r->created_ms, r->finished_ms ? r->finished_ms : a->over_ms);
}

int answer_encode(const struct answer *a, struct buf *out, struct fault *f)
{
    const struct verdict *v = a->verdict;
    struct result r = RESULT_INIT;
    struct parts p = {0};
    int result;

    r.id = a->id;
    r.status = v->status;
    r.exit_code = v->exit_code;
    r.signal = v->signal;
    if (a->run->report && status_is_code(v->status))
        fill_report(a, &p, &r);
    fill_times(a, &r);
    r.reason = v->reason;
    r.message = v->message[0] ? v->message : NULL;
    r.retryable = v->status == STATUS_INFRA_ERROR && !v->hopeless;
    r.worker = a->worker;
    if (!a->bare) {
        r.attempts = a->attempts;
        r.meta = a->request ? a->request->meta : NULL;
        r.trace = a->request ? a->request->trace : NULL;
    }
    result = result_encode(&r, out, f);
    free(p.cases);
    free(p.files);
    return result;
}
