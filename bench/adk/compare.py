"""See ./run. Three ways to run the same snippets on the same cluster, in turns, so that all see the same machine:

    adk     GkeCodeExecutor: a thread a snippet, in its own Python
    execq   one execq-worker; this program pushes requests and takes results
    pods    bare pods from a loop: the most that the node does, whoever asks
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests/e2e"))
sys.dont_write_bytecode = True

from real_cluster import RealCluster  # noqa: E402
from report import write_report  # noqa: E402
from world import Process, World, become_subreaper, until  # noqa: E402

ADK_NAMESPACE = "bench-adk"
ACCOUNTS = {"adk": ("system:serviceaccount:%s:adk" % ADK_NAMESPACE, ADK_NAMESPACE),
            "pods": ("system:serviceaccount:%s:pods" % ADK_NAMESPACE, ADK_NAMESPACE),
            "execq": ("system:serviceaccount:execq:execq-worker", "execq-snippets")}
# The Role that GkeCodeExecutor's documentation asks for, and for the bare pods: create and watch
RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "delete", "get", "patch"]},
         {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "delete"]},
         {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "create", "watch", "delete"]}]


class Cluster(RealCluster):
    """As it is deployed, without a namespace for tests."""

    def __init__(self, world):
        super().__init__(world)
        self.settings = {"namespace": "execq-snippets", "service_account": "execq-snippet"}

    def furnish(self):
        self.namespace = "execq-snippets"
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
        if body["metadata"]["name"] not in [o["metadata"]["name"] for o in self.get(path)["items"]]:
            self.request("POST", path, body)

    def close(self):
        """Everything stays where it is: it is the deployment."""

    def left(self, namespace):
        found = {}
        for kind, path in (("jobs", "/apis/batch/v1"), ("pods", "/api/v1"), ("configmaps", "/api/v1")):
            items = self.get("%s/namespaces/%s/%s" % (path, namespace, kind))["items"]
            found[kind] = sum(o["metadata"]["name"] != "kube-root-ca.crt" and "deletionTimestamp" not in o["metadata"]
                              and not o["metadata"]["name"].startswith("execq-runner-") for o in items)
        return found

    def sweep(self):
        """So that what one way leaves is in nobody's way in the next turn."""
        for kind, path in (("jobs", "/apis/batch/v1"), ("pods", "/api/v1"), ("configmaps", "/api/v1")):
            self.request("DELETE", "%s/namespaces/%s/%s?propagationPolicy=Background&fieldSelector=metadata.name!=kube-root-ca.crt"
                         % (path, ADK_NAMESPACE, kind))
        until("it is empty", lambda: not any(any(self.left(n).values()) for _, n in ACCOUNTS.values()))
        until("no pod is left", lambda: not any(self.get("/api/v1/namespaces/%s/pods" % n)["items"] for _, n in ACCOUNTS.values()))

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


def cpu_ms(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, what="VmHWM"):
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(what)) / 1024


class Executor:
    """executor.py in a process of its own; `how` picks adk or pods."""

    def __init__(self, world, how):
        self.how = how
        kubeconfig = os.path.join(world.dir, "kubeconfig-" + how)
        with open(kubeconfig, "w", encoding="utf-8") as f:
            subprocess.run([os.path.join(TOP, "tests/cluster/worker-kubeconfig"), how, ADK_NAMESPACE], check=True, stdout=f)
        self.process = subprocess.Popen([os.path.join(TOP, "build/adk/bin/python"), os.path.join(HERE, "executor.py"),
                                         kubeconfig, ADK_NAMESPACE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.process.stdout.readline()

    def burst(self, numbers, threads):
        self.process.stdin.write(json.dumps({"how": self.how, "numbers": numbers, "threads": threads}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Execq:
    def __init__(self, world):
        self.world, self.worker, self.slots = world, None, 0

    def with_slots(self, slots):
        if slots != self.slots:
            if self.worker:
                self.worker.end_cleanly()
            self.worker, self.slots = self.world.worker(slots=slots, log_level="info", lease="30s", sweep="30s", timeout="300s",
                                                        canary="python"), slots
            until(lambda: "the canary is back: " + self.worker.log(), lambda: " fit " in self.worker.log(), 120)

    @property
    def pid(self):
        return self.worker.pid

    def burst(self, numbers, threads):
        """All in the queue at once; the worker has `threads` slots. A snippet's time is from its claim to its result."""
        world, began = self.world, time.monotonic()
        ids = ["n%d" % n for n in numbers]
        world.redis.call.pipeline([("RPUSH", world.key("requests"), json.dumps(
            {"id": i, "code": "print(%s)" % i[1:], "reply_to": "bench"})) for i in ids])
        seconds, wrong = [], 0
        for _ in ids:
            _, value = world.redis.call("BLPOP", world.key("reply:bench"), "300", timeout=310)
            result = json.loads(value)
            seconds.append(time.monotonic() - began if threads == 1 and len(ids) == 1 else
                           result["times"]["published"] - result["times"]["claimed"])
            wrong += result["status"] != "ok" or result["stdout"] != result["id"][1:] + "\n"
        return {"seconds": seconds, "wall": time.monotonic() - began, "wrong": wrong}


class Bench:
    def __init__(self, world, ways):
        self.world, self.ways, self.number = world, ways, 0
        self.random = random.Random(1)

    def numbers(self, n):
        self.number += n
        return list(range(self.number - n, self.number))

    def latency(self, n):
        """One at a time, in turns, at random moments: the kubelet looks at its pods once a second, and whoever comes right
        after a look would always come right after a look."""
        times = {name: [] for name in self.ways}
        self.ways["execq"].with_slots(1)
        for way in self.ways.values():
            way.burst(self.numbers(1), 1)  # warm
        before = {name: cpu_ms(way.pid) for name, way in self.ways.items()}
        asked = self.world.cluster.asked()
        for i in range(n):
            for name, way in self.ways.items():
                time.sleep(self.random.random())
                done = way.burst(self.numbers(1), 1)
                assert not done["wrong"], (name, done)
                times[name] += done["seconds"]
            print("  one at a time: %d of %d" % (i + 1, n), file=sys.stderr)
        time.sleep(2)  # what is tidied afterwards counts too
        cpu = {name: (cpu_ms(way.pid) - before[name]) / n for name, way in self.ways.items()}
        after = self.world.cluster.asked()
        left = {name: self.world.cluster.left(namespace) for name, (_, namespace) in ACCOUNTS.items()}
        asked = {name: {what: count - asked[name].get(what, 0) for what, count in after[name].items()
                        if count != asked[name].get(what, 0)} for name in after}
        return {"n": n, "seconds": times, "cpu_ms": cpu, "asked": asked, "left": left}

    def throughput(self, threads, n):
        rates = {}
        for name, way in self.ways.items():
            self.world.cluster.sweep()
            if name == "execq":
                way.with_slots(threads)
            done = way.burst(self.numbers(n), threads)
            rates[name] = {"rate": n / done["wall"], "median": statistics.median(done["seconds"]), "wrong": done["wrong"],
                           "memory": memory_mib(way.pid)}
            print("  %d at once: %s %.2f a second" % (threads, name, rates[name]["rate"]), file=sys.stderr)
        return rates


def machine(cluster):
    node = cluster.get("/api/v1/nodes/node-1")["status"]["nodeInfo"]
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return "%d processors (%s), Kubernetes %s, %s, gVisor systrap, Linux %s, Redis on the same machine" % (
        os.cpu_count(), model, node["kubeletVersion"], node["containerRuntimeVersion"], platform.release())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(TOP, "build/release"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    become_subreaper()
    world = World(options.build, cluster=Cluster)
    try:
        world.redis.start()
        world.cluster.start()
        world.cluster.sweep()
        ways = {"adk": Executor(world, "adk"), "execq": Execq(world), "pods": Executor(world, "pods")}
        bench = Bench(world, ways)
        found = {"machine": machine(world.cluster), "latency": bench.latency(3 if options.quick else 30), "throughput": {}}
        for threads in (1, 4, 8, 16):
            found["throughput"][threads] = bench.throughput(threads, max(4, threads) if options.quick else 24 + threads)
        world.cluster.sweep()
        for way in ("adk", "pods"):
            ways[way].process.stdin.close()
            ways[way].process.wait()
        ways["execq"].worker.end_cleanly()
        world.redis.kill()
        write_report(found, options.report)
    finally:
        world.close()


if __name__ == "__main__":
    main()
