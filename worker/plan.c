#include "worker/plan.h"

#include <string.h>

#include "base/cleanup.h"

enum { RECORD_MAX = 99999999 };

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One space between the words. */
static int add_tokens(const char *s, size_t len, struct buf *out, struct fault *f)
{
    bool first = true;

    for (size_t i = 0; i < len;) {
        size_t n = 0;

        while (i < len && blank(s[i]))
            i++;
        while (i + n < len && !blank(s[i + n]))
            n++;
        if (n > 0 && ((!first && buf_add(out, " ", 1, f) < 0) || buf_add(out, s + i, n, f) < 0))
            return -1;
        first = first && n == 0;
        i += n;
    }
    return 0;
}

static int add_trimmed(const char *s, size_t len, struct buf *out, struct fault *f)
{
    while (len > 0 && blank(s[len - 1]))
        len--;
    while (len > 0) {
        const char *end = memchr(s, '\n', len);
        size_t line = end ? (size_t)(end - s) : len, kept = line;

        while (kept > 0 && blank(s[kept - 1]))
            kept--;
        if (buf_add(out, s, kept, f) < 0 || (end && buf_add(out, "\n", 1, f) < 0))
            return -1;
        s += line + (end != NULL);
        len -= line + (end != NULL);
    }
    return 0;
}

int plan_normal_form(const char *bytes, size_t len, enum plan_compare mode, struct buf *out, struct fault *f)
{
    switch (mode) {
    case PLAN_TOKENS:
        return add_tokens(bytes, len, out, f);
    case PLAN_TRIMMED:
        return add_trimmed(bytes, len, out, f);
    default:
        return buf_add(out, bytes, len, f);
    }
}

/* --- records --------------------------------------------------------------------------------------------------- */

static int add(struct buf *out, const char *name, const char *bytes, size_t len, struct fault *f)
{
    if (len > RECORD_MAX)
        return fault_set(f, FAULT_TOO_BIG, "%s has more than %d bytes", name, RECORD_MAX);
    if (buf_addf(out, f, "%s %zu\n", name, len) < 0 || buf_add(out, bytes, len, f) < 0 || buf_add(out, "\n", 1, f) < 0)
        return fault_wrap(f, "plan");
    return 0;
}

static int add_string(struct buf *out, const char *name, const char *s, struct fault *f)
{
    return add(out, name, s, strlen(s), f);
}

/* 0 says nothing: the runner's default counts. */
static int add_number(struct buf *out, const char *name, int64_t n, struct fault *f)
{
    char text[24];

    if (n == 0)
        return 0;
    snprintf(text, sizeof(text), "%lld", (long long)n);
    return add_string(out, name, text, f);
}

static int add_strings(struct buf *out, const char *name, const char *const *list, struct fault *f)
{
    for (size_t i = 0; list && list[i]; i++)
        if (add_string(out, name, list[i], f) < 0)
            return -1;
    return 0;
}

static int add_command(const struct request *r, const struct language *language, const struct plan_input *more,
                       struct buf *out, struct fault *f)
{
    const char *const *argv = r->argv && r->argv[0] ? (const char *const *)r->argv
                              : language            ? (const char *const *)language->argv
                                                    : NULL;

    if (!argv || !argv[0])
        return fault_set(f, FAULT_INVALID, "nothing says how \"%.60s\" is run", r->language ? r->language : "?");
    if (add_strings(out, "compile-arg", more->compile_argv, f) < 0 || add_strings(out, "arg", argv, f) < 0 ||
        add_strings(out, "arg", (const char *const *)r->args, f) < 0)
        return -1;
    for (const struct request_env *e = r->env; e && e->name; e++) {
        size_t name = strlen(e->name), value = strlen(e->value);

        if (buf_addf(out, f, "env %zu\n%s=%s\n", name + 1 + value, e->name, e->value) < 0)
            return fault_wrap(f, "plan");
    }
    return 0;
}

static int add_file(struct buf *out, const char *path, const char *bytes, size_t len, unsigned mode, struct fault *f)
{
    char octal[16];

    snprintf(octal, sizeof(octal), "%o", mode & 0777);
    if (add_string(out, "file", path, f) < 0 || (mode && add_string(out, "file-mode", octal, f) < 0))
        return -1;
    return add(out, "file-bytes", bytes, len, f);
}

static int add_files(const struct request *r, const struct plan_input *more, struct buf *out, struct fault *f)
{
    for (size_t i = 0; i < more->file_count; i++) {
        const struct plan_input_file *file = &more->files[i];

        if (add_file(out, file->path, file->bytes, file->len, file->mode, f) < 0)
            return -1;
    }
    if (more->code_path && add_file(out, more->code_path, r->code, r->code_len, 0, f) < 0)
        return -1;
    for (size_t i = 0; i < more->output_count; i++)
        if (add_string(out, "output", more->outputs[i].glob, f) < 0 ||
            add_number(out, "output-max", more->outputs[i].max_bytes, f) < 0)
            return -1;
    return 0;
}

/* The digest says nothing of the expected output itself to whoever reads the plan. */
static int add_expected(const struct plan_input_case *c, struct buf *out, struct fault *f)
{
    static const char *const modes[] = {[PLAN_EXACT] = "exact", [PLAN_TRIMMED] = "trimmed", [PLAN_TOKENS] = "tokens"};
    _cleanup_(buf_release)
    struct buf normal = BUF_INIT(c->expected_len + 1);
    char hex[DIGEST_HEX];

    if (plan_normal_form(c->expected, c->expected_len, c->compare, &normal, f) < 0)
        return -1;
    digest_sha256_hex(buf_str(&normal), normal.len, hex);
    if (add_string(out, "case-digest", hex, f) < 0)
        return -1;
    return add_string(out, "case-compare", modes[c->compare], f);
}

static int add_cases(const struct plan_input *more, struct buf *out, struct fault *f)
{
    for (size_t i = 0; i < more->case_count; i++) {
        const struct plan_input_case *c = &more->cases[i];

        if (add_string(out, "case", "", f) < 0 || (c->in_len && add(out, "case-stdin", c->in, c->in_len, f) < 0) ||
            add_strings(out, "case-arg", c->args, f) < 0 || add_number(out, "case-timeout-ms", c->timeout_ms, f) < 0 ||
            (c->expected && add_expected(c, out, f) < 0))
            return -1;
    }
    return add_number(out, "stop-on-first-failure", more->stop_on_first_failure, f);
}

static int add_limits(const struct request *r, const struct plan_input *more, struct buf *out, struct fault *f)
{
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"timeout-ms", r->timeout_ms},
        {"compile-timeout-ms", more->compile_timeout_ms},
        {"total-ms", more->total_ms},
        {"grace-ms", more->grace_ms},
        {"cpu-ms", more->cpu_ms},
        {"output-bytes", r->output_bytes},
        {"case-output-bytes", more->case_output_bytes},
        {"kill-output-bytes", more->kill_output_bytes},
        {"report-bytes", more->report_bytes},
        {"file-size-bytes", more->file_size_bytes},
        {"disk-bytes", r->disk_bytes},
        {"processes", more->processes},
        {"stack-bytes", more->stack_bytes},
        {"address-bytes", more->address_bytes},
        {"open-files", more->open_files},
        {"network", more->network},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (add_number(out, rows[i].name, rows[i].value, f) < 0)
            return -1;
    return 0;
}

int plan_write(const struct request *r, const struct language *language, const struct plan_input *more, struct buf *out,
               struct fault *f)
{
    if (buf_add_string(out, "execq-plan 1\n", f) < 0 ||
        add_string(out, "cwd", more->cwd ? more->cwd : "/work", f) < 0 || add_command(r, language, more, out, f) < 0 ||
        add_limits(r, more, out, f) < 0 || add_strings(out, "scratch", more->scratch, f) < 0 ||
        add_files(r, more, out, f) < 0 || (more->in_len && add(out, "stdin", more->in, more->in_len, f) < 0) ||
        add_cases(more, out, f) < 0)
        return -1;
    return add_string(out, "end", "", f);
}
