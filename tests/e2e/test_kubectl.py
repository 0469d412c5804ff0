"""The devcluster, seen with kubectl."""

import shutil
import subprocess

from world import Skip, until


def kubectl(world, *words, check=True):
    done = subprocess.run(["kubectl", "--kubeconfig", world.cluster.kubectl_config, *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, cwd=world.dir, env=world.env)
    out = done.stdout.decode(errors="replace")
    assert not check or done.returncode == 0, "kubectl %s: %s" % (" ".join(words), out)
    return out


def test_get_logs_wait_delete(world):
    if not shutil.which("kubectl"):
        raise Skip("kubectl is not installed")
    world.up()
    assert world.run()["status"] == "ok"
    world.nothing_left()
    world.push(id="d", code="import time\nprint('kept', flush=True)\ntime.sleep(600)", timeout_s=600, retry={"infra": 0})
    until("it runs", lambda: any(p.get("status", {}).get("phase") == "Running" for p in world.cluster.objects("pods")))
    jobs = kubectl(world, "get", "jobs", "-o", "name").split()
    assert len(jobs) == 1 and jobs[0].startswith("job.batch/execq-"), jobs
    pod = kubectl(world, "get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    table = kubectl(world, "get", "pods")
    assert "NAME" in table and "STATUS" in table and pod in table, table
    assert "execq.dev/id" in kubectl(world, "get", jobs[0], "-o", "yaml")
    assert kubectl(world, "logs", pod) == ""  # the runner has the output until all has ended
    assert "1" in kubectl(world, "get", "configmaps", "-o", "name") or "execq-" in kubectl(world, "get", "cm")
    kubectl(world, "wait", "--for=condition=Ready", "pod/" + pod, "--timeout=20s", check=False)
    kubectl(world, "delete", jobs[0], "--wait=false")
    result = world.result("d")
    assert result["status"] == "infra_error" and result["error"]["reason"] == "disrupted", result
    assert "No resources found" in kubectl(world, "get", "jobs") or not kubectl(world, "get", "jobs", "-o", "name")
