#include <stdlib.h>

#include "cli/outcome.h"
#include "cli/wait.h"
#include "queue/keys.h"

/* execq result: looks at a result, or waits for it; leaves it where it is. */

struct result_options {
    struct common common;
    int64_t wait_ms; /* 0: only look */
    const char *output_dir;
    bool force;
};

static const struct option rows[] = {
    {"wait", 'w', OPTION_MAYBE_TIME, offsetof(struct result_options, wait_ms), "TIME", NULL,
     "wait until it is there, at most TIME (30, 5m)", 0, 0},
    {"output-dir", 'd', OPTION_TEXT, offsetof(struct result_options, output_dir), "DIR", NULL,
     "write the files of the result below DIR; without it they are listed", 0, 0},
    {"force", 0, OPTION_FLAG, offsetof(struct result_options, force), NULL, NULL, "let them replace existing files", 0,
     0},
    {0},
};

static int show(struct session *s, const void *options, const struct arguments *a, struct fault *f)
{
    const struct result_options *o = options;
    const char *id = a->words[0];
    struct wait_for w = {.id = id, .limit_ms = o->wait_ms};
    const struct outcome_view view = {.as_json = o->common.json, .output_dir = o->output_dir, .force = o->force};
    _cleanup_free_ char *json = NULL;

    if (!key_is_id(id))
        return fault_set(f, FAULT_INVALID, "\"%.130s\" is no id: 1 to 128 of A-Z a-z 0-9 . _ : -", id);
    if (session_open(s, &o->common, f) < 0 || session_connect(s, f) < 0 || wait_look(s, id, &json, f) < 0)
        return -1;
    if (!json && o->wait_ms > 0 && wait_result(s, &w, &json, f) < 0 && f->kind != FAULT_TIMEOUT)
        return -1;
    if (!json) {
        fprintf(stderr, "execq: there is no result for %s%s\n", id, o->wait_ms > 0 ? " yet" : " (--wait waits for it)");
        return EXIT_NO_RESULT;
    }
    return outcome_show(json, strlen(json), &view);
}

static const struct result_options presets = {.common = COMMON_INIT};

const struct command cmd_result = {
    .name = "result",
    .synopsis = "ID",
    .summary = "show the result of a request",
    .text =
        "Prints what the code of request ID printed and ends as `execq run` would have ended. The result\n"
        "stays in Redis until its time is over, so it can be asked for again. Of a request with cases it shows a\n"
        "table of verdicts; --json has all of it.\n"
        "\n"
        "  execq result cli-5d0c1f\n"
        "  execq result cli-5d0c1f --wait 30\n"
        "  execq result cli-5d0c1f --wait --json | jq .status\n"
        "  execq result cli-5d0c1f --output-dir out\n"
        "\n"
        "exit codes: 4 no result (yet); else those of `execq run`. Of a request with cases: 0 if all that ran ended\n"
        "with exit code 0, whatever their verdicts; else as the first that did not.",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = rows,
    .presets = &presets,
    .presets_size = sizeof(presets),
    .act = show,
};
