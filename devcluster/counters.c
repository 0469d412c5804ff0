#include "devcluster/counters.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "devcluster/cluster.h"
#include "devcluster/kubelet.h"
#include "devcluster/store.h"
#include "devcluster/watch.h"

enum { KINDS_MAX = 16 };

struct counters {
    uint64_t requests[VERB_COUNT][KINDS_MAX];
    uint64_t other;
};

struct counters *counters_new(void)
{
    return mem_new(struct counters);
}

void counters_free(struct counters *c)
{
    free(c);
}

void counters_request(struct counters *c, enum verb verb, const struct kind *kind)
{
    if (kind)
        c->requests[verb][kind - kinds]++;
    else
        c->other++;
}

static int print_requests(const struct counters *c, struct buf *b, struct fault *f)
{
    if (buf_addf(b, f,
                 "# HELP execq_devcluster_requests_total Requests for objects, refused ones included.\n"
                 "# TYPE execq_devcluster_requests_total counter\n") < 0)
        return -1;
    for (int v = 0; v < VERB_COUNT; v++)
        for (size_t k = 0; k < kinds_count; k++)
            if (c->requests[v][k] &&
                buf_addf(b, f, "execq_devcluster_requests_total{verb=\"%s\",resource=\"%s\"} %" PRIu64 "\n",
                         verb_name((enum verb)v), kinds[k].resource, c->requests[v][k]) < 0)
                return -1;
    return buf_addf(b, f,
                    "# HELP execq_devcluster_other_requests_total Requests for discovery, health and the like.\n"
                    "# TYPE execq_devcluster_other_requests_total counter\n"
                    "execq_devcluster_other_requests_total %" PRIu64 "\n",
                    c->other);
}

int counters_print(const struct cluster *cluster, struct buf *b, struct fault *f)
{
    struct kubelet_numbers pods;

    kubelet_numbers(cluster->kubelet, &pods);
    if (print_requests(cluster->counters, b, f) < 0 || buf_addf(b, f,
                                                                "# HELP execq_devcluster_objects Objects that exist.\n"
                                                                "# TYPE execq_devcluster_objects gauge\n") < 0)
        return -1;
    for (size_t k = 0; k < kinds_count; k++)
        if (buf_addf(b, f, "execq_devcluster_objects{resource=\"%s\"} %zu\n", kinds[k].resource,
                     store_count(cluster->store, &kinds[k])) < 0)
            return -1;
    return buf_addf(b, f,
                    "# HELP execq_devcluster_pods_running Pods whose processes run.\n"
                    "# TYPE execq_devcluster_pods_running gauge\n"
                    "execq_devcluster_pods_running %zu\n"
                    "# HELP execq_devcluster_pods_waiting Pods that wait for a place on the node.\n"
                    "# TYPE execq_devcluster_pods_waiting gauge\n"
                    "execq_devcluster_pods_waiting %zu\n"
                    "# HELP execq_devcluster_pods_started_total Pods whose processes were started.\n"
                    "# TYPE execq_devcluster_pods_started_total counter\n"
                    "execq_devcluster_pods_started_total %" PRIu64 "\n"
                    "# HELP execq_devcluster_watches Watches that are open.\n"
                    "# TYPE execq_devcluster_watches gauge\n"
                    "execq_devcluster_watches %zu\n",
                    pods.running, pods.waiting, pods.started, watches_open(cluster->watches));
}
