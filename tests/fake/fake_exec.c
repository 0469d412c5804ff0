#include "fake_exec.h"

#include <stdlib.h>

#include "base/mem.h"
#include "k8s/exec_credential.h"

struct exec {
    struct loop *loop;
    exec_fn *fn;
    void *arg;
    struct exec_credential given;
    struct fault fault;
    struct loop_timer *deliver;
};

static struct exec *running;
static int runs;

void fake_exec_reset(void)
{
    runs = 0;
}

int fake_exec_runs(void)
{
    return runs;
}

bool fake_exec_running(void)
{
    return running != NULL;
}

struct exec *exec_start(struct loop *l, const struct kubeconfig *config, const char *ca, int64_t limit_ms, exec_fn *fn,
                        void *arg)
{
    struct exec *e = mem_new(struct exec);

    (void)config;
    (void)ca;
    (void)limit_ms;
    if (running)
        abort(); /* one at a time */
    e->loop = l;
    e->fn = fn;
    e->arg = arg;
    runs++;
    running = e;
    return e;
}

static void deliver(void *arg)
{
    struct exec *e = arg;
    exec_fn *fn = e->fn;
    void *fn_arg = e->arg;
    struct exec_credential c = e->given;
    struct fault f = e->fault;

    running = NULL;
    free(e);
    fn(fn_arg, f.kind ? NULL : &c, f.kind ? &f : NULL);
    exec_credential_release(&c);
}

void fake_exec_give(const char *token, const char *cert, const char *key, int64_t expires_ms)
{
    struct exec *e = running;

    if (!e)
        abort();
    e->given = (struct exec_credential){
        .token = mem_string(token), .cert = mem_string(cert), .key = mem_string(key), .expires_ms = expires_ms};
    loop_defer(e->loop, &e->deliver, deliver, e);
}

void fake_exec_fail(const char *text)
{
    struct exec *e = running;

    if (!e)
        abort();
    fault_set(&e->fault, FAULT_TRANSIENT, "%s", text);
    loop_defer(e->loop, &e->deliver, deliver, e);
}

void exec_cancel(struct exec **exec)
{
    struct exec *e = *exec;

    *exec = NULL;
    if (!e)
        return;
    running = NULL;
    loop_cancel(&e->deliver);
    exec_credential_release(&e->given);
    free(e);
}
