#include "devcluster/kinds.h"

#include <string.h>

static const char *const verb_names[VERB_COUNT] = {
    [VERB_GET] = "get",       [VERB_LIST] = "list",
    [VERB_WATCH] = "watch",   [VERB_CREATE] = "create",
    [VERB_UPDATE] = "update", [VERB_PATCH] = "patch",
    [VERB_DELETE] = "delete", [VERB_DELETECOLLECTION] = "deletecollection",
    [VERB_LOG] = "log",       [VERB_ATTACH] = "attach",
};

#define READ (VERB_BIT(VERB_GET) | VERB_BIT(VERB_LIST) | VERB_BIT(VERB_WATCH))
#define WRITE                                                                                       \
    (VERB_BIT(VERB_CREATE) | VERB_BIT(VERB_UPDATE) | VERB_BIT(VERB_PATCH) | VERB_BIT(VERB_DELETE) | \
     VERB_BIT(VERB_DELETECOLLECTION))

/* What the real server lets one select by. */
static const char *const pod_fields[] = {"status.phase",
                                         "spec.nodeName",
                                         "spec.restartPolicy",
                                         "spec.schedulerName",
                                         "spec.serviceAccountName",
                                         "status.nominatedNodeName",
                                         NULL};
static const char *const job_fields[] = {"status.successful", NULL};
static const char *const event_fields[] = {"involvedObject.kind",
                                           "involvedObject.name",
                                           "involvedObject.namespace",
                                           "involvedObject.uid",
                                           "reason",
                                           "type",
                                           "reportingComponent",
                                           NULL};
static const char *const namespace_fields[] = {"status.phase", NULL};

/* clang-format off */
const struct kind kinds[] = {
    {"", "v1", "namespaces",      "namespace",      "Namespace",      "ns", false, false, READ | WRITE, namespace_fields},
    {"", "v1", "configmaps",      "configmap",      "ConfigMap",      "cm", true,  false, READ | WRITE, NULL},
    {"", "v1", "pods",            "pod",            "Pod",            "po", true,  true,  READ | WRITE, pod_fields},
    {"", "v1", "events",          "event",          "Event",          "ev", true,  false, READ | WRITE, event_fields},
    {"", "v1", "nodes",           "node",           "Node",           "no", false, false, READ,         NULL},
    {"", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", "sa", true,  false, READ | WRITE, NULL},
    {"batch", "v1", "jobs",       "job",            "Job",            NULL, true,  false, READ | WRITE, job_fields},
    {"node.k8s.io", "v1", "runtimeclasses", "runtimeclass", "RuntimeClass", NULL, false, false, READ | WRITE, NULL},
};
/* clang-format on */
const size_t kinds_count = sizeof(kinds) / sizeof(kinds[0]);

const struct kind *const kind_namespace = &kinds[0], *const kind_configmap = &kinds[1], *const kind_pod = &kinds[2],
                         *const kind_event = &kinds[3], *const kind_node = &kinds[4], *const kind_job = &kinds[6];

const char *verb_name(enum verb verb)
{
    return verb_names[verb];
}

const struct kind *kind_find(const char *group, const char *version, const char *resource)
{
    for (size_t i = 0; i < kinds_count; i++)
        if (strcmp(kinds[i].group, group) == 0 && strcmp(kinds[i].version, version) == 0 &&
            strcmp(kinds[i].resource, resource) == 0)
            return &kinds[i];
    return NULL;
}

const char *kind_api_version(const struct kind *kind)
{
    if (strcmp(kind->group, "batch") == 0)
        return "batch/v1";
    return kind->group[0] ? "node.k8s.io/v1" : "v1";
}
