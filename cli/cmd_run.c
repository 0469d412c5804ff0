#include <stdlib.h>

#include "base/mem.h"
#include "cli/outcome.h"
#include "cli/snippet.h"
#include "cli/wait.h"

/* execq run: pushes a file of code, waits for its result, behaves as the code did. */

struct run_options {
    struct snippet_options snippet;
    const char *output_dir;
    bool force;
};

/* clang-format off */
static const struct option rows[] = {
    SNIPPET_ROWS,
    {"output-dir", 'd', OPTION_TEXT, offsetof(struct run_options, output_dir), "DIR", NULL,
     "where files that come back are written; default: here, or with --json nowhere", 0, 0},
    {"force", 0, OPTION_FLAG, offsetof(struct run_options, force), NULL, NULL,
     "let them replace existing files", 0, 0},
    {0},
};
/* clang-format on */

static int wait_and_show(struct session *s, const char *id, const char *payload, const struct outcome_view *view,
                         struct fault *f)
{
    struct wait_for w = {.id = id, .payload = payload, .limit_ms = OPTION_FOREVER};
    _cleanup_free_ char *json = NULL;

    if (wait_push(s, payload, f) < 0)
        return -1;
    if (wait_result(s, &w, &json, f) < 0) {
        if (f->kind != FAULT_GONE)
            fprintf(stderr, "execq: the request stays in the queue; for its result: execq result %s --wait\n", id);
        return -1;
    }
    return outcome_show(json, strlen(json), view);
}

static int run_file(struct session *s, const void *options, const struct arguments *a, struct fault *f)
{
    const struct run_options *run = options;
    const struct snippet_options *o = &run->snippet;
    struct outcome_view view = {.as_json = o->common.json, .output_dir = run->output_dir, .force = run->force};
    _cleanup_free_ char *id = NULL, *payload = NULL;

    if (session_open(s, &o->common, f) < 0 ||
        snippet_make(o, a->words[0], a, loop_wall(s->loop), &id, &payload, f) < 0 || session_connect(s, f) < 0)
        return -1;
    if (!view.output_dir && !view.as_json)
        view.output_dir = ".";
    return wait_and_show(s, id, payload, &view, f);
}

static const struct run_options presets = {.snippet.common = COMMON_INIT};

const struct command cmd_run = {
    .name = "run",
    .synopsis = "FILE [-- ARG...]",
    .summary = "run a file of code and show what it printed",
    .text = "Pushes the code in FILE (- for standard input), waits for the result, prints what the code printed\n"
            "and ends with the code's own exit code. What went wrong is said in one line on stderr.\n"
            "\n"
            "  execq run hello.py\n"
            "  execq run fit.py --timeout 60 --memory 1Gi --env SEED=7 -- data.csv 3\n"
            "  echo 'print(6 * 7)' | execq run -\n"
            "  execq run job.sh --json | jq .usage\n"
            "  execq run solve.py --stdin input.txt\n"
            "  execq run plot.py --file data.csv --file lib/util.py=../util.py --output '*.png' --output-dir out\n"
            "\n"
            "Files are sent and brought back below the code's working directory; all of it together is one request\n"
            "and has at most 1 MiB. Files that come back are written below DIR, never outside of it and never over\n"
            "an existing file, but for --force. Executable files stay executable where the code runs.\n"
            "\n"
            "exit codes: the code's own; 128+n if signal n ended it; 124 timeout; 137 out of memory; 123 another\n"
            "limit; 125 infra_error (our side: may be tried again); 126 invalid, rejected, cancelled or expired;\n"
            "1 all went well, but a file that came back could not be written; 2 wrong usage; 3 Redis out of reach;\n"
            "4 the result was taken by someone else; 130 interrupted.\n"
            "--json tells a code's own 125 from ours.",
    .arguments_min = 1,
    .arguments_max = 1,
    .takes_rest = true,
    .options = rows,
    .presets = &presets,
    .presets_size = sizeof(presets),
    .act = run_file,
};
