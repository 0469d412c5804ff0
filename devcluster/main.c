#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/counters.h"
#include "devcluster/faults.h"
#include "devcluster/jobs.h"
#include "devcluster/kubelet.h"
#include "devcluster/objects.h"
#include "devcluster/options.h"
#include "devcluster/reaper.h"
#include "devcluster/selftest.h"
#include "devcluster/server.h"
#include "devcluster/statedir.h"
#include "devcluster/store.h"
#include "devcluster/watch.h"

static void on_stop(void *arg)
{
    struct cluster *c = arg;

    log_info("stopping");
    loop_stop(c->loop);
}

static int order_faults(struct cluster *c, struct fault *f)
{
    uint64_t seed = c->options->seed >= 0 ? (uint64_t)c->options->seed : loop_random(c->loop);

    c->faults = faults_new(seed);
    for (size_t i = 0; i < c->options->n_faults; i++)
        if (faults_add_text(c->faults, c->options->faults[i], f) < 0)
            return fault_wrap(f, "--fault");
    return 0;
}

/* The order matters: listeners hear of a change in the order they were made, and the watchers come first so that
 * nobody's reaction overtakes what it reacts to. */
static int cluster_open(struct cluster *c, const struct statedir *s, struct fault *f)
{
    const struct options *o = c->options;

    if (loop_new(&c->loop, f) < 0 || order_faults(c, f) < 0)
        return -1;
    /* versions never go backwards, not even over a restart: what a client of the last run knows is too old */
    c->store = store_new((uint64_t)loop_wall(c->loop), (size_t)o->history, (size_t)o->history_bytes);
    c->counters = counters_new();
    c->watches = watches_new(c);
    c->reaper = reaper_new(c);
    c->jobs = jobs_new(c);
    if (kubelet_new(c, s->pods_dir, s->first_uid, &c->kubelet, f) < 0)
        return -1;
    objects_first(c, o->pods);
    if (loop_on_signal(c->loop, SIGTERM, on_stop, c, f) < 0 || loop_on_signal(c->loop, SIGINT, on_stop, c, f) < 0)
        return -1;
    return server_new(c, &c->server, f);
}

static void cluster_close(struct cluster *c)
{
    server_free(c->server);
    kubelet_free(c->kubelet);
    jobs_free(c->jobs);
    reaper_free(c->reaper);
    watches_free(c->watches);
    counters_free(c->counters);
    store_free(c->store);
    faults_free(c->faults);
    loop_free(c->loop);
    libevent_global_shutdown();
}

static int serve(const struct options *o, const struct statedir *s, struct fault *f)
{
    struct cluster c = {.options = o};
    _cleanup_free_ char *path = o->kubeconfig ? mem_string(o->kubeconfig) : mem_format("%s/kubeconfig", s->dir);
    int result = cluster_open(&c, s, f);

    if (result == 0)
        result = selftest_sandbox(&c, s->pods_dir, s->first_uid, f);
    if (result == 0)
        result = server_write_kubeconfig(c.server, path, f);
    if (result == 0) {
        printf("execq-devcluster: https://%s:%u KUBECONFIG=%s\n", o->host, server_port(c.server), path);
        fflush(stdout);
        log_warning("devcluster", STR("note", "for trying out and tests only: images are ignored, pods are processes "
                                              "of this machine in a bubblewrap sandbox"));
        result = loop_run(c.loop);
        unlink(path); /* the token in it is worth nothing any more */
    }
    cluster_close(&c);
    return result;
}

int main(int argc, char **argv)
{
    _cleanup_(options_release)
    struct options o = {0};
    _cleanup_(statedir_release)
    struct statedir s = {0};
    struct fault f = FAULT_INIT;

    if (options_read(&o, argc, argv, &f) < 0) {
        fprintf(stderr, "execq-devcluster: %s\n", f.text);
        return 2;
    }
    if (o.help) {
        options_print_help(stdout);
        return 0;
    }
    if (o.version) {
        puts("execq-devcluster " EXECQ_VERSION);
        return 0;
    }
    log_open(o.log_level, o.log_json);
    signal(SIGPIPE, SIG_IGN);
    if ((!o.bwrap && selftest_find("bwrap", &o.bwrap, &f) < 0) || statedir_open(&o, &s, &f) < 0 ||
        serve(&o, &s, &f) < 0) {
        fprintf(stderr, "execq-devcluster: %s\n", f.text);
        return f.kind == FAULT_INVALID ? 2 : 1;
    }
    return 0;
}
