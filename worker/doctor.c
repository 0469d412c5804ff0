#include "worker/doctor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/field.h"
#include "base/mem.h"
#include "k8s/refusal.h"
#include "queue/redis_url.h"
#include "worker/canary.h"
#include "worker/cluster.h"
#include "worker/doctor_print.h"
#include "worker/doctor_redis.h"
#include "worker/limits.h"

enum {
    FLOOR_MAJOR = 1, /* of Kubernetes */
    FLOOR_MINOR = 31,
    TIMEOUT_S = 4, /* of the timeout probe: there is no second try */
    FINDINGS_MAX = DOCTOR_REDIS_MAX + CANARY_FINDINGS_MAX + 4,
};

/* Redis on one side; on the other, one after the other, the cluster's version, the runner's ConfigMap, the canary. */
struct doctor {
    struct loop *loop;
    const struct config *config;
    struct request_limits limits;
    char name[64];
    struct cluster cluster;
    struct doctor_redis *redis;
    struct canary *canary;
    struct kube_call *call;
    int64_t began_ms; /* of the step, loop time */
    bool redis_done, cluster_done, interrupted;
    struct finding of_redis[DOCTOR_REDIS_MAX], of_cluster[FINDINGS_MAX];
    size_t redis_count, cluster_count;
};

static void end_if_done(struct doctor *d)
{
    if ((d->redis_done || d->interrupted) && d->cluster_done)
        loop_stop(d->loop);
}

/* --- the cluster ----------------------------------------------------------------------------------------------------
 */

static void end_cluster(struct doctor *d)
{
    d->cluster_done = true;
    end_if_done(d);
}

static void on_canary(void *arg, const struct finding *list, size_t count)
{
    struct doctor *d = arg;

    memcpy(d->of_cluster + d->cluster_count, list, count * sizeof(*list));
    d->cluster_count += count;
    end_cluster(d);
}

static void run_canary(struct doctor *d)
{
    struct finding *f;

    if (!*d->config->canary) {
        f = finding_begin(d->of_cluster, &d->cluster_count, "canary");
        finding_set(f, FINDING_WARNING, "nothing was run: the setting canary is empty");
        finding_advise(f, "--canary python,bash,... runs a program of each");
        end_cluster(d);
        return;
    }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "running probes in namespace %s ...\n", kube_namespace(d->cluster.kube));
    d->canary = canary_start(&(struct canary_settings){.loop = d->loop,
                                                       .kube = d->cluster.kube,
                                                       .pods = d->cluster.pods,
                                                       .config = d->config,
                                                       .limits = &d->limits,
                                                       .label = d->name,
                                                       .runner_map = cluster_runner_map(&d->cluster),
                                                       .timeout_s = TIMEOUT_S},
                             on_canary, d);
}

static void on_map(void *arg, const struct fault *fault)
{
    struct doctor *d = arg;
    struct finding *f = finding_begin(d->of_cluster, &d->cluster_count, "runner");

    if (fault) {
        finding_set(f, FINDING_BAD, "%s", fault->text);
        if (fault->kind == FAULT_GONE)
            finding_advise(f, "kubectl create namespace %s, and what deploy/ puts into it; or the setting namespace",
                           kube_namespace(d->cluster.kube));
        else if (refusal_is_quota(fault))
            finding_advise(f, "raise the namespace's ResourceQuota");
        else if (fault->kind == FAULT_REFUSED && fault->code != 403)
            finding_advise(f, "see what the namespace admits");
        else if (fault->kind == FAULT_REFUSED)
            finding_advise(f, "give the account the rights of deploy/'s Role in namespace %s",
                           kube_namespace(d->cluster.kube));
    } else {
        finding_set(f, FINDING_WELL, "ConfigMap %s is in namespace %s", cluster_runner_map(&d->cluster),
                    kube_namespace(d->cluster.kube));
    }
    f->took_ms = loop_now(d->loop) - d->began_ms;
    if (fault)
        end_cluster(d);
    else
        run_canary(d);
}

static void look_for_map(struct doctor *d)
{
    struct finding *f;

    d->began_ms = loop_now(d->loop);
    if (d->cluster.map) {
        runner_map_ask(d->cluster.map, on_map, d);
        return;
    }
    f = finding_begin(d->of_cluster, &d->cluster_count, "runner");
    finding_set(f, FINDING_WELL, "%s of each image (setting runner-path)", d->config->runner_path);
    run_canary(d);
}

/* "31", or "31+" where a provider has added something. */
static long number_of(struct json_object *o, const char *name)
{
    const char *text = field_peek_string(o, name);

    return text ? strtol(text, NULL, 10) : 0;
}

static void judge_version(const struct doctor *d, struct json_object *version, struct finding *f)
{
    const char *git = field_peek_string(version, "gitVersion");
    long major = number_of(version, "major"), minor = number_of(version, "minor");

    if (!git) {
        finding_set(f, FINDING_BAD, "%s answers, but not as an API server does", kube_server(d->cluster.kube));
        finding_advise(f, "see what stands there: settings kubeconfig, context");
    } else if (major < FLOOR_MAJOR || (major == FLOOR_MAJOR && minor < FLOOR_MINOR)) {
        finding_set(f, FINDING_BAD, "%s at %s", git, kube_server(d->cluster.kube));
        finding_advise(f, "execq needs Kubernetes %d.%d or later", FLOOR_MAJOR, FLOOR_MINOR);
    } else {
        finding_set(f, FINDING_WELL, "%s at %s", git, kube_server(d->cluster.kube));
    }
}

static void on_version(void *arg, const struct kube_reply *reply, const struct fault *fault)
{
    struct doctor *d = arg;
    struct finding *f = finding_begin(d->of_cluster, &d->cluster_count, "kubernetes");
    bool refused = fault && fault->kind == FAULT_REFUSED;

    d->call = NULL;
    if (fault) {
        finding_set(f, refused ? FINDING_WARNING : FINDING_BAD, "%s", fault->text);
        finding_advise(f, "%s",
                       refused ? "see whether the credentials are valid: settings kubeconfig, context"
                               : "see whether the API server can be reached from here: settings kubeconfig, context");
    } else {
        judge_version(d, reply->object, f);
    }
    f->took_ms = loop_now(d->loop) - d->began_ms;
    if (fault && !refused)
        end_cluster(d); /* each further question would take call-budget, too */
    else
        look_for_map(d);
}

/* --- Redis ----------------------------------------------------------------------------------------------------------
 */

static void on_redis(void *arg, const struct finding *list, size_t count)
{
    struct doctor *d = arg;

    memcpy(d->of_redis, list, count * sizeof(*list));
    d->redis_count = count;
    d->redis_done = true;
    end_if_done(d);
}

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

/* Its Jobs are deleted before we go; a second signal does not wait for that. */
static void on_signal(void *arg)
{
    struct doctor *d = arg;

    if (d->canary && !d->cluster_done && !d->interrupted)
        canary_stop(d->canary);
    else
        loop_stop(d->loop);
    d->interrupted = true;
}

/* What cannot even be begun is the settings' fault: the finding says which, and nothing more is asked there. */
static bool begin(struct doctor *d)
{
    struct fault f = FAULT_INIT;
    struct finding *finding;
    bool well = true;

    d->redis = doctor_redis_start(d->loop, d->config, d->name, on_redis, d, &f);
    if (!d->redis) {
        finding = finding_begin(d->of_redis, &d->redis_count, "redis");
        finding_set(finding, FINDING_BAD, "%s", f.text);
        finding_advise(finding, "setting redis-url");
        d->redis_done = true;
        well = false;
    }
    if (cluster_open(&d->cluster, d->loop, d->config, d->name, NULL, NULL, &f) < 0) {
        finding = finding_begin(d->of_cluster, &d->cluster_count, "kubernetes");
        finding_set(finding, FINDING_BAD, "%s", f.text);
        finding_advise(finding, "settings kubeconfig, context");
        d->cluster_done = true;
        return false;
    }
    d->began_ms = loop_now(d->loop);
    d->call = kube_get_path(d->cluster.kube, "/version", on_version, d);
    return well;
}

static void print(const struct doctor *d, bool json)
{
    struct finding all[COUNT_OF(d->of_redis) + COUNT_OF(d->of_cluster)];

    memcpy(all, d->of_redis, d->redis_count * sizeof(*all));
    memcpy(all + d->redis_count, d->of_cluster, d->cluster_count * sizeof(*all));
    if (json)
        doctor_print_json(stdout, all, d->redis_count + d->cluster_count);
    else
        doctor_print_table(stdout, all, d->redis_count + d->cluster_count,
                           isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
    fflush(stdout);
}

static enum finding_state worst_of(const struct doctor *d)
{
    enum finding_state redis = finding_worst(d->of_redis, d->redis_count),
                       cluster = finding_worst(d->of_cluster, d->cluster_count);

    return redis > cluster ? redis : cluster;
}

int doctor_run(struct loop *l, const struct config *c, bool json)
{
    struct doctor *d = mem_new(struct doctor);
    struct fault f;
    int code = DOCTOR_WELL;

    d->loop = l;
    d->config = c;
    limits_of(c, &d->limits);
    snprintf(d->name, sizeof(d->name), "doctor-%d-%04x", (int)getpid(), loop_random(l) & 0xffff);
    if (loop_on_signal(l, SIGINT, on_signal, d, &f) < 0 || loop_on_signal(l, SIGTERM, on_signal, d, &f) < 0)
        abort();
    if (!begin(d))
        code = DOCTOR_SETTING;
    end_if_done(d);
    if (loop_run(l) < 0 || d->interrupted)
        code = DOCTOR_BAD;
    print(d, json);
    if (code == DOCTOR_WELL && worst_of(d) > FINDING_WARNING)
        code = DOCTOR_BAD;
    canary_free(d->canary);
    kube_cancel(&d->call);
    cluster_close(&d->cluster);
    doctor_redis_free(d->redis);
    free(d);
    return code;
}
