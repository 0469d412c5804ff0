"""The devcluster's program: kubectl against it, its options and its end."""

import json
import os
import shutil
import subprocess
import sys

from smoke.cluster import CMS, Cluster, JOBS, PATIENCE, PODS, job, pod_of, until


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
