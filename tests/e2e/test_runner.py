"""How the runner gets into the cluster: the ConfigMap that all pods share, and the worker that waits for it. And the
compile stage, which is the runner's business."""

import json
import shutil
import subprocess

from world import Skip, on_devcluster, until


def the_map(world):
    """What execq-worker --runner-manifest prints."""
    return json.loads(subprocess.run([world.program("worker", "execq-worker"), "--runner-manifest"], check=True,
                                     stdout=subprocess.PIPE, env=world.env).stdout)


def maps(world):
    return {o["metadata"]["name"]: o for o in world.cluster.objects("configmaps")
            if o["metadata"]["name"].startswith("execq-runner-")}


def path(world):
    return "/api/v1/namespaces/%s/configmaps" % getattr(world.cluster, "namespace", "default")


def claimed(world):
    return world.redis.call("LLEN", world.key("requests")) == 0


def gave_up(world, worker):
    assert worker.wait() == 1, worker.log()
    world.workers.remove(worker)
    return worker.log()


def test_one_map_for_all(world):
    """Two workers that start together; what they made is what --runner-manifest prints."""
    world.up(workers=2)
    assert world.run(code="print(1)")["stdout"] == "1\n"
    for w in world.workers:
        until("both know of it", lambda: "runner configmap=" in w.log())
    made, printed = maps(world), the_map(world)
    assert list(made) == [printed["metadata"]["name"]], made.keys()
    made = made[printed["metadata"]["name"]]
    assert made["immutable"] is True and made["binaryData"] == printed["binaryData"]
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "execq"
    assert not made["metadata"].get("ownerReferences")


def test_made_by_somebody_else(world):
    """The worker needs no right to create it then."""
    world.up(workers=0)
    world.cluster.request("POST", path(world), the_map(world))
    before = world.cluster.requests().get(("create", "configmaps"), 0)
    world.worker()
    until("it found it", lambda: "runner configmap=" in world.workers[0].log())
    assert world.cluster.requests().get(("create", "configmaps"), 0) == before
    assert world.run(code="print(1)")["stdout"] == "1\n"


@on_devcluster
def test_nothing_is_claimed_before_it_is_there(world):
    """While the cluster refuses it for the time being: a line in the log, and requests stay in the inbox."""
    world.up(workers=0)
    world.cluster.faults({"verb": "create", "resource": "configmaps", "match": "execq-runner-", "action": "503"})
    world.push(id="r", code="print('late')")
    worker = world.worker(call_budget="1s")
    until("it is asked for again: " + worker.log(), lambda: worker.log().count("again_ms=") >= 2)
    assert "leased=yes" in worker.log() and not claimed(world), worker.log()
    world.cluster.clear_faults()
    result = world.result("r")
    assert (result["stdout"], len(result["attempts"])) == ("late\n", 1), result


def test_other_content_under_its_name(world):
    world.up(workers=0)
    other = the_map(world)
    arch = next(iter(other["binaryData"]))
    other["binaryData"][arch] = "AAAA" + other["binaryData"][arch][4:]
    world.cluster.request("POST", path(world), other)
    world.push(id="r", code="print('in the end')")
    name = other["metadata"]["name"]
    log = gave_up(world, world.worker())
    assert "delete configmap %s" % name in log and "finished" not in log, log
    assert not claimed(world)
    world.cluster.request("DELETE", path(world) + "/" + name)
    world.worker()
    assert world.result("r")["stdout"] == "in the end\n"


@on_devcluster
def test_deleted_under_a_worker(world):
    """The pod cannot mount it: that attempt is lost, the next one has it again. (A real kubelet keeps what is immutable,
    as long as a pod of the node uses it.)"""
    world.up(start_budget="4s")
    assert world.run(code="print(1)")["stdout"] == "1\n"
    name = next(iter(maps(world)))
    world.cluster.request("DELETE", path(world) + "/" + name)
    result = world.run(code="print(2)")
    assert (result["status"], result["stdout"]) == ("ok", "2\n"), result
    assert result["attempts"][0].get("reason") == "mount" and len(result["attempts"]) == 2, result
    assert list(maps(world)) == [name]


@on_devcluster
def test_a_compile_stage(world):
    world.up()
    hello = '#include <stdio.h>\n#include <math.h>\nint main(void){int n;if(scanf("%d",&n)==1)printf("%g\\n",sqrt(n));return 0;}'
    result = world.run(language="c", code=hello, stdin="49")
    assert (result["status"], result["stdout"]) == ("ok", "7\n"), result
    result = world.run(language="c", code="int main(void) { return x; }")
    assert result["status"] == "compile_error" and len(result["attempts"]) == 1, result
    assert "main.c:1:" in result["stderr"] and "undeclared" in result["stderr"], result


@on_devcluster
def test_a_compile_stage_in_cpp(world):
    if not shutil.which("g++"):
        raise Skip("g++ is not installed")
    world.up()
    result = world.run(language="c++", code="#include <iostream>\nint main() { std::cout << 6 * 7 << std::endl; }")
    assert (result["status"], result["stdout"]) == ("ok", "42\n"), result
