#include "worker/worker.h"

#include <ctype.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "worker/cluster.h"
#include "worker/early.h"
#include "worker/limits.h"
#include "worker/notify.h"
#include "worker/pipeline.h"
#include "worker/readiness.h"
#include "worker/sweeper.h"

enum {
    PAUSE_MS = 2000,      /* claims stop for so long when the cluster refuses or fails, doubling ... */
    PAUSE_MAX_MS = 30000, /* ... up to this */
    CALM_MS = 60000,      /* without trouble for so long, the next pause is short again */
    SETTLE_MS = 10000,    /* after the grace period: for what is being published or handed back */
    WORKER_NAME_MAX = 64,
};

struct slot {
    struct worker *worker;
    struct pipeline *pipeline;
    TAILQ_ENTRY(slot) entry;
};

struct worker {
    struct loop *loop;
    const struct config *config;
    struct request_limits limits;
    char name[WORKER_NAME_MAX];
    struct cluster cluster;
    struct early *early;
    struct queue *queue;
    struct sweeper *sweeper;
    struct readiness *readiness;
    struct pipeline_context context;

    TAILQ_HEAD(, slot) slots;
    unsigned busy;
    int64_t pause_until_ms, pause_ms, trouble_ms; /* loop time; how long the last pause was; when it began */
    struct loop_timer *pause, *deadline;
    bool ready, fit, draining, leaving; /* fit: the cluster was found so once */
    int exit_code;
};

/* --- how much to claim ---------------------------------------------------------------------------------------- */

static bool one_runs_alone(const struct worker *w)
{
    struct slot *s;

    TAILQ_FOREACH (s, &w->slots, entry)
        if (pipeline_is_alone(s->pipeline))
            return true;
    return false;
}

static void update_want(struct worker *w)
{
    unsigned slots = (unsigned)w->config->slots;

    if (w->draining || !readiness_is_ready(w->readiness) || loop_now(w->loop) < w->pause_until_ms || w->busy >= slots ||
        one_runs_alone(w))
        queue_want(w->queue, 0, false);
    else
        queue_want(w->queue, slots - w->busy, w->busy == 0);
}

static void update_want_now(void *arg)
{
    update_want(arg);
}

/* What waits in the queue waits better there than here: a cluster that is short of something gets less. */
static void on_trouble(void *arg, enum reason reason)
{
    struct worker *w = arg;
    int64_t now = loop_now(w->loop);

    if (reason == REASON_MOUNT)
        readiness_doubt(w->readiness);
    if (reason != REASON_API && reason != REASON_QUOTA && reason != REASON_UNSCHEDULABLE)
        return;
    if (now < w->pause_until_ms)
        return;
    w->pause_ms = w->pause_ms && now - w->trouble_ms < CALM_MS ? w->pause_ms * 2 : PAUSE_MS;
    if (w->pause_ms > PAUSE_MAX_MS)
        w->pause_ms = PAUSE_MAX_MS;
    w->trouble_ms = now;
    w->pause_until_ms = now + w->pause_ms;
    log_warning("claiming-paused", STR("reason", reason_name(reason)), NUM("ms", w->pause_ms));
    loop_after(w->loop, &w->pause, w->pause_ms, update_want_now, w);
    update_want(w);
}

/* --- leaving ---------------------------------------------------------------------------------------------------- */

static void stop(void *arg)
{
    struct worker *w = arg;

    loop_stop(w->loop);
}

static void on_left(void *arg)
{
    struct worker *w = arg;

    log_info("stopped");
    w->exit_code = readiness_has_failed(w->readiness) ? 1 : 0;
    stop(w);
}

static void leave_if_idle(struct worker *w)
{
    if (!w->draining || w->leaving || w->busy > 0 || readiness_is_busy(w->readiness))
        return;
    w->leaving = true;
    loop_after(w->loop, &w->deadline, SETTLE_MS, stop, w); /* Redis may be away */
    queue_leave(w->queue, on_left, w);
}

static void on_grace_over(void *arg)
{
    struct worker *w = arg;
    struct slot *s;

    log_info("handing-back", NUM("requests", w->busy));
    loop_after(w->loop, &w->deadline, SETTLE_MS, stop, w);
    TAILQ_FOREACH (s, &w->slots, entry)
        pipeline_hand_back(s->pipeline);
}

static void drain(struct worker *w)
{
    log_info("draining", NUM("requests", w->busy), NUM("grace_ms", w->config->grace_ms));
    notify_manager("STOPPING=1");
    w->draining = true;
    w->exit_code = 1; /* until all is settled */
    loop_after(w->loop, &w->deadline, w->config->grace_ms, on_grace_over, w);
    readiness_stop(w->readiness);
    update_want(w);
    leave_if_idle(w);
}

/* A cluster that has to be mended first is left after what runs. */
static void on_readiness(void *arg)
{
    struct worker *w = arg;

    if (readiness_has_failed(w->readiness) && !w->draining)
        drain(w);
    if (readiness_is_ready(w->readiness) && !w->fit) {
        w->fit = true;
        early_allow(w->early, w->config->early_results && readiness_saw_isolation(w->readiness));
        log_info("fit", STR("canary", w->config->canary),
                 STR("early_results", early_is_allowed(w->early) ? "yes" : "no"));
    }
    update_want(w);
    leave_if_idle(w);
}

static void on_terminate(void *arg)
{
    struct worker *w = arg;

    if (!w->draining) {
        drain(w);
        return;
    }
    log_warning("leaving-at-once", NUM("requests", w->busy));
    stop(w);
}

/* --- claims --------------------------------------------------------------------------------------------------------
 */

static void on_pipeline_done(void *arg, struct pipeline *pipeline)
{
    struct slot *s = arg;
    struct worker *w = s->worker;

    pipeline_free(pipeline);
    TAILQ_REMOVE(&w->slots, s, entry);
    free(s);
    w->busy--;
    update_want(w);
    leave_if_idle(w);
}

static void on_claim(void *arg, struct queue_claim *claim)
{
    struct worker *w = arg;
    struct slot *s = mem_new(struct slot);

    s->worker = w;
    TAILQ_INSERT_TAIL(&w->slots, s, entry);
    w->busy++;
    s->pipeline = pipeline_start(&w->context, claim, on_pipeline_done, s);
    if (w->draining)
        pipeline_hand_back(s->pipeline);
    if (pipeline_is_alone(s->pipeline))
        update_want(w);
}

static void on_lost(void *arg, const char *token)
{
    struct worker *w = arg;
    struct slot *s;

    TAILQ_FOREACH (s, &w->slots, entry)
        if (strcmp(pipeline_token(s->pipeline), token) == 0) {
            log_warning("claim-lost", STR("token", token), STR("job", pipeline_job(s->pipeline)));
            pipeline_forget(s->pipeline);
            return;
        }
}

static void on_state(void *arg, bool connected, bool leased, const struct fault *f)
{
    struct worker *w = arg;

    if (f)
        log_warning("queue", STR("connected", connected ? "yes" : "no"), STR("leased", leased ? "yes" : "no"),
                    STR("error", f->text));
    else
        log_info("queue", STR("connected", connected ? "yes" : "no"), STR("leased", leased ? "yes" : "no"));
    if (leased)
        kube_resume(w->cluster.kube);
    if (leased && !w->ready) {
        w->ready = true;
        notify_manager("READY=1");
        readiness_begin(w->readiness, queue_uid(w->queue));
    }
}

static void on_queue_notice(void *arg, const char *event, const char *text)
{
    (void)arg;
    log_warning("queue-notice", STR("what", event), STR("text", text));
}

static bool may_write(void *arg)
{
    struct worker *w = arg;

    return queue_may_write(w->queue);
}

static bool is_held(void *arg, const char *job)
{
    struct worker *w = arg;
    struct slot *s;

    TAILQ_FOREACH (s, &w->slots, entry)
        if (strcmp(pipeline_job(s->pipeline), job) == 0)
            return true;
    return readiness_holds(w->readiness, job);
}

/* --- building it ------------------------------------------------------------------------------------------------ */

/* Host, pid and a random part: unique, and fit for a Redis key and a label. */
static void make_name(struct worker *w)
{
    char host[40] = "worker";

    if (*w->config->worker_name) {
        snprintf(w->name, sizeof(w->name), "%s", w->config->worker_name);
        return;
    }
    gethostname(host, sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            *c = '-';
    snprintf(w->name, sizeof(w->name), "w%s-%d-%04x", host, (int)getpid(), loop_random(w->loop) & 0xffff);
}

static char *details(const struct worker *w)
{
    struct json_object *o = json_object_new_object();
    char host[65] = "";
    char *text;

    gethostname(host, sizeof(host) - 1);
    json_object_object_add(o, "host", json_object_new_string(host));
    json_object_object_add(o, "pid", json_object_new_int((int)getpid()));
    json_object_object_add(o, "version", json_object_new_string(EXECQ_VERSION));
    json_object_object_add(o, "slots", json_object_new_int64(w->config->slots));
    json_object_object_add(o, "started", json_object_new_int64(loop_wall(w->loop) / 1000));
    text = mem_string(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return text;
}

static int open_queue(struct worker *w, struct fault *f)
{
    const struct config *c = w->config;
    _cleanup_free_ char *text = details(w);
    struct queue_settings s = {
        .url = c->redis_url,
        .name = c->queue,
        .worker = w->name,
        .details = text,
        .lease_ms = c->lease_ms,
        .beat_ms = c->lease_ms / 6,
        .reap_ms = c->lease_ms / 3,
        .payload_max = (size_t)c->payload_max,
        .dead_max_count = (size_t)c->dead_max,
        .dead_max_bytes = (size_t)c->dead_max_bytes,
        .inbox_max_count = (size_t)c->inbox_max,
        .inbox_max_bytes = (size_t)c->inbox_max_bytes,
    };
    struct queue_events e = {
        .on_claim = on_claim, .on_lost = on_lost, .on_state = on_state, .on_notice = on_queue_notice, .arg = w};

    if (queue_new(w->loop, &s, &e, &w->queue, f) < 0)
        return fault_wrap(f, "setting redis-url");
    return 0;
}

int worker_new(struct loop *l, const struct config *config, struct worker **ret_worker, struct fault *f)
{
    _cleanup_(worker_freep)
    struct worker *w = mem_new(struct worker);

    w->loop = l;
    w->config = config;
    w->exit_code = 1;
    TAILQ_INIT(&w->slots);
    limits_of(config, &w->limits);
    make_name(w);
    if (cluster_open(&w->cluster, l, config, w->name, may_write, w, f) < 0 || open_queue(w, f) < 0)
        return -1;
    w->early = early_new(l, w->cluster.kube);
    w->cluster.on_sight = on_readiness;
    w->cluster.arg = w;
    w->context = (struct pipeline_context){
        .loop = l,
        .config = config,
        .limits = &w->limits,
        .queue = w->queue,
        .kube = w->cluster.kube,
        .pods = w->cluster.pods,
        .early = w->early,
        .label = w->name,
        .runner_map = cluster_runner_map(&w->cluster),
        .on_trouble = on_trouble,
        .arg = w,
    };
    w->sweeper = sweeper_new(l, &(struct sweeper_settings){
                                    .kube = w->cluster.kube,
                                    .queue = w->queue,
                                    .queue_name = config->queue,
                                    .label = w->name,
                                    .period_ms = config->sweep_ms,
                                    .is_held = is_held,
                                    .arg = w,
                                });
    w->readiness = readiness_new(&(struct readiness_settings){
        .loop = l,
        .cluster = &w->cluster,
        .config = config,
        .limits = &w->limits,
        .label = w->name,
        .on_change = on_readiness,
        .arg = w,
    });
    if (loop_on_signal(l, SIGTERM, on_terminate, w, f) < 0 || loop_on_signal(l, SIGINT, on_terminate, w, f) < 0)
        return -1;
    *ret_worker = TAKE(w);
    return 0;
}

int worker_run(struct worker *w)
{
    log_info("started", STR("version", EXECQ_VERSION), STR("worker", w->name), STR("queue", w->config->queue),
             STR("cluster", kube_server(w->cluster.kube)), STR("namespace", kube_namespace(w->cluster.kube)),
             NUM("slots", w->config->slots));
    if (loop_run(w->loop) < 0)
        return 1;
    return w->exit_code;
}

void worker_free(struct worker *w)
{
    struct slot *s;

    if (!w)
        return;
    loop_cancel(&w->pause);
    loop_cancel(&w->deadline);
    while ((s = TAILQ_FIRST(&w->slots))) {
        TAILQ_REMOVE(&w->slots, s, entry);
        pipeline_free(s->pipeline);
        free(s);
    }
    queue_free(w->queue);
    sweeper_free(w->sweeper);
    readiness_free(w->readiness);
    early_free(w->early);
    cluster_close(&w->cluster);
    free(w);
}
