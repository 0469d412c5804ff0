#include "fake_objects.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "fake_kube_inside.h"

void fake_object_free(struct object *o)
{
    TAILQ_REMOVE(&o->kube->objects, o, entry);
    loop_cancel(&o->timer);
    json_object_put(o->json);
    free(o);
}

struct json_object *fake_object_meta(struct json_object *json)
{
    return field_peek(json, "metadata");
}

const char *fake_object_meta_string(struct object *o, const char *name)
{
    return field_peek_string(fake_object_meta(o->json), name);
}

struct object *fake_object_find(struct kube *k, enum kube_kind kind, const char *name)
{
    struct object *o;

    TAILQ_FOREACH (o, &k->objects, entry)
        if (o->kind == kind && strcmp(fake_object_meta_string(o, "name"), name) == 0)
            return o;
    return NULL;
}

static void really_gone(void *arg)
{
    fake_object_free(arg);
}

void fake_object_remove_job(struct kube *k, struct object *job)
{
    struct object *code = fake_object_find(k, KUBE_CONFIGMAP, fake_object_meta_string(job, "name"));
    const char *owner = code ? field_peek_string(fake_object_meta(code->json), "owner") : NULL;

    if (owner && strcmp(owner, fake_object_meta_string(job, "uid")) == 0)
        fake_object_free(code);
    fake_object_free(job);
}

void fake_kube_plant_job(struct kube *k, const char *json, bool deleting)
{
    struct object *o = mem_new(struct object);

    *o = (struct object){.kube = k, .kind = KUBE_JOB, .json = json_tokener_parse(json)};
    json_object_object_add(fake_object_meta(o->json), "uid", json_object_new_string("uid-planted"));
    TAILQ_INSERT_TAIL(&k->objects, o, entry);
    if (deleting) {
        json_object_object_add(fake_object_meta(o->json), "deletionTimestamp",
                               json_object_new_string("2026-01-01T00:00:00Z"));
        loop_after(k->loop, &o->timer, 3000, really_gone, o);
    }
}

void fake_kube_plant_configmap(struct kube *k, const char *name, const char *owner_uid)
{
    struct object *o = mem_new(struct object);
    char *json = mem_format("{\"metadata\":{\"name\":\"%s\",\"uid\":\"uid-code\",\"owner\":\"%s\","
                            "\"ownerReferences\":[{\"uid\":\"%s\"}]}}",
                            name, owner_uid, owner_uid);

    *o = (struct object){.kube = k, .kind = KUBE_CONFIGMAP, .json = json_tokener_parse(json)};
    TAILQ_INSERT_TAIL(&k->objects, o, entry);
    free(json);
}

void fake_kube_plant_json(struct kube *k, enum kube_kind kind, const char *json)
{
    struct object *o = mem_new(struct object);

    *o = (struct object){.kube = k, .kind = kind, .json = json_tokener_parse(json)};
    TAILQ_INSERT_TAIL(&k->objects, o, entry);
}

size_t fake_kube_objects(const struct kube *k)
{
    struct object *o;
    size_t n = 0;

    TAILQ_FOREACH (o, &k->objects, entry)
        n++;
    return n;
}
