#include "unit/pipeline_world.h"

#include <json-c/json.h>

#include "base/field.h"
#include "worker/limits.h"

static void on_done(void *arg, struct pipeline *p)
{
    struct world *w = arg;

    w->running--;
    if (w->current == p)
        w->current = NULL;
    pipeline_free(p);
}

static void on_claim(void *arg, struct queue_claim *claim)
{
    struct world *w = arg;

    w->running++;
    w->current = pipeline_start(&w->context, claim, on_done, w);
}

static void on_trouble(void *arg, enum reason reason)
{
    struct world *w = arg;

    (void)reason;
    w->troubles++;
}

void world_begin(struct world *w)
{
    char *const argv[] = {(char *)"execq-worker", NULL}, *const environment[] = {NULL};
    enum config_action action;
    struct fault f = FAULT_INIT;

    *w = (struct world){0};
    assert_int_equal(config_load(&w->config, 1, argv, environment, &action, &f), 0);
    assert_int_equal(loop_new(&w->loop, &f), 0);
    w->queue = fake_queue_new(w->loop, on_claim, w);
    w->kube = fake_kube_new(w->loop);
    w->pods = fake_pods_new(w->kube, LABEL);
    w->early = early_new(w->loop, w->kube);
    fake_attach_is(w->loop, NULL);
    limits_of(&w->config, &w->limits);
    w->context = (struct pipeline_context){
        .loop = w->loop,
        .config = &w->config,
        .limits = &w->limits,
        .queue = w->queue,
        .kube = w->kube,
        .pods = w->pods,
        .early = w->early,
        .label = LABEL,
        .on_trouble = on_trouble,
        .arg = w,
    };
}

void world_free(struct world *w)
{
    early_free(w->early);
    pods_free(w->pods);
    kube_free(w->kube);
    fake_queue_free(w->queue);
    loop_free(w->loop);
    config_release(&w->config);
}

void world_end(struct world *w, const char *row, size_t objects)
{
    row_true(row, w->running == 0);
    row_true(row, fake_kube_live(w->kube) == 0);
    row_true(row, fake_queue_open(w->queue) == 0);
    row_true(row, fake_attach_live() == 0);
    row_true(row, fake_kube_objects(w->kube) == objects);
    row_true(row, fake_loop_pending(w->loop) == 0);
    world_free(w);
}

void world_run(struct world *w, const char *payload)
{
    fake_queue_push(w->queue, payload);
    fake_loop_run_dry(w->loop, A_DAY);
}

const char *world_result(struct world *w, const char *path)
{
    static char text[2048];
    struct json_object *root = json_tokener_parse(fake_queue_result(w->queue)), *v = root;
    char name[64];
    const char *dot = strchr(path, '.');

    snprintf(name, sizeof(name), "%.*s", dot ? (int)(dot - path) : 60, path);
    json_object_object_get_ex(root, name, &v);
    if (v != root && dot)
        v = field_peek(root, name) ? json_object_object_get(v, dot + 1) : NULL;
    snprintf(text, sizeof(text), "%s", v && v != root ? json_object_get_string(v) : "null");
    json_object_put(root);
    return text;
}

void row_status(struct world *w, const char *row, const char *status, const char *reason)
{
    const char *is = world_result(w, "status");

    if (strcmp(is, status) != 0)
        fail_msg("row \"%s\": status %s, not %s: %s", row, is, status, fake_queue_result(w->queue));
    is = world_result(w, "error.reason");
    if (reason && strcmp(is, reason) != 0)
        fail_msg("row \"%s\": reason %s, not %s", row, is, reason);
}
