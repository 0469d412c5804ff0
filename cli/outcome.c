#include "cli/outcome.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "cli/options.h"
#include "cli/terminal.h"

enum { STREAM_MAX = 16 << 20, RESULT_DEPTH = 32 };

/* `name`, or `name`_base64 for what is not UTF-8. */
static int read_stream(struct json_object *root, const char *name, struct buf *into, bool *ret_cut, struct fault *f)
{
    _cleanup_free_ char *encoded = mem_format("%s_base64", name), *cut = mem_format("%s_truncated", name);
    const char *bytes = NULL;
    size_t len = 0;

    buf_init(into, STREAM_MAX);
    *ret_cut = field_peek_bool(root, cut);
    if (field_bytes(root, encoded, FIELD_OPTIONAL, STREAM_MAX, &bytes, &len, f) < 0)
        return -1;
    if (bytes)
        return digest_base64_decode(bytes, len, into, f);
    if (field_bytes(root, name, FIELD_OPTIONAL, STREAM_MAX, &bytes, &len, f) < 0)
        return -1;
    return bytes ? buf_add(into, bytes, len, f) : 0;
}

int outcome_read(const char *json, size_t len, struct outcome *ret, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    _cleanup_(outcome_release)
    struct outcome o = {0};
    const char *id, *status, *streams;
    struct json_object *part;

    if (field_parse(json, len, RESULT_DEPTH, &root, f) < 0 ||
        field_string(root, "id", FIELD_REQUIRED, 1024, &id, f) < 0 ||
        field_string(root, "status", FIELD_REQUIRED, 64, &status, f) < 0 ||
        read_stream(root, "stdout", &o.out, &o.out_cut, f) < 0 ||
        read_stream(root, "stderr", &o.err, &o.err_cut, f) < 0)
        return fault_wrap(f, "a result that cannot be read");
    o.id = mem_string(id);
    o.status = mem_string(status);
    o.exit_code = (int)field_peek_int(root, "exit_code", -1);
    o.signal = (int)field_peek_int(root, "signal", -1);
    streams = field_peek_string(root, "streams");
    o.merged = streams && strcmp(streams, "merged") == 0;
    part = field_peek(root, "usage");
    o.wall_ms = part ? field_peek_int(part, "wall_ms", -1) : -1;
    part = field_peek(root, "attempts");
    o.attempts = part && json_object_is_type(part, json_type_array) ? (int)json_object_array_length(part) : 0;
    part = field_peek(root, "error");
    if (part) {
        o.reason = mem_string(field_peek_string(part, "reason"));
        o.message = mem_string(field_peek_string(part, "message"));
    }
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

char *outcome_verdict(const struct outcome *o)
{
    _cleanup_free_ char *head = NULL, *time = mem_string("");

    if (strcmp(o->status, "nonzero_exit") == 0)
        head = mem_format("exit code %d", o->exit_code);
    else if (strcmp(o->status, "signal") == 0)
        head = mem_format("ended by signal %d", o->signal);
    else if (o->reason && *o->reason)
        head = mem_format("%s (%s)", o->status, o->reason);
    else
        head = mem_string(o->status);
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
    if (strcmp(o->status, "ok") != 0) {
        _cleanup_free_ char *verdict = outcome_verdict(o);
        bool ours = outcome_exit_code(o) == EXIT_INFRA;

        if (isatty(STDOUT_FILENO) && o->out.len && o->out.data[o->out.len - 1] != '\n')
            fputc('\n', stderr);
        fprintf(stderr, "%sexecq: %s%s\n", terminal_color(stderr, ours ? COLOR_YELLOW : COLOR_RED), verdict,
                terminal_color(stderr, COLOR_NONE));
    }
}

int outcome_show(const char *json, size_t len, bool as_json)
{
    _cleanup_(outcome_release)
    struct outcome o = {0};
    struct fault f = FAULT_INIT;

    if (outcome_read(json, len, &o, &f) < 0) {
        fprintf(stderr, "execq: %s\n", f.text);
        return EXIT_INFRA;
    }
    if (as_json) {
        fwrite(json, 1, len, stdout);
        fputc('\n', stdout);
    } else {
        outcome_print(&o);
    }
    return outcome_exit_code(&o);
}
