#include "devcluster/selftest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/options.h"
#include "devcluster/sandbox.h"

struct trial {
    struct loop *loop;
    struct buf output;
    struct sandbox_end end;
};

int selftest_find(const char *program, char **ret, struct fault *f)
{
    const char *path = getenv("PATH");

    while (path && *path) {
        size_t len = strcspn(path, ":");
        _cleanup_free_ char *full = mem_format("%.*s/%s", (int)len, path, program);
        struct stat st;

        if (len > 0 && stat(full, &st) == 0 && S_ISREG(st.st_mode) && access(full, X_OK) == 0) {
            *ret = TAKE(full);
            return 0;
        }
        path += len;
        path += *path == ':';
    }
    return fault_set(f, FAULT_INVALID, "%s is not installed (apt install bubblewrap), or --bwrap FILE", program);
}

static void on_output(void *arg, const char *bytes, size_t len)
{
    struct trial *t = arg;

    buf_fill(&t->output, bytes, len);
}

static void on_running(void *arg)
{
    (void)arg;
}

static void on_end(void *arg, const struct sandbox_end *end)
{
    struct trial *t = arg;

    t->end = *end;
    loop_stop(t->loop);
}

int selftest_sandbox(struct cluster *c, const char *dir, int64_t uid, struct fault *f)
{
    static const struct sandbox_events events = {on_output, on_running, on_end};
    _cleanup_free_ char *etc = mem_format("%s/etc", dir);
    _cleanup_(sandbox_plan_release)
    struct sandbox_plan plan = {.bwrap = c->options->bwrap, .etc = etc, .host_uid = uid, .uid = 65532, .gid = 65532};
    struct trial t = {.loop = c->loop, .output = BUF_INIT(400)};
    struct sandbox *s;

    plan.hostname = mem_string("selftest");
    args_add(&plan.argv, "true");
    if (sandbox_start(c->loop, &plan, &events, &t, &s, f) < 0)
        return -1;
    loop_run(c->loop);
    sandbox_free(s);
    if (!t.end.started || t.end.exit_code != 0)
        fault_set(f, FAULT_INVALID, "no sandbox can run on this machine: %s", buf_str(&t.output));
    buf_release(&t.output);
    return t.end.started && t.end.exit_code == 0 ? 0 : -1;
}
