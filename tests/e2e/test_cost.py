"""What a request costs the API server, and what rights a worker needs."""

import json
import os
import shutil
import subprocess

from world import TOP, Skip, on_devcluster, until


def spent_on(world, n, code):
    """{(verb, resource): how many} for so many runs of this code, watches apart."""
    world.up(sweep="1h")
    world.run(id="warm")
    world.nothing_left()
    before = world.cluster.requests()
    ids = [world.push(code=code % i) for i in range(n)]
    for id_ in ids:
        assert world.result(id_)["status"] == "ok"
    deleted = before.get(("delete", "jobs"), 0) + n  # the last one may still be on its way when its claim is gone
    until("all is tidied", lambda: not world.held() and world.cluster.requests().get(("delete", "jobs"), 0) >= deleted)
    after = world.cluster.requests()
    world.nothing_left()
    spent = {k: after[k] - before.get(k, 0) for k in after if after[k] != before.get(k, 0)}
    looked = {k: spent.pop(k) for k in list(spent) if k[0] in ("list", "watch")}  # ours, and resumed watches
    assert all(k[1] in ("pods", "jobs", "configmaps") for k in looked), looked
    return spent


def test_three_requests_a_snippet(world):
    """Create Job, create ConfigMap, delete Job: the result came with the pod's state."""
    n = world.many(25)
    spent = spent_on(world, n, "print(%d)")
    assert spent == {("create", "jobs"): n, ("create", "configmaps"): n, ("delete", "jobs"): n}, spent


def test_one_more_for_a_long_output(world):
    spent = spent_on(world, 8, "print('x' * 10000, %d)")
    assert spent == {("create", "jobs"): 8, ("create", "configmaps"): 8, ("log", "pods"): 8, ("delete", "jobs"): 8}, spent


@on_devcluster
def test_the_role_is_enough(world):
    """Everything that a worker asks for in a run with faults stands in the Role of deploy/base."""
    if not shutil.which("kubectl"):
        raise Skip("kubectl is not installed")
    yaml = subprocess.run(["kubectl", "kustomize", os.path.join(TOP, "deploy/base")], check=True,
                          stdout=subprocess.PIPE).stdout
    text = subprocess.run(["kubectl", "label", "--local", "--dry-run=client", "-f", "-", "-o", "json", "a=b"], check=True,
                          input=yaml, stdout=subprocess.PIPE).stdout.decode()
    decoder, allowed, at = json.JSONDecoder(), set(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        o, at = decoder.raw_decode(text, at)
        if o["kind"] == "Role":
            for rule in o["rules"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        allowed.add((resource[5:], "pods") if resource.startswith("pods/") else (verb, resource))
    first = world.up(lease="1s", start_budget="7s", call_timeout="1s")
    asked = set()
    world.cluster.faults({"verb": "create", "resource": "jobs", "action": "lose_reply", "count": 2},
                         {"verb": "create", "resource": "configmaps", "action": "lose_reply", "count": 2},
                         {"verb": "watch", "resource": "pods", "action": "410_event", "count": 1},
                         {"pod": "*", "action": "never_schedule", "count": 1},
                         {"pod": "*", "action": "no_pod", "count": 1})
    for i in range(6):
        world.push(id="a%d" % i, code="import time\ntime.sleep(1)")
    until("some run", lambda: len(world.cluster.objects("pods")) >= 2)
    first.kill()
    world.worker(lease="1s", start_budget="7s", call_timeout="1s")
    for i in range(6):
        world.result("a%d" % i)
    # no request to the API of the test's own: only /metrics, and look() lists objects, which is left out here
    asked |= {k for k in world.cluster.requests() if k[0] not in ("list",) or k[1] in ("jobs", "pods", "events")}
    assert ("get", "jobs") in asked and ("get", "configmaps") in asked, "no adoption happened: %s" % asked
    assert asked <= allowed, "not in the Role: %s" % sorted(asked - allowed)
