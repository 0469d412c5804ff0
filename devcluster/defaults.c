#include "devcluster/defaults.h"

#include <json-c/json.h>

#include "base/field.h"
#include "devcluster/tree.h"

static void fill_metadata(const struct kind *kind, const char *ns, struct json_object *object, int64_t wall_ms)
{
    struct json_object *metadata = tree_make(object, "metadata");
    char uid[TREE_UUID], now[TREE_TIME];

    tree_uuid(uid);
    tree_time(wall_ms, now);
    tree_set_string(object, "apiVersion", kind_api_version(kind));
    tree_set_string(object, "kind", kind->name);
    tree_set_string(metadata, "uid", uid);
    tree_set_string(metadata, "creationTimestamp", now);
    if (kind->namespaced)
        tree_set_string(metadata, "namespace", ns);
    json_object_object_del(metadata, "deletionTimestamp");
    json_object_object_del(metadata, "deletionGracePeriodSeconds");
    json_object_object_del(metadata, "managedFields");
}

static void fill_pod_spec(struct json_object *spec)
{
    struct json_object *container = json_object_array_get_idx(field_peek(spec, "containers"), 0);

    tree_default_string(spec, "restartPolicy", "Always");
    tree_default_string(spec, "dnsPolicy", "ClusterFirst");
    tree_default_string(spec, "schedulerName", "default-scheduler");
    tree_default_int(spec, "terminationGracePeriodSeconds", 1); /* 30 in the real one: tests would wait for it */
    tree_default(spec, "securityContext", tree_new());
    tree_default_string(container, "terminationMessagePath", "/dev/termination-log");
    tree_default_string(container, "terminationMessagePolicy", "File");
    tree_default_string(container, "imagePullPolicy", "IfNotPresent");
    tree_default(container, "resources", tree_new());
}

static void fill_pod(struct json_object *pod)
{
    struct json_object *status = tree_new();

    fill_pod_spec(tree_at(pod, "spec"));
    tree_default_string(tree_at(pod, "spec"), "serviceAccountName", "default");
    tree_set_string(status, "phase", "Pending");
    tree_set_string(status, "qosClass", "Burstable");
    tree_set(pod, "status", status);
}

static void fill_job(struct json_object *job)
{
    struct json_object *spec = tree_at(job, "spec"), *labels, *match;
    const char *uid = tree_string(job, "metadata.uid"), *name = tree_string(job, "metadata.name");

    tree_default_int(spec, "parallelism", 1);
    tree_default_int(spec, "completions", 1);
    tree_default_int(spec, "backoffLimit", 6);
    tree_default_string(spec, "completionMode", "NonIndexed");
    tree_default_string(spec, "podReplacementPolicy", "TerminatingOrFailed");
    tree_default(spec, "suspend", json_object_new_boolean(0));
    tree_set_int(tree_at(job, "metadata"), "generation", 1);
    match = tree_make(spec, "selector.matchLabels");
    tree_set_string(match, "batch.kubernetes.io/controller-uid", uid);
    labels = tree_make(spec, "template.metadata.labels");
    tree_set_string(labels, "batch.kubernetes.io/controller-uid", uid);
    tree_set_string(labels, "batch.kubernetes.io/job-name", name);
    tree_set_string(labels, "controller-uid", uid);
    tree_set_string(labels, "job-name", name);
    fill_pod_spec(tree_at(spec, "template.spec"));
    tree_set(job, "status", tree_new());
}

void defaults_fill(const struct kind *kind, const char *ns, struct json_object *object, int64_t wall_ms)
{
    fill_metadata(kind, ns, object, wall_ms);
    if (kind == kind_pod)
        fill_pod(object);
    else if (kind == kind_job)
        fill_job(object);
    else if (kind == kind_namespace)
        tree_set_string(tree_make(object, "status"), "phase", "Active");
}
