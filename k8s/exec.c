#include "k8s/exec.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "k8s/exec_credential.h"
#include "k8s/kubeconfig.h"

enum { OUTPUT_MAX = 1 << 20, REAP_MS = 5, REAP_SLOW_MS = 100 };

struct exec {
    struct loop *loop;
    exec_fn *fn;
    void *arg;
    char *command, *api_version, *hint;
    pid_t pid; /* 0: there is none (any more) */
    int status;
    int out; /* -1: closed */
    struct event *event;
    struct buf output;
    int64_t limit_ms, reap_ms;
    struct loop_timer *limit, *reap, *done;
    struct fault fault; /* kind NONE while all goes well */
};

static void release(struct exec *e)
{
    loop_cancel(&e->limit);
    loop_cancel(&e->reap);
    loop_cancel(&e->done);
    if (e->event)
        event_free(e->event);
    if (e->out >= 0)
        close(e->out);
    mem_wipe(e->output.data, e->output.len);
    buf_release(&e->output);
    free(e->command);
    free(e->api_version);
    free(e->hint);
    free(e);
}

static void kill_all(const struct exec *e)
{
    kill(-e->pid, SIGKILL); /* it leads a process group of its own */
}

/* 3. The end: what it printed counts if it said that it succeeded. */
static void judge(struct exec *e, struct exec_credential *ret)
{
    struct fault *f = &e->fault;

    if (f->kind != FAULT_NONE)
        return;
    if (WIFSIGNALED(e->status))
        fault_set(f, FAULT_TRANSIENT, "killed by signal %d", WTERMSIG(e->status));
    else if (WEXITSTATUS(e->status) != 0)
        fault_set(f, FAULT_TRANSIENT, "exited with %d", WEXITSTATUS(e->status));
    else
        exec_parse(buf_str(&e->output), e->output.len, e->api_version, ret, f);
}

static void finish(void *arg)
{
    struct exec *e = arg;
    struct exec_credential c = {0};
    struct fault f;
    exec_fn *fn = e->fn;
    void *fn_arg = e->arg;

    judge(e, &c);
    f = e->fault;
    if (f.kind != FAULT_NONE) {
        fault_wrap(&f, "credential plugin %.60s", e->command);
        if (e->hint) {
            size_t used = strlen(f.text);

            snprintf(f.text + used, sizeof(f.text) - used, " (%.120s)", e->hint);
        }
    }
    release(e);
    fn(fn_arg, f.kind == FAULT_NONE ? &c : NULL, f.kind == FAULT_NONE ? NULL : &f);
    exec_credential_release(&c);
}

/* 2. After the end of its output the child itself ends soon: SIGCHLD belongs to the process, so it is asked for. */
static void reap(void *arg)
{
    struct exec *e = arg;
    siginfo_t info = {0};
    int got = waitid(P_PID, (id_t)e->pid, &info, WEXITED | WNOHANG | WNOWAIT);

    if (got == 0 && info.si_pid == 0) {
        loop_after(e->loop, &e->reap, e->reap_ms, reap, e);
        e->reap_ms = e->reap_ms * 2 < REAP_SLOW_MS ? e->reap_ms * 2 : REAP_SLOW_MS;
        return;
    }
    kill_all(e); /* what it left behind; while the child is unreaped its number cannot be another's */
    if (waitpid(e->pid, &e->status, 0) < 0 && e->fault.kind == FAULT_NONE)
        fault_errno(&e->fault, errno, "waitpid");
    loop_cancel(&e->limit);
    e->pid = 0;
    finish(e);
}

static void end_output(struct exec *e)
{
    event_free(e->event);
    e->event = NULL;
    close(e->out);
    e->out = -1;
    e->reap_ms = REAP_MS;
    loop_defer(e->loop, &e->reap, reap, e);
}

static void give_up(struct exec *e)
{
    kill_all(e);
    if (e->event)
        end_output(e);
}

static void on_limit(void *arg)
{
    struct exec *e = arg;

    fault_set(&e->fault, FAULT_TIMEOUT, "no answer within %lld ms", (long long)e->limit_ms);
    give_up(e);
}

/* 1. Its output. */
static void on_output(evutil_socket_t fd, short what, void *arg)
{
    struct exec *e = arg;
    char piece[4096];
    ssize_t n = read(fd, piece, sizeof(piece));

    (void)what;
    if (n > 0 && buf_add(&e->output, piece, (size_t)n, &e->fault) < 0) {
        fault_wrap(&e->fault, "its output");
        give_up(e);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        end_output(e);
    }
    mem_wipe(piece, sizeof(piece));
}

/* 0. The start. */

static bool names(const char *variable, const char *setting)
{
    size_t len = strcspn(setting, "=");

    return strncmp(variable, setting, len) == 0 && variable[len] == '=';
}

static bool replaced(const char *variable, char *const *later, const char *info)
{
    for (; later && *later; later++)
        if (names(variable, *later))
            return true;
    return names(variable, info);
}

/* Ours, then the plugin's, then the one that tells it about the cluster; the list alone is the caller's. */
static char **environment(const struct kubeconfig_exec *x, char *info)
{
    size_t n = 0, extra = 0;
    char **list;

    while (environ[n])
        n++;
    while (x->env && x->env[extra])
        extra++;
    list = mem_zero(n + extra + 2, sizeof(char *));
    n = 0;
    for (char **v = environ; *v; v++)
        if (!replaced(*v, x->env, info))
            list[n++] = *v;
    for (size_t i = 0; i < extra; i++)
        if (!replaced(x->env[i], x->env + i + 1, info))
            list[n++] = x->env[i];
    list[n] = info;
    return list;
}

static char **arguments(const struct kubeconfig_exec *x)
{
    size_t n = 0;
    char **list;

    while (x->args && x->args[n])
        n++;
    list = mem_zero(n + 2, sizeof(char *));
    list[0] = x->command;
    for (size_t i = 0; i < n; i++)
        list[i + 1] = x->args[i];
    return list;
}

/* A child with three descriptors, default signals and a process group of its own. */
static int spawn(struct exec *e, char **argv, char **env, int write_end)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&files) != 0 || posix_spawnattr_init(&attr) != 0)
        abort(); /* out of memory */
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, write_end, 1);
    posix_spawn_file_actions_addclosefrom_np(&files, 3); /* libcurl's own pipes are not close-on-exec */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setsigmask(&attr, &none);
    error = posix_spawnp(&e->pid, argv[0], &files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    if (error) {
        e->pid = 0;
        return fault_errno(&e->fault, error, "cannot be started");
    }
    return 0;
}

static int start(struct exec *e, const struct kubeconfig *config, const char *ca)
{
    _cleanup_free_ char *info = exec_info(config, ca), *variable = mem_format("KUBERNETES_EXEC_INFO=%s", info);
    _cleanup_free_ char **env = environment(config->exec, variable), **argv = arguments(config->exec);
    int fds[2], result;

    if (config->exec->always_interactive)
        return fault_set(&e->fault, FAULT_INVALID, "interactiveMode Always needs a terminal, which there is not");
    if (pipe2(fds, O_CLOEXEC) < 0)
        return fault_errno(&e->fault, errno, "pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    result = spawn(e, argv, env, fds[1]);
    close(fds[1]);
    e->out = fds[0];
    if (result < 0)
        return -1;
    e->event = event_new(loop_base(e->loop), e->out, EV_READ | EV_PERSIST, on_output, e);
    if (!e->event || event_add(e->event, NULL) < 0)
        abort(); /* out of memory */
    loop_after(e->loop, &e->limit, e->limit_ms, on_limit, e);
    return 0;
}

struct exec *exec_start(struct loop *l, const struct kubeconfig *config, const char *ca, int64_t limit_ms, exec_fn *fn,
                        void *arg)
{
    struct exec *e = mem_new(struct exec);

    e->loop = l;
    e->fn = fn;
    e->limit_ms = limit_ms;
    e->arg = arg;
    e->out = -1;
    e->command = mem_string(config->exec->command);
    e->api_version = mem_string(config->exec->api_version);
    e->hint = mem_string(config->exec->install_hint);
    buf_init(&e->output, OUTPUT_MAX);
    if (start(e, config, ca) < 0)
        loop_defer(l, &e->done, finish, e);
    return e;
}

void exec_cancel(struct exec **exec)
{
    struct exec *e = *exec;

    *exec = NULL;
    if (!e)
        return;
    if (e->pid) {
        kill_all(e);
        while (waitpid(e->pid, NULL, 0) < 0 && errno == EINTR) /* at once, after SIGKILL */
            ;
    }
    release(e);
}
