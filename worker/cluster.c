#include "worker/cluster.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "k8s/kubeconfig.h"
#include "k8s/manifest.h"
#include "k8s/refusal.h"

enum { SELECTOR_MAX = 160 };

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

static void set_sight(struct cluster *c, bool in_sight)
{
    if (c->in_sight == in_sight)
        return;
    c->in_sight = in_sight;
    if (c->on_sight)
        c->on_sight(c->arg);
}

static void on_watch_notice(void *arg, const char *event, const struct fault *f)
{
    if (strcmp(event, "pods-listed") == 0)
        set_sight(arg, true);
    else if (strcmp(event, "pods-list-failed") == 0)
        set_sight(arg, false);
    if (f && refusal_is_access(f))
        log_error("no-access", STR("what", event), STR("error", f->text));
    else if (f)
        log_warning("watch", STR("what", event), STR("error", f->text));
    else
        log_debug("watch", STR("what", event));
}

int cluster_open(struct cluster *c, struct loop *l, const struct config *config, const char *label,
                 bool (*may_write)(void *arg), void *arg, struct fault *f)
{
    struct pods_events events = {.on_notice = on_watch_notice, .arg = c};
    const struct runner_program *programs;
    char selector[SELECTOR_MAX];
    size_t n;

    if (kubeconfig_load(or_null(config->kubeconfig), or_null(config->context), &c->kubeconfig, f) < 0)
        return fault_wrap(f, "credentials for the cluster (settings kubeconfig, context)");
    struct kube_settings s = {
        .config = c->kubeconfig,
        .namespace_ = or_null(config->namespace_),
        .call_ms = config->call_ms,
        .budget_ms = config->call_budget_ms,
        .writes_per_second = (double)config->write_rate,
        .may_write = may_write,
        .may_write_arg = arg,
    };
    if (kube_new(l, &s, &c->kube, f) < 0)
        return -1;
    snprintf(selector, sizeof(selector), "%s=%s", LABEL_WORKER, label);
    c->pods = pods_new(c->kube, selector, MANIFEST_CONTAINER, &events);
    if (!*config->runner_path) {
        n = runner_programs(&programs);
        c->map = runner_map_new(c->kube, programs, n);
    }
    return 0;
}

void cluster_close(struct cluster *c)
{
    pods_free(c->pods);
    runner_map_free(c->map);
    kube_free(c->kube);
    kubeconfig_free(c->kubeconfig);
    *c = (struct cluster){0};
}
