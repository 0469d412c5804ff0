#include "worker/report.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/field.h"
#include "base/mem.h"

enum { DEPTH = 5, CASES_MAX = 4096, FILES_MAX = 4096, WORD_MAX = 32, WHY_MAX = 4096 };

#define RUN_FIELDS                                                                                                  \
    "end", "exit_code", "signal", "why", "oom", "oom_suspected", "leftovers", "wall_ms", "cpu_ms", "max_rss_bytes", \
        "stdout", "stdout_base64", "stdout_bytes", "stdout_truncated", "stderr", "stderr_base64", "stderr_bytes",   \
        "stderr_truncated"

static const char *const report_fields[] = {"execq_report",    "error",   "error_at", "isolation", "network",
                                            "compile",         "run",     "cases",    "files",     "files_omitted",
                                            "files_cut_short", "wall_ms", "clock_ms", "again",     NULL};
static const char *const run_fields[] = {RUN_FIELDS, NULL};
static const char *const case_fields[] = {"verdict", RUN_FIELDS, NULL};
static const char *const file_fields[] = {"path",  "path_base64", "content", "content_base64",
                                          "bytes", "truncated",   NULL};
static const char *const pointer_fields[] = {"execq_report", "lines", "bytes", "sha256", NULL};

static const char *const isolations[] = {"none", "network", "full", NULL};
static const char *const ends[] = {"exit",       "signal",  "timeout",     "cpu_limit", "output_limit",
                                   "disk_limit", "stopped", "not_started", NULL};
static const char *const verdicts[] = {"passed", "wrong", "failed", "skipped", "unchecked", NULL};

/* --- members --------------------------------------------------------------------------------------------------- */

/* The place of a word in a list. */
static int read_word(struct json_object *o, const char *name, const char *const words[], unsigned *ret, struct fault *f)
{
    const char *word = "";

    if (field_string(o, name, FIELD_REQUIRED, WORD_MAX, &word, f) < 0)
        return -1;
    for (unsigned i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0) {
            *ret = i;
            return 0;
        }
    return fault_set(f, FAULT_INVALID, "%s is \"%.32s\"", name, word);
}

/* Bytes under `name`, or under name_base64; exactly one of the two. */
static int read_bytes(struct json_object *o, const char *name, char **ret, size_t *ret_len, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf decoded = BUF_INIT(REPORT_BYTES_MAX);
    const char *text = NULL, *base64 = NULL;
    size_t len = 0, base64_len = 0;
    char encoded[32];

    snprintf(encoded, sizeof(encoded), "%s_base64", name);
    if (field_bytes(o, name, FIELD_OPTIONAL, REPORT_BYTES_MAX, &text, &len, f) < 0 ||
        field_bytes(o, encoded, FIELD_OPTIONAL, REPORT_BYTES_MAX, &base64, &base64_len, f) < 0)
        return -1;
    if (!text == !base64)
        return fault_set(f, FAULT_INVALID, "%s stands %s", name, text ? "twice" : "nowhere");
    if (text) {
        *ret = mem_bytes(text, len);
        *ret_len = len;
        return 0;
    }
    if (digest_base64_decode(base64, base64_len, &decoded, f) < 0)
        return fault_wrap(f, "%s", encoded);
    *ret = buf_take(&decoded, ret_len);
    return 0;
}

static int read_stream(struct json_object *o, const char *name, const char *total, const char *truncated,
                       struct report_stream *ret, struct fault *f)
{
    if (read_bytes(o, name, &ret->bytes, &ret->len, f) < 0 ||
        field_int(o, total, FIELD_REQUIRED, 0, INT64_MAX, &ret->total, f) < 0 ||
        field_bool(o, truncated, FIELD_OPTIONAL, &ret->truncated, f) < 0)
        return -1;
    if (ret->truncated ? (int64_t)ret->len >= ret->total : (int64_t)ret->len != ret->total)
        return fault_set(f, FAULT_INVALID, "%s: %zu bytes do not fit its total", name, ret->len);
    return 0;
}

static int read_number(struct json_object *o, const char *name, int64_t max, int *ret, struct fault *f)
{
    int64_t n = -1;

    if (field_int(o, name, FIELD_OPTIONAL, 0, max, &n, f) < 0)
        return -1;
    *ret = (int)n;
    return 0;
}

/* --- a run ----------------------------------------------------------------------------------------------------- */

/* How it ended and what it ended with have to go together. */
static int check_end(const struct report_run *r, struct fault *f)
{
    bool code = r->exit_code >= 0, sig = r->signal >= 0;

    if ((code && sig) || (r->end == REPORT_EXIT && !code) || (r->end == REPORT_SIGNAL && !sig) ||
        (r->end == REPORT_NOT_STARTED) != (r->why != NULL))
        return fault_set(f, FAULT_INVALID, "end %s does not go with exit code, signal or why", ends[r->end]);
    return 0;
}

static int read_run_members(struct json_object *o, struct report_run *r, struct fault *f)
{
    const char *why = NULL;
    unsigned end = 0;

    if (read_word(o, "end", ends, &end, f) < 0 || read_number(o, "exit_code", 255, &r->exit_code, f) < 0 ||
        read_number(o, "signal", 127, &r->signal, f) < 0 || field_bool(o, "oom", FIELD_OPTIONAL, &r->oom, f) < 0 ||
        field_bool(o, "oom_suspected", FIELD_OPTIONAL, &r->oom_suspected, f) < 0 ||
        field_bool(o, "leftovers", FIELD_OPTIONAL, &r->leftovers, f) < 0 ||
        field_int(o, "wall_ms", FIELD_REQUIRED, 0, INT64_MAX, &r->wall_ms, f) < 0 ||
        field_int(o, "cpu_ms", FIELD_REQUIRED, 0, INT64_MAX, &r->cpu_ms, f) < 0 ||
        field_int(o, "max_rss_bytes", FIELD_REQUIRED, 0, INT64_MAX, &r->max_rss_bytes, f) < 0 ||
        field_string(o, "why", FIELD_OPTIONAL, WHY_MAX, &why, f) < 0 ||
        read_stream(o, "stdout", "stdout_bytes", "stdout_truncated", &r->out, f) < 0 ||
        read_stream(o, "stderr", "stderr_bytes", "stderr_truncated", &r->err, f) < 0)
        return -1;
    r->end = (enum report_end)end;
    r->why = mem_string(why);
    return check_end(r, f);
}

static int read_run(struct json_object *root, const char *name, struct report_run **ret, struct fault *f)
{
    struct json_object *o = NULL;

    if (field_object(root, name, FIELD_OPTIONAL, &o, f) < 0)
        return -1;
    if (!o)
        return 0;
    *ret = mem_new(struct report_run);
    if (field_only(o, run_fields, f) < 0 || read_run_members(o, *ret, f) < 0)
        return fault_wrap(f, "%s", name);
    return 0;
}

/* --- lists ----------------------------------------------------------------------------------------------------- */

static int read_case(struct json_object *o, struct report_case *c, struct fault *f)
{
    static const char *const skipped_fields[] = {"verdict", NULL};
    unsigned verdict = 0;

    if (read_word(o, "verdict", verdicts, &verdict, f) < 0)
        return -1;
    c->verdict = (enum report_case_verdict)verdict;
    if (c->verdict == REPORT_SKIPPED)
        return field_only(o, skipped_fields, f);
    if (field_only(o, case_fields, f) < 0 || read_run_members(o, &c->run, f) < 0)
        return -1;
    if ((c->verdict != REPORT_FAILED) != (c->run.end == REPORT_EXIT && c->run.exit_code == 0))
        return fault_set(f, FAULT_INVALID, "verdict %s does not go with its end", verdicts[verdict]);
    return 0;
}

static int read_cases(struct json_object *root, struct report *r, struct fault *f)
{
    struct json_object *list = NULL;

    if (field_array(root, "cases", FIELD_OPTIONAL, CASES_MAX, &list, f) < 0)
        return -1;
    r->case_count = list ? json_object_array_length(list) : 0;
    r->cases = mem_zero(r->case_count + 1, sizeof(*r->cases));
    for (size_t i = 0; i < r->case_count; i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        if (!json_object_is_type(o, json_type_object))
            return fault_set(f, FAULT_INVALID, "cases[%zu] is no object", i);
        if (read_case(o, &r->cases[i], f) < 0)
            return fault_wrap(f, "cases[%zu]", i);
    }
    return 0;
}

static int read_file(struct json_object *o, struct report_file *file, struct fault *f)
{
    size_t len = 0;

    if (field_only(o, file_fields, f) < 0 || read_bytes(o, "path", &file->path, &len, f) < 0 ||
        read_stream(o, "content", "bytes", "truncated", &file->content, f) < 0)
        return -1;
    if (len == 0 || strlen(file->path) != len)
        return fault_set(f, FAULT_INVALID, "its path is empty or holds a NUL");
    return 0;
}

static int read_files(struct json_object *root, struct report *r, struct fault *f)
{
    struct json_object *list = NULL;

    if (field_array(root, "files", FIELD_OPTIONAL, FILES_MAX, &list, f) < 0)
        return -1;
    r->file_count = list ? json_object_array_length(list) : 0;
    r->files = mem_zero(r->file_count + 1, sizeof(*r->files));
    for (size_t i = 0; i < r->file_count; i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        if (!json_object_is_type(o, json_type_object))
            return fault_set(f, FAULT_INVALID, "files[%zu] is no object", i);
        if (read_file(o, &r->files[i], f) < 0)
            return fault_wrap(f, "files[%zu]", i);
    }
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------------------------- */

static int read_version(struct json_object *root, struct fault *f)
{
    int64_t version = 0;

    return field_int(root, "execq_report", FIELD_REQUIRED, 1, 1, &version, f);
}

static int read_report(struct json_object *root, struct report **ret, struct fault *f)
{
    _cleanup_(report_freep)
    struct report *r = mem_new(struct report);
    const char *error = NULL, *error_at = NULL;
    unsigned isolation = 0;

    if (field_only(root, report_fields, f) < 0 || read_version(root, f) < 0 ||
        field_int(root, "wall_ms", FIELD_REQUIRED, 0, INT64_MAX / 2, &r->wall_ms, f) < 0 ||
        field_int(root, "clock_ms", FIELD_OPTIONAL, 0, INT64_MAX / 2, &r->clock_ms, f) < 0 ||
        field_bool(root, "again", FIELD_OPTIONAL, &r->again, f) < 0 ||
        field_string(root, "error", FIELD_OPTIONAL, WHY_MAX, &error, f) < 0 ||
        field_string(root, "error_at", error ? FIELD_REQUIRED : FIELD_OPTIONAL, WORD_MAX, &error_at, f) < 0 ||
        (!error && read_word(root, "isolation", isolations, &isolation, f) < 0) ||
        field_bool(root, "network", FIELD_OPTIONAL, &r->network, f) < 0 ||
        read_run(root, "compile", &r->compile, f) < 0 || read_run(root, "run", &r->run, f) < 0 ||
        read_cases(root, r, f) < 0 || read_files(root, r, f) < 0 ||
        field_int(root, "files_omitted", FIELD_OPTIONAL, 0, INT64_MAX, &r->files_omitted, f) < 0 ||
        field_bool(root, "files_cut_short", FIELD_OPTIONAL, &r->files_cut_short, f) < 0)
        return -1;
    r->isolation = (enum report_isolation)isolation;
    r->error = mem_string(error);
    r->error_at = mem_string(error_at);
    if (error ? r->compile || r->run || r->case_count : !r->compile && !r->run && !r->case_count)
        return fault_set(f, FAULT_INVALID, error ? "an error, and something ran" : "nothing ran, and no error");
    if (r->run && r->case_count)
        return fault_set(f, FAULT_INVALID, "a run beside cases");
    *ret = TAKE(r);
    return 0;
}

static int read_pointer(struct json_object *root, struct report_pointer *ret, struct fault *f)
{
    struct report_pointer p = {0};
    const char *digest = "";

    if (field_only(root, pointer_fields, f) < 0 || read_version(root, f) < 0 ||
        field_int(root, "lines", FIELD_REQUIRED, 1, REPORT_LINES_MAX, &p.lines, f) < 0 ||
        field_int(root, "bytes", FIELD_REQUIRED, 1, REPORT_BYTES_MAX, &p.bytes, f) < 0 ||
        field_string(root, "sha256", FIELD_REQUIRED, DIGEST_HEX - 1, &digest, f) < 0)
        return -1;
    if (strspn(digest, "0123456789abcdef") != DIGEST_HEX - 1)
        return fault_set(f, FAULT_INVALID, "sha256 is no digest");
    memcpy(p.digest, digest, DIGEST_HEX);
    *ret = p;
    return 0;
}

int report_read(const char *message, size_t len, int exit_code, struct report **ret_report,
                struct report_pointer *ret_pointer, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    int result;

    if (exit_code != REPORT_EXIT_CODE)
        return fault_set(f, FAULT_INVALID, "the container ended with %d, which is not the runner's word", exit_code);
    if (field_parse(message, len, DEPTH, &root, f) < 0)
        return fault_wrap(f, "termination message");
    if (!json_object_is_type(root, json_type_object))
        return fault_set(f, FAULT_INVALID, "termination message: no object");
    result = json_object_object_get_ex(root, "lines", NULL) ? read_pointer(root, ret_pointer, f)
                                                            : read_report(root, ret_report, f);
    return result < 0 ? fault_wrap(f, "termination message") : 0;
}

/* Where the last `lines` lines begin; NULL if there are not as many, or the last one has no end. */
static const char *find_lines(const char *tail, size_t len, int64_t lines)
{
    const char *at = tail + len;

    if (len == 0 || at[-1] != '\n')
        return NULL;
    for (at--; at > tail; at--)
        if (at[-1] == '\n' && --lines == 0)
            return at;
    return lines == 1 ? tail : NULL;
}

int report_join(const struct report_pointer *p, const char *tail, size_t len, struct report **ret_report,
                struct fault *f)
{
    _cleanup_(buf_release)
    struct buf whole = BUF_INIT((size_t)p->bytes);
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    const char *at = find_lines(tail, len, p->lines);
    char digest[DIGEST_HEX];

    if (!at)
        return fault_set(f, FAULT_TRANSIENT, "the log does not have the report's %lld lines", (long long)p->lines);
    while (at < tail + len) {
        size_t line = (size_t)((const char *)memchr(at, '\n', (size_t)(tail + len - at)) - at);

        if (line > REPORT_LINE_MAX || buf_add(&whole, at, line, f) < 0)
            return fault_set(f, FAULT_TRANSIENT, "the last lines of the log are longer than the report");
        at += line + 1;
    }
    digest_sha256_hex(buf_str(&whole), whole.len, digest);
    if (whole.len != (size_t)p->bytes || strcmp(digest, p->digest) != 0)
        return fault_set(f, FAULT_TRANSIENT, "the end of the log is not the report: its digest does not match");
    if (field_parse(whole.data, whole.len, DEPTH, &root, f) < 0)
        return fault_wrap(f, "report in the log");
    if (!json_object_is_type(root, json_type_object))
        return fault_set(f, FAULT_INVALID, "report in the log: no object");
    return read_report(root, ret_report, f) < 0 ? fault_wrap(f, "report in the log") : 0;
}

/* --- freeing --------------------------------------------------------------------------------------------------- */

static void release_run(struct report_run *r)
{
    free(r->why);
    free(r->out.bytes);
    free(r->err.bytes);
}

void report_free(struct report *r)
{
    struct report_run *const runs[] = {r ? r->compile : NULL, r ? r->run : NULL};

    if (!r)
        return;
    for (size_t i = 0; i < COUNT_OF(runs); i++)
        if (runs[i]) {
            release_run(runs[i]);
            free(runs[i]);
        }
    for (size_t i = 0; i < r->case_count; i++)
        release_run(&r->cases[i].run);
    for (size_t i = 0; i < r->file_count; i++) {
        free(r->files[i].path);
        free(r->files[i].content.bytes);
    }
    free(r->cases);
    free(r->files);
    free(r->error);
    free(r->error_at);
    free(r);
}
