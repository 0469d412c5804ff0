"""The ways in which a pipeline of Jobs fails on a real cluster: each has the status and the reason that docs/protocol.md promises,
is tried again as promised, and leaves nothing. docs/failure-modes.md is the table of them; with E2E_OBSERVED=FILE each test
adds what it saw to FILE, one line of JSON."""

import json
import os
import subprocess
import time

from identity import Identity
from proxy import Proxy
from real_cluster import CLUSTER
from test_real import FIRST_SLEEPS, NO_PYTHON, attempts, part, running
from world import until

SLEEPS = "import time\ntime.sleep(%d)\nprint('done', flush=True)"
# without it the API server would leave a Job's pods behind
BACKGROUND = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


class Mode:
    """One request, from its push to its result."""

    def __init__(self, world, name, **request):
        self.world, self.name, self.began = world, name, time.monotonic()
        self.id = world.push(**request)

    def result(self, expected, last_out=None):
        """Waits for it; `expected`: [(status, reason)] of the attempts."""
        result = self.world.result(self.id)
        seconds = time.monotonic() - self.began
        file = os.environ.get("E2E_OBSERVED")
        if file:
            with open(file, "a", encoding="utf-8") as f:
                f.write(json.dumps({"mode": self.name, "status": result["status"],
                                    "reason": result.get("error", {}).get("reason"),
                                    "message": result.get("error", {}).get("message"),
                                    "attempts": attempts(result), "seconds": round(seconds)}) + "\n")
        assert attempts(result) == expected, result
        assert (result["status"], result.get("error", {}).get("reason")) == expected[-1], result
        if last_out is not None:
            assert result["stdout"] == last_out, result
        return result


def alone(test):
    test.alone = True
    return test


def pods_of(world):
    return world.cluster.objects("pods")


def until_running(world):
    until(lambda: "it runs: " + world.worker_logs(), lambda: running(world))
    return running(world)[0]


def delete(world, resource, name, options=None):
    world.cluster.request("DELETE", world.cluster.path(resource, name), options)


# --- refused ---

def test_a_quota_of_pods(world):
    """The Job fits, its pod does not: nobody is charged, and it runs when there is room."""
    world.cluster.start()
    world.cluster.make_quota("no", {"pods": "0"})
    world.redis.start()
    worker = world.worker()
    mode = Mode(world, "quota, of pods", code=SLEEPS % 0)
    until(lambda: "it says so: " + worker.log(), lambda: worker.log().count("reason=quota") >= 2)
    assert not world.has_result(mode.id)
    delete(world, "resourcequotas", "no")
    mode.result([("ok", None)], "done\n")


def test_more_than_the_whole_quota(world):
    """No waiting can help: said at once, where others wait for room."""
    world.cluster.start()
    world.cluster.make_quota("small", {"limits.memory": "1Gi"})
    world.redis.start()
    worker = world.worker()
    result = Mode(world, "quota, request above all of it", memory="2Gi").result([("infra_error", "quota")])
    assert "limits.memory" in result["error"]["message"] and not result["error"]["retryable"], result
    assert "claiming-paused" not in worker.log(), worker.log()
    assert world.run(id="small")["status"] == "ok"


def test_a_limit_range(world):
    world.cluster.start()
    world.cluster.request("POST", world.cluster.path("limitranges"), {"metadata": {"name": "small"}, "spec": {"limits": [
        {"type": "Container", "max": {"memory": "32Mi"}}]}})
    world.redis.start()
    world.worker()
    result = Mode(world, "LimitRange", memory="256Mi").result([("infra_error", "admission")])
    assert "32Mi" in result["error"]["message"] and not result["error"]["retryable"], result


def test_pod_security(world):
    """Pods without a seccomp profile are not restricted enough."""
    world.up(seccomp="false")
    result = Mode(world, "Pod Security").result([("infra_error", "admission")])
    assert "violates PodSecurity" in result["error"]["message"] and "seccomp" in result["error"]["message"], result


def policy(resource, group, version):
    def test(world):
        worker = world.up()
        until("the runner's ConfigMap is there", lambda: "runner configmap=" in worker.log())
        name = world.cluster.namespace
        world.cluster.create(ADMISSION + "/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": {
            "failurePolicy": "Fail", "validations": [{"expression": "false", "message": "not on a Sunday"}],
            "matchConstraints": {"resourceRules": [{"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE"],
                                                    "resources": [resource]}],
                                 "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}}})
        world.cluster.create(ADMISSION + "/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": {
            "policyName": name, "validationActions": ["Deny"]}})
        until("the policy counts", lambda: refused(world, resource))
        result = Mode(world, "ValidatingAdmissionPolicy, on " + resource).result([("infra_error", "admission")])
        assert "not on a Sunday" in result["error"]["message"] and not result["error"]["retryable"], result

    return test


def restricted(containers):
    """A pod's spec that Pod Security admits."""
    return {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": containers, "securityContext": {
        "runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}}}


def container(*command, **more):
    return {"name": "c", "image": NO_PYTHON, "command": list(command), "securityContext": {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}, **more}


def refused(world, resource):
    spec = restricted([container("true")])
    body = {"configmaps": {}, "pods": {"spec": spec}, "jobs": {"spec": {"template": {"spec": spec}}}}[resource]
    try:
        world.cluster.request("POST", world.cluster.path(resource) + "?dryRun=All", {"metadata": {"name": "try"}, **body})
    except AssertionError as e:
        return "not on a Sunday" in str(e)
    return False


# --- does not start ---

def test_no_node_has_the_room(world):
    world.cluster.start()
    delete(world, "limitranges", "snippets")
    delete(world, "resourcequotas", "snippets")
    world.redis.start()
    world.worker(memory_max="512Gi", memory_request="90Gi", start_budget="8s")
    result = Mode(world, "unschedulable", memory="90Gi", retry={"infra": 1}).result([("infra_error", "unschedulable")] * 2)
    assert "Insufficient memory" in result["error"]["message"] and result["error"]["retryable"], result


def test_an_image_that_does_not_exist(world):
    """Its attempts end with image_pull; nothing runs, nothing stays."""
    world.up(images="execq.test/*", start_budget="12s")
    result = Mode(world, "image that does not exist", image="execq.test/nobody-made-this:1", retry={"infra": 1}).result(
        [("infra_error", "image_pull")] * 2)
    assert "nobody-made-this" in result["error"]["message"], result


def test_a_configmap_that_goes_before_it_is_mounted(world):
    world.up(start_budget="15s")
    part(world, "stop", "kube-scheduler")
    try:
        mode = Mode(world, "ConfigMap deleted before it is mounted", code=SLEEPS % 0)
        own = until("its ConfigMap is there", lambda: [m["metadata"]["name"] for m in world.cluster.objects("configmaps")
                                                        if m["metadata"].get("ownerReferences")])
        for name in own:
            delete(world, "configmaps", name)
    finally:
        part(world, "start", "kube-scheduler")
    mode.result([("infra_error", "mount"), ("ok", None)], "done\n")


# --- runs, and something happens to it ---

def out_of_memory(runtime_class):
    def test(world):
        world.up(runtime_class=runtime_class)
        Mode(world, "out of memory, " + (runtime_class or "runc"), memory="64Mi",
             code="x = []\nwhile True: x.append(bytearray(1 << 24))").result([("oom", None)])

    return test


def disk(runtime_class):
    def test(world):
        world.up(runtime_class=runtime_class)
        Mode(world, "more disk than allowed, " + (runtime_class or "runc"), disk="8Mi",
             code="import time\nwith open('/tmp/x', 'wb') as f:\n    for _ in range(64): f.write(bytes(1 << 20)); f.flush()\n"
                  "time.sleep(90)").result([("disk_limit", None)])

    return test


def test_a_pod_that_is_deleted_by_hand(world):
    world.up()
    mode = Mode(world, "pod deleted by hand", code=FIRST_SLEEPS % 60)
    delete(world, "pods", until_running(world))
    mode.result([("infra_error", "disrupted"), ("ok", None)], "done\n")


def test_a_job_that_is_deleted_by_hand(world):
    world.up()
    mode = Mode(world, "Job deleted by hand", code=FIRST_SLEEPS % 60)
    until_running(world)
    delete(world, "jobs", world.cluster.objects("jobs")[0]["metadata"]["name"], BACKGROUND)
    mode.result([("infra_error", "disrupted"), ("ok", None)], "done\n")


def test_a_job_that_is_deleted_while_its_pod_waits(world):
    world.up()
    part(world, "stop", "kube-scheduler")
    try:
        mode = Mode(world, "Job deleted before its pod starts", code=SLEEPS % 0)
        until("a pod waits", lambda: pods_of(world))
        until("the worker watches it", lambda: "to=await-pod" in world.worker_logs())
        delete(world, "jobs", world.cluster.objects("jobs")[0]["metadata"]["name"], BACKGROUND)
        until("the worker has seen it go", lambda: "retrying" in world.worker_logs())
    finally:
        part(world, "start", "kube-scheduler")
    mode.result([("infra_error", "disrupted"), ("ok", None)], "done\n")


def test_a_node_that_is_drained(world):
    world.up()
    mode = Mode(world, "eviction by the API (kubectl drain)", code=FIRST_SLEEPS % 60)
    pod = until_running(world)
    world.cluster.request("POST", world.cluster.path("pods", pod) + "/eviction", {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}})
    mode.result([("infra_error", "disrupted"), ("ok", None)], "done\n")


def test_preemption(world):
    world.up(cpu_request="1500m")
    world.cluster.create("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": world.cluster.namespace},
                                                                        "value": 1000})
    mode = Mode(world, "preemption", code=FIRST_SLEEPS % 60, cpu="1500m")
    until_running(world)
    world.cluster.request("POST", world.cluster.path("pods"), {"metadata": {"name": "important"}, "spec": {
        **restricted([container("sleep", "2", resources={"requests": {"cpu": "1500m"}, "limits": {"cpu": "1500m"}})]),
        "priorityClassName": world.cluster.namespace}})
    until("it is over", lambda: any(p["metadata"]["name"] == "important" and p["status"].get("phase") == "Succeeded"
                                    for p in pods_of(world)))
    delete(world, "pods", "important")
    mode.result([("infra_error", "disrupted"), ("ok", None)], "done\n")


def kubelet_setting(world, text):
    """Restarts the kubelet with this at the end of its settings; returns what puts it back."""
    path = os.path.join(world.cluster.dir, "etc", "kubelet.yaml")
    with open(path, encoding="utf-8") as f:
        before = f.read()

    def restart(settings):
        part(world, "stop", "kubelet")
        with open(path, "w", encoding="utf-8") as f:
            f.write(settings)
        part(world, "start", "kubelet")

    restart(before.replace("evictionHard: {}", text))
    return lambda: restart(before)


def node_is_ready(world, without=()):
    for node in world.cluster.get("/api/v1/nodes")["items"]:
        taints = [t["key"] for t in node["spec"].get("taints", [])]
        if not taints and any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"]):
            return not any(word in taints for word in without)
    return False


def test_a_node_that_is_short_of_something(world):
    """Nothing that the code did: the node evicts it, another attempt runs."""
    world.up()
    mode = Mode(world, "eviction by a node short of process numbers", code=FIRST_SLEEPS % 90)
    until_running(world)
    # memory or disk would not do: the kubelet does not start if more is to be kept free than there is
    put_back = kubelet_setting(world, 'evictionHard: {pid.available: "999999999"}')
    try:
        until(lambda: "it is evicted: " + world.worker_logs(), lambda: "retrying" in world.worker_logs())
    finally:
        put_back()
        until("the node is ready", lambda: node_is_ready(world))
    # a runner that had the time to say that it was told to stop is heard before the kubelet says why
    reason = world.result(mode.id)["attempts"][0]["reason"]
    assert reason in ("evicted", "disrupted"), reason
    result = mode.result([("infra_error", reason), ("ok", None)], "done\n")
    assert result["attempts"][0]["started"], result


# --- the node goes ---

def test_a_kubelet_that_is_away(world):
    """The node's state is not known for longer than the code may run: it is taken for lost."""
    world.up(call_budget="5s")
    mode = Mode(world, "kubelet away for longer than timeout_s", code=FIRST_SLEEPS % 14, timeout_s=15)
    until_running(world)
    part(world, "stop", "kubelet")
    try:
        until(lambda: "it is given up: " + world.worker_logs(), lambda: "retrying" in world.worker_logs())
    finally:
        part(world, "start", "kubelet")
    mode.result([("infra_error", "node_lost"), ("ok", None)], "done\n")
    until("the node is ready", lambda: node_is_ready(world))


def test_a_kubelet_that_tells_late(world):
    """The code ends in time. The kubelet, stopped in between, tells so when code and runner should be long done."""
    world.up(call_budget="30s")
    with open(os.path.join(world.cluster.dir, "pids", "kubelet"), encoding="utf-8") as f:
        kubelet = f.read().strip()
    timeout_s = 12
    mode = Mode(world, "kubelet that tells of the end 15 s late", code=SLEEPS % 8, timeout_s=timeout_s)
    until_running(world)
    subprocess.run([CLUSTER, "inside", "kill", "-STOP", kubelet], check=True)
    try:
        time.sleep(timeout_s + 10 + 2)  # the code's time and ten seconds for the runner: the node has been asked for a sign of life
    finally:
        subprocess.run([CLUSTER, "inside", "kill", "-CONT", kubelet], check=True)
    mode.result([("ok", None)], "done\n")


def test_a_node_that_is_deleted(world):
    world.up()
    mode = Mode(world, "node deleted", code=FIRST_SLEEPS % 90, timeout_s=100)
    until_running(world)
    part(world, "stop", "kubelet")
    world.cluster.request("DELETE", "/api/v1/nodes/node-1")
    try:
        until(lambda: "it is given up: " + world.worker_logs(), lambda: "retrying" in world.worker_logs())
    finally:
        part(world, "start", "kubelet")
    until("the node is ready", lambda: node_is_ready(world))
    mode.result([("infra_error", "node_lost"), ("ok", None)], "done\n")


# --- the API goes ---

def test_an_api_server_that_is_away_for_30_s(world):
    """While one request runs, one ends and one comes."""
    worker = world.up()
    modes = [Mode(world, "API server away for 30 s, while the code " + what, code=SLEEPS % s) for what, s in
             (("runs on", 45), ("ends", 20))]
    until("they run", lambda: len(running(world)) == 2)
    part(world, "stop", "kube-apiserver")
    modes.append(Mode(world, "API server away for 30 s, when the request comes", code=SLEEPS % 0))
    try:
        time.sleep(30)
    finally:
        part(world, "start", "kube-apiserver")
    # They look for it ever more seldom, and would take another minute to notice; what is tested is the worker.
    for name in ("kube-controller-manager", "kube-scheduler", "kubelet"):
        part(world, "stop", name)
        part(world, "start", name)
    for mode in modes[:2]:
        mode.result([("ok", None)], "done\n")
    result = world.result(modes[2].id)
    modes[2].result([("infra_error", "api")] * (len(result["attempts"]) - 1) + [("ok", None)], "done\n")
    assert worker.alive() and len(result["attempts"]) <= 2, result


def through_a_proxy(world, **settings):
    world.redis.start()
    world.cluster.start()
    who = Identity(world)
    host, _, port = world.cluster.base.split("//")[1].partition(":")
    proxy = Proxy((host, int(port or 443)))
    who.kubeconfig('token: "%s"' % who.token(), server=proxy.url())
    return proxy, world.worker(**settings)


def test_a_watch_that_is_cut(world):
    """Again and again, while pods start and end."""
    proxy, worker = through_a_proxy(world)
    modes = [Mode(world, "watch cut every half second, request %d" % i, code=SLEEPS % i) for i in range(5)]
    for _ in range(20):
        time.sleep(0.5)
        proxy.cut()
    for mode in modes:
        mode.result([("ok", None)], "done\n")
    assert "pods-watch-broken" in worker.log()
    worker.end_cleanly()
    proxy.close()


def test_connections_that_go_silent(world):
    """Nothing comes, nothing is closed; new connections are as silent until it is over."""
    proxy, worker = through_a_proxy(world, call_timeout="3s")
    mode = Mode(world, "connections that go silent for 12 s", code=SLEEPS % 8)
    until_running(world)
    proxy.mute = True
    time.sleep(12)
    proxy.mute = False
    mode.result([("ok", None)], "done\n")
    worker.end_cleanly()
    proxy.close()


def etcd(world, path, body):
    done = world.cluster.inside("curl", "-sf", "http://127.0.0.1:2379/v3" + path, "-d", json.dumps(body),
                                stdout=subprocess.PIPE, text=True)
    answer = done.communicate(timeout=30)[0]
    assert done.returncode == 0, answer
    return json.loads(answer)


def test_a_history_that_is_compacted(world):
    """A worker comes back to an API server that has forgotten what it saw last (410): it lists, and knows how the pod ended."""
    proxy, worker = through_a_proxy(world)
    mode = Mode(world, "etcd compacted, watch too old (410)", code=SLEEPS % 8)
    pod = until_running(world)
    proxy.refuse = True
    proxy.cut()
    until("it has ended", lambda: all(p["status"]["phase"] in ("Succeeded", "Failed") for p in pods_of(world)
                                      if p["metadata"]["name"] == pod))
    revision = int(etcd(world, "/kv/range", {"key": "Lw=="})["header"]["revision"])
    etcd(world, "/kv/compaction", {"revision": revision, "physical": True})
    part(world, "stop", "kube-apiserver")
    part(world, "start", "kube-apiserver")
    proxy.refuse = False
    mode.result([("ok", None)], "done\n")
    assert "pods-watch-too-old" in worker.log(), worker.log()
    worker.end_cleanly()
    proxy.close()


def no_way_to_the_kubelet(world, action):
    """What the API server sends to the kubelet is refused; the kubelet's own words still reach the API server."""
    done = world.cluster.inside("iptables", "-w", action, "OUTPUT", "-p", "tcp", "--dport", "10250", "-j", "REJECT",
                                "--reject-with", "tcp-reset")
    assert done.wait(30) == 0


def a_log_that_cannot_be_read(comes_back):
    """A long output, so that it has to come by the log."""

    def test(world):
        world.up(call_budget=None if comes_back else "3s")
        text = "x" * 99 + "\n"
        no_way_to_the_kubelet(world, "-I")
        try:
            mode = Mode(world, "log unreadable " + ("at first" if comes_back else "for good"), retry={"infra": 1},
                        code="print(%r * 1000, end='')" % text)
            if comes_back:
                until(lambda: "it is asked for in vain: " + world.worker_logs(), lambda: len(
                    [e for e, _, what in world.cluster.asked() if what == "pods/log" and e["responseStatus"]["code"] >= 500]) >= 2)
            else:
                mode.result([("infra_error", "log_lost")] * 2)
        finally:
            no_way_to_the_kubelet(world, "-D")
        if comes_back:
            mode.result([("ok", None)], text * 1000)

    return test


# --- names that are taken ---

def taken(change):
    """The name of the second attempt has a Job like ours, but for one thing: it goes, ours runs."""

    def test(world):
        world.up()
        mode = Mode(world, "a Job of our name: " + change, code=FIRST_SLEEPS % 60)
        pod = until_running(world)
        job = world.cluster.objects("jobs")[0]
        meta, spec = job["metadata"], job["spec"]
        assert meta["name"].endswith("-1"), meta["name"]
        name = meta["name"][:-1] + "2"
        for key in ("selector", "manualSelector"):
            spec.pop(key, None)
        labels, notes = dict(meta["labels"]), dict(meta["annotations"])
        spec["template"]["metadata"]["labels"] = {"app": "not-ours"}
        if change == "other digest":
            notes = {k: "0" * 64 if "digest" in k else v for k, v in notes.items()}
        elif change == "other installation":
            labels = {k: "somebody" if "installation" in k else v for k, v in labels.items()}
        held = ["execq.test/hold"] if change == "being deleted" else []
        assert change == "being deleted" or (labels, notes) != (meta["labels"], meta["annotations"]), (labels, notes)
        path = world.cluster.path("jobs", name)
        world.cluster.request("POST", world.cluster.path("jobs"), {"metadata": {
            "name": name, "labels": labels, "annotations": notes, "finalizers": held}, "spec": spec})
        if held:
            delete(world, "jobs", name, BACKGROUND)
        delete(world, "pods", pod)
        if held:
            until("the second attempt is at it: " + world.worker_logs(), lambda: "retrying" in world.worker_logs())
            time.sleep(4)
            world.cluster.request("PATCH", path, [{"op": "remove", "path": "/metadata/finalizers"}],
                                  content="application/json-patch+json")
        mode.result([("infra_error", "disrupted"), ("ok", None)], "done\n")

    return test


for _test in (test_a_configmap_that_goes_before_it_is_mounted, test_a_job_that_is_deleted_while_its_pod_waits, test_preemption,
              test_a_node_that_is_short_of_something, test_a_kubelet_that_is_away, test_a_kubelet_that_tells_late,
              test_a_node_that_is_deleted, test_an_api_server_that_is_away_for_30_s, test_a_history_that_is_compacted):
    alone(_test)

TESTS = [("a policy on " + row[0], policy(*row)) for row in
         (("jobs", "batch", "v1"), ("pods", "", "v1"), ("configmaps", "", "v1"))] + \
    [("out of memory with " + (r or "runc"), out_of_memory(r)) for r in ("", "gvisor")] + \
    [("more disk than allowed with " + (r or "runc"), disk(r)) for r in ("", "gvisor")] + \
    [("a job of our name: " + change, taken(change)) for change in
     ("other digest", "other installation", "being deleted")] + \
    [("a log that cannot be read" + (" at first" if back else ""), alone(a_log_that_cannot_be_read(back)))
     for back in (True, False)]
