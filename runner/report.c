#include "runner/report.h"

#include <string.h>

static const char *const ends[] = {
    [RUN_EXITED] = "exit",         [RUN_SIGNALED] = "signal",           [RUN_TIMEOUT] = "timeout",
    [RUN_CPU_LIMIT] = "cpu_limit", [RUN_OUTPUT_LIMIT] = "output_limit", [RUN_DISK_LIMIT] = "disk_limit",
    [RUN_STOPPED] = "stopped",     [RUN_NOT_STARTED] = "not_started",
};

static const char *const verdicts[] = {
    [VERDICT_NONE] = "unchecked", [VERDICT_PASSED] = "passed",   [VERDICT_WRONG] = "wrong",
    [VERDICT_FAILED] = "failed",  [VERDICT_SKIPPED] = "skipped", [VERDICT_UNCHECKED] = "unchecked",
};

static void string(struct emit *j, const char *name, const char *s)
{
    emit_bytes(j, name, s, strlen(s));
}

/* For people: what is not plain ASCII shows as '?', so that it is always a string. */
static void words(struct emit *j, const char *name, const char *s)
{
    char plain[sizeof(struct why)];
    size_t n = 0;

    for (; s[n] && n + 1 < sizeof(plain); n++)
        plain[n] = s[n];
    for (size_t i = 0; i < n; i++)
        if (plain[i] < 0x20 || plain[i] > 0x7e)
            plain[i] = '?';
    emit_bytes(j, name, plain, n);
}

/* Text that was cut inside a character stays text: the broken end is left out. */
static void stream(struct emit *j, const char *name, const char *bytes_name, const char *truncated_name,
                   const struct run_stream *s)
{
    bool cut = s->total > (int64_t)s->kept.len;
    size_t len = s->kept.len;

    if (cut && len > 0) {
        size_t floor = bytes_text_floor(s->kept.data, len);

        if (bytes_are_text(s->kept.data, floor))
            len = floor;
    }
    emit_bytes(j, name, s->kept.data ? s->kept.data : "", len);
    emit_int(j, bytes_name, s->total);
    emit_true(j, truncated_name, cut);
}

static void run_members(struct emit *j, const struct run_result *r)
{
    string(j, "end", ends[r->end]);
    if (r->exit_code >= 0)
        emit_int(j, "exit_code", r->exit_code);
    if (r->signal > 0)
        emit_int(j, "signal", r->signal);
    if (r->end == RUN_NOT_STARTED)
        words(j, "why", r->why.text);
    emit_true(j, "oom", r->oom);
    emit_true(j, "oom_suspected", r->oom_suspected);
    emit_true(j, "leftovers", r->leftovers);
    emit_int(j, "wall_ms", r->wall_ms);
    emit_int(j, "cpu_ms", r->cpu_ms);
    emit_int(j, "max_rss_bytes", r->max_rss_bytes);
    stream(j, "stdout", "stdout_bytes", "stdout_truncated", &r->out);
    stream(j, "stderr", "stderr_bytes", "stderr_truncated", &r->err);
}

static void run(struct emit *j, const char *name, const struct run_result *r)
{
    emit_open(j, name, '{');
    run_members(j, r);
    emit_close(j, '}');
}

static void cases(struct emit *j, const struct outcome *o)
{
    emit_open(j, "cases", '[');
    for (size_t i = 0; i < o->case_count; i++) {
        emit_open(j, NULL, '{');
        string(j, "verdict", verdicts[o->verdicts[i]]);
        if (o->verdicts[i] != VERDICT_SKIPPED)
            run_members(j, &o->cases[i]);
        emit_close(j, '}');
    }
    emit_close(j, ']');
}

static void files(struct emit *j, const struct found_files *f)
{
    if (f->count > 0) {
        emit_open(j, "files", '[');
        for (size_t i = 0; i < f->count; i++) {
            const struct found_file *file = &f->list[i];

            emit_open(j, NULL, '{');
            string(j, "path", file->path);
            emit_bytes(j, "content", file->content.data ? file->content.data : "", file->content.len);
            emit_int(j, "bytes", file->size);
            emit_true(j, "truncated", file->size > (int64_t)file->content.len);
            emit_close(j, '}');
        }
        emit_close(j, ']');
    }
    if (f->omitted > 0)
        emit_int(j, "files_omitted", (int64_t)f->omitted);
    emit_true(j, "files_cut_short", f->cut_short);
}

void report_write(const struct outcome *o, struct emit *j)
{
    static const char *const isolations[] = {
        [ISOLATION_NONE] = "none", [ISOLATION_NETWORK] = "network", [ISOLATION_FULL] = "full"};

    emit_open(j, NULL, '{');
    emit_int(j, "execq_report", 1);
    if (o->error.text[0]) {
        string(j, "error_at", o->at);
        words(j, "error", o->error.text);
    } else {
        string(j, "isolation", isolations[o->isolation]);
        emit_true(j, "network", o->network);
        if (o->has_compile)
            run(j, "compile", &o->compile);
        if (o->has_run)
            run(j, "run", &o->run);
        if (o->case_count > 0)
            cases(j, o);
        files(j, &o->files);
    }
    emit_int(j, "wall_ms", o->wall_ms);
    emit_int(j, "clock_ms", o->clock_ms);
    emit_close(j, '}');
}
