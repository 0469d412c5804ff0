#!/usr/bin/env python3
"""The devcluster by itself, over its own API: verbs, watches, deletion, Jobs, pods, ordered faults.

usage: devcluster_smoke.py PATH-OF-execq-devcluster [--skip-kubectl] [NAME...]

Prints TAP; exits with 1 if a test failed. Needs nothing beside Python's library, and bubblewrap."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PATIENCE = 60  # seconds until what should happen counts as not happening; never a measure of speed


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (PATIENCE, what))
        time.sleep(0.02)


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


# --- the API --------------------------------------------------------------------------------------------------------


def test_token_and_health(c):
    for path in (PODS, "/api", "/metrics", "/devcluster/faults"):
        reply = c.call("GET", path, token=False)
        assert reply.status == 401 and reply.json["reason"] == "Unauthorized", path
        assert c.call("GET", path, headers={"Authorization": "Bearer wrong"}).status == 401
    for path in ("/healthz", "/livez", "/readyz"):
        assert c.call("GET", path, token=False).body == b"ok"
    assert c.get("/version")["gitVersion"].startswith("v1.")
    assert os.stat(c.kubeconfig).st_mode & 0o777 == 0o600


def test_discovery(c):
    assert c.get("/api")["versions"] == ["v1"]
    assert "batch" in [g["name"] for g in c.get("/apis")["groups"]]
    names = [r["name"] for r in c.get("/api/v1")["resources"]]
    assert {"pods", "pods/log", "configmaps", "events", "namespaces"} <= set(names), names
    assert [r["kind"] for r in c.get("/apis/batch/v1")["resources"]][0] == "Job"


def test_not_there(c):
    for path in ("/nonsense", "/apis/nope/v1/things", NS + "/nopes"):
        assert c.call("GET", path).status == 404
    reply = c.call("GET", CMS + "/absent")
    assert reply.status == 404 and reply.json["reason"] == "NotFound" and reply.json["kind"] == "Status"
    assert c.call("POST", "/api/v1/namespaces/absent/configmaps", cm("a")).status == 404
    assert c.call("POST", CMS + "/absent", cm("a")).status == 405
    assert c.call("POST", "/api/v1/nodes", {"metadata": {"name": "n"}}).status == 405


REFUSED = [
    # what, path, body, code, reason
    ("no JSON", CMS, b"{", 400, "BadRequest"),
    ("two values", CMS, b"{}{}", 400, "BadRequest"),
    ("a list", CMS, b"[]", 400, "BadRequest"),
    ("nothing", CMS, b"", 400, "BadRequest"),
    ("no name", CMS, {"data": {}}, 422, "Invalid"),
    ("a bad name", CMS, cm("Not_a_name"), 422, "Invalid"),
    ("another kind", CMS, {**cm("a"), "kind": "Pod"}, 400, "BadRequest"),
    ("another version", CMS, {**cm("a"), "apiVersion": "v2"}, 400, "BadRequest"),
    ("an unknown field", CMS, {**cm("a"), "dta": {}}, 400, "BadRequest"),
    ("another namespace", CMS, {"metadata": {"name": "a", "namespace": "b"}}, 400, "BadRequest"),
    ("numbers as data", CMS, {"metadata": {"name": "a"}, "data": {"k": 1}}, 400, "BadRequest"),
    ("a bad key", CMS, cm("a", **{"k/l": "v"}), 422, "Invalid"),
    ("no base64", CMS, {"metadata": {"name": "a"}, "binaryData": {"k": "?"}}, 400, "BadRequest"),
    ("a bad label", CMS, {"metadata": {"name": "a", "labels": {"k": "a b"}}}, 422, "Invalid"),
    ("half an owner", CMS, {"metadata": {"name": "a", "ownerReferences": [{"name": "x"}]}}, 422, "Invalid"),
    ("too much data", CMS, cm("a", k="x" * (1024 * 1024 + 1)), 422, "Invalid"),
    ("too large", CMS, cm("a", k="x" * (3 * 1024 * 1024)), 413, "RequestEntityTooLarge"),
    ("a Job without a spec", JOBS, {"metadata": {"name": "a"}}, 422, "Invalid"),
    ("a Job with a long name", JOBS, job("a" * 64, "1"), 422, "Invalid"),
    ("a Job that restarts", JOBS, job("a", "1", pod={"restartPolicy": "Always"}), 422, "Invalid"),
    ("a Job without a container", JOBS, job("a", "1", pod={"x": 1, "containers": []}), 422, "Invalid"),
    ("a mount of nothing", JOBS, job("a", "1", container={"volumeMounts": [{"name": "x", "mountPath": "/x"}]}), 422,
     "Invalid"),
    ("a bad quantity", JOBS, job("a", "1", memory="lots"), 400, "BadRequest"),
    ("no command", JOBS, job("a", "1", container={"command": []}), 422, "Invalid"),
    ("a negative deadline", JOBS, job("a", "1", deadline=-1), 422, "Invalid"),
]


def test_what_is_refused(c):
    for what, path, body, code, reason in REFUSED:
        if what == "a Job without a container":
            body["spec"]["template"]["spec"]["containers"] = []
        reply = c.call("POST", path, body)
        assert (reply.status, reply.json["reason"]) == (code, reason), (what, reply.status, reply.body)
    assert c.call("POST", CMS, b"\x0a\x02", headers={"Content-Type": "application/vnd.kubernetes.protobuf"}).status == 415


def test_create_get_list_delete(c):
    made = c.create(CMS, cm("a", k="v"))
    meta = made["metadata"]
    assert meta["uid"] and int(meta["resourceVersion"]) > 0 and meta["creationTimestamp"].endswith("Z")
    assert c.get(CMS + "/a") == made
    again = c.call("POST", CMS, cm("a"))
    assert again.status == 409 and again.json["reason"] == "AlreadyExists"
    generated = c.create(CMS, {"metadata": {"generateName": "gen-"}, "data": {}})["metadata"]["name"]
    assert re.fullmatch("gen-[a-z0-9]{5}", generated)
    listed = c.get(CMS)
    assert [i["metadata"]["name"] for i in listed["items"]] == ["a", generated]
    assert listed["kind"] == "ConfigMapList" and int(listed["metadata"]["resourceVersion"]) >= int(meta["resourceVersion"])
    assert c.create(CMS + "?dryRun=All", cm("dry"))["metadata"]["uid"]
    assert c.call("GET", CMS + "/dry").status == 404
    wrong = c.call("DELETE", CMS + "/a", {"preconditions": {"uid": "other"}})
    assert wrong.status == 409 and wrong.json["reason"] == "Conflict"
    assert c.call("DELETE", CMS + "/a", {"preconditions": {"uid": meta["uid"]}}).json["status"] == "Success"
    assert c.call("DELETE", CMS + "/a").status == 404


def test_selectors(c):
    for name, labels in (("a", {"app": "x", "tier": "1"}), ("b", {"app": "y"}), ("d", {})):
        c.create(CMS, {"metadata": {"name": name, "labels": labels}})
    for query, expected in (("labelSelector=app", "ab"), ("labelSelector=app%3Dx", "a"), ("labelSelector=!app", "d"),
                            ("labelSelector=app!%3Dx", "bd"), ("labelSelector=app+in+(x,y),tier", "a"),
                            ("labelSelector=app+notin+(x)", "bd"), ("fieldSelector=metadata.name%3Db", "b")):
        found = "".join(i["metadata"]["name"] for i in c.get(CMS + "?" + query)["items"])
        assert found == expected, (query, found)
    for query in ("labelSelector=a+in+x", "fieldSelector=data%3Dx", "labelSelector=%3D"):
        assert c.call("GET", CMS + "?" + query).status == 400, query
    assert c.call("DELETE", CMS + "?labelSelector=app").status == 200
    assert [i["metadata"]["name"] for i in c.get(CMS)["items"]] == ["d"]


def test_update_and_patch(c):
    made = c.create(CMS, {**cm("a", k="1")})
    patched = c.call("PATCH", CMS + "/a", {"data": {"k": "2", "l": "3"}, "immutable": True},
                     headers={"Content-Type": "application/merge-patch+json"}).json
    assert patched["data"] == {"k": "2", "l": "3"} and patched["metadata"]["uid"] == made["metadata"]["uid"]
    stale = c.call("PUT", CMS + "/a", made)
    assert stale.status == 409 and stale.json["reason"] == "Conflict"
    frozen = c.call("PUT", CMS + "/a", {**patched, "data": {"k": "4"}})
    assert frozen.status == 422, frozen.body
    patched["metadata"]["labels"] = {"a": "b"}
    assert c.call("PUT", CMS + "/a", patched).json["metadata"]["labels"] == {"a": "b"}


def test_keep_alive(c):
    c.get(CMS)
    kept = c.connection.sock
    for i in range(5):
        c.create(CMS, cm("k%d" % i, k="x" * 100000))
    assert c.call("GET", CMS + "/absent").status == 404
    assert c.connection.sock is kept


def test_broken_clients(c):
    for text in (b"\x00\xff\n\n", b"GET / HTTP/9.9\r\n\r\n", b"POST %s HTTP/1.1\r\nContent-Length: 50\r\n\r\n{" % CMS.encode(),
                 b"GET /%zz?%zz=%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"):
        with c.tls.wrap_socket(socket.create_connection((c.host, int(c.port))), server_hostname="127.0.0.1") as s:
            s.sendall(text)
    with socket.create_connection((c.host, int(c.port))) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no TLS
    assert c.get("/version")


# --- watches --------------------------------------------------------------------------------------------------------


def test_watch(c):
    version = c.create(CMS, cm("before"))["metadata"]["resourceVersion"]
    with c.watch(CMS + "?resourceVersion=" + version) as w, c.watch(CMS) as all_of:
        c.create(CMS, cm("a", k="1"))
        c.call("PATCH", CMS + "/a", {"data": {"k": "2"}}, headers={"Content-Type": "application/merge-patch+json"})
        c.call("DELETE", CMS + "/a")
        seen = [w.next() for _ in range(3)]
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in seen] == [
            ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in seen]
        assert versions == sorted(set(versions))
        assert all_of.next()["object"]["metadata"]["name"] == "before"
        assert all_of.next()["type"] == "ADDED"
    with c.watch(CMS + "?resourceVersion=%d" % versions[0]) as w:  # from the middle
        assert w.next()["type"] == "MODIFIED" and w.next()["type"] == "DELETED"


def test_watch_with_a_selector(c):
    version = c.get(CMS)["metadata"]["resourceVersion"]
    with c.watch(CMS + "?labelSelector=on%3Dyes&resourceVersion=" + version) as w:
        c.create(CMS, {"metadata": {"name": "a"}})
        for labels in ({"on": "yes"}, {"on": "yes", "x": "1"}, {"on": "no"}, {"on": "yes"}):
            c.call("PATCH", CMS + "/a", {"metadata": {"labels": labels}},
                   headers={"Content-Type": "application/merge-patch+json"})
        c.call("DELETE", CMS + "/a")
        types = [w.next()["type"] for _ in range(5)]
        assert types == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"], types


def test_watch_ends_and_bookmarks(c):
    with c.watch(CMS + "?timeoutSeconds=1&allowWatchBookmarks=true") as w:
        marks = []
        while True:
            event = w.next()
            if event == b"":
                break
            marks.append(event["type"])
        assert set(marks) <= {"BOOKMARK"} and marks, marks
    with c.watch(CMS + "?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true") as w:
        mark = w.until("BOOKMARK")
        assert mark["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


def test_watch_from_too_long_ago(c):
    version = c.get(CMS)["metadata"]["resourceVersion"]
    c.create(CMS, cm("a"))
    c.create("/devcluster/compact", {}, 200)
    with c.watch(CMS + "?resourceVersion=" + version) as w:
        event = w.next()
        assert event["type"] == "ERROR" and event["object"]["code"] == 410 and event["object"]["reason"] == "Expired"
        assert w.next() == b""
    future = c.call("GET", CMS + "?watch=true&resourceVersion=" + "9" * 18)
    assert future.status == 504, future.body


def test_many_watches_that_come_and_go(c):
    for _ in range(3):
        watches = [c.watch(PODS) for _ in range(30)]
        c.create(CMS, {"metadata": {"generateName": "a-"}})
        for w in watches:
            w.close()
    until("they are gone", lambda: c.metric("execq_devcluster_watches") == 0)


def test_a_watch_that_does_not_read_is_cut(c):
    with c.watch(CMS) as w:
        for i in range(40):
            c.create(CMS, cm("big-%d" % i, k="x" * 1000000))
            c.call("DELETE", CMS + "/big-%d" % i)
        until("it is cut", lambda: c.metric("execq_devcluster_watches") == 0)
        assert w.status == 200


# --- Jobs and pods --------------------------------------------------------------------------------------------------


def test_a_job(c):
    c.create(JOBS, job("j", "import sys\nprint('out')\nsys.stdout.flush()\nprint('err', file=sys.stderr)", labels={"w": "1"}))
    with c.watch(PODS + "?labelSelector=w%3D1") as w:
        pod = w.until_phase("Succeeded")
    made = c.get(JOBS + "/j")
    assert re.fullmatch("j-[a-z0-9]{5}", pod["metadata"]["name"])
    for label in ("job-name", "batch.kubernetes.io/job-name"):
        assert pod["metadata"]["labels"][label] == "j"
    for label in ("controller-uid", "batch.kubernetes.io/controller-uid"):
        assert pod["metadata"]["labels"][label] == made["metadata"]["uid"]
    owner = pod["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Job", made["metadata"]["uid"], True)
    end = terminated(pod)
    assert (end["exitCode"], end["reason"]) == (0, "Completed") and end["startedAt"] <= end["finishedAt"]
    assert log_of(c, pod) == "out\nerr\n"
    done = until("the Job is complete", lambda: [x for x in c.get(JOBS + "/j")["status"].get("conditions", [])
                                                 if x["type"] == "Complete" and x["status"] == "True"])
    assert done[0]["reason"] == "CompletionsReached"
    status = c.get(JOBS + "/j")["status"]
    assert status["succeeded"] == 1 and "failed" not in status and status["completionTime"] >= status["startTime"]
    reasons = [e["reason"] for e in c.get(EVENTS + "?fieldSelector=involvedObject.name%3Dj")["items"]]
    assert reasons.count("SuccessfulCreate") == 1 and reasons.count("Completed") == 1, reasons


ENDS = [
    # name, code or command, exit code, reason, part of the log
    ("exit", "print('x')\nraise SystemExit(3)", 3, "Error", "x"),
    ("raise", "1 / 0", 1, "Error", "ZeroDivisionError"),
    ("signal", "import os, subprocess\nos._exit(subprocess.call(['sh', '-c', 'kill -9 $$']) and 137)", 137, "Error", ""),
    ("segv", ["sh", "-c", "exec python3 -c 'import ctypes; ctypes.string_at(0)'"], 139, "Error", ""),
    ("absent", ["/no/such/program"], 128, "StartError", ""),
    ("no-file", ["python3", "/app/absent.py"], 2, "Error", "absent.py"),
    ("oom", "x = []\nwhile True:\n    x.append(bytearray(1 << 20))", 137, "OOMKilled", ""),
    ("fork-oom", "import os\nif os.fork() == 0:\n    x = []\n    while True:\n        x.append(bytearray(1 << 20))\nos.wait()",
     137, "OOMKilled", ""),
    ("shared-oom", "import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096):\n    m[i] = 1", 137,
     "OOMKilled", ""),
]


def test_ends(c):
    for name, code, exit_code, reason, text in ENDS:
        how = {"command": code} if isinstance(code, list) else {"code": code}
        pod, log = run(c, name, memory="100Mi", **how)
        end = terminated(pod)
        assert (end["exitCode"], end["reason"]) == (exit_code, reason), (name, end, log)
        assert pod["status"]["phase"] == "Failed" and text in log, (name, log)
        if reason == "StartError":
            assert "/no/such/program" in end["message"] and end["startedAt"].startswith("1970"), end
        failed = until("the Job has failed", lambda: [x for x in c.get(JOBS + "/" + name)["status"].get("conditions", [])
                                                      if x["type"] == "Failed"])
        assert failed[0]["reason"] == "BackoffLimitExceeded"


def test_forks_share_memory(c):
    """Eight processes that have 60 MiB in common do not use 480."""
    pod, log = run(c, "share", "import os, time\nx = bytearray(60 << 20)\nfor _ in range(8):\n"
                   "    if os.fork() == 0:\n        time.sleep(0.5); os._exit(0)\n"
                   "for _ in range(8):\n    os.wait()\nprint('fine')", memory="200Mi")
    assert log == "fine\n", (pod["status"], log)


def test_deadline(c):
    pod, log = run(c, "loop", "print('first', flush=True)\nwhile True:\n    pass", deadline=1)
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded"), pod["status"]
    assert terminated(pod)["exitCode"] == 137 and log == "first\n"


def test_config_map_after_the_job(c):
    volumes = {"volumes": [{"name": "code", "configMap": {"name": "late", "defaultMode": 0o444}},
                           {"name": "tmp", "emptyDir": {}}]}
    mounts = {"volumeMounts": [{"name": "code", "mountPath": "/app", "readOnly": True},
                               {"name": "tmp", "mountPath": "/tmp"}]}
    made = c.create(JOBS, job("late", command=["python3", "/app/code.py"], pod=volumes, container=mounts))
    until("the kubelet says what is missing", lambda: [e for e in c.get(EVENTS)["items"] if e["reason"] == "FailedMount"])
    pod = pod_of(c, "late")
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert (pod["status"]["phase"], waiting["reason"]) == ("Pending", "ContainerCreating")
    early = c.call("GET", "%s/%s/log" % (PODS, pod["metadata"]["name"]))
    assert early.status == 400 and "waiting to start" in early.json["message"]
    config = cm("late", **{"code.py": "import os\nopen('/tmp/x', 'w').write('y')\nprint(open('/app/bytes', 'rb').read(), "
                           "oct(os.stat('/app/code.py').st_mode))"})
    config["binaryData"] = {"bytes": base64.b64encode(b"\0\xff").decode()}
    config["metadata"]["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "Job", "name": "late",
                                              "uid": made["metadata"]["uid"]}]
    c.create(CMS, config)
    assert log_of(c, ended(c, "late")) == "b'\\x00\\xff' 0o100444\n"
    c.call("DELETE", JOBS + "/late", {"propagationPolicy": "Background"})
    until("all is gone", lambda: not c.get(PODS)["items"] and not c.get(CMS)["items"])


def test_a_program_from_a_config_map(c):
    """As the worker's runner comes: 170 KB that are no text, mounted by one of its keys, executable for any user."""
    program = b"#!/bin/sh\nstat -c '%a %s' /execq/runner; ls /execq; touch /execq/x 2>/dev/null && echo writable; exit 0\n"
    program += bytes(i * i % 256 for i in range(170 * 1024 - len(program)))
    config = cm("programs")
    config["immutable"] = True
    config["binaryData"] = {"amd64": base64.b64encode(program).decode(), "arm64": base64.b64encode(b"\0other").decode()}
    c.create(CMS, config)
    assert c.get(CMS + "/programs")["binaryData"] == config["binaryData"]
    volume = {"name": "execq", "configMap": {"name": "programs", "items": [{"key": "amd64", "path": "runner", "mode": 0o555}]}}
    mount = {"volumeMounts": [{"name": "execq", "mountPath": "/execq", "readOnly": True}]}
    for user in (65532, 1000):
        pod, log = run(c, "programs-%d" % user, command=["/execq/runner"], pod={"volumes": [volume], "securityContext": {"runAsUser": user}},
                       container=mount)
        assert log == "555 %d\nrunner\n" % len(program) and terminated(pod)["exitCode"] == 0, log


def test_walls(c):
    code = """
import os, socket
print(os.getpid(), os.getuid(), os.uname().nodename == os.environ['HOSTNAME'])
for path in ('/x', '/usr/x', '/etc/x', '/dev/x', '/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern'):
    try:
        open(path, 'w').write('x')
        print('could write', path)
    except OSError:
        pass
for path in ('/root/.ssh', '/var/lib', '/etc/shadow', '/work', '/home/user', '/sys/kernel'):
    if os.path.exists(path):
        print('can see', path)
try:
    socket.create_connection(('127.0.0.1', %d), 1)
    print('reached the host')
except OSError:
    pass
print([n for n in os.listdir('/proc') if n.isdigit()], sorted(os.listdir('/proc/self/fd')))
""" % int(c.port)
    _pod, log = run(c, "walls", code)
    assert log == "1 65532 True\n['1'] ['0', '1', '2', '3']\n", log


def test_environment(c):
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(NO)-$$(A)"},
           {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
           {"name": "LD_PRELOAD", "value": "/no.so"}]
    pod, log = run(c, "env", command=["sh", "-c", "echo $A $B $POD $(A); pwd 2>&1"], container={"env": env, "workingDir": "/usr"})
    assert "1 1-$(NO)-$(A) %s 1\n/usr\n" % pod["metadata"]["name"] in log, log


def test_termination_message(c):
    code = "open('/dev/termination-log', 'w').write('x' * 5000)"
    pod, _log = run(c, "message", code)
    assert terminated(pod)["message"] == "x" * 4096
    pod, _log = run(c, "rewritten", "f = open('/dev/termination-log', 'w')\nf.write('no' * 99)\nf.flush()\n"
                    "open('/dev/termination-log', 'w').write('yes')")
    assert terminated(pod)["message"].startswith("yes")
    pod, _log = run(c, "fallback", "print('last words')\nraise SystemExit(1)",
                    container={"terminationMessagePolicy": "FallbackToLogsOnError"})
    assert terminated(pod)["message"] == "last words\n"


def test_log_options(c):
    pod, log = run(c, "log", "for i in range(5):\n    print(i)\nprint('x' * 40000)")
    assert log_of(c, pod, "?tailLines=1") == "x" * 7232 + "\n"
    assert log_of(c, pod, "?tailLines=4").startswith("4\nxx")
    assert log_of(c, pod, "?tailLines=0") == "" and log_of(c, pod, "?limitBytes=3") == "0\n1"
    assert log_of(c, pod, "?tailLines=5&limitBytes=3") == "3\n4"


def test_log_follow(c):
    c.create(JOBS, job("follow", "import time\nprint('a', flush=True)\ntime.sleep(0.5)\nprint('b')"))
    until("it runs", lambda: (pod_of(c, "follow") or {"status": {}})["status"].get("phase") == "Running")
    reply = c.call("GET", "%s/%s/log?follow=true" % (PODS, pod_of(c, "follow")["metadata"]["name"]), fresh=True)
    assert reply.body == b"a\nb\n", reply.body


def test_a_flood_is_cut(c):
    pod, log = run(c, "flood", "import os\nline = b'x' * 1023 + b'\\n'\nfor i in range(30000):\n    os.write(1, line)\n"
                   "os.write(1, b'end\\n')")
    assert len(log) <= 10 << 20 and log.endswith("end\n"), len(log)
    assert terminated(pod)["exitCode"] == 0


def test_what_is_left_running_dies(c):
    """A daemon the program leaves behind goes with it, and the log is complete."""
    pod, log = run(c, "daemon", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\nprint('done')")
    assert terminated(pod)["exitCode"] == 0 and log == "done\n"
    assert c.metric("execq_devcluster_pods_running") == 0


def test_delete_a_running_job(c):
    for policy in ("Background", "Foreground"):
        name = policy.lower()
        made = c.create(JOBS, job(name, "import time\ntime.sleep(1000)"))
        until("it runs", lambda: (pod_of(c, name) or {"status": {}})["status"].get("phase") == "Running")
        with c.watch(PODS) as w:
            reply = c.call("DELETE", JOBS + "/" + name,
                           {"propagationPolicy": policy, "preconditions": {"uid": made["metadata"]["uid"]}})
            assert reply.status == 200, reply.body
            w.until("DELETED")
        until("the Job is gone", lambda: c.call("GET", JOBS + "/" + name).status == 404)
    until("no pod runs", lambda: c.metric("execq_devcluster_pods_running") == 0)


def test_delete_without_a_policy_orphans(c):
    c.create(JOBS, job("orphan", "import time\ntime.sleep(1000)"))
    until("it has a pod", lambda: pod_of(c, "orphan"))
    reply = c.call("DELETE", JOBS + "/orphan")
    assert "child pods are preserved" in reply.headers["Warning"]
    assert "ownerReferences" not in pod_of(c, "orphan")["metadata"]


def test_grace(c):
    """SIGTERM first: what handles it may end by itself."""
    c.create(JOBS, job("grace", "import signal, sys, time\nsignal.signal(15, lambda *a: sys.exit(7))\nprint('up', flush=True)\n"
                       "time.sleep(1000)", pod={"terminationGracePeriodSeconds": 30}))
    pod = until("it is up", lambda: pod_of(c, "grace"))
    path = "%s/%s" % (PODS, pod["metadata"]["name"])
    until("it is up", lambda: c.call("GET", path + "/log").body == b"up\n")
    with c.watch(PODS + "?resourceVersion=" + c.get(PODS)["metadata"]["resourceVersion"]) as w:
        marked = c.call("DELETE", path).json
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 30 and marked["metadata"]["deletionTimestamp"]
        assert terminated(w.until_phase("Failed"))["exitCode"] == 7
        w.until("DELETED")


def test_ttl(c):
    c.create(JOBS, job("ttl", "1", ttlSecondsAfterFinished=0))
    until("it is gone, with its pod", lambda: not c.get(JOBS)["items"] and not c.get(PODS)["items"])


def test_job_deadline(c):
    c.create(JOBS, job("jdl", "import time\ntime.sleep(1000)", activeDeadlineSeconds=1))
    failed = until("the Job has failed", lambda: [x for x in c.get(JOBS + "/jdl")["status"].get("conditions", [])
                                                  if x["type"] == "Failed"])
    assert failed[0]["reason"] == "DeadlineExceeded"
    until("its pod is gone", lambda: not c.get(PODS)["items"])


def test_owner_that_never_was(c):
    c.create(CMS, {"metadata": {"name": "stray", "ownerReferences": [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "00000000-0000-0000-0000-000000000000"}]}})
    until("it is collected", lambda: c.call("GET", CMS + "/stray").status == 404)


def test_many_jobs_at_once(c):
    names = ["many-%d" % i for i in range(100)]
    with c.watch(PODS) as w:
        for name in names:
            c.create(JOBS, job(name, command=["echo", name]))
        done = set()
        while len(done) < len(names):
            event = w.next()
            if event["object"]["status"]["phase"] == "Succeeded":
                done.add(event["object"]["metadata"]["labels"]["job-name"])
    assert done == set(names)
    assert log_of(c, pod_of(c, "many-99")) == "many-99\n"


def test_a_full_node(c):
    """One place is taken for long by each of the node's 32; the next one waits and says so."""
    for i in range(33):
        c.create(JOBS, job("full-%d" % i, command=["sleep", "1000"]))
    waiting = until("one waits", lambda: [p for p in c.get(PODS)["items"] for x in p["status"].get("conditions", [])
                                          if x["type"] == "PodScheduled" and x["status"] == "False"])
    assert len(waiting) == 1 and waiting[0]["status"]["phase"] == "Pending"
    assert waiting[0]["status"]["conditions"][0]["reason"] == "Unschedulable"
    name = waiting[0]["metadata"]["labels"]["job-name"]
    c.call("DELETE", JOBS + ("/full-0" if name != "full-0" else "/full-1"), {"propagationPolicy": "Background"})
    until("it runs", lambda: pod_of(c, name)["status"]["phase"] == "Running")


# --- ordered faults -------------------------------------------------------------------------------------------------


def broken(call):
    try:
        call()
    except (http.client.HTTPException, OSError):
        return True
    return False


def test_faults_answers(c):
    for action, code, reason in (("429", 429, "TooManyRequests"), ("500", 500, "InternalError"),
                                 ("503", 503, "ServiceUnavailable"), ("504", 504, "Timeout"), ("403", 403, "Forbidden"),
                                 ("410", 410, "Expired")):
        c.faults({"verb": "create", "resource": "configmaps", "action": action, "count": 1})
        reply = c.call("POST", CMS, cm("a"))
        assert (reply.status, reply.json["reason"]) == (code, reason), reply.body
        assert (action != "429") or reply.headers["Retry-After"] == "1"
        assert c.get(CMS)["items"] == []
    assert c.hits() == [1] * 6
    c.create(CMS, cm("a"))
    c.faults({"verb": "get", "resource": "configmaps", "match": "other", "action": "500"},
             {"verb": "*", "resource": "*", "every": 3, "action": "503"})
    assert [c.call("GET", CMS + "/a").status for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    bad = c.call("POST", "/devcluster/faults", [{"verb": "create", "action": "nonsense"}])
    assert bad.status == 400 and "nonsense" in bad.json["message"]


def test_faults_on_the_way(c):
    c.faults({"verb": "create", "match": "lost", "action": "lose_reply", "count": 1},
             {"verb": "create", "match": "never", "action": "reset", "count": 1},
             {"verb": "list", "resource": "configmaps", "action": "half_body", "count": 1},
             {"verb": "get", "resource": "configmaps", "match": "stall", "action": "stall", "count": 1},
             {"verb": "get", "resource": "configmaps", "match": "slow", "slow_ms": 300})
    assert broken(lambda: c.call("POST", CMS, cm("lost"), fresh=True))
    assert broken(lambda: c.call("POST", CMS, cm("never"), fresh=True))
    assert broken(lambda: c.call("GET", CMS, fresh=True))
    assert broken(lambda: c.call("GET", CMS + "/stall", fresh=True, timeout=0.3))
    assert c.call("POST", CMS, cm("lost")).status == 409
    assert c.call("GET", CMS + "/never").status == 404
    before = time.monotonic()
    assert c.call("GET", CMS + "/slow").status == 404 and time.monotonic() - before >= 0.3
    assert c.hits() == [1] * 5


def test_faults_on_a_watch(c):
    version = c.get(CMS)["metadata"]["resourceVersion"]
    for action in ("cut_watch", "half_line", "410_event"):
        c.faults({"verb": "watch", "resource": "configmaps", "action": action, "count": 1})
        with c.watch(CMS + "?resourceVersion=" + version) as w:
            version = c.create(CMS, cm("w-" + action.replace("_", "-")))["metadata"]["resourceVersion"]
            if action == "410_event":
                assert w.next()["object"]["code"] == 410
                assert w.next() == b""
            else:
                text = b""
                try:
                    while not text.endswith(b"\n"):
                        piece = w.reply.read1(100)
                        if not piece:
                            break
                        text += piece
                except (http.client.HTTPException, OSError):
                    pass
                assert (action == "half_line") == text.startswith(b'{"type"') and b"\n" not in text, (action, text)
    c.faults({"verb": "watch", "resource": "configmaps", "action": "410", "count": 1})
    with c.watch(CMS) as w:
        assert w.status == 410
    until("all are gone", lambda: c.metric("execq_devcluster_watches") == 0)


SLEEP = "import time\nprint('up', flush=True)\ntime.sleep(1000)"


def test_faults_of_pods(c):
    c.faults(*[{"pod": action.replace("_", "-"), "action": action}
               for action in ("evict", "oom", "never_schedule", "image_pull", "delete", "start_error", "no_pod",
                              "log_lost", "node_lost")])
    for name in ("evict", "oom", "start-error", "log-lost"):
        c.create(JOBS, job(name, "print('x')" if name == "log-lost" else SLEEP))
    pod = ended(c, "evict")
    assert pod["status"]["reason"] == "Evicted" and pod["status"]["phase"] == "Failed"
    assert [x for x in pod["status"]["conditions"] if x["type"] == "DisruptionTarget"][0]["reason"] == "TerminationByKubelet"
    assert (terminated(ended(c, "oom"))["reason"], terminated(ended(c, "oom"))["exitCode"]) == ("OOMKilled", 137)
    assert (terminated(ended(c, "start-error"))["reason"], terminated(ended(c, "start-error"))["exitCode"]) == (
        "StartError", 128)
    assert "unable to retrieve container logs" in log_of(c, ended(c, "log-lost"))
    for name in ("never-schedule", "image-pull", "node-lost", "no-pod"):
        c.create(JOBS, job(name, SLEEP))
    until("unschedulable", lambda: "Unschedulable" in json.dumps(pod_of(c, "never-schedule")))
    until("no image", lambda: "ImagePullBackOff" in json.dumps(pod_of(c, "image-pull")))
    until("a node that is gone", lambda: c.call(
        "GET", "%s/%s/log" % (PODS, pod_of(c, "node-lost")["metadata"]["name"])).status == 500)
    assert pod_of(c, "node-lost")["status"]["phase"] == "Running"
    until("no pod may be made", lambda: [e for e in c.get(EVENTS)["items"] if e["reason"] == "FailedCreate"])
    assert pod_of(c, "no-pod") is None and "conditions" not in c.get(JOBS + "/no-pod")["status"]
    with c.watch(PODS) as w:
        c.create(JOBS, job("delete", SLEEP))
        while True:
            event = w.next()
            if event["type"] == "DELETED":
                break
        assert "DisruptionTarget" in json.dumps(event["object"])


def test_counters(c):
    before = c.metric('execq_devcluster_requests_total{verb="create",resource="jobs"}')
    started = c.metric("execq_devcluster_pods_started_total")
    run(c, "count", "1")
    assert c.metric('execq_devcluster_requests_total{verb="create",resource="jobs"}') == before + 1
    assert c.metric("execq_devcluster_pods_started_total") == started + 1


# --- kubectl --------------------------------------------------------------------------------------------------------


def test_kubectl(c):
    if not shutil.which("kubectl") or "--skip-kubectl" in sys.argv:
        return "SKIP kubectl"

    def kubectl(*words, text=None):
        done = subprocess.run(["kubectl", "--kubeconfig", c.kubeconfig, "--cache-dir", c.dir + "/cache", *words],
                              input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                              timeout=PATIENCE)
        assert done.returncode == 0, (words, done.stdout)
        return done.stdout

    kubectl("create", "-f", "-", text=json.dumps(job("k", "print('seen')")))
    kubectl("wait", "--for=condition=complete", "job/k", "--timeout=50s")
    assert kubectl("logs", "job/k") == "seen\n"
    table = kubectl("get", "jobs,pods,cm,ns,nodes")
    for word in ("NAME", "job.batch/k", "Complete", "1/1", "pod/k-", "Completed", "namespace/default", "node/devcluster"):
        assert word in table, table
    assert "kind: Job" in kubectl("get", "job", "k", "-o", "yaml")
    assert "SuccessfulCreate" in kubectl("get", "events")
    assert "deleted" in kubectl("delete", "job", "k")
    assert "No resources found" in kubectl("get", "pods")
    return None


# --- the program ----------------------------------------------------------------------------------------------------


def test_program(program):
    def call(*words):
        return subprocess.run([program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", timeout=PATIENCE)

    assert call("--version").stdout.startswith("execq-devcluster ") and call("--version").returncode == 0
    assert "--listen" in call("--help").stdout and "Not for production" in call("--help").stdout
    for words in (["--nonsense"], ["--pods"], ["--pods=0"], ["--listen", "nowhere"], ["--fault", "action=nonsense"],
                  ["--bwrap", "/no/such/file"]):
        done = call(*words)
        assert done.returncode == 2, (words, done)
        assert words[0].split("=")[0].lstrip("-") in done.stderr or "no/such" in done.stderr, (words, done.stderr)


def test_stop(program):
    """SIGTERM: no process, no folder, no kubeconfig is left, and the exit code is 0."""
    c = Cluster(program, "--fault", "verb=get,resource=configmaps,action=500,count=1", "--seed", "1")
    assert c.call("GET", CMS + "/x").status == 500
    c.create(JOBS, job("left", command=["sleep", "4242"]))
    until("it runs", lambda: (pod_of(c, "left") or {"status": {}})["status"].get("phase") == "Running")
    w = c.watch(PODS)
    assert c.stop() == 0, c.log()
    w.close()
    assert not os.path.exists(c.kubeconfig) and os.listdir(c.dir + "/state") == []
    assert "for trying out and tests only" in c.log()
    left = [p for p in os.listdir("/proc") if p.isdigit() and is_sleeper(p)]
    assert not left, left
    c.clean()


def is_sleeper(pid):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            return f.read() == b"sleep\x004242\x00"
    except OSError:
        return False


def report(number, name, what):
    try:
        note = what()
        print("ok %d - %s%s" % (number, name, " # " + note if note else ""), flush=True)
        return True
    except Exception as e:  # a failed test does not end the others
        print("not ok %d - %s\n# %s: %s" % (number, name, type(e).__name__, str(e)[:2000].replace("\n", "\n# ")), flush=True)
        return False


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    program = os.path.abspath(words[0])
    chosen = [(name, test) for name, test in globals().items()
              if name.startswith("test_") and (not words[1:] or any(w in name for w in words[1:]))]
    print("1..%d" % len(chosen))
    cluster = Cluster(program, "--bookmark-every", "200ms", "--seed", "1")
    failed = 0

    def with_cluster(test):
        try:
            return test(cluster)
        finally:
            cluster.call("DELETE", "/devcluster/faults", fresh=True)
            cluster.empty()

    try:
        for i, (name, test) in enumerate(chosen):
            alone = test.__code__.co_varnames[0] == "program"
            failed += not report(i + 1, name[5:], lambda: test(program) if alone else with_cluster(test))
            if cluster.process.poll() is not None:
                break
        code = cluster.stop()
        if code != 0:
            print("Bail out! the devcluster ended with %s\n%s" % (code, cluster.log()[-5000:]))
            failed += 1
    finally:
        if cluster.process.poll() is None:
            cluster.process.kill()
        if failed:
            print("# " + cluster.log()[-1500:].replace("\n", "\n# "))
        cluster.clean()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
