#include "devcluster/validate_pod.h"

#include <json-c/json.h>
#include <string.h>

#include "base/field.h"
#include "base/text.h"
#include "devcluster/tree.h"
#include "devcluster/validate.h"

enum { LABEL_MAX = 63 };

/* Where a complaint is about: the object, and the way to its pod spec ("spec.template.spec"). */
struct where {
    const char *kind, *name, *path;
};

static size_t length(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

/* An optional whole number within [min, 2^31). */
static int check_number(struct json_object *object, const char *name, int64_t min, const struct where *w,
                        struct refusal *r)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(object, name, &value);
    if (!value)
        return 0;
    if (!json_object_is_type(value, json_type_int))
        return refuse(r, 400, "BadRequest", "%s.%s must be a number", w->path, name);
    if (json_object_get_int64(value) < min || json_object_get_int64(value) > INT32_MAX)
        return refuse_invalid(r, w->kind, w->name, "%s.%s: Invalid value: %lld: must be greater than or equal to %lld",
                              w->path, name, (long long)json_object_get_int64(value), (long long)min);
    return 0;
}

static int check_strings(struct json_object *object, const char *name, const struct where *w, struct refusal *r)
{
    struct json_object *list = NULL;

    json_object_object_get_ex(object, name, &list);
    if (list && !json_object_is_type(list, json_type_array))
        return refuse(r, 400, "BadRequest", "%s.containers[0].%s must be a list", w->path, name);
    for (size_t i = 0; i < length(list); i++)
        if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
            return refuse(r, 400, "BadRequest", "%s.containers[0].%s[%zu] must be a string", w->path, name, i);
    return 0;
}

static int check_quantities(struct json_object *container, const char *which, const struct where *w, struct refusal *r)
{
    struct json_object *map = tree_at(container, which);

    if (!json_object_is_type(map, json_type_object))
        return 0;
    json_object_object_foreach(map, key, value)
    {
        const char *text = field_peek_string(map, key);
        struct fault f;
        int64_t n;

        if (!text && json_object_is_type(value, json_type_int)) /* the server takes plain numbers too */
            continue;
        if (!text || (strcmp(key, "cpu") == 0 ? text_to_milli_cpu(text, &n, &f) : text_to_bytes(text, &n, &f)) < 0)
            return refuse(r, 400, "BadRequest",
                          "%s.containers[0].%s.%.64s: quantities must match the regular "
                          "expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                          w->path, which, key);
    }
    return 0;
}

static int check_env(struct json_object *container, const struct where *w, struct refusal *r)
{
    struct json_object *env = field_peek(container, "env");

    for (size_t i = 0; i < length(env); i++) {
        struct json_object *one = json_object_array_get_idx(env, i), *value = NULL;
        const char *name = field_peek_string(one, "name");

        if (!name || !name[0] || strchr(name, '='))
            return refuse_invalid(r, w->kind, w->name, "%s.containers[0].env[%zu].name: Required value", w->path, i);
        json_object_object_get_ex(one, "value", &value);
        if (value && !json_object_is_type(value, json_type_string))
            return refuse(r, 400, "BadRequest", "%s.containers[0].env[%zu].value must be a string", w->path, i);
    }
    return 0;
}

static bool has_volume(struct json_object *spec, const char *name)
{
    struct json_object *volumes = field_peek(spec, "volumes");

    for (size_t i = 0; i < length(volumes); i++) {
        const char *n = field_peek_string(json_object_array_get_idx(volumes, i), "name");

        if (n && strcmp(n, name) == 0)
            return true;
    }
    return false;
}

static int check_mounts(struct json_object *spec, struct json_object *container, const struct where *w,
                        struct refusal *r)
{
    struct json_object *mounts = field_peek(container, "volumeMounts");

    for (size_t i = 0; i < length(mounts); i++) {
        struct json_object *m = json_object_array_get_idx(mounts, i);
        const char *name = field_peek_string(m, "name"), *path = field_peek_string(m, "mountPath");

        if (!name || !has_volume(spec, name))
            return refuse_invalid(r, w->kind, w->name, "%s.containers[0].volumeMounts[%zu].name: Not found: \"%.64s\"",
                                  w->path, i, name ? name : "");
        if (!path || !path[0])
            return refuse_invalid(r, w->kind, w->name, "%s.containers[0].volumeMounts[%zu].mountPath: Required value",
                                  w->path, i);
    }
    return 0;
}

static int check_container(struct json_object *spec, struct json_object *c, const struct where *w, struct refusal *r)
{
    const char *name = field_peek_string(c, "name"), *image = field_peek_string(c, "image");

    if (!name || validate_name(name, LABEL_MAX) < 0 || strchr(name, '.'))
        return refuse_invalid(r, w->kind, w->name, "%s.containers[0].name: Required value", w->path);
    if (!image || !image[0])
        return refuse_invalid(r, w->kind, w->name, "%s.containers[0].image: Required value", w->path);
    if (check_strings(c, "command", w, r) < 0 || check_strings(c, "args", w, r) < 0 ||
        check_quantities(c, "resources.limits", w, r) < 0 || check_quantities(c, "resources.requests", w, r) < 0 ||
        check_env(c, w, r) < 0 || check_mounts(spec, c, w, r) < 0)
        return -1;
    if (length(field_peek(c, "command")) == 0)
        return refuse_invalid(r, w->kind, w->name,
                              "%s.containers[0].command: Required value: execq-devcluster ignores the image, so it "
                              "cannot know the command that stands in it",
                              w->path);
    return 0;
}

static int check_volumes(struct json_object *spec, const struct where *w, struct refusal *r)
{
    struct json_object *volumes = field_peek(spec, "volumes");

    for (size_t i = 0; i < length(volumes); i++) {
        struct json_object *v = json_object_array_get_idx(volumes, i), *map = field_peek(v, "configMap");
        const char *name = field_peek_string(v, "name");

        if (!name || validate_name(name, LABEL_MAX) < 0 || strchr(name, '.'))
            return refuse_invalid(r, w->kind, w->name, "%s.volumes[%zu].name: Required value", w->path, i);
        if (map && !field_peek_string(map, "name"))
            return refuse_invalid(r, w->kind, w->name, "%s.volumes[%zu].configMap.name: Required value", w->path, i);
    }
    return 0;
}

static int check_pod_spec(struct json_object *spec, const struct where *w, struct refusal *r)
{
    struct json_object *containers = field_peek(spec, "containers");

    if (length(containers) == 0)
        return refuse_invalid(r, w->kind, w->name, "%s.containers: Required value", w->path);
    if (length(containers) > 1 || length(field_peek(spec, "initContainers")) > 0)
        return refuse_invalid(r, w->kind, w->name,
                              "%s.containers: Too many: execq-devcluster runs exactly one container a pod", w->path);
    if (check_number(spec, "activeDeadlineSeconds", 1, w, r) < 0 ||
        check_number(spec, "terminationGracePeriodSeconds", 0, w, r) < 0 || check_volumes(spec, w, r) < 0)
        return -1;
    return check_container(spec, json_object_array_get_idx(containers, 0), w, r);
}

int validate_pod(struct json_object *pod, struct refusal *r)
{
    struct where w = {"Pod", tree_string(pod, "metadata.name"), "spec"};

    return check_pod_spec(tree_at(pod, "spec"), &w, r);
}

int validate_job(struct json_object *job, struct refusal *r)
{
    struct json_object *spec = tree_at(job, "spec");
    struct where w = {"Job.batch", tree_string(job, "metadata.name"), "spec"};
    const char *policy = tree_string(job, "spec.template.spec.restartPolicy");

    if (!json_object_is_type(spec, json_type_object))
        return refuse_invalid(r, w.kind, w.name, "spec.template.spec.containers: Required value");
    if (check_number(spec, "backoffLimit", 0, &w, r) < 0 || check_number(spec, "activeDeadlineSeconds", 0, &w, r) < 0 ||
        check_number(spec, "ttlSecondsAfterFinished", 0, &w, r) < 0 ||
        check_number(spec, "completions", 0, &w, r) < 0 || check_number(spec, "parallelism", 0, &w, r) < 0 ||
        validate_labels(tree_at(job, "spec.template.metadata.labels"), "spec.template.labels", kind_job, w.name, r) < 0)
        return -1;
    if (tree_int(spec, "completions", 1) != 1 || tree_int(spec, "parallelism", 1) != 1)
        return refuse_invalid(r, w.kind, w.name, "spec.completions: execq-devcluster runs exactly one pod a Job");
    if (!policy || (strcmp(policy, "Never") != 0 && strcmp(policy, "OnFailure") != 0))
        return refuse_invalid(
            r, w.kind, w.name,
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"");
    w.path = "spec.template.spec";
    return check_pod_spec(tree_at(job, "spec.template.spec"), &w, r);
}
