#include "devcluster/pages.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/field.h"
#include "base/mem.h"
#include "devcluster/call.h"
#include "devcluster/cluster.h"
#include "devcluster/counters.h"
#include "devcluster/discovery.h"
#include "devcluster/faults.h"
#include "devcluster/store.h"
#include "devcluster/tree.h"

enum { METRICS_MAX = 256 << 10 };

static const char *const health[] = {"/healthz", "/livez", "/readyz"};

bool pages_is_open(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(health); i++)
        if (strcmp(path, health[i]) == 0)
            return true;
    return strcmp(path, "/version") == 0;
}

static void send_metrics(struct call *call)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(METRICS_MAX);
    struct fault f = FAULT_INIT;

    if (counters_print(call->cluster, &b, &f) < 0)
        call_refuse_text(call, 500, f.text);
    else
        call_send_text(call, 200, "text/plain; version=0.0.4", buf_str(&b), b.len);
}

static void handle_faults(struct call *call, enum route_method method)
{
    struct faults *fs = call->cluster->faults;
    struct fault f = FAULT_INIT;

    if (method == METHOD_DELETE) {
        faults_clear(fs);
    } else if (method == METHOD_POST && !call->body) {
        call_refuse_text(call, 400, "the request has no body");
        return;
    } else if (method == METHOD_POST && faults_add(fs, call->body, &f) < 0) {
        call_refuse_text(call, 400, f.text);
        return;
    }
    call_send_json(call, 200, faults_list(fs));
}

/* A client that asks what it may do may do everything. */
static void send_review(struct call *call)
{
    struct json_object *review = tree_new();

    tree_set_string(review, "kind", "SelfSubjectAccessReview");
    tree_set_string(review, "apiVersion", "authorization.k8s.io/v1");
    tree_set(review, "metadata", tree_new());
    tree_set(review, "spec", tree_at(call->body, "spec") ? tree_copy(tree_at(call->body, "spec")) : tree_new());
    tree_set_bool(tree_make(review, "status"), "allowed", true);
    call_send_json(call, 201, review);
}

void pages_handle(struct call *call, enum route_method method, const char *path)
{
    struct json_object *found;

    if (strcmp(path, "/devcluster/faults") == 0) {
        handle_faults(call, method);
        return;
    }
    if (method == METHOD_POST && strcmp(path, "/devcluster/compact") == 0) {
        store_compact(call->cluster->store);
        call_send_json(call, 200, tree_new());
        return;
    }
    if (method == METHOD_POST && strcmp(path, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") == 0) {
        send_review(call);
        return;
    }
    if (method != METHOD_GET) {
        call_refuse_text(call, 404, "the server could not find the requested resource");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(health); i++)
        if (strcmp(path, health[i]) == 0) {
            call_send_text(call, 200, "text/plain", "ok", 2);
            return;
        }
    if (strcmp(path, "/metrics") == 0) {
        send_metrics(call);
        return;
    }
    found = discovery_page(path);
    if (found)
        call_send_json(call, 200, found);
    else
        call_refuse_text(call, 404, "the server could not find the requested resource");
}
