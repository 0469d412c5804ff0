#include "unit/kube_world.h"

#include <json-c/json.h>

#include "base/field.h"

static bool may_write(void *arg)
{
    const struct world *w = arg;

    return w->may_write;
}

static void start_kube(struct world *w, const struct kube_settings *s)
{
    struct kube_settings set = *s;
    struct fault f = FAULT_INIT;

    set.config = &w->config;
    set.may_write = may_write;
    set.may_write_arg = w;
    if (kube_new(w->loop, &set, &w->kube, &f) < 0)
        fail_msg("%s", f.text);
}

void world_restart(struct world *w, const struct kube_settings *s)
{
    kube_free(w->kube);
    fake_http_reset();
    start_kube(w, s);
}

int world_set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;

    fake_http_reset();
    w = (struct world){.may_write = true};
    w.config = (struct kubeconfig){.server = (char *)(uintptr_t) "https://h:6443/pre",
                                   .namespace_ = (char *)(uintptr_t) "n/s",
                                   .token = (char *)(uintptr_t) "tok"};
    loop_new(&w.loop, &f);
    start_kube(&w, &(struct kube_settings){0});
    *state = &w;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *w = *state;

    if (w->kube)
        kube_free(w->kube);
    assert_int_equal(fake_loop_pending(w->loop), 0);
    loop_free(w->loop);
    fake_http_reset();
    return 0;
}

void on_done(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct outcome *o = arg;
    const char *text;

    o->times++;
    assert_true(!reply != !f);
    if (f) {
        o->fault = *f;
    } else {
        text = reply->object ? field_peek_string(reply->object, "v") : NULL;
        o->status = reply->status;
        o->truncated = reply->truncated;
        snprintf(o->text, sizeof(o->text), "%.*s", reply->bytes ? (int)reply->len : 255,
                 reply->bytes ? reply->bytes
                 : text       ? text
                              : "");
        json_object_put(o->object);
        o->object = json_object_get(reply->object);
    }
    kube_cancel(&o->call); /* its own, which has ended: nothing happens */
    kube_cancel(&o->other);
    if (o->free_all) {
        kube_free(o->world->kube);
        o->world->kube = NULL;
    }
}

struct kube_call *get_job(struct world *w, struct outcome *o)
{
    return kube_get(w->kube, KUBE_JOB, "j", on_done, o);
}

void answer_all(struct world *w, int status, const char *body, int64_t ms)
{
    fake_loop_settle(w->loop);
    for (int64_t t = 0; t <= ms; t += 10) {
        for (int i = 0; i < fake_http_count(); i++)
            if (fake_http_at(i)->at == FAKE_OPEN)
                fake_http_answer(i, status, body);
        fake_loop_advance(w->loop, 10);
    }
}
