#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/options.h"

/* execq doctor: hands over to execq-worker --doctor, which knows the cluster. */

#define PROGRAM "execq-worker"

/* Where it may stand beside this program, after installation and in a build folder. */
static const char *const beside[] = {PROGRAM, "../worker/" PROGRAM};

/* The folder of this program, with its slash; false if it cannot be told. */
static bool own_folder(char ret[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    char *slash;

    if (n < 0)
        return false;
    ret[n] = '\0';
    slash = strrchr(ret, '/');
    if (!slash)
        return false;
    slash[1] = '\0';
    return true;
}

static int doctor(char **words)
{
    _cleanup_free_ char **argv = NULL;
    char folder[PATH_MAX];
    size_t n = 0;

    if (words[0] && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0)) {
        options_help(stdout, &cmd_doctor);
        return EXIT_OK;
    }
    while (words[n])
        n++;
    argv = mem_zero(n + 3, sizeof(*argv));
    argv[0] = (char *)PROGRAM;
    if (n > 0 && strcmp(words[0], "--json") == 0) {
        argv[1] = (char *)"--doctor=json";
        memcpy(argv + 2, words + 1, (n - 1) * sizeof(*argv));
    } else {
        argv[1] = (char *)"--doctor";
        memcpy(argv + 2, words, n * sizeof(*argv));
    }
    for (size_t i = 0; own_folder(folder) && i < COUNT_OF(beside); i++) {
        _cleanup_free_ char *path = mem_format("%s%s", folder, beside[i]);

        if (access(path, X_OK) == 0)
            execv(path, argv);
    }
    execvp(PROGRAM, argv);
    fprintf(stderr, "execq doctor: " PROGRAM " is neither beside execq nor in PATH: %s\n", strerror(errno));
    return EXIT_USAGE;
}

static const struct option none[] = {{0}};

const struct command cmd_doctor = {
    .name = "doctor",
    .synopsis = "[--json] [SETTING OF execq-worker]...",
    .summary = "look whether Redis and the cluster are fit for a worker, say what to change",
    .text =
        "Runs `execq-worker --doctor` with the rest of the command line: the settings are the worker's (`execq-worker\n"
        "--help` lists them), from flags, environment and file as ever. It looks at Redis (version, memory, clock,\n"
        "lease), at the cluster's version and the runner's ConfigMap, and runs a tiny program for each language of\n"
        "--canary, one that runs for too long, one that takes too much memory and one that looks for an open\n"
        "network. No request is claimed.\n"
        "\n"
        "  execq doctor --redis-url redis://redis:6379 --namespace execq --canary python,bash\n"
        "  execq doctor --config /etc/execq/worker.conf\n"
        "  execq doctor --json | jq '.checks[] | select(.state == \"bad\")'\n"
        "\n"
        "exit codes: 0 all is well, or there are only warnings; 1 something has to be mended; 2 a setting must be\n"
        "changed, or execq-worker is not installed",
    .options = none,
    .pass_on = doctor,
};
