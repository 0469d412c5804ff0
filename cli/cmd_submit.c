#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "cli/snippet.h"
#include "cli/wait.h"

/* execq submit: pushes a request and does not wait. */

struct submit_options {
    struct snippet_options snippet;
    const char *request;
};

static const struct option rows[] = {
    SNIPPET_ROWS,
    {"request", 'r', OPTION_TEXT, offsetof(struct submit_options, request), "FILE", NULL,
     "push this JSON request (- for standard input) as it stands, in place of FILE and what belongs to it", 0, 0},
    {0},
};

/* A request as the user wrote it: checked, then pushed byte by byte as it is. */
static int read_request(const char *path, char **ret_id, char **ret_payload, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(snippet_limits()->payload_max);
    _cleanup_(request_freep)
    struct request *r = NULL;
    _cleanup_free_ char *id = NULL;

    if (snippet_read_file(path, &b, f) < 0)
        return -1;
    if (request_parse(buf_str(&b), b.len, snippet_limits(), &r, &id, f) < 0)
        return fault_wrap(f, "%.120s", path);
    *ret_id = mem_string(r->id);
    *ret_payload = mem_bytes(buf_str(&b), b.len);
    return 0;
}

static bool is_given(const struct submit_options *o, const struct option *row)
{
    const void *at = (const char *)o + row->at;

    return row->kind == OPTION_LIST   ? ((const struct text_list *)at)->n > 0
           : row->kind == OPTION_TEXT ? *(const char *const *)at != NULL
                                      : *(const int64_t *)at != 0;
}

/* A request that stands as it is has no place for what other options would say. */
static int check_alone(const struct submit_options *o, const struct arguments *a, struct fault *f)
{
    if (a->n > 0)
        return fault_set(f, FAULT_INVALID, "either FILE or --request");
    if (a->n_rest > 0)
        return fault_set(f, FAULT_INVALID,
                         "arguments behind -- do not go with --request: they belong into the request");
    for (const struct option *row = rows; row->name; row++)
        if (strcmp(row->name, "request") != 0 && is_given(o, row))
            return fault_set(f, FAULT_INVALID, "--%s does not go with --request: it belongs into the request",
                             row->name);
    return 0;
}

static int make(struct session *s, const struct submit_options *o, const struct arguments *a, char **ret_id,
                char **ret_payload, struct fault *f)
{
    if (o->request && check_alone(o, a, f) < 0)
        return -1;
    if (!o->request && a->n == 0)
        return fault_set(f, FAULT_INVALID, "an argument is missing: FILE, or --request FILE");
    if (o->request)
        return read_request(o->request, ret_id, ret_payload, f);
    return snippet_make(&o->snippet, a->words[0], a, loop_wall(s->loop), ret_id, ret_payload, f);
}

static int submit(struct session *s, const void *options, const struct arguments *a, struct fault *f)
{
    const struct submit_options *o = options;
    _cleanup_free_ char *id = NULL, *payload = NULL;

    if (session_open(s, &o->snippet.common, f) < 0 || make(s, o, a, &id, &payload, f) < 0 || session_connect(s, f) < 0)
        return -1;
    if (wait_push(s, payload, f) < 0)
        return -1;
    if (o->snippet.common.json) /* ids and names of queues need no escapes */
        printf("{\"id\":\"%s\",\"queue\":\"%s\"}\n", id, s->queue);
    else
        printf("%s\n", id);
    return EXIT_OK;
}

static const struct submit_options presets = {.snippet.common = COMMON_INIT};

const struct command cmd_submit = {
    .name = "submit",
    .synopsis = "FILE [-- ARG...]",
    .summary = "push a request without waiting; print its id",
    .text = "Pushes the code in FILE, or a whole request with --request, and prints the id under which\n"
            "`execq result ID` finds the result.\n"
            "\n"
            "  execq submit train.py --timeout 600\n"
            "  execq submit --request request.json\n"
            "  id=$(execq submit hello.py) && execq result $id --wait\n"
            "\n"
            "exit codes: 0 pushed; 2 wrong usage or an invalid request; 3 Redis out of reach.",
    .arguments_min = 0,
    .arguments_max = 1,
    .takes_rest = true,
    .options = rows,
    .presets = &presets,
    .presets_size = sizeof(presets),
    .act = submit,
};
