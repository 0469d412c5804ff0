#include "devcluster/validate.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/text.h"
#include "devcluster/tree.h"
#include "devcluster/validate_pod.h"

enum { DATA_MAX = 1024 * 1024, ANNOTATIONS_MAX = 256 * 1024, KEY_MAX = 253, LABEL_MAX = 63 };

static const char *name_of(struct json_object *object)
{
    const char *name = tree_string(object, "metadata.name");

    return name ? name : "";
}

int validate_name(const char *name, size_t max)
{
    size_t len = strlen(name);

    if (len == 0 || len > max)
        return -1;
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || i == len - 1 || name[i - 1] == '.' || name[i + 1] == '.';

        if (islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]))
            continue;
        if (edge || (name[i] != '-' && name[i] != '.'))
            return -1;
    }
    return 0;
}

static bool is_label_value(const char *v)
{
    size_t len = strlen(v);

    if (len == 0)
        return true;
    return text_is_name(v, LABEL_MAX, "-_.") && isalnum((unsigned char)v[0]) && isalnum((unsigned char)v[len - 1]);
}

static bool is_label_key(const char *key)
{
    const char *slash = strchr(key, '/');
    char prefix[KEY_MAX + 1];

    if (slash) {
        if ((size_t)(slash - key) > KEY_MAX)
            return false;
        snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash - key), key);
        if (validate_name(prefix, KEY_MAX) < 0)
            return false;
        key = slash + 1;
    }
    return key[0] && is_label_value(key);
}

int validate_labels(struct json_object *labels, const char *path, const struct kind *kind, const char *name,
                    struct refusal *r)
{
    if (!labels)
        return 0;
    if (!json_object_is_type(labels, json_type_object))
        return refuse(r, 400, "BadRequest", "%s must be an object of strings", path);
    json_object_object_foreach(labels, key, value)
    {
        const char *text = field_peek_string(labels, key);

        (void)value;
        if (!text)
            return refuse(r, 400, "BadRequest", "%s.%.64s must be a string", path, key);
        if (!is_label_key(key) || !is_label_value(text))
            return refuse_invalid(
                r, kind->name, name,
                "%s: Invalid value: \"%.64s=%.64s\": a valid label must be an empty string or consist "
                "of alphanumeric characters, '-', '_' or '.'",
                path, key, text);
    }
    return 0;
}

/* The type line and nothing that is no part of the kind. */
static int check_shape(const struct kind *kind, struct json_object *object, struct refusal *r)
{
    static const char *const known[] = {"apiVersion", "kind",      "metadata", "spec",     "status",     "data",
                                        "binaryData", "immutable", "handler",  "overhead", "scheduling", NULL};
    const char *version = field_peek_string(object, "apiVersion"), *name = field_peek_string(object, "kind");
    struct json_object *metadata = NULL;

    if (!json_object_is_type(object, json_type_object))
        return refuse(r, 400, "BadRequest", "the object provided is unrecognized: it is no JSON object");
    if (version && strcmp(version, kind_api_version(kind)) != 0)
        return refuse(r, 400, "BadRequest",
                      "the API version in the data (%.64s) does not match the expected API version (%s)", version,
                      kind_api_version(kind));
    if (name && strcmp(name, kind->name) != 0)
        return refuse(r, 400, "BadRequest", "%.64s in version \"%s\" cannot be handled as a %s", name, kind->version,
                      kind->name);
    json_object_object_get_ex(object, "metadata", &metadata);
    if (metadata && !json_object_is_type(metadata, json_type_object))
        return refuse(r, 400, "BadRequest", "metadata must be an object");
    if (kind == kind_event)
        return 0;
    json_object_object_foreach(object, key, value)
    {
        size_t i = 0;

        (void)value;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return refuse(r, 400, "BadRequest", "strict decoding error: unknown field \"%.64s\"", key);
    }
    return 0;
}

static int check_names(const struct kind *kind, const char *ns, struct json_object *object, struct refusal *r)
{
    const char *name = name_of(object), *in = tree_string(object, "metadata.namespace");
    size_t max = kind == kind_job || kind == kind_namespace ? LABEL_MAX : KEY_MAX;

    if (in && kind->namespaced && strcmp(in, ns) != 0)
        return refuse(r, 400, "BadRequest",
                      "the namespace of the provided object does not match the namespace sent on the request");
    if (!name[0])
        return refuse_invalid(r, kind->name, "", "metadata.name: Required value: name or generateName is required");
    if (validate_name(name, max) < 0 || (kind == kind_namespace && strchr(name, '.')))
        return refuse_invalid(r, kind->name, name,
                              "metadata.name: Invalid value: \"%.64s\": must consist of lower case alphanumeric "
                              "characters, '-' or '.', and be no more than %zu characters",
                              name, max);
    return 0;
}

static int check_owners(const struct kind *kind, struct json_object *object, struct refusal *r)
{
    static const char *const needed[] = {"apiVersion", "kind", "name", "uid"};
    struct json_object *refs = tree_at(object, "metadata.ownerReferences");
    size_t n = json_object_is_type(refs, json_type_array) ? json_object_array_length(refs) : 0;

    if (refs && !json_object_is_type(refs, json_type_array))
        return refuse(r, 400, "BadRequest", "metadata.ownerReferences must be a list");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < COUNT_OF(needed); k++) {
            const char *value = field_peek_string(json_object_array_get_idx(refs, i), needed[k]);

            if (!value || !value[0])
                return refuse_invalid(r, kind->name, name_of(object),
                                      "metadata.ownerReferences[%zu].%s: Invalid value: \"\": must not be empty", i,
                                      needed[k]);
        }
    return 0;
}

static int check_metadata(const struct kind *kind, const char *ns, struct json_object *object, struct refusal *r)
{
    struct json_object *annotations = tree_at(object, "metadata.annotations");

    if (check_names(kind, ns, object, r) < 0 ||
        validate_labels(tree_at(object, "metadata.labels"), "metadata.labels", kind, name_of(object), r) < 0 ||
        check_owners(kind, object, r) < 0)
        return -1;
    if (tree_strings_len(annotations) > ANNOTATIONS_MAX)
        return refuse_invalid(r, kind->name, name_of(object),
                              "metadata.annotations: Too long: may not be more than %d bytes", ANNOTATIONS_MAX);
    return 0;
}

/* ConfigMaps. */

static int check_data_map(struct json_object *map, const char *what, bool base64, size_t *total, struct json_object *cm,
                          struct refusal *r)
{
    if (!map)
        return 0;
    if (!json_object_is_type(map, json_type_object))
        return refuse(r, 400, "BadRequest", "%s must be an object of strings", what);
    json_object_object_foreach(map, key, value)
    {
        _cleanup_(buf_release)
        struct buf bytes = BUF_INIT(4 * DATA_MAX);
        struct fault f;
        size_t len;

        if (!json_object_is_type(value, json_type_string))
            return refuse(r, 400, "BadRequest", "%s.%.64s must be a string", what, key);
        if (!text_is_name(key, KEY_MAX, "-_.") || strcmp(key, ".") == 0 || strncmp(key, "..", 2) == 0)
            return refuse_invalid(r, "ConfigMap", name_of(cm),
                                  "%s[%.64s]: Invalid value: a valid config key must consist of alphanumeric "
                                  "characters, '-', '_' or '.'",
                                  what, key);
        len = (size_t)json_object_get_string_len(value);
        if (base64) {
            if (digest_base64_decode(field_peek_string(map, key), len, &bytes, &f) < 0)
                return refuse(r, 400, "BadRequest", "%s.%.64s: illegal base64 data", what, key);
            len = bytes.len;
        }
        *total += len;
    }
    return 0;
}

static int check_configmap(struct json_object *cm, struct refusal *r)
{
    struct json_object *data = tree_at(cm, "data"), *binary = tree_at(cm, "binaryData");
    size_t total = 0;

    if (check_data_map(data, "data", false, &total, cm, r) < 0 ||
        check_data_map(binary, "binaryData", true, &total, cm, r) < 0)
        return -1;
    if (binary && data) {
        json_object_object_foreach(binary, key, value)
        {
            (void)value;
            if (json_object_object_get_ex(data, key, NULL))
                return refuse_invalid(r, "ConfigMap", name_of(cm),
                                      "data[%.64s]: Invalid value: duplicate of key present in binaryData", key);
        }
    }
    if (total > DATA_MAX)
        return refuse_invalid(r, "ConfigMap", name_of(cm), "[]: Too long: may not be more than %d bytes", DATA_MAX);
    return 0;
}

int validate_object(const struct kind *kind, const char *ns, struct json_object *object, struct refusal *r)
{
    if (check_shape(kind, object, r) < 0 || check_metadata(kind, ns, object, r) < 0)
        return -1;
    if (kind == kind_configmap)
        return check_configmap(object, r);
    if (kind == kind_job)
        return validate_job(object, r);
    if (kind == kind_pod)
        return validate_pod(object, r);
    return 0;
}

static bool same(struct json_object *a, struct json_object *b, const char *path)
{
    return json_object_equal(tree_at(a, path), tree_at(b, path));
}

int validate_update(const struct kind *kind, struct json_object *old, struct json_object *object, struct refusal *r)
{
    if (kind == kind_configmap && tree_bool(old, "immutable") &&
        !(tree_bool(object, "immutable") && same(old, object, "data") && same(old, object, "binaryData")))
        return refuse_invalid(r, kind->name, name_of(old),
                              "data: Forbidden: field is immutable when `immutable` is set");
    if (kind == kind_job && !(same(old, object, "spec.template") && same(old, object, "spec.selector") &&
                              same(old, object, "spec.completions")))
        return refuse_invalid(r, "Job.batch", name_of(old), "spec.template: Invalid value: field is immutable");
    if (kind == kind_pod && !(same(old, object, "spec.containers") && same(old, object, "spec.volumes")))
        return refuse(r, 422, "Invalid", "Pod \"%.64s\" is invalid: spec: Forbidden: pod updates may not change fields",
                      name_of(old));
    return 0;
}
