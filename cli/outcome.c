#include "cli/outcome.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "cli/cases.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/terminal.h"

enum { STREAM_MAX = 16 << 20, RESULT_DEPTH = 32 };

int outcome_bytes(struct json_object *o, const char *text, const char *base64, struct buf *into, struct fault *f)
{
    const char *bytes = NULL;
    size_t len = 0;

    buf_init(into, STREAM_MAX);
    if (field_bytes(o, base64, FIELD_OPTIONAL, STREAM_MAX, &bytes, &len, f) < 0)
        return -1;
    if (bytes)
        return digest_base64_decode(bytes, len, into, f);
    if (field_bytes(o, text, FIELD_OPTIONAL, STREAM_MAX, &bytes, &len, f) < 0)
        return -1;
    return bytes ? buf_add(into, bytes, len, f) : 0;
}

static void read_rest(struct json_object *root, struct outcome *o)
{
    struct json_object *part;

    o->exit_code = (int)field_peek_int(root, "exit_code", -1);
    o->signal = (int)field_peek_int(root, "signal", -1);
    o->out_cut = field_peek_bool(root, "stdout_truncated");
    o->err_cut = field_peek_bool(root, "stderr_truncated");
    o->files_omitted = field_peek_int(root, "files_omitted", 0);
    part = field_peek(root, "usage");
    o->wall_ms = part ? field_peek_int(part, "wall_ms", -1) : -1;
    part = field_peek(root, "attempts");
    o->attempts = part && json_object_is_type(part, json_type_array) ? (int)json_object_array_length(part) : 0;
    part = field_peek(root, "cases");
    o->cases = json_object_is_type(part, json_type_array) ? json_object_get(part) : NULL;
    part = field_peek(root, "files");
    o->files = json_object_is_type(part, json_type_object) ? json_object_get(part) : NULL;
    part = field_peek(root, "error");
    if (part) {
        o->reason = mem_string(field_peek_string(part, "reason"));
        o->message = mem_string(field_peek_string(part, "message"));
    }
}

int outcome_read(const char *json, size_t len, struct outcome *ret, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    _cleanup_(outcome_release)
    struct outcome o = {0};
    const char *id, *status;

    if (field_parse(json, len, RESULT_DEPTH, &root, f) < 0 ||
        field_string(root, "id", FIELD_REQUIRED, 1024, &id, f) < 0 ||
        field_string(root, "status", FIELD_REQUIRED, 64, &status, f) < 0 ||
        outcome_bytes(root, "stdout", "stdout_base64", &o.out, f) < 0 ||
        outcome_bytes(root, "stderr", "stderr_base64", &o.err, f) < 0)
        return fault_wrap(f, "a result that cannot be read");
    o.id = mem_string(id);
    o.status = mem_string(status);
    read_rest(root, &o);
    *ret = o;
    o = (struct outcome){0};
    return 0;
}

void outcome_release(struct outcome *o)
{
    free(o->id);
    free(o->status);
    free(o->reason);
    free(o->message);
    buf_release(&o->out);
    buf_release(&o->err);
    json_object_put(o->cases);
    json_object_put(o->files);
}

/* clang-format off */
static const struct {
    const char *status;
    int code;
} codes[] = {
    {"ok",            EXIT_OK},
    {"timeout",       EXIT_TIMEOUT},
    {"oom",           EXIT_OOM},
    {"output_limit",  EXIT_LIMIT},
    {"disk_limit",    EXIT_LIMIT},
    {"compile_error", EXIT_LIMIT},
    {"invalid",       EXIT_CALLER},
    {"rejected",      EXIT_CALLER},
    {"cancelled",     EXIT_CALLER},
    {"expired",       EXIT_CALLER},
};
/* clang-format on */

int outcome_exit_code(const struct outcome *o)
{
    if (strcmp(o->status, "nonzero_exit") == 0)
        return o->exit_code > 0 && o->exit_code < 256 ? o->exit_code : 1;
    if (strcmp(o->status, "signal") == 0)
        return o->signal > 0 && o->signal < 127 ? EXIT_SIGNAL + o->signal : EXIT_SIGNAL;
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (strcmp(o->status, codes[i].status) == 0)
            return codes[i].code;
    return EXIT_INFRA; /* infra_error, and what a newer worker may say */
}

char *outcome_ended(const char *status, int exit_code, int signal, const char *reason)
{
    if (strcmp(status, "nonzero_exit") == 0)
        return mem_format("exit code %d", exit_code);
    if (strcmp(status, "signal") == 0)
        return mem_format("ended by signal %d", signal);
    return reason && *reason ? mem_format("%s (%s)", status, reason) : mem_string(status);
}

char *outcome_verdict(const struct outcome *o)
{
    _cleanup_free_ char *head = outcome_ended(o->status, o->exit_code, o->signal, o->reason), *time = mem_string("");

    if (o->wall_ms >= 0) {
        free(time);
        time = mem_format(" after %lld.%lld s", (long long)o->wall_ms / 1000, (long long)o->wall_ms % 1000 / 100);
    }
    if (o->message && *o->message)
        return mem_format("%s%s: %s", head, time, o->message);
    return mem_format("%s%s", head, time);
}

static void write_stream(FILE *to, const struct buf *b, bool cut)
{
    if (b->len)
        fwrite(b->data, 1, b->len, to);
    fflush(to);
    if (cut)
        fprintf(stderr, "%sexecq: there was more output than is kept\n",
                b->len && b->data[b->len - 1] != '\n' ? "\n" : "");
}

void outcome_print(const struct outcome *o)
{
    write_stream(stdout, &o->out, o->out_cut);
    write_stream(stderr, &o->err, o->err_cut);
    if (o->cases)
        cases_print(stdout, o->cases);
    fflush(stdout);
    if (strcmp(o->status, "ok") != 0) {
        _cleanup_free_ char *verdict = outcome_verdict(o);
        bool ours = outcome_exit_code(o) == EXIT_INFRA;

        if (isatty(STDOUT_FILENO) && o->out.len && o->out.data[o->out.len - 1] != '\n')
            fputc('\n', stderr);
        fprintf(stderr, "%sexecq: %s%s\n", terminal_color(stderr, ours ? COLOR_YELLOW : COLOR_RED), verdict,
                terminal_color(stderr, COLOR_NONE));
    }
}

/* Whether all files are where they belong. */
static bool hand_out_files(const struct outcome *o, const struct outcome_view *view)
{
    if (o->files && !view->as_json && json_object_object_length(o->files) == 0)
        fprintf(stderr, "execq: no file came back\n");
    if (o->files_omitted > 0 && (view->output_dir || !view->as_json))
        fprintf(stderr, "execq: %lld more file%s found no room in the result\n", (long long)o->files_omitted,
                o->files_omitted == 1 ? "" : "s");
    if (!o->files)
        return true;
    if (view->output_dir)
        return files_write(o->files, view->output_dir, view->force) == 0;
    if (!view->as_json)
        files_list(o->files);
    return true;
}

int outcome_show(const char *json, size_t len, const struct outcome_view *view)
{
    int code;

    _cleanup_(outcome_release)
    struct outcome o = {0};
    struct fault f = FAULT_INIT;

    if (outcome_read(json, len, &o, &f) < 0) {
        fprintf(stderr, "execq: %s\n", f.text);
        return EXIT_INFRA;
    }
    if (view->as_json) {
        fwrite(json, 1, len, stdout);
        fputc('\n', stdout);
    } else {
        outcome_print(&o);
    }
    code = outcome_exit_code(&o);
    return hand_out_files(&o, view) || code != EXIT_OK ? code : EXIT_OURS;
}
