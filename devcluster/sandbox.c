#include "devcluster/sandbox.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/field.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/memory.h"
#include "devcluster/spawn.h"

enum {
    READ_MAX = 64 << 10,
    STATUS_MAX = 16 << 10,
    FIRST_LOOK_MS = 2,
    LOOKS_MAX = 12,      /* each one twice as late, then at 64 ms */
    MEMORY_CALM_MS = 25, /* between two sums while less than half of the limit is used */
    MEMORY_TENSE_MS = 5, /* and above */
    MEMORY_UNLIMITED_MS = 100,
    MEMORY_SHARE = 10, /* summing takes at most a tenth of our time, however many processes there are */
};

/* One process may map this much, so that a single giant allocation fails at once instead of racing the sum. */
static const int64_t address_space_min = (int64_t)16 << 30;

struct sandbox {
    struct loop *loop;
    struct sandbox_events events;
    void *arg;
    pid_t pid; /* bubblewrap itself, our child: it ends when all of the tree has */
    int pid_fd, out_fd, status_fd;
    int init_fd, proc_fd; /* process 1 of the tree, and its /proc; -1 until known */
    struct event *on_exit, *on_output, *on_status;
    struct buf status; /* what bubblewrap reported, one JSON object a line */
    struct stat bwrap;
    bool running, out_of_memory, kill_asap;
    int looks;
    int64_t memory, exit_code, init_pid; /* -1: not reported */
    struct loop_timer *look, *memory_timer;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void stop_listening(struct event **e)
{
    if (*e)
        event_free(*e);
    *e = NULL;
}

void sandbox_free(struct sandbox *s)
{
    if (!s)
        return;
    loop_cancel(&s->look);
    loop_cancel(&s->memory_timer);
    stop_listening(&s->on_exit);
    stop_listening(&s->on_output);
    stop_listening(&s->on_status);
    if (s->pid > 0) {
        sandbox_signal(s, SIGKILL);
        kill(s->pid, SIGKILL); /* takes the tree along: --die-with-parent */
        waitpid(s->pid, NULL, 0);
    }
    close_fd(&s->pid_fd);
    close_fd(&s->out_fd);
    close_fd(&s->status_fd);
    close_fd(&s->init_fd);
    close_fd(&s->proc_fd);
    buf_release(&s->status);
    free(s);
}

void sandbox_signal(struct sandbox *s, int signo)
{
    if (s->init_fd >= 0)
        pidfd_send_signal(s->init_fd, signo, NULL, 0);
    else if (signo == SIGKILL)
        s->kill_asap = true; /* it is being set up: as soon as there is something to kill */
}

/* Output and reports. */

static ssize_t read_some(int fd, char *bytes)
{
    ssize_t len;

    do
        len = read(fd, bytes, READ_MAX);
    while (len < 0 && errno == EINTR);
    return len;
}

static void on_output(int fd, short what, void *arg)
{
    static char bytes[READ_MAX]; /* one at a time: the loop has one thread */
    struct sandbox *s = arg;
    ssize_t len = read_some(fd, bytes);

    (void)what;
    if (len > 0)
        s->events.output(s->arg, bytes, (size_t)len);
    else if (len == 0)
        stop_listening(&s->on_output);
}

/* After the end: all writers are dead, so what is in the pipe is all there will be. */
static void drain_output(struct sandbox *s)
{
    char *bytes = mem_zero(1, READ_MAX);
    ssize_t len;

    while ((len = read_some(s->out_fd, bytes)) > 0)
        s->events.output(s->arg, bytes, (size_t)len);
    free(bytes);
}

static void look(void *arg);
static void watch_memory(void *arg);

/* When the machine's own memory runs out, let this tree go first. Raising the score needs no privilege. */
static void offer_to_oom_killer(int64_t pid)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%lld/oom_score_adj", (long long)pid);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t written = write(fd, "1000", 4);

        (void)written; /* only a favour to the machine */
        close(fd);
    }
}

static void learn_init(struct sandbox *s, int64_t pid)
{

    s->init_pid = pid;
    s->init_fd = pidfd_open((pid_t)pid, 0);
    if (s->kill_asap) {
        sandbox_signal(s, SIGKILL);
        return;
    }
    offer_to_oom_killer(pid);
    loop_after(s->loop, &s->look, FIRST_LOOK_MS, look, s);
}

static void read_report(struct sandbox *s, const char *line, size_t len)
{
    _cleanup_(field_putp)
    struct json_object *report = NULL;
    struct fault f;
    int64_t pid;

    if (field_parse(line, len, 4, &report, &f) < 0)
        return;
    pid = field_peek_int(report, "child-pid", -1);
    if (pid > 0 && s->init_pid < 0)
        learn_init(s, pid);
    s->exit_code = field_peek_int(report, "exit-code", s->exit_code);
}

static void read_reports(struct sandbox *s)
{
    char bytes[4096], *end;
    ssize_t len;

    while ((len = read(s->status_fd, bytes, sizeof(bytes))) > 0)
        buf_fill(&s->status, bytes, (size_t)len);
    if (len == 0)
        stop_listening(&s->on_status);
    while (s->status.len && (end = memchr(s->status.data, '\n', s->status.len))) {
        size_t n = (size_t)(end - s->status.data);

        read_report(s, s->status.data, n);
        buf_consume(&s->status, n + 1);
    }
}

static void on_status(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_reports(arg);
}

/* bubblewrap reports its child before that executes the program, and says nothing when it has: so it is running when
 * its executable is another one. */
static void look(void *arg)
{
    struct sandbox *s = arg;
    char path[64];
    struct stat now;

    snprintf(path, sizeof(path), "/proc/%lld/exe", (long long)s->init_pid);
    if (stat(path, &now) < 0) {
        if (errno == ENOENT || errno == ESRCH)
            return; /* it has ended: the report comes with the exit */
    } else if (now.st_ino == s->bwrap.st_ino && now.st_dev == s->bwrap.st_dev && s->looks < LOOKS_MAX) {
        loop_after(s->loop, &s->look, FIRST_LOOK_MS << (s->looks < 5 ? s->looks : 5), look, s);
        s->looks++;
        return;
    }
    snprintf(path, sizeof(path), "/proc/%lld/root/proc", (long long)s->init_pid);
    s->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->running = true;
    loop_after(s->loop, &s->memory_timer, MEMORY_TENSE_MS, watch_memory, s);
    s->events.running(s->arg);
}

static void watch_memory(void *arg)
{
    struct sandbox *s = arg;
    struct memory_use use;
    int64_t limit = s->memory > 0 ? s->memory : INT64_MAX;
    int64_t next = s->memory > 0 ? MEMORY_CALM_MS : MEMORY_UNLIMITED_MS, began = loop_now(s->loop), took;

    if (s->proc_fd < 0 || memory_look(s->proc_fd, limit, &use) < 0)
        return;
    if (use.bytes > limit) {
        s->out_of_memory = true;
        sandbox_signal(s, SIGKILL);
        return;
    }
    if (use.processes > SANDBOX_PROCESSES_MAX) { /* a fork bomb where RLIMIT_NPROC could not be used */
        sandbox_signal(s, SIGKILL);
        return;
    }
    if (use.bytes > limit / 2)
        next = MEMORY_TENSE_MS;
    took = MEMORY_SHARE * (loop_now(s->loop) - began);
    if (next < took)
        next = took;
    loop_after(s->loop, &s->memory_timer, next, watch_memory, s);
}

/* The end. */

static void on_exit_of(int fd, short what, void *arg)
{
    struct sandbox *s = arg;
    struct sandbox_end end;
    int status = 0;

    (void)fd;
    (void)what;
    if (waitpid(s->pid, &status, WNOHANG) == 0)
        return;
    s->pid = -1;
    stop_listening(&s->on_exit);
    read_reports(s);
    loop_cancel(&s->look);
    loop_cancel(&s->memory_timer);
    stop_listening(&s->on_output);
    drain_output(s);
    end.out_of_memory = s->out_of_memory;
    end.started = s->running || s->exit_code >= 0;
    if (s->exit_code >= 0)
        end.exit_code = (int)s->exit_code;
    else
        end.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (s->out_of_memory)
        end.exit_code = 128 + SIGKILL;
    s->events.end(s->arg, &end);
}

/* Starting. */

static int open_pipes(struct sandbox *s, int *ret_out, int *ret_status, struct fault *f)
{
    int out[2], status[2];

    if (pipe2(out, O_CLOEXEC) < 0)
        return fault_errno(f, errno, "pipe");
    if (pipe2(status, O_CLOEXEC) < 0) {
        close(out[0]);
        close(out[1]);
        return fault_errno(f, errno, "pipe");
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(status[0], F_SETFL, O_NONBLOCK);
    s->out_fd = out[0];
    s->status_fd = status[0];
    *ret_out = out[1];
    *ret_status = status[1];
    return 0;
}

static int start(struct sandbox *s, const struct sandbox_plan *plan, struct fault *f)
{
    _cleanup_(args_release)
    struct args argv = {0};
    struct spawn child = {.uid = plan->host_uid, .null = -1};
    int64_t memory = plan->memory > 0 ? 4 * plan->memory : 0;

    sandbox_command(plan, 3, &argv);
    child.argv = argv.v;
    child.address_space = memory > address_space_min ? memory : address_space_min;
    child.processes = plan->host_uid >= 0 ? SANDBOX_PROCESSES_MAX
                                          : 0; /* counted a user: only if it has one of its own */
    if (stat(plan->bwrap, &s->bwrap) < 0)
        return fault_errno(f, errno, "%s", plan->bwrap);
    if (open_pipes(s, &child.out, &child.extra, f) < 0)
        return -1;
    child.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    s->pid = spawn(&child, f);
    close(child.out);
    close(child.extra);
    close_fd(&child.null);
    if (s->pid < 0)
        return -1;
    s->pid_fd = pidfd_open(s->pid, 0);
    return s->pid_fd < 0 ? fault_errno(f, errno, "pidfd_open") : 0;
}

static int listen_to(struct sandbox *s, struct fault *f)
{
    struct event_base *base = loop_base(s->loop);

    s->on_exit = event_new(base, s->pid_fd, EV_READ | EV_PERSIST, on_exit_of, s);
    s->on_output = event_new(base, s->out_fd, EV_READ | EV_PERSIST, on_output, s);
    s->on_status = event_new(base, s->status_fd, EV_READ | EV_PERSIST, on_status, s);
    if (!s->on_exit || !s->on_output || !s->on_status || event_add(s->on_exit, NULL) < 0 ||
        event_add(s->on_output, NULL) < 0 || event_add(s->on_status, NULL) < 0)
        return fault_set(f, FAULT_BUG, "libevent has no event to give");
    return 0;
}

int sandbox_start(struct loop *loop, const struct sandbox_plan *plan, const struct sandbox_events *events, void *arg,
                  struct sandbox **ret, struct fault *f)
{
    _cleanup_(sandbox_freep)
    struct sandbox *s = mem_new(struct sandbox);

    s->loop = loop;
    s->events = *events;
    s->arg = arg;
    s->pid = -1;
    s->pid_fd = s->out_fd = s->status_fd = s->init_fd = s->proc_fd = -1;
    s->exit_code = s->init_pid = -1;
    s->memory = plan->memory;
    buf_init(&s->status, STATUS_MAX);
    if (start(s, plan, f) < 0 || listen_to(s, f) < 0)
        return -1;
    *ret = TAKE(s);
    return 0;
}
