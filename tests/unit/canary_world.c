#include "unit/canary_world.h"

#include "base/cleanup.h"
#include "base/field.h"
#include "worker/limits.h"

const struct fake_run good_python = {
    .run_ms = 100, .report = REPORT(EXIT(3) STREAM("stdout", "out\\n", 4) "," STREAM("stderr", "err\\n", 4))};
static const struct fake_run good_timeout = {.run_ms = 1000,
                                             .report = REPORT(TIMEOUT STREAM("stdout", "out\\n", 4) "," QUIET)};
static const struct fake_run good_memory = {.run_ms = 300, .end = {.exit_code = 128, .cause = POD_OOM}};
static const struct fake_run good_network = {.run_ms = 100, .report = REPORT(LOOKED)};

void world_begin(struct world *w, const char *canary)
{
    char *const argv[] = {(char *)"execq-worker", (char *)"--canary", (char *)canary, NULL};
    char *const environment[] = {NULL};
    const struct runner_program *programs;
    enum config_action action;
    struct fault f = FAULT_INIT;
    size_t n;

    *w = (struct world){0};
    assert_int_equal(config_load(&w->config, 3, argv, environment, &action, &f), 0);
    assert_int_equal(loop_new(&w->loop, &f), 0);
    limits_of(&w->config, &w->limits);
    w->cluster.kube = fake_kube_new(w->loop);
    w->cluster.pods = fake_pods_new(w->cluster.kube, LABEL);
    n = runner_programs(&programs);
    w->cluster.map = runner_map_new(w->cluster.kube, programs, n);
    w->cluster.in_sight = true;
    fake_kube_run_for(w->cluster.kube, ":python", &good_python);
    fake_kube_run_for(w->cluster.kube, ":timeout", &good_timeout);
    fake_kube_run_for(w->cluster.kube, ":memory", &good_memory);
    fake_kube_run_for(w->cluster.kube, ":network", &good_network);
}

void world_end(struct world *w, const char *row, size_t objects)
{
    canary_free(w->canary);
    readiness_free(w->readiness);
    row_true(row, fake_kube_live(w->cluster.kube) == 0);
    row_true(row, fake_kube_objects(w->cluster.kube) == objects);
    runner_map_free(w->cluster.map);
    pods_free(w->cluster.pods);
    kube_free(w->cluster.kube);
    row_true(row, fake_loop_pending(w->loop) == 0);
    loop_free(w->loop);
    config_release(&w->config);
}

const char *world_last_job(const struct world *w)
{
    static char name[128];
    _cleanup_(field_putp)
    struct json_object *job = NULL;
    const char *json = fake_kube_created(w->cluster.kube, KUBE_JOB);
    struct fault f = FAULT_INIT;

    assert_int_equal(field_parse(json, strlen(json), 32, &job, &f), 0);
    snprintf(name, sizeof(name), "%s", field_peek_string(field_peek(job, "metadata"), "name"));
    return name;
}
