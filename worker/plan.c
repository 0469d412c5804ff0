#include "worker/plan.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"

/* Of a case's streams: there may be a thousand cases, and the comparison sees everything anyway. */
enum { RECORD_MAX = 99999999, CASE_OUTPUT_MAX = 16384, FILE_MAX = 8 << 20 /* the runner takes no more */ };

static const char *const scratch[] = {"/work", "/tmp", NULL}; /* all that the code can write to */

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

int plan_normal_form(const char *bytes, size_t len, enum request_compare mode, struct buf *out, struct fault *f)
{
    switch (mode) {
    case EXPECT_TOKENS:
        return add_tokens(bytes, len, out, f);
    case EXPECT_TRIMMED:
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

bool plan_compiles(const struct request *r, const struct language *language)
{
    return !r->argv && language && language->compile[0];
}

static int add_command(const struct request *r, const struct language *language, struct buf *out, struct fault *f)
{
    const char *const *argv = r->argv && r->argv[0] ? (const char *const *)r->argv
                              : language            ? (const char *const *)language->argv
                                                    : NULL;

    if (!argv || !argv[0])
        return fault_set(f, FAULT_INVALID, "nothing says how \"%.60s\" is run", r->language ? r->language : "?");
    if ((plan_compiles(r, language) &&
         add_strings(out, "compile-arg", (const char *const *)language->compile, f) < 0) ||
        add_strings(out, "arg", argv, f) < 0 || add_strings(out, "arg", (const char *const *)r->args, f) < 0)
        return -1;
    for (const struct request_env *e = r->env; e && e->name; e++) {
        size_t name = strlen(e->name), value = strlen(e->value);

        if (buf_addf(out, f, "env %zu\n%s=%s\n", name + 1 + value, e->name, e->value) < 0)
            return fault_wrap(f, "plan");
    }
    return 0;
}

static int add_file(struct buf *out, const struct request_file *file, struct fault *f)
{
    char octal[16];

    snprintf(octal, sizeof(octal), "%o", file->mode & 0777);
    if (add_string(out, "file", file->path, f) < 0 || (file->mode && add_string(out, "file-mode", octal, f) < 0))
        return -1;
    return add(out, "file-bytes", file->content.bytes, file->content.len, f);
}

static int add_files(const struct request *r, struct buf *out, struct fault *f)
{
    for (size_t i = 0; i < r->file_count; i++)
        if (add_file(out, &r->files[i], f) < 0)
            return -1;
    for (size_t i = 0; r->outputs && r->outputs[i]; i++)
        if (add_string(out, "output", r->outputs[i], f) < 0 ||
            add_number(out, "output-max", r->output_bytes < FILE_MAX ? r->output_bytes : FILE_MAX, f) < 0)
            return -1;
    return 0;
}

/* The digest says nothing of the expected output itself to whoever reads the plan. */
static int add_expected(const struct request_case *c, struct buf *out, struct fault *f)
{
    static const char *const modes[] = {
        [EXPECT_EXACT] = "exact", [EXPECT_TRIMMED] = "trimmed", [EXPECT_TOKENS] = "tokens"};
    _cleanup_(buf_release)
    struct buf normal = BUF_INIT(c->expected.len + 1);
    char hex[DIGEST_HEX];

    if (plan_normal_form(c->expected.bytes, c->expected.len, c->compare, &normal, f) < 0)
        return -1;
    digest_sha256_hex(buf_str(&normal), normal.len, hex);
    if (add_string(out, "case-digest", hex, f) < 0)
        return -1;
    return add_string(out, "case-compare", modes[c->compare], f);
}

static int add_cases(const struct request *r, struct buf *out, struct fault *f)
{
    for (size_t i = 0; i < r->case_count; i++) {
        const struct request_case *c = &r->cases[i];

        if (add_string(out, "case", "", f) < 0 ||
            (c->in.len && add(out, "case-stdin", c->in.bytes, c->in.len, f) < 0) ||
            add_strings(out, "case-arg", (const char *const *)c->args, f) < 0 ||
            add_number(out, "case-timeout-ms", c->timeout_ms, f) < 0 ||
            (c->expected.bytes && add_expected(c, out, f) < 0))
            return -1;
    }
    return add_number(out, "stop-on-first-failure", r->stop_on_first_failure, f);
}

static int add_limits(const struct request *r, const struct plan_limits *l, struct buf *out, struct fault *f)
{
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"timeout-ms", r->timeout_ms},     {"compile-timeout-ms", l->compile_timeout_ms},
        {"total-ms", l->total_ms},         {"kill-output-bytes", l->output_limit},
        {"report-bytes", l->report_bytes}, {"disk-bytes", r->disk_bytes},
        {"processes", l->processes},       {"announce", l->announce},
    };
    char kept[24];

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (add_number(out, rows[i].name, rows[i].value, f) < 0)
            return -1;
    if (r->case_count > 0) {
        snprintf(kept, sizeof(kept), "%lld",
                 (long long)(r->output_bytes < CASE_OUTPUT_MAX ? r->output_bytes : CASE_OUTPUT_MAX));
        return add_string(out, "case-output-bytes", kept, f);
    }
    snprintf(kept, sizeof(kept), "%lld", (long long)r->output_bytes); /* 0 is a wish of its own */
    return add_string(out, "output-bytes", kept, f);
}

int plan_write(const struct request *r, const struct language *language, const struct plan_limits *l, struct buf *out,
               struct fault *f)
{
    if (buf_add_string(out, "execq-plan 1\n", f) < 0 || add_string(out, "cwd", scratch[0], f) < 0 ||
        add_command(r, language, out, f) < 0 || add_limits(r, l, out, f) < 0 ||
        add_strings(out, "scratch", scratch, f) < 0 || add_files(r, out, f) < 0 ||
        (r->in.len && add(out, "stdin", r->in.bytes, r->in.len, f) < 0) || add_cases(r, out, f) < 0)
        return -1;
    return add_string(out, "end", "", f);
}
