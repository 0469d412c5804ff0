"""The cluster of tests/cluster/up, as it is deployed, and a namespace beside it for those who are not execq."""

import json
import os
import subprocess

from real_cluster import DEPLOYED, RealCluster
from section import cpu_ms
from world import descendants, until

ADK_NAMESPACE = "bench-adk"
ACCOUNTS = {"adk": ("system:serviceaccount:%s:adk" % ADK_NAMESPACE, ADK_NAMESPACE),
            "pods": ("system:serviceaccount:%s:pods" % ADK_NAMESPACE, ADK_NAMESPACE),
            "execq": ("system:serviceaccount:execq:execq-worker", DEPLOYED)}
# The Role that GkeCodeExecutor's documentation asks for, and for the bare pods: create and watch
RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "delete", "get", "patch"]},
         {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "delete"]},
         {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "create", "watch", "delete"]}]
KINDS = {"jobs": "/apis/batch/v1", "pods": "/api/v1", "configmaps": "/api/v1"}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller", "kube-scheduler")  # as the kernel has it: 15 characters
UNITS = {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(text):
    """Of Kubernetes, as a number: who writes 524288Ki means 512Mi."""
    unit = next((u for u in UNITS if text.endswith(u)), "")
    return float(text[:len(text) - len(unit)]) * UNITS.get(unit, 1)


class Cluster(RealCluster):
    def __init__(self, world):
        super().__init__(world)
        # those of the deployment where the tests have shorter ones: a pod may wait for the node
        self.settings = {"namespace": DEPLOYED, "service_account": "execq-snippet", "lease": "30s", "sweep": "30s",
                         "start_budget": "120s", "write_rate": "50", "timeout": "300s"}

    def furnish(self):
        self.namespace = DEPLOYED
        path = "/api/v1/namespaces/" + ADK_NAMESPACE
        rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/" % ADK_NAMESPACE
        # Pods of GkeCodeExecutor have no seccomp profile, so that "restricted" would refuse them
        self.have("/api/v1/namespaces", {"metadata": {"name": ADK_NAMESPACE}})
        self.have(rbac + "roles", {"metadata": {"name": "bench"}, "rules": RULES})
        for name in ("adk", "pods"):
            self.have(path + "/serviceaccounts", {"metadata": {"name": name}})
            self.have(rbac + "rolebindings", {
                "metadata": {"name": name}, "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": ADK_NAMESPACE}],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "bench"}})
        until("there is an account", lambda: any(s["metadata"]["name"] == "default" for s in
                                                 self.get(path + "/serviceaccounts")["items"]))

    def have(self, path, body):
        if body["metadata"]["name"] not in self.names(path):
            self.request("POST", path, body)

    def names(self, path):
        return [o["metadata"]["name"] for o in self.get(path)["items"]]

    def close(self):
        """In any case, also half-way: the deployment stays, and nothing else. Jobs of a worker that was killed go here."""
        if not self.namespace:
            return
        for n in range(self.world.n_workers):
            self.request("DELETE", self.path("jobs") + "?propagationPolicy=Background&labelSelector=execq.dev/worker=w%d" % (n + 1))
        self.request("DELETE", "/api/v1/namespaces/" + ADK_NAMESPACE)
        until("the namespace is gone", lambda: ADK_NAMESPACE not in self.names("/api/v1/namespaces"), 120)
        until(lambda: "nothing is left: %s" % self.litter(), lambda: not self.litter())

    def left(self, namespace):
        found = {}
        for kind, path in KINDS.items():
            items = self.get("%s/namespaces/%s/%s" % (path, namespace, kind))["items"]
            found[kind] = sum(o["metadata"]["name"] != "kube-root-ca.crt" and "deletionTimestamp" not in o["metadata"]
                              and not o["metadata"]["name"].startswith("execq-runner-") for o in items)
        return found

    def sweep(self):
        """So that what one way leaves is in nobody's way in the next turn."""
        for kind, path in KINDS.items():
            self.request("DELETE", "%s/namespaces/%s/%s?propagationPolicy=Background&fieldSelector=metadata.name!=kube-root-ca.crt"
                         % (path, ADK_NAMESPACE, kind))
        until("it is empty", lambda: not any(any(self.left(n).values()) for _, n in ACCOUNTS.values()))
        until("no pod is left", lambda: not any(self.pods(n) for _, n in ACCOUNTS.values()))
        until("the node is quiet", self.quiet)

    def quiet(self):
        """A pod that has ended is gone from the API at once, from the node when its sandbox is."""
        ctr = self.inside("ctr", "-n", "k8s.io", "tasks", "ls", "-q", stdout=subprocess.PIPE, text=True)
        return ctr.communicate()[0] == "" and ctr.returncode == 0

    def pods(self, namespace):
        return self.get("/api/v1/namespaces/%s/pods" % namespace)["items"]

    def shape(self, namespace):
        """What the pod there asks for: image, RuntimeClass and resources, those that all have."""
        spec = until("there is a pod", lambda: self.pods(namespace))[0]["spec"]
        container = spec["containers"][0]
        found = {"image": container["image"], "RuntimeClass": spec["runtimeClassName"], "containers": len(spec["containers"])}
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                found[what + " " + kind] = quantity(container["resources"][kind][what])
        return found

    def worked(self):
        """Processor time so far, in ms: of the whole machine, and of what there is of Kubernetes beside the node."""
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system, _, _, interrupts, more_interrupts = [int(n) for n in f.readline().split()[1:8]]
        with open(os.path.join(self.dir, "machine.pid"), encoding="ascii") as f:
            inside = descendants(int(f.read()))
        return {"machine": (user + nice + system + interrupts + more_interrupts) * 1000 / os.sysconf("SC_CLK_TCK"),
                "control plane": sum(cpu_ms(pid) for pid, name in inside if name in CONTROL_PLANE)}

    def asked(self):
        """{account: {"verb resource": n}} by the API server's audit log."""
        found = {name: {} for name in ACCOUNTS}
        users = {user: name for name, (user, _) in ACCOUNTS.items()}
        with open(self.audit_log(), encoding="utf-8") as f:
            for line in f:
                event = json.loads(line) if line.endswith("\n") else {}
                name = users.get(event.get("user", {}).get("username"))
                if name and event["stage"] == ("ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"):
                    o = event.get("objectRef", {})
                    what = event["verb"] + " " + o.get("resource", "?") + ("/" + o["subresource"] if "subresource" in o else "")
                    found[name][what] = found[name].get(what, 0) + 1
        return found
