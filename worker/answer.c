#include "worker/answer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "worker/verdict.h"

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
static void fill_cases(const struct report *report, struct answer *a, struct result *r)
{
    r->wall_ms = r->cpu_ms = r->max_rss_bytes = 0;
    a->cases = mem_zero(report->case_count, sizeof(*a->cases));
    for (size_t i = 0; i < report->case_count; i++) {
        a->cases[i] = case_of(&report->cases[i]);
        r->wall_ms += a->cases[i].wall_ms;
        r->cpu_ms += a->cases[i].cpu_ms;
        r->max_rss_bytes = more(r->max_rss_bytes, a->cases[i].max_rss_bytes);
    }
    r->cases = a->cases;
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

static void fill_compile(const struct report_run *run, struct answer *a, struct result *r)
{
    a->compile = (struct result_compile){
        .exit_code = run->exit_code,
        .out = stream_of(&run->out),
        .err = stream_of(&run->err),
        .wall_ms = run->wall_ms,
        .cpu_ms = run->cpu_ms,
        .max_rss_bytes = run->max_rss_bytes,
    };
    r->compile = &a->compile;
}

static void fill_files(const struct report *report, struct answer *a, struct result *r)
{
    a->files = mem_zero(report->file_count, sizeof(*a->files));
    for (size_t i = 0; i < report->file_count; i++)
        a->files[i] = (struct result_file){report->files[i].path, stream_of(&report->files[i].content)};
    r->files = a->files;
    r->file_count = report->file_count;
    r->files_omitted = report->files_omitted;
}

void answer_fill(const struct request *request, const struct report *report, struct answer *ret_answer,
                 struct result *ret_result)
{
    bool ran = report->run || report->case_count > 0;

    *ret_answer = (struct answer){0};
    if (report->run)
        fill_run(report->run, ret_result);
    else if (report->case_count > 0)
        fill_cases(report, ret_answer, ret_result);
    if (report->compile && ran)
        fill_compile(report->compile, ret_answer, ret_result);
    else if (report->compile)
        fill_run(report->compile, ret_result); /* the code did not come to running */
    if (request->outputs[0])
        fill_files(report, ret_answer, ret_result);
}

void answer_release(struct answer *a)
{
    free(a->cases);
    free(a->files);
    *a = (struct answer){0};
}
