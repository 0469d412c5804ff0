/* execq-worker: exits 0 after a drain, 1 when it had to give up, 2 when a setting must be changed; --doctor likewise.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "worker/config.h"
#include "worker/config_print.h"
#include "worker/doctor.h"
#include "worker/runner_map.h"
#include "worker/worker.h"

static int complain(const struct fault *f)
{
    fprintf(stderr, "execq-worker: %s\n", f->text);
    return 2;
}

static int run(const struct config *config)
{
    _cleanup_(loop_freep)
    struct loop *loop = NULL;
    _cleanup_(worker_freep)
    struct worker *worker = NULL; /* goes before the loop */
    struct fault f = FAULT_INIT;

    if (loop_new(&loop, &f) < 0 || worker_new(loop, config, &worker, &f) < 0)
        return complain(&f);
    return worker_run(worker);
}

/* The findings say all that is to be said, unless more than that was asked for. */
static int look_after(const struct config *config, enum log_level level, bool json)
{
    _cleanup_(loop_freep)
    struct loop *loop = NULL;
    struct fault f = FAULT_INIT;

    log_open(level > LEVEL_INFO ? level : LEVEL_ERROR, config->log_format[0] == 'j');
    if (loop_new(&loop, &f) < 0)
        return complain(&f);
    return doctor_run(loop, config, json);
}

static int print_runner_map(void)
{
    const struct runner_program *programs;
    size_t n = runner_programs(&programs);
    _cleanup_(buf_release)
    struct buf json = BUF_INIT(RUNNER_MAP_JSON_MAX);
    struct fault f;

    if (runner_map_json(programs, n, &json, &f) < 0)
        return -1;
    return puts(buf_str(&json)) < 0 || fflush(stdout) != 0 ? -1 : 0;
}

int main(int argc, char *argv[])
{
    _cleanup_(config_release)
    struct config config = CONFIG_INIT;
    enum config_action action;
    enum log_level level = LEVEL_INFO;
    struct fault f = FAULT_INIT;

    signal(SIGPIPE, SIG_IGN); /* a peer that left is an error code, not our end */
    if (config_load(&config, argc, argv, environ, &action, &f) < 0)
        return complain(&f);
    switch (action) {
    case CONFIG_HELP:
        config_help();
        return EXIT_SUCCESS;
    case CONFIG_VERSION:
        puts("execq-worker " EXECQ_VERSION);
        return EXIT_SUCCESS;
    case CONFIG_RUNNER_MANIFEST:
        return print_runner_map() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    case CONFIG_CHECK:
        config_print(&config);
        return EXIT_SUCCESS;
    case CONFIG_RUN:
    case CONFIG_DOCTOR:
    case CONFIG_DOCTOR_JSON:
        break;
    }
    if (log_level_parse(config.log_level, &level, &f) < 0)
        return complain(&f);
    log_open(level, config.log_format[0] == 'j');
    return action == CONFIG_RUN ? run(&config) : look_after(&config, level, action == CONFIG_DOCTOR_JSON);
}
