#include "runner/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/disk.h"
#include "runner/memory.h"
#include "runner/reap.h"

enum {
    CHUNK = 65536,
    PIPE_MOST = 1 << 20, /* what a pipe may hold that nobody writes to any more */
    DISK_EVERY_MS = 200, /* between two counts; a slice takes at most a twentieth of it */
    DISK_SLICE_MS = 10,
    GIVE_UP_MS = 2000, /* after SIGKILL */
};

static volatile sig_atomic_t told_to_stop;

static void on_child(int signo)
{
    (void)signo; /* its only work is to end ppoll() */
}

/* PID 1 is stopped from outside of its pid namespace, where senders have no number here; what has one is the code. */
static void on_stop(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    if (getpid() != 1 || info->si_pid == 0)
        told_to_stop = 1;
}

void run_init(void)
{
    struct sigaction child = {.sa_handler = on_child}, ignore = {.sa_handler = SIG_IGN};
    struct sigaction stop = {.sa_sigaction = on_stop, .sa_flags = SA_SIGINFO};
    sigset_t blocked;

    sigaction(SIGCHLD, &child, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

bool run_stopped(void)
{
    sigset_t none, blocked;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, &blocked); /* what has been waiting arrives here */
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    return told_to_stop;
}

/* --- a run under way ------------------------------------------------------------------------------------------- */

enum phase { RUNNING, ASKED, KILLED };

struct run {
    const struct run_spec *spec;
    struct run_result *result;
    struct child child;
    struct reaped reaped;
    struct disk disk;
    int in, out, err; /* our ends; -1: closed */
    size_t written;   /* of stdin */
    enum phase phase;
    bool ours; /* we ended it: result->end says why */
    int64_t phase_ends, next_disk;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void go(struct run *r, enum phase next)
{
    r->phase = next;
    r->phase_ends = now_ms() + (next == ASKED ? r->spec->grace_ms : GIVE_UP_MS);
    if (r->reaped.ended) /* its number may be somebody else's by now */
        return;
    if (next == ASKED)
        child_terminate(&r->child);
    else
        child_kill(&r->child);
}

/* Ends the program for a reason of ours; the first reason counts. */
static void end_it(struct run *r, enum run_end why)
{
    if (r->phase != RUNNING)
        return;
    r->result->end = why;
    r->ours = true;
    go(r, why == RUN_TIMEOUT || why == RUN_STOPPED ? ASKED : KILLED);
}

static void write_in(struct run *r)
{
    const struct span *in = &r->spec->in;
    size_t left = in->len - r->written;

    if (left > 0) {
        ssize_t n = write(r->in, in->bytes + r->written, left < CHUNK ? left : CHUNK);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        r->written += n > 0 ? (size_t)n : left; /* a closed pipe takes no more */
    }
    if (r->written == in->len)
        close_fd(&r->in);
}

/* One read; the number of bytes, 0 if there is nothing to be had for now or ever. */
static size_t read_out(struct run *r, int *fd, struct run_stream *to, bool compared)
{
    static char chunk[CHUNK];
    const struct run_spec *s = r->spec;
    ssize_t n = read(*fd, chunk, sizeof(chunk));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        close_fd(fd);
        return 0;
    }
    to->total += n;
    bytes_keep(&to->kept, chunk, (size_t)n, (size_t)s->output_bytes);
    if (compared && s->compare)
        compare_add(s->compare, chunk, (size_t)n);
    if (s->kill_output_bytes && to->total > s->kill_output_bytes)
        end_it(r, RUN_OUTPUT_LIMIT);
    return (size_t)n;
}

static void drain(struct run *r, int *fd, struct run_stream *to, bool compared)
{
    size_t sum = 0, n;

    while (*fd >= 0 && sum < PIPE_MOST && (n = read_out(r, fd, to, compared)) > 0)
        sum += n;
    close_fd(fd);
}

static void look_at_disk(struct run *r, int64_t now)
{
    int64_t bytes;

    if (!r->spec->disk_bytes || now < r->next_disk)
        return;
    if (disk_count(&r->disk, DISK_SLICE_MS, &bytes) && bytes > r->spec->disk_bytes)
        end_it(r, RUN_DISK_LIMIT);
    r->next_disk = now_ms() + DISK_EVERY_MS;
}

static void look_at_clock(struct run *r)
{
    int64_t now = now_ms();

    look_at_disk(r, now);
    if (told_to_stop)
        end_it(r, RUN_STOPPED);
    if (now < r->phase_ends)
        return;
    if (r->phase == RUNNING)
        end_it(r, RUN_TIMEOUT);
    else if (r->phase == ASKED)
        go(r, KILLED);
}

static int64_t time_to_wait(const struct run *r)
{
    int64_t until = r->phase_ends, now = now_ms();

    if (r->spec->disk_bytes && r->next_disk < until)
        until = r->next_disk;
    return until > now ? until - now : 0;
}

/* What is in the way of the next turn: a byte, a process that ended, a signal, or the clock. */
static void turn(struct run *r)
{
    struct pollfd fds[3] = {{r->in, POLLOUT, 0}, {r->out, POLLIN, 0}, {r->err, POLLIN, 0}};
    int64_t ms = time_to_wait(r);
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    sigset_t none;

    sigemptyset(&none);
    if (ppoll(fds, 3, &wait, &none) > 0) {
        if (fds[0].revents)
            write_in(r);
        if (fds[1].revents)
            read_out(r, &r->out, &r->result->out, true);
        if (fds[2].revents)
            read_out(r, &r->err, &r->result->err, false);
    }
    reap_ended(&r->reaped);
    if (!r->reaped.ended)
        look_at_clock(r);
}

/* --- its start and its end ------------------------------------------------------------------------------------- */

/* Pipes whose far ends block, as programs expect, and whose near ends do not. */
static int open_pipes(struct run *r, struct child_spec *far)
{
    int p[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    int error = 0;

    for (int i = 0; i < 3 && !error; i++)
        if (pipe2(p[i], O_CLOEXEC) < 0)
            error = errno;
    far->in = p[0][0], far->out = p[1][1], far->err = p[2][1];
    r->in = p[0][1], r->out = p[1][0], r->err = p[2][0];
    if (error) {
        for (int i = 0; i < 6; i++)
            close_fd(&p[i / 2][i % 2]);
        r->in = r->out = r->err = -1;
        return why_errno(&r->result->why, error, "cannot open pipes");
    }
    fcntl(r->in, F_SETFL, O_NONBLOCK | O_WRONLY);
    fcntl(r->out, F_SETFL, O_NONBLOCK);
    fcntl(r->err, F_SETFL, O_NONBLOCK);
    return 0;
}

static int start(struct run *r, enum isolation *level)
{
    const struct run_spec *s = r->spec;
    struct child_spec far = {.argv = s->argv,
                             .env = s->env,
                             .cwd = s->cwd,
                             .limits = s->limits,
                             .network = s->network,
                             .hide = {s->hide[0], s->hide[1]}};
    int result;

    if (open_pipes(r, &far) < 0)
        return -1;
    while ((result = child_start(&far, *level, &r->child)) < 0 && *level > ISOLATION_NONE)
        (*level)--;
    if (result < 0)
        why_errno(&r->result->why, errno, "cannot start a process");
    close(far.in);
    close(far.out);
    close(far.err);
    r->reaped.pid = r->child.pid;
    return result;
}

static void judge(struct run *r, int64_t kills_before)
{
    struct run_result *into = r->result;
    volatile struct child_page *page = r->child.page;
    bool nested = r->child.isolation == ISOLATION_FULL;
    int status = nested && page->word == CHILD_ENDED ? page->status : r->reaped.status;
    int64_t kills = memory_kills();

    if (page->word == CHILD_NOT_STARTED) {
        into->end = RUN_NOT_STARTED;
        why_errno(&into->why, page->error, "cannot %s %.100s", page->what, r->spec->argv[0]);
        return;
    }
    into->oom = kills >= 0 && kills_before >= 0 && kills > kills_before;
    if (!r->reaped.ended)
        return;
    if (WIFEXITED(status))
        into->exit_code = WEXITSTATUS(status);
    else
        into->signal = WTERMSIG(status);
    if (r->ours)
        return;
    into->end = into->signal > 0 ? RUN_SIGNALED : RUN_EXITED;
    if (r->spec->limits.cpu_ms &&
        (into->signal == SIGXCPU || (into->signal == SIGKILL && into->cpu_ms >= r->spec->limits.cpu_ms)))
        into->end = RUN_CPU_LIMIT;
    into->oom_suspected = into->end == RUN_SIGNALED && into->signal == SIGKILL && (kills < 0 || kills_before < 0);
}

static void finish(struct run *r, int64_t started, int64_t kills_before)
{
    struct run_result *into = r->result;

    into->wall_ms = now_ms() - started;
    into->leftovers = !reap_everything(&r->reaped);
    drain(r, &r->out, &into->out, true);
    drain(r, &r->err, &into->err, false);
    close_fd(&r->in);
    into->cpu_ms = r->reaped.cpu_us / 1000;
    into->max_rss_bytes = r->reaped.max_rss_bytes;
    judge(r, kills_before);
}

/* Returns false if the isolation was refused and nothing has run. */
static bool run_once(const struct run_spec *spec, enum isolation *level, struct run_result *ret)
{
    struct run r = {.spec = spec, .result = ret, .in = -1, .out = -1, .err = -1};
    int64_t started = now_ms(), kills = memory_kills();
    bool refused;

    *ret = (struct run_result){.end = RUN_NOT_STARTED, .exit_code = -1, .signal = -1};
    disk_init(&r.disk, spec->scratch);
    if (start(&r, level) < 0) {
        close_fd(&r.in);
        close_fd(&r.out);
        close_fd(&r.err);
        return true;
    }
    r.phase_ends = started + spec->timeout_ms;
    r.next_disk = started + DISK_EVERY_MS;
    while (!r.reaped.ended && !(r.phase == KILLED && now_ms() >= r.phase_ends))
        turn(&r);
    refused = r.child.page->word == CHILD_NOT_ISOLATED;
    finish(&r, started, kills);
    disk_release(&r.disk);
    child_release(&r.child);
    return !refused;
}

void run_program(const struct run_spec *spec, enum isolation *level, struct run_result *ret)
{
    while (!run_once(spec, level, ret)) {
        run_result_release(ret);
        (*level)--;
    }
}

void run_result_release(struct run_result *r)
{
    bytes_release(&r->out.kept);
    bytes_release(&r->err.kept);
}
