"""What the devcluster makes of Jobs: their pods, the walls around them, logs, deadlines and deletion."""

import base64
import re

from smoke.cluster import CMS, EVENTS, JOBS, PODS, cm, ended, job, log_of, pod_of, run, terminated, until


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
