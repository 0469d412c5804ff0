/* The program that is PID 1 in the pod: reads a plan, runs it, ends everything, and only then reports.
 *
 *     execq-runner [--message PATH] PLAN
 *
 * docs/runner.md is the page on plan, report and exit codes. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/deliver.h"
#include "runner/reap.h"
#include "runner/work.h"

static const char usage[] = "usage: execq-runner [--message PATH] PLAN\n"
                            "       execq-runner --version\n";

static void say(const char *s)
{
    if (write(2, s, strlen(s)) < 0)
        return; /* then there is nobody to tell */
}

/* Descriptors 0 to 2 exist, so that no pipe becomes one of them. */
static void fill_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

/* The whole plan; NULL and `why` if it cannot be read. */
static char *read_plan(const char *path, size_t *ret_len, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct bytes b = {0};
    struct stat st;
    char chunk[16384];
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &st) < 0) {
        why_errno(why, errno, "cannot open the plan %.100s", path);
    } else if (!S_ISREG(st.st_mode)) {
        why_set(why, "the plan %.100s is no file", path);
    } else {
        bytes_keep(&b, "", 1, 1); /* never NULL, also for an empty file */
        b.len = 0;
        while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR))
            bytes_keep(&b, chunk, n > 0 ? (size_t)n : 0, PLAN_BYTES_MAX + 1);
        if (n < 0)
            why_errno(why, errno, "cannot read the plan %.100s", path);
    }
    if (fd >= 0)
        close(fd);
    if (n < 0)
        bytes_release(&b);
    *ret_len = b.len;
    return b.data;
}

static void carry_out(const char *plan_path, const char *message_path, struct outcome *o)
{
    struct plan plan;
    size_t len;
    char *bytes = read_plan(plan_path, &len, &o->error);

    o->at = "plan";
    if (!bytes)
        return;
    if (plan_parse(bytes, len, &plan, &o->error) == 0) {
        o->error.text[0] = 0;
        work(&plan, plan_path, message_path, o);
        plan_release(&plan);
    }
    free(bytes);
}

int main(int argc, char **argv)
{
    const char *message_path = "/dev/termination-log", *plan_path = NULL;
    struct outcome outcome = {0};
    int64_t started = now_ms();
    int message, code;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0 && argc == 2)
            return write(1, EXECQ_VERSION "\n", strlen(EXECQ_VERSION) + 1) < 0 ? RUNNER_EXIT_USAGE : 0;
        if (strcmp(argv[i], "--message") == 0 && i + 1 < argc)
            message_path = argv[++i];
        else if (argv[i][0] != '-' && !plan_path)
            plan_path = argv[i];
        else
            plan_path = "";
    }
    if (!plan_path || !*plan_path) {
        say(usage);
        return RUNNER_EXIT_USAGE;
    }
    fill_standard();
    reap_init();
    run_init();
    /* Opened before any code runs: what the code puts in its place later is not followed. */
    message = open(message_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (message < 0) {
        say("execq-runner: cannot open the termination message\n");
        return RUNNER_EXIT_MESSAGE;
    }
    carry_out(plan_path, message_path, &outcome);
    outcome.wall_ms = now_ms() - started;
    outcome.clock_ms = unix_ms();
    code = deliver(&outcome, message, 1);
    work_release(&outcome);
    return code == 0 ? RUNNER_EXIT_REPORTED : code;
}
