#!/usr/bin/python3
"""What the runner adds to a snippet inside a pod, under each runtime of tests/cluster/up: a Python program that prints a line, started
directly, by the runner without namespaces, and by the runner with all that the runtime allows, in turns in one pod. Only
reported; nothing passes or fails.

    bench/runner_pods.py [--build build/release] [--runs 40]
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(TOP, "tests", "runner"))

from plans import plan  # noqa: E402

NAMESPACE, ARGV = "bench-runner", ["python3", "-c", "print('hello')"]
INSIDE = """import json, os, subprocess, sys, time
ways = {"directly": %r, "runner, no namespaces": ["/execq/runner", "--message", "/tmp/m", "/app/plan0"],
        "runner, all namespaces": ["/execq/runner", "--message", "/tmp/m", "/app/plan1"]}
taken = {way: [] for way in ways}
for i in range(%d + 3):
    for way, command in ways.items():
        began = time.monotonic()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if i >= 3:
            taken[way].append(1000 * (time.monotonic() - began))
sleeper = subprocess.Popen(["/execq/runner", "--message", "/tmp/m", "/app/sleep"], stdout=subprocess.DEVNULL)
time.sleep(0.5)
memory = [int(l.split()[1]) for l in open("/proc/%%d/status" %% sleeper.pid) if l.startswith("VmRSS")][0]
print(json.dumps({"taken": taken, "memory_kib": memory, "isolation": json.load(open("/tmp/m")).get("isolation", "?")
                  if os.path.getsize("/tmp/m") else "?"}))
"""


def kubectl(*words, **more):
    return subprocess.run([os.path.join(TOP, "tests/cluster/cluster"), "kubectl", *words], check=True, text=True,
                          stdout=subprocess.PIPE, **more).stdout


def pod(name, runtime_class, runner_map):
    limits = {"cpu": "2", "memory": "512Mi"}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsUser": 65532, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "image": "python:3.11-slim", "command": ["python3", "/app/inside.py"],
                            "resources": {"limits": limits, "requests": {"cpu": "100m", "memory": "64Mi"}},
                            "volumeMounts": [{"name": n, "mountPath": p} for n, p in
                                             (("app", "/app"), ("runner", "/execq"), ("tmp", "/tmp"), ("work", "/work"))]}],
            "volumes": [{"name": "app", "configMap": {"name": "plans"}},
                        {"name": "runner", "configMap": {"name": runner_map, "defaultMode": 0o555,
                                                         "items": [{"key": "amd64", "path": "runner"}]}},
                        {"name": "tmp", "emptyDir": {}}, {"name": "work", "emptyDir": {}}]}
    if runtime_class:
        spec["runtimeClassName"] = runtime_class
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def measure(name, runtime_class, runner_map):
    kubectl("-n", NAMESPACE, "create", "-f", "-", input=json.dumps(pod(name, runtime_class, runner_map)))
    for _ in range(300):
        if kubectl("-n", NAMESPACE, "get", "pod", name, "-o", "jsonpath={.status.phase}") in ("Succeeded", "Failed"):
            break
        time.sleep(1)
    return json.loads(kubectl("-n", NAMESPACE, "logs", name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    manifest = subprocess.run([os.path.join(options.build, "worker/execq-worker"), "--runner-manifest"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    plans = {"plan0": plan(ARGV, "/work", isolate=0), "plan1": plan(ARGV, "/work"), "sleep": plan(["sleep", "2"], "/work", isolate=0),
             "inside.py": (INSIDE % (ARGV, options.runs)).encode()}
    kubectl("create", "namespace", NAMESPACE)
    try:
        kubectl("-n", NAMESPACE, "create", "-f", "-", input=manifest)
        kubectl("-n", NAMESPACE, "create", "-f", "-", input=json.dumps({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plans"},
            "binaryData": {name: base64.b64encode(data).decode() for name, data in plans.items()}}))
        runner_map = json.loads(manifest)["metadata"]["name"]
        print("| | median | p95 | more than directly |\n|---|---|---|---|")
        for name, runtime_class in (("gvisor", "gvisor"), ("runc", "")):
            found = measure(name, runtime_class, runner_map)
            first = None
            for way, walls in found["taken"].items():
                walls.sort()
                median = walls[len(walls) // 2]
                first = median if first is None else first
                print("| %s: %s | %.1f ms | %.1f ms | %.1f ms |" % (name, way, median, walls[int(len(walls) * 0.95)], median - first))
            print("| %s: memory of the runner | %d KiB | | |" % (name, found["memory_kib"]))
        print("\n%d runs of each; load average %.1f" % (options.runs, os.getloadavg()[0]))
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


if __name__ == "__main__":
    main()
