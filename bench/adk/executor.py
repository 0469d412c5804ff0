"""Runs snippets as it is told on stdin, one JSON object a line, by GkeCodeExecutor or as bare pods; answers on stdout.
Runs in a Python that has google-adk and kubernetes.

    {"how": "adk" | "pods", "numbers": [1, 2, ...], "threads": 4}  ->  [[3.9, 3.9, true], [4.1, 4.1, true], ...]

Each snippet prints its number. One thread takes one snippet after the other, as callers of the executor do. The answer has
the ends in the order that they came: seconds since the order, seconds that this one took, was it right?
"""

import json
import logging
import queue
import sys
import threading
import time
import types

from google.adk.code_executors.code_execution_utils import CodeExecutionInput
from google.adk.code_executors.gke_code_executor import GkeCodeExecutor
from kubernetes import client, config, watch

logging.disable(logging.ERROR)
KUBECONFIG, NAMESPACE, CPU_REQUEST = sys.argv[1:4]


class Adk:
    def __init__(self):
        self.executor = GkeCodeExecutor(kubeconfig_path=KUBECONFIG, namespace=NAMESPACE, cpu_requested=CPU_REQUEST)
        self.context = types.SimpleNamespace(invocation_id="bench")

    def run(self, number):
        result = self.executor.execute_code(self.context, CodeExecutionInput(code="print(%d)" % number))
        return result.stdout == "%d\n" % number


class Pods:
    """No executor: pods as small as they can be, created in a loop and seen to end on one watch. What the node can do."""

    def __init__(self):
        config.load_kube_config(KUBECONFIG)
        self.core, self.ended = client.CoreV1Api(), {}
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        while True:
            for event in watch.Watch().stream(self.core.list_namespaced_pod, NAMESPACE, label_selector="bench=pods",
                                              _request_timeout=3600):
                pod = event["object"]
                if pod.status.phase in ("Succeeded", "Failed") and pod.metadata.name in self.ended:
                    self.ended.pop(pod.metadata.name).put(pod.status.phase == "Succeeded")

    def run(self, number):
        name, answer = "bare-%d-%d" % (number, time.monotonic_ns()), queue.Queue()
        self.ended[name] = answer
        self.core.create_namespaced_pod(NAMESPACE, {
            "metadata": {"name": name, "labels": {"bench": "pods"}},
            "spec": {"restartPolicy": "Never", "runtimeClassName": "gvisor", "automountServiceAccountToken": False,
                     "containers": [{"name": "c", "image": "python:3.11-slim", "imagePullPolicy": "IfNotPresent",
                                     "command": ["python3", "-c", "print(%d)" % number],
                                     "resources": {"requests": {"cpu": CPU_REQUEST, "memory": "256Mi"},
                                                   "limits": {"cpu": "500m", "memory": "512Mi"}}}]}})
        well = answer.get(timeout=300)
        self.core.delete_namespaced_pod(name, NAMESPACE)
        return well


def burst(worker, numbers, threads):
    waiting, ends, lock, began = list(reversed(numbers)), [], threading.Lock(), time.monotonic()

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                number = waiting.pop()
            started = time.monotonic()
            try:
                right = worker.run(number)
            except Exception as e:  # the API server's no, a time-out: this snippet has failed, the thread goes on
                print("%d: %r" % (number, e), file=sys.stderr)
                right = False
            with lock:
                ended = time.monotonic()
                ends.append((ended - began, ended - started, right))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for t in workers:
        t.start()
    for t in workers:
        t.join()
    return ends


def main():
    made = {}
    print("{}", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["how"] not in made:
            made[order["how"]] = Adk() if order["how"] == "adk" else Pods()
        print(json.dumps(burst(made[order["how"]], order["numbers"], order["threads"])), flush=True)


main()
