#include "devcluster/discovery.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "devcluster/kinds.h"
#include "devcluster/tree.h"

static struct json_object *typed(const char *kind, const char *version)
{
    struct json_object *o = tree_new();

    tree_set_string(o, "kind", kind);
    if (version)
        tree_set_string(o, "apiVersion", version);
    return o;
}

static struct json_object *version_page(void)
{
    struct json_object *o = tree_new();

    tree_set_string(o, "major", "1");
    tree_set_string(o, "minor", "33");
    tree_set_string(o, "gitVersion", "v1.33.0+execq-devcluster." EXECQ_VERSION);
    tree_set_string(o, "gitCommit", "");
    tree_set_string(o, "gitTreeState", "clean");
    tree_set_string(o, "buildDate", "1970-01-01T00:00:00Z");
    tree_set_string(o, "goVersion", "none");
    tree_set_string(o, "compiler", "c");
    tree_set_string(o, "platform", "linux/amd64");
    return o;
}

static struct json_object *group(const char *name)
{
    struct json_object *o = typed("APIGroup", "v1"), *version = tree_new();
    _cleanup_free_ char *full = mem_format("%s/v1", name);

    tree_set_string(o, "name", name);
    tree_set_string(version, "groupVersion", full);
    tree_set_string(version, "version", "v1");
    tree_set(o, "versions", tree_list(version, NULL));
    tree_set(o, "preferredVersion", json_object_get(version));
    return o;
}

static struct json_object *verbs_of(const struct kind *kind)
{
    struct json_object *list = json_object_new_array();

    for (int v = 0; v < VERB_LOG; v++)
        if (kind->verbs & VERB_BIT(v))
            json_object_array_add(list, tree_text(verb_name((enum verb)v)));
    return list;
}

static struct json_object *resource(const struct kind *kind, const char *sub)
{
    struct json_object *o = tree_new();
    _cleanup_free_ char *name = mem_format("%s%s%s", kind->resource, sub ? "/" : "", sub ? sub : "");

    tree_set_string(o, "name", name);
    tree_set_string(o, "singularName", sub ? "" : kind->singular);
    tree_set_bool(o, "namespaced", kind->namespaced);
    tree_set_string(o, "kind", kind->name);
    tree_set(o, "verbs", sub ? tree_list(tree_text("get"), NULL) : verbs_of(kind));
    if (!sub && kind->short_name)
        tree_set(o, "shortNames", tree_list(tree_text(kind->short_name), NULL));
    if (!sub && (kind == kind_pod || kind == kind_job))
        tree_set(o, "categories", tree_list(tree_text("all"), NULL));
    return o;
}

static struct json_object *resources_page(const char *group_version)
{
    struct json_object *o = typed("APIResourceList", "v1"), *list = json_object_new_array();

    tree_set_string(o, "groupVersion", group_version);
    tree_set(o, "resources", list);
    for (size_t i = 0; i < kinds_count; i++) {
        if (strcmp(kind_api_version(&kinds[i]), group_version) != 0)
            continue;
        json_object_array_add(list, resource(&kinds[i], NULL));
        if (kinds[i].log) {
            json_object_array_add(list, resource(&kinds[i], "log"));
            json_object_array_add(list, resource(&kinds[i], "attach"));
        }
        if (&kinds[i] == kind_pod || &kinds[i] == kind_job)
            json_object_array_add(list, resource(&kinds[i], "status"));
    }
    if (json_object_array_length(list) > 0)
        return o;
    json_object_put(o);
    return NULL;
}

/* OpenAPI: kubectl looks there whether the server itself checks unknown fields (the parameter fieldValidation of a
 * patch); if so it checks nothing on its own and needs no more of the schema. */

static struct json_object *parameter(const char *name)
{
    struct json_object *o = tree_new();

    tree_set_string(o, "name", name);
    tree_set_string(o, "in", "query");
    tree_set_string(tree_make(o, "schema"), "type", "string");
    return o;
}

static struct json_object *openapi_of(const char *group_version)
{
    struct json_object *o = tree_new(), *paths = tree_new();
    const char *root = strchr(group_version, '/') ? "apis" : "api";

    tree_set_string(o, "openapi", "3.0.0");
    tree_set_string(tree_make(o, "info"), "title", "execq-devcluster");
    tree_set_string(tree_make(o, "info"), "version", EXECQ_VERSION);
    tree_set(o, "paths", paths);
    for (size_t i = 0; i < kinds_count; i++) {
        struct json_object *gvk = tree_new(), *patch = tree_new();
        _cleanup_free_ char *path = mem_format("/%s/%s/%s%s/{name}", root, group_version,
                                               kinds[i].namespaced ? "namespaces/{namespace}/" : "", kinds[i].resource);

        tree_set_string(gvk, "group", kinds[i].group);
        tree_set_string(gvk, "version", kinds[i].version);
        tree_set_string(gvk, "kind", kinds[i].name);
        tree_set(patch, "x-kubernetes-group-version-kind", gvk);
        tree_set(patch, "parameters", tree_list(parameter("dryRun"), parameter("fieldValidation"), NULL));
        tree_set(patch, "responses", tree_new());
        if (strcmp(kind_api_version(&kinds[i]), group_version) == 0) {
            struct json_object *methods = tree_new();

            tree_set(methods, "patch", patch);
            tree_set(paths, path, methods);
        } else {
            json_object_put(patch);
        }
    }
    return o;
}

static const char *const group_versions[] = {"v1", "batch/v1", "node.k8s.io/v1"};

static struct json_object *openapi_index(void)
{
    struct json_object *o = tree_new(), *paths = tree_make(o, "paths");

    for (size_t i = 0; i < COUNT_OF(group_versions); i++) {
        struct json_object *entry = tree_new();
        _cleanup_free_ char *name = mem_format("%s/%s", i == 0 ? "api" : "apis", group_versions[i]);
        _cleanup_free_ char *url = mem_format("/openapi/v3/%s?hash=1", name);

        tree_set_string(entry, "serverRelativeURL", url);
        tree_set(paths, name, entry);
    }
    return o;
}

static struct json_object *api_page(void)
{
    struct json_object *o = typed("APIVersions", NULL);

    tree_set(o, "versions", tree_list(tree_text("v1"), NULL));
    tree_set(o, "serverAddressByClientCIDRs", json_object_new_array());
    return o;
}

static struct json_object *apis_page(void)
{
    struct json_object *o = typed("APIGroupList", "v1");

    tree_set(o, "groups", tree_list(group("batch"), group("node.k8s.io"), NULL));
    return o;
}

struct json_object *discovery_page(const char *path)
{
    static const char openapi[] = "/openapi/v3/";

    if (strcmp(path, "/version") == 0)
        return version_page();
    if (strcmp(path, "/api") == 0)
        return api_page();
    if (strcmp(path, "/apis") == 0)
        return apis_page();
    if (strcmp(path, "/apis/batch") == 0 || strcmp(path, "/apis/node.k8s.io") == 0)
        return group(path + strlen("/apis/"));
    if (strcmp(path, "/openapi/v3") == 0)
        return openapi_index();
    for (size_t i = 0; i < COUNT_OF(group_versions); i++) {
        _cleanup_free_ char *page = mem_format("/%s/%s", i == 0 ? "api" : "apis", group_versions[i]);

        if (strcmp(path, page) == 0)
            return resources_page(group_versions[i]);
        if (strncmp(path, openapi, strlen(openapi)) == 0 && strcmp(path + strlen(openapi), page + 1) == 0)
            return openapi_of(group_versions[i]);
    }
    return NULL;
}
