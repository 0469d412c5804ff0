#include <event2/event.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/options.h"
#include "cli/session.h"

static const struct command *const commands[] = {&cmd_run,    &cmd_batch,  &cmd_submit,
                                                 &cmd_result, &cmd_status, &cmd_doctor};

static void show_help(FILE *to)
{
    fputs("execq runs untrusted code in sandboxes of its own, through a queue in Redis.\n"
          "\n"
          "usage: execq COMMAND [OPTIONS] ...\n"
          "\n",
          to);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fputs(
        "\n"
        "`execq COMMAND --help` explains a command, with examples and exit codes.\n"
        "EXECQ_REDIS_URL and EXECQ_QUEUE (or --redis-url and --queue) say where the queue is.\n"
        "\n"
        "  execq run hello.py                                  run one file, wait, print what it printed\n"
        "  execq batch requests.jsonl -o results.jsonl         run many; goes on where it was interrupted\n"
        "  execq status                                        who is working, what is waiting\n"
        "  execq doctor --namespace execq                      is all as a worker needs it, and what is to be changed\n"
        "\n"
        "exit codes: 0 well; 1 a result of a batch is our side's failure; 2 wrong usage; 3 Redis out of reach;\n"
        "4 no result; 130 interrupted; `run` and `result` end as the code ended (see execq run --help).\n",
        to);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int help(int argc, char **argv)
{
    const struct command *c = argc > 2 ? find(argv[2]) : NULL;

    if (argc > 2 && !c) {
        fprintf(stderr, "execq: unknown command %s; execq --help lists them\n", argv[2]);
        return EXIT_USAGE;
    }
    if (c)
        options_help(stdout, c);
    else
        show_help(stdout);
    return EXIT_OK;
}

static int act(const struct command *c, void *options, const struct arguments *a)
{
    _cleanup_(session_close)
    struct session s = {0};
    struct fault f = FAULT_INIT;
    int code;

    if (((const struct common *)options)->help) {
        options_help(stdout, c);
        return EXIT_OK;
    }
    code = c->act(&s, options, a, &f);
    return code >= 0 ? code : session_fail(c, &f);
}

static int run(const struct command *c, int argc, char **argv)
{
    _cleanup_free_ void *options = mem_bytes(c->presets, c->presets_size);
    _cleanup_(arguments_release)
    struct arguments a = {0};
    struct fault f = FAULT_INIT;
    int code = EXIT_USAGE;

    if (options_parse(c, argc, argv, options, &a, &f) < 0)
        fprintf(stderr, "execq %s: %s\nexecq %s --help explains the command.\n", c->name, f.text, c->name);
    else
        code = act(c, options, &a);
    options_release(c, options);
    return code;
}

int main(int argc, char **argv)
{
    const struct command *c;
    int code;

    if (argc < 2) {
        show_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("execq %s\n", EXECQ_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help(argc, argv);
    c = find(argv[1]);
    if (!c) {
        fprintf(stderr, "execq: unknown %s %s; execq --help lists the commands\n",
                argv[1][0] == '-' ? "option" : "command", argv[1]);
        return EXIT_USAGE;
    }
    code = c->pass_on ? c->pass_on(argv + 2) : run(c, argc - 2, argv + 2);
    libevent_global_shutdown();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("execq: standard output");
        return EXIT_OURS;
    }
    return code;
}
