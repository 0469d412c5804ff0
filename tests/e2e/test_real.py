"""What only a real Kubernetes can show: its kubelet's words for what went wrong, quotas, an API server that restarts."""

import json
import os
import subprocess
import time

from real_cluster import CLUSTER
from world import until

NO_PYTHON = "execq.test/no-python:1"

# Sleeps in the first attempt only, whose number is in its pod's name: long enough for whatever a busy machine takes to disturb it,
# and what follows need not wait as long again.
FIRST_SLEEPS = "import socket, time\nif socket.gethostname().split('-')[2] == '1': time.sleep(%d)\nprint('done', flush=True)"


def attempts(result):
    return [(a["status"], a["reason"]) for a in result["attempts"]]


def running(world):
    return [p["metadata"]["name"] for p in world.cluster.objects("pods") if p.get("status", {}).get("phase") == "Running"]


def a_long_print(runtime_class):
    """One print() of more than a pipe takes at once: all of it, or a result that says it is cut."""

    def test(world):
        world.up(runtime_class=runtime_class)
        result = world.run(code="print('x' * 300000)\nprint('end')")
        assert result["status"] == "ok" and not result["stdout_truncated"], result["status"]
        assert result["stdout"] == "x" * 300000 + "\nend\n", len(result["stdout"])

    return test


def test_an_image_without_python(world):
    """The request names the image, so it is the caller's business: said at once, and not tried again."""
    for runtime_class in ("", "gvisor"):
        world.queue = "q" + runtime_class
        if not runtime_class:
            world.up(images="execq.test/*", runtime_class="")
        else:
            world.worker(images="execq.test/*", runtime_class=runtime_class)
        result = world.run(image=NO_PYTHON)
        assert result["status"] == "invalid" and len(result["attempts"]) == 1, result
        assert "python3" in result["error"]["message"], result


def test_another_language(world):
    world.up(language="shell=%s,code.sh,sh,/app/code.sh" % NO_PYTHON)
    result = world.run(language="shell", code="echo $((6 * 7)); exit 3")
    assert (result["status"], result["exit_code"], result["stdout"]) == ("nonzero_exit", 3, "42\n"), result


def test_no_network_at_all(world):
    world.up(runtime_class="gvisor-no-network")
    result = world.run(code="import socket\ntry:\n    socket.create_connection(('10.96.0.1', 443), 3)\n    print('open')\n"
                            "except OSError as e:\n    print('closed')")
    assert result["stdout"] == "closed\n", result


def test_a_pod_that_is_deleted(world):
    world.up()
    world.push(id="r", code=FIRST_SLEEPS % 60, retry={"infra": 2})
    until("it runs", lambda: running(world))
    pod = running(world)[0]
    world.cluster.request("DELETE", "/api/v1/namespaces/%s/pods/%s?gracePeriodSeconds=0" % (world.cluster.namespace, pod))
    result = world.result("r")
    assert (result["status"], result["stdout"]) == ("ok", "done\n"), result
    assert attempts(result) == [("infra_error", "disrupted"), ("ok", None)], result


def test_names_that_are_taken(world):
    """Somebody has a Job and a ConfigMap of the names that the second attempt will have: they go, the request runs."""
    world.up()
    world.push(id="r", code=FIRST_SLEEPS % 60, retry={"infra": 2})
    until("it runs", lambda: running(world))
    first = world.cluster.objects("jobs")[0]["metadata"]["name"]
    assert first.endswith("-1"), first
    meta = {"name": first[:-1] + "2"}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "securityContext": {
        "runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
           "containers": [{"name": "c", "image": NO_PYTHON, "command": ["sleep", "100"], "securityContext": {
               "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}
    namespace = world.cluster.namespace
    world.cluster.request("POST", "/apis/batch/v1/namespaces/%s/jobs" % namespace,
                          {"metadata": meta, "spec": {"template": {"spec": pod}}})
    world.cluster.request("POST", "/api/v1/namespaces/%s/configmaps" % namespace, {"metadata": meta, "data": {"code": "x"}})
    victim = next(p for p in world.cluster.objects("pods") if p["metadata"]["name"].startswith(first))
    world.cluster.request("DELETE", "/api/v1/namespaces/%s/pods/%s?gracePeriodSeconds=0" % (namespace,
                                                                                            victim["metadata"]["name"]))
    result = world.result("r")
    assert (result["status"], result["stdout"]) == ("ok", "done\n"), result
    assert attempts(result) == [("infra_error", "disrupted"), ("ok", None)], result


def test_a_quota_that_is_full(world):
    """Room for two Jobs: nobody fails, the others wait."""
    world.cluster.start()
    world.cluster.make_quota("small", {"count/jobs.batch": "2"})
    world.redis.start()
    world.worker(slots=6)
    ids = [world.push(code="print(%d)" % i) for i in range(8)]
    for i, id_ in enumerate(ids):
        result = world.result(id_)
        assert (result["status"], result["stdout"]) == ("ok", "%d\n" % i), result
        assert len(result["attempts"]) == 1, result


def test_pods_that_must_wait_for_room(world):
    """More than the node's processors, by their requests: those that are over it are Pending until others have ended."""
    world.up(cpu_request="400m", slots=12)
    ids = [world.push(code="print(%d)" % i) for i in range(12)]
    for i, id_ in enumerate(ids):
        result = world.result(id_)
        assert (result["status"], result["stdout"], len(result["attempts"])) == ("ok", "%d\n" % i, 1), result


def part(world, action, name):
    subprocess.run([CLUSTER, action, name], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if action == "start" and name in ("kube-apiserver", "etcd"):
        until("the API answers", lambda: subprocess.run([CLUSTER, "status"], check=False, stdout=subprocess.DEVNULL,
                                                        stderr=subprocess.DEVNULL).returncode == 0)


def restart_of(name, seconds):
    """While snippets start, run and end."""

    def test(world):
        worker = world.up(slots=6)
        ids = [world.push(code="import time\ntime.sleep(%d)\nprint(%d)" % (i % 4, i)) for i in range(10)]
        until("some run", lambda: running(world))
        part(world, "stop", name)
        try:
            time.sleep(seconds)
        finally:
            part(world, "start", name)
        for i, id_ in enumerate(ids):
            result = world.result(id_)
            assert (result["status"], result["stdout"]) == ("ok", "%d\n" % i), result
        assert worker.alive()

    test.alone = True
    return test


def test_a_token_that_is_not_valid(world):
    """The worker leaves and says why, or waits and says why; it never burns requests."""
    world.cluster.start()
    world.redis.start()
    with open(world.cluster.kubeconfig, encoding="utf-8") as f:
        text = f.read()
    with open(world.cluster.kubeconfig, "w", encoding="utf-8") as f:
        f.write(text.replace('token: "', 'token: "x'))
    worker = world.worker()
    id_ = world.push(code="print(1)")
    until("it says so: " + worker.log(), lambda: "HTTP 401" in worker.log())
    time.sleep(2)
    assert not world.has_result(id_)
    worker.kill()
    with open(world.cluster.kubeconfig, "w", encoding="utf-8") as f:
        f.write(text)
    world.worker()
    assert world.result(id_)["status"] == "ok"


def test_a_server_name_of_its_own(world):
    """A kubeconfig whose address is not in the certificate, but its tls-server-name is."""
    world.cluster.start()
    world.redis.start()
    with open(os.path.join(world.cluster.dir, "kubeconfig-tls-server-name"), encoding="utf-8") as f:
        server = f.read().split("server: ", 1)[1].split("\n", 1)[0]
    with open(world.cluster.kubeconfig, encoding="utf-8") as f:
        text = f.read()
    text = text.replace("server: " + world.cluster.base, "server: %s\n      tls-server-name: kubernetes.test" % server)
    with open(world.cluster.kubeconfig, "w", encoding="utf-8") as f:
        f.write(text)
    world.worker()
    assert world.run(code="print(1)")["stdout"] == "1\n"


def test_fifty_at_once(world):
    world.up(slots=64)
    lines = [json.dumps({"id": "b%d" % i, "code": "print(%d)" % i}) for i in range(50)]
    world.redis.call.pipeline([("RPUSH", world.key("requests"), line) for line in lines])
    for i in range(50):
        result = world.result("b%d" % i)
        assert (result["status"], result["stdout"], len(result["attempts"])) == ("ok", "%d\n" % i, 1), result


test_fifty_at_once.alone = True  # they keep the node busy for most of a start budget


TESTS = [("a long print with " + (r or "runc"), a_long_print(r)) for r in ("", "gvisor")] + \
    [("%s is away for %d s" % (n, s), restart_of(n, s)) for n, s in
     (("kube-apiserver", 3), ("etcd", 2), ("kubelet", 3), ("kube-controller-manager", 3))]


def test_an_open_network_is_refused(world):
    """With runc the runner cannot take the pod's network away, and this cluster's plugin enforces no policies."""
    world.up(workers=0)
    world.push(id="r", code="print('all the same')")
    worker = world.worker(canary="python", runtime_class="")
    assert worker.wait() == 1, worker.log()
    world.workers.remove(worker)
    assert "check=network state=bad" in worker.log() and "the API server" in worker.log(), worker.log()
    assert "allow-open-network" in worker.log(), worker.log()
    assert world.redis.call("LLEN", world.key("requests")) == 1
    worker = world.worker(canary="python", runtime_class="", allow_open_network="true")
    assert world.result("r")["stdout"] == "all the same\n"
    assert "check=network state=warning" in worker.log(), worker.log()
