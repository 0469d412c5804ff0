"""A devcluster of its own, what asks it, and the objects that tests make there."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time

from world import PATIENCE, until


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Cluster:
    def __init__(self, program, *options):
        self.dir = tempfile.mkdtemp(prefix="devcluster-smoke.")
        self.kubeconfig = os.path.join(self.dir, "kubeconfig")
        self.log_path = os.path.join(self.dir, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "--dir", os.path.join(self.dir, "state"), "--kubeconfig", self.kubeconfig, *options],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        self.ready = self.process.stdout.readline().decode()
        assert "https://" in self.ready, self.log()
        with open(self.kubeconfig, encoding="utf-8") as f:
            text = f.read()
        self.host, self.port = re.search(r"server: https://([^:]+):(\d+)", text).groups()
        self.token = re.search(r"token: (\S+)", text).group(1)
        ca = base64.b64decode(re.search(r"certificate-authority-data: (\S+)", text).group(1)).decode()
        self.tls = ssl.create_default_context(cadata=ca)
        self.connection = None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def connect(self, timeout=PATIENCE):
        return http.client.HTTPSConnection(self.host, int(self.port), timeout=timeout, context=self.tls)

    def call(self, method, path, body=None, token=True, headers=(), fresh=False, timeout=PATIENCE):
        """One request, on the kept connection unless `fresh`."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        sent = dict(headers)
        if token:
            sent.setdefault("Authorization", "Bearer " + self.token)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = self.connect(timeout) if fresh or not self.connection else self.connection
        try:
            connection.request(method, path, body=data, headers=sent)
            reply = connection.getresponse()
            result = Reply(reply.status, reply.headers, reply.read())
        except BaseException:
            connection.close()
            if connection is self.connection:
                self.connection = None
            raise
        if fresh:
            connection.close()
        else:
            self.connection = connection
        return result

    def get(self, path):
        reply = self.call("GET", path)
        assert reply.status == 200, (path, reply.status, reply.body)
        return reply.json

    def create(self, path, body, expect=201):
        reply = self.call("POST", path, body)
        assert reply.status == expect, (path, reply.status, reply.body)
        return reply.json

    def faults(self, *rules):
        self.create("/devcluster/faults", list(rules), 200)

    def hits(self):
        return [rule["hits"] for rule in self.get("/devcluster/faults")]

    def metric(self, name):
        for line in self.call("GET", "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0

    def watch(self, path):
        return Watch(self, path)

    def empty(self):
        """No object of a test is left over, no pod runs."""
        for path in (JOBS, PODS, CMS):
            self.call("DELETE", path, {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
        until("it is empty", lambda: not any(self.get(p)["items"] for p in (JOBS, PODS, CMS)))
        until("no pod runs", lambda: self.metric("execq_devcluster_pods_running") == 0)

    def stop(self):
        if self.connection:
            self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code

    def clean(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Watch:
    """A watch on a connection of its own, line by line."""

    def __init__(self, cluster, path):
        self.connection = cluster.connect()
        self.connection.request("GET", path + ("&" if "?" in path else "?") + "watch=true",
                                headers={"Authorization": "Bearer " + cluster.token})
        self.reply = self.connection.getresponse()
        self.status = self.reply.status

    def next(self):
        line = self.reply.readline()
        return json.loads(line) if line.endswith(b"\n") else line

    def until(self, kind, name=None):
        while True:
            event = self.next()
            assert isinstance(event, dict), "the watch ended with %r" % event
            if event["type"] == kind and name in (None, event["object"]["metadata"].get("name")):
                return event["object"]

    def until_phase(self, *phases):
        while True:
            event = self.next()
            assert isinstance(event, dict), "the watch ended with %r" % event
            if event["object"].get("status", {}).get("phase") in phases:
                return event["object"]

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


NS = "/api/v1/namespaces/default"
PODS, CMS, EVENTS = NS + "/pods", NS + "/configmaps", NS + "/events"
JOBS = "/apis/batch/v1/namespaces/default/jobs"


def job(name, code=None, command=None, memory="512Mi", deadline=60, labels=None, pod=None, container=None, **spec):
    """A Job as the worker makes it; `code` comes as an argument."""
    return {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"backoffLimit": 0, **spec, "template": {"metadata": {"labels": labels or {}}, "spec": {
            "restartPolicy": "Never", "activeDeadlineSeconds": deadline, "terminationGracePeriodSeconds": 0,
            **(pod or {}), "containers": [{
                "name": "main", "image": "python:3.11-slim", "command": command or ["python3", "-c", code],
                "resources": {"limits": {"memory": memory}},
                "securityContext": {"readOnlyRootFilesystem": True}, **(container or {})}]}}}}


def cm(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod_of(c, name):
    items = c.get(PODS + "?labelSelector=job-name%3D" + name)["items"]
    return items[0] if items else None


def ended(c, name):
    def look():
        pod = pod_of(c, name)
        return pod if pod and pod["status"]["phase"] in ("Succeeded", "Failed") else None

    return until("the pod of %s ends" % name, look)


def terminated(pod):
    return pod["status"]["containerStatuses"][0]["state"]["terminated"]


def log_of(c, pod, query=""):
    reply = c.call("GET", "%s/%s/log%s" % (PODS, pod["metadata"]["name"], query))
    assert reply.status == 200, reply.body
    return reply.body.decode()


def run(c, name, code=None, **how):
    """Runs a Job to its end: its pod and log."""
    c.create(JOBS, job(name, code, **how))
    pod = ended(c, name)
    return pod, log_of(c, pod)
