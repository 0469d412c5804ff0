#!/usr/bin/python3
"""Runs the tests of test_runs.py and test_hostile.py in real pods, under each runtime class. TAP on stdout.

    KUBECONFIG=... tests/runner/on_kubernetes.py --runner build/release/runner/execq-runner-x86_64 \\
        [--runtime gvisor] [--runtime runc] [--measure N] [name ...]

It makes a namespace of its own and deletes it at the end. What needs the machine under the pod (signals from outside, files
prepared in the working directory, plans over a ConfigMap's megabyte) is skipped. --measure: N pods of a program that
prints a line, with the runner and without it, and what the kubelet and the log say of their times.
"""

import argparse
import base64
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import test_hostile  # noqa: E402
import test_runs  # noqa: E402

NAMESPACE = "runner-try"
IMAGE = "python:3.11-slim"


class Skip(Exception):
    pass


def kubectl(*arguments, given=None, check=True):
    done = subprocess.run(["kubectl", "-n", NAMESPACE, *arguments], input=given, capture_output=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError("kubectl %s: %s" % (" ".join(arguments[:3]), done.stderr.decode(errors="replace")))
    return done.stdout


def config_map(name, **data):
    binary = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "immutable": True, "binaryData": binary}


def pod(name, runtime, command, env, volumes, memory="256Mi"):
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532,
                            "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "code", "image": IMAGE, "command": command,
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": k, "value": v} for k, v in env.items()],
            "resources": {"limits": {"cpu": "1", "memory": memory}, "requests": {"cpu": "100m", "memory": "64Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": n, "mountPath": p, **({"subPath": s} if s else {})} for n, p, s, _ in volumes],
        }],
        "volumes": list({n: {"name": n, **source} for n, _, _, source in volumes}.values()),
    }
    if runtime != "runc":
        spec["runtimeClassName"] = runtime
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


class KubeRunner(harness.Runner):
    """As harness.Runner, one pod a run."""

    def __init__(self, binary, runtime):
        self.mode, self.runtime, self.pid1, self.count = "kube-" + runtime, runtime, True, 0
        self.finalizer = False
        self.isolation = "none" if runtime == "runc" else "full"
        with open(binary, "rb") as f:
            data = f.read()
        self.runner = "runner-" + hashlib.sha256(data).hexdigest()[:12]
        maps = config_map(self.runner, runner=data)
        kubectl("apply", "-f", "-", given=json.dumps(maps).encode())

    def close(self):
        pass

    def new_folder(self):
        raise Skip("needs the machine under the pod")

    def run(self, make_plan, env=None, before=None, during=None, prefix=()):
        plan = make_plan("/work")
        if before or during or prefix:
            raise Skip("needs the machine under the pod")
        if len(plan) > 700000:
            raise Skip("a plan over a ConfigMap's size")
        self.count += 1
        name = "%s-%d" % (self.runtime, self.count)
        volumes = [("plan", "/execq/plan", "plan", {"configMap": {"name": name, "defaultMode": 0o444}}),
                   ("runner", "/execq/runner", "runner", {"configMap": {"name": self.runner, "defaultMode": 0o555}}),
                   ("work", "/work", None, {"emptyDir": {}}), ("tmp", "/tmp", None, {"emptyDir": {}})]
        objects = [config_map(name, plan=plan),
                   pod(name, self.runtime, ["/execq/runner", "/execq/plan"], {"LC_ALL": "C.UTF-8", **(env or {})}, volumes)]
        if self.finalizer:
            objects[1]["metadata"]["finalizers"] = ["execq.dev/test"]
        kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}).encode())
        try:
            if self.finalizer:
                kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/" + name)
                time.sleep(3)
                kubectl("delete", "pod", name, "--grace-period=10", "--wait=false")
            ended = wait_for(name)
            log = kubectl("logs", name)
        finally:
            if self.finalizer:
                kubectl("patch", "pod", name, "--type=json", "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]', check=False)
            kubectl("delete", "pod,configmap", name, "--wait=false", check=False)
        self.ended = ended
        return harness.Answer(ended["exitCode"], ended.get("message", "").encode(), log, b"")


def wait_for(name):
    until = time.monotonic() + 90
    while time.monotonic() < until:
        got = json.loads(kubectl("get", "pod", name, "-o", "json"))
        for status in got["status"].get("containerStatuses", []):
            if "terminated" in status["state"]:
                return status["state"]["terminated"]
        time.sleep(0.2)
    raise harness.Wrong("the pod did not end: %s" % json.dumps(got["status"])[:2000])


def test_out_of_memory(r):
    """What this shows is written down in docs/runner.md."""
    answer = r.run(lambda cwd: r.plan([harness.PYTHON, "-S", "-c", "print('up', flush=True)\nx = bytearray(1 << 30)"], cwd))
    print("# %s: out of memory: exit code %s, reason %s, message %r" % (
        r.mode, answer.code, r.ended.get("reason"), answer.message[:400]), flush=True)
    if answer.code == harness.EXIT_REPORTED:
        run = harness.read_report(answer)["run"]
        test_runs.want((run["end"], run["signal"], run["stdout"]), ("signal", 9, "up\n"))
        test_runs.want(run.get("oom") or run.get("oom_suspected"), True)
    else:
        test_runs.want(r.ended["reason"], "OOMKilled")


def test_pod_taken_away(r):
    """A pod that is deleted reports what there was, within its grace; a finalizer lets us look."""
    r.finalizer = True
    try:
        answer = r.run(lambda cwd: r.plan([harness.PYTHON, "-S", "-c", "print('up', flush=True)\nimport time; time.sleep(60)"], cwd))
    finally:
        r.finalizer = False
    run = harness.read_report(answer)["run"]
    test_runs.want((run["end"], run["stdout"]), ("stopped", "up\n"))


def measure(runtime, runner, rounds):
    """Medians, in ms: from the creation of the pod to the time stamp of what the code printed."""
    code = "import time; print(time.time())"
    seconds = {True: [], False: []}
    inside = []
    for i in range(rounds):
        for wrapped in (True, False):
            began = time.time()
            if wrapped:
                answer = runner.python(code)
                printed = float(answer.out())
                inside.append(answer.report["wall_ms"])
            else:
                name = "%s-bare-%d" % (runtime, i)
                bare = pod(name, runtime, [harness.PYTHON, "-S", "-c", code], {}, [("tmp", "/tmp", None, {"emptyDir": {}})])
                kubectl("create", "-f", "-", given=json.dumps(bare).encode())
                wait_for(name)
                printed = float(kubectl("logs", name))
                kubectl("delete", "pod", name, "--wait=false")
            seconds[wrapped].append(printed - began)
    for wrapped, what in ((True, "with the runner"), (False, "without")):
        print("# %s: %s: code ran %d ms after kubectl create was started (median of %d)" % (
            runtime, what, 1000 * statistics.median(seconds[wrapped]), rounds))
    print("# %s: the runner itself, from its start to its report: %d ms" % (runtime, statistics.median(inside)))


def run_all(runner, names):
    good = True
    for module in (vars(test_runs), vars(test_hostile), globals()):
        for name, test in list(module.items()):
            if not name.startswith("test_") or not callable(test) or not any(n in name for n in names or [""]):
                continue
            try:
                test(runner)
                print("ok 1 - %s %s" % (runner.mode, name), flush=True)
            except Skip as why:
                print("ok 1 - %s %s # SKIP %s" % (runner.mode, name, why), flush=True)
            except Exception:  # also what the harness itself trips over
                good = False
                print("not ok 1 - %s %s" % (runner.mode, name))
                print("\n".join("# " + line for line in traceback.format_exc().splitlines()[-6:]), flush=True)
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runner", required=True)
    parser.add_argument("--runtime", action="append")
    parser.add_argument("--measure", type=int)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    good = True
    space = {"apiVersion": "v1", "kind": "Namespace",
             "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    subprocess.run(["kubectl", "apply", "-f", "-"], input=json.dumps(space).encode(), check=True, stdout=subprocess.DEVNULL)
    try:
        for runtime in options.runtime or ["gvisor", "runc"]:
            runner = KubeRunner(options.runner, runtime)
            if options.measure:
                measure(runtime, runner, options.measure)
            else:
                good = run_all(runner, options.names) and good
    finally:
        subprocess.run(["kubectl", "delete", "namespace", NAMESPACE, "--wait=true"], check=False, stdout=subprocess.DEVNULL)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
