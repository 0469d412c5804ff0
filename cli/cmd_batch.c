#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/collect.h"
#include "cli/terminal.h"

/* execq batch: a file of requests in, a file of results out, in the same order; goes on where it was stopped. */

struct batch_options {
    struct common common;
    const char *output, *fail_on, *salt;
    int64_t window;
    bool force;
};

/* clang-format off */
static const struct option rows_of_options[] = {
    {"output",  'o', OPTION_TEXT,   offsetof(struct batch_options, output),  "FILE", NULL,
     "where the results go, one JSON object a line (needed)", 0, 0},
    {"window",  0,   OPTION_NUMBER, offsetof(struct batch_options, window),  "N",    NULL,
     "how many requests may be open at once (1000)", 1, 100000},
    {"fail-on", 0,   OPTION_TEXT,   offsetof(struct batch_options, fail_on), "WHAT", NULL,
     "what exit code 1 is for: infra (an infra_error; default), nonok (anything but ok), never", 0, 0},
    {"salt",    0,   OPTION_TEXT,   offsetof(struct batch_options, salt),    "TEXT", NULL,
     "other ids for lines without one: runs a file anew whose results are still known", 0, 0},
    {"force",   0,   OPTION_FLAG,   offsetof(struct batch_options, force),   NULL,   NULL,
     "replace an existing FILE", 0, 0},
    {0},
};
/* clang-format on */

enum { COMPLAINTS_MAX = 100 };

static void complain(void *arg, size_t line, const char *text)
{
    size_t *n = arg;

    if (++*n <= COMPLAINTS_MAX)
        fprintf(stderr, "line %zu: %s\n", line, text);
    if (*n == COMPLAINTS_MAX + 1)
        fputs("... and more\n", stderr);
}

static int check(const struct batch_options *o, const char *part, struct fault *f)
{
    static const char *const known[] = {"infra", "nonok", "never"};
    bool found = false;

    for (size_t i = 0; i < COUNT_OF(known); i++)
        found |= strcmp(o->fail_on, known[i]) == 0;
    if (!found)
        return fault_set(f, FAULT_INVALID, "--fail-on: \"%.40s\" is none of infra, nonok, never", o->fail_on);
    if (access(o->output, F_OK) == 0 && access(part, F_OK) != 0 && !o->force)
        return fault_set(f, FAULT_INVALID, "%.150s exists already; --force replaces it", o->output);
    return 0;
}

/* ---- the end ---- */

static int copy_results(struct collect *c, int fd, struct fault *f)
{
    for (size_t i = 0; i < c->rows->n; i++)
        if (journal_copy(c->journal, c->rows->list[i].result_offset, c->rows->list[i].result_len, fd, f) < 0)
            return -1;
    return fsync(fd) < 0 ? fault_errno(f, errno, "cannot write the results") : 0;
}

/* All or nothing: written beside it, then renamed. */
static int write_results(struct collect *c, const char *output, struct fault *f)
{
    _cleanup_free_ char *beside = mem_format("%s.new.part", output);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), r;

    if (fd < 0)
        return fault_errno(f, errno, "cannot write %.150s", beside);
    r = copy_results(c, fd, f);
    close(fd);
    if (r == 0 && rename(beside, output) < 0)
        r = fault_errno(f, errno, "cannot write %.150s", output);
    if (r < 0)
        unlink(beside);
    else
        journal_remove(c->journal);
    return r;
}

static void summarize(const struct collect *c, const struct batch_options *o, int64_t ms)
{
    const struct tally *t = &c->tally;
    char time[40];

    if (o->common.json) {
        printf("{\"requests\":%zu,\"seconds\":%lld.%03lld,\"done_before\":%zu,\"statuses\":{", c->rows->n,
               (long long)ms / 1000, (long long)ms % 1000, c->progress.done_before);
        for (size_t i = 0; i < t->n; i++)
            printf("%s\"%s\":%zu", i ? "," : "", t->list[i].status, t->list[i].count);
        puts("}}");
        return;
    }
    progress_time(ms, time, sizeof(time));
    fprintf(stderr, "%zu request%s in %s:", c->rows->n, c->rows->n == 1 ? "" : "s", time);
    for (size_t i = 0; i < t->n; i++) {
        enum color color = strcmp(t->list[i].status, "ok") == 0            ? COLOR_GREEN
                           : strcmp(t->list[i].status, "infra_error") == 0 ? COLOR_YELLOW
                                                                           : COLOR_RED;

        fprintf(stderr, "%s %s%zu %s%s", i ? "," : "", terminal_color(stderr, color), t->list[i].count,
                t->list[i].status, terminal_color(stderr, COLOR_NONE));
    }
    fprintf(stderr, "; results in %s\n", o->output);
}

static int verdict(const struct collect *c, const struct batch_options *o)
{
    if (strcmp(o->fail_on, "never") == 0)
        return EXIT_OK;
    if (strcmp(o->fail_on, "nonok") == 0)
        return tally_of(&c->tally, "ok") == c->rows->n ? EXIT_OK : EXIT_OURS;
    return tally_of(&c->tally, "infra_error") == 0 ? EXIT_OK : EXIT_OURS;
}

/* ---- the way there ---- */

static int collect_all(struct session *s, struct collect *c, const struct batch_options *o, const char *part,
                       struct fault *f)
{
    if (c->progress.done > 0)
        fprintf(stderr, "execq: %zu of %zu results are in %s already\n", c->progress.done, c->rows->n, part);
    if (c->progress.done < c->rows->n) {
        if (session_connect(s, f) < 0)
            return -1;
        if (collect_run(c, f) < 0) {
            fprintf(stderr, "execq: %zu of %zu results are in %s; the same command goes on from there\n",
                    c->progress.done, c->rows->n, part);
            return -1;
        }
    }
    return write_results(c, o->output, f);
}

static int run_batch(struct session *s, const struct batch_options *o, const char *input, const char *part,
                     struct fault *f)
{
    _cleanup_(rows_freep)
    struct rows *rows = NULL;
    _cleanup_(journal_freep)
    struct journal *journal = NULL;
    struct collect c = {.session = s, .window = (size_t)o->window};
    size_t complaints = 0;
    int64_t begun;

    if (session_open(s, &o->common, f) < 0 || rows_read(input, o->salt, complain, &complaints, &rows, f) < 0)
        return -1;
    begun = loop_now(s->loop);
    c.rows = rows;
    if (journal_open(part, rows->digest, collect_found, &c, &journal, f) < 0)
        return -1;
    c.journal = journal;
    if (collect_all(s, &c, o, part, f) < 0)
        return -1;
    summarize(&c, o, loop_now(s->loop) - begun);
    return verdict(&c, o);
}

static int batch(struct session *s, const void *options, const struct arguments *a, struct fault *f)
{
    const struct batch_options *o = options;
    _cleanup_free_ char *part = NULL;

    if (!o->output)
        return fault_set(f, FAULT_INVALID, "where should the results go? -o RESULTS.jsonl");
    part = mem_format("%s.part", o->output);
    if (check(o, part, f) < 0)
        return -1;
    return run_batch(s, o, a->words[0], part, f);
}

static const struct batch_options presets = {.common = COMMON_INIT, .fail_on = "infra", .salt = "", .window = 1000};

const struct command cmd_batch = {
    .name = "batch",
    .synopsis = "FILE.jsonl -o RESULTS.jsonl",
    .summary = "run a file of requests; results in the same order",
    .text = "Runs every request of FILE.jsonl (one JSON object a line; only `code` is needed, see docs/protocol.md)\n"
            "and writes the results to RESULTS.jsonl in the order of the requests. All lines are checked before\n"
            "the first one is submitted. What is finished is kept in RESULTS.jsonl.part: after an interruption,\n"
            "whatever it was, the same command goes on from there and runs nothing twice.\n"
            "\n"
            "  execq batch examples/snippets.jsonl -o results.jsonl\n"
            "  execq batch requests.jsonl -o results.jsonl --window 5000 --fail-on nonok\n"
            "  jq -r .status results.jsonl | sort | uniq -c\n"
            "\n"
            "A line may hold whatever a request may: stdin, files, cases, ... Files that come back stand in the\n"
            "results, as text or in base64.\n"
            "\n"
            "A line without id gets one that is made of the file's content and the line's number. So the same file\n"
            "within the results' lifetime (an hour) yields the same results without running; --salt forces a new run.\n"
            "\n"
            "exit codes: 0 every request has a result of its code or caller; 1 some ended as infra_error (see\n"
            "--fail-on); 2 wrong usage or input, nothing submitted; 3 Redis out of reach; 130 interrupted.",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = rows_of_options,
    .presets = &presets,
    .presets_size = sizeof(presets),
    .act = batch,
};
