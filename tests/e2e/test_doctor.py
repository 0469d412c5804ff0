"""Before anything is claimed: the canary. And the doctor, who says what is wrong. A network that is open and a wrong word
on memory cannot be had from the devcluster: tests/unit/test_probe.c has them."""

import json
import os
import shutil
import signal
import subprocess

from world import free_port, on_devcluster, until

PROBES = ("language python", "timeout", "memory", "network")


def checks(log):
    """{check: state} of the canary's lines in a worker's log."""
    found = {}
    for line in log.splitlines():
        if " canary check=" in line:
            check, state = line.split(" canary check=", 1)[1].split(" state=", 1)
            found[check.strip('"')] = state.split(" ", 1)[0]
    return found


def claimed_nothing(world):
    return world.redis.call("LLEN", world.key("requests")) == 1 and not world.redis.call("HLEN", world.key("stats"))


# --- the canary ---


def test_canary_comes_before_the_first_claim(world):
    world.up(workers=0)
    world.push(id="r", code="print('after it')")
    worker = world.worker(canary="python,bash" if world.cluster.pace == 1 else "python")
    assert world.result("r")["stdout"] == "after it\n"
    log = worker.log()
    found = checks(log)
    assert set(PROBES) <= set(found), log
    assert all(state == "well" for check, state in found.items() if check != "runtime-class"), log
    last = max(log.index(" canary check=" + (check if " " not in check else '"%s"' % check)) for check in found)
    assert last < log.index("finished"), log
    until("its Jobs are gone: %s" % world.cluster.litter(), lambda: not world.cluster.litter())
    assert world.run(code="print(2)")["stdout"] == "2\n"
    assert len([line for line in worker.log().splitlines() if " canary check=network" in line]) == 1  # once a process


@on_devcluster
def test_what_passes_is_waited_for(world):
    for fault, settings in (({"pod": "*", "action": "evict", "after_ms": 10, "count": 2}, {}),
                            ({"pod": "*", "action": "never_schedule", "count": 1}, {"start_budget": "2s"}),
                            ({"verb": "create", "resource": "jobs", "action": "403", "count": 4}, {})):
        if not world.workers:
            world.up(workers=0)
        world.cluster.faults(fault)
        id_ = world.push()
        worker = world.worker(canary="python", **settings)
        assert world.result(id_)["stdout"] == "hello\n"
        log = worker.log()
        assert "state=passing" in log and "again_ms=1000" in log and log.index("again_ms=") < log.index("finished"), log
        assert len(world.result(id_)["attempts"]) == 1, log
        world.cluster.clear_faults()
        worker.end_cleanly()


@on_devcluster
def test_a_cluster_that_is_not_fit(world):
    """The worker claims nothing, says what to change, and ends with 1."""
    world.up(workers=0)
    world.push(id="r", code="print('in the end')")
    slow = "python=python:3.11-slim,code.py,sh,-c,sleep 2; exec python3 /app/code.py"  # so that it is there when it is killed
    for action, check, advice in (("oom", "language python", "memory"), ("no_pod", "language python", "Pod Security")):
        world.cluster.faults({"pod": "*", "action": action})
        worker = world.worker(canary="python", language=slow)
        assert worker.wait() == 1, worker.log()
        world.workers.remove(worker)
        assert checks(worker.log()).get(check) == "bad" and advice in worker.log(), worker.log()
        assert claimed_nothing(world), worker.log()
        world.cluster.clear_faults()
        until("its Jobs are gone: %s" % world.cluster.litter(), lambda: not world.cluster.litter())
    world.worker(canary="python")
    assert world.result("r")["stdout"] == "in the end\n"


def test_told_to_leave_while_it_looks(world):
    world.up(workers=0)
    world.push(id="r", code="print(1)")
    worker = world.worker(canary="python")
    until("the canary is on its way", lambda: world.cluster.objects("jobs"))
    worker.end_cleanly()
    assert claimed_nothing(world) and "finished" not in worker.log(), worker.log()
    until("its Jobs are gone: %s" % world.cluster.litter(), lambda: not world.cluster.litter())
    world.worker()
    assert world.result("r")["stdout"] == "1\n"


@on_devcluster
def test_what_a_dead_workers_canary_leaves(world):
    """Its pods wait for a ConfigMap that nobody makes any more. As long as its worker lives, other workers let it be."""
    world.up()
    world.run()
    world.cluster.faults({"verb": "create", "resource": "configmaps", "action": "stall"})
    canary = world.worker(canary="python")
    until("its Jobs stand", lambda: len(world.cluster.objects("jobs")) == len(PROBES))
    stand = [job["metadata"]["uid"] for job in world.cluster.objects("jobs")]
    rounds = world.cluster.requests()["list", "jobs"]
    until("the sweeper has come by", lambda: world.cluster.requests()["list", "jobs"] >= rounds + 4)
    assert [job["metadata"]["uid"] for job in world.cluster.objects("jobs")] == stand, world.worker_logs()
    canary.kill()
    until("they are gone: %s" % world.cluster.litter(), lambda: not world.cluster.litter())
    until(lambda: "its sweeper says so: " + world.worker_logs(), lambda: "swept" in world.workers[0].log())


# --- the doctor ---


def doctor(world, *words, program=None, **settings):
    """(exit code, stdout, stderr)"""
    argv = program or [world.program("worker", "execq-worker"), "--doctor"]
    done = subprocess.run([*argv, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=300, cwd=world.dir, check=False,
                          env={**world.env, **world.settings(log_level="info", **settings)})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def table(out):
    """{check: (word, text)} of the doctor's lines."""
    return {line[:16].strip(): (line[17:24].strip(), line[35:]) for line in out.splitlines()
            if line[:1].strip() and line[17:24].strip() in ("ok", "warning", "BAD", "unknown")}


def test_doctor_finds_all_well(world):
    world.up(workers=0)
    world.push(id="r", code="print(1)")
    code, out, err = doctor(world, canary="python", program=[world.program("cli", "execq"), "doctor"])
    found = table(out)
    assert code == 0 and not err, (code, out, err)
    for check in ("redis", "redis memory", "redis disk", "redis clock", "redis lease", "kubernetes", "runner", *PROBES):
        assert found[check][0] == "ok", out
    assert "\033" not in out
    assert claimed_nothing(world), out
    assert world.redis.call("HLEN", world.key("workers")) == 0, "it has left its seat"
    until("its Jobs are gone: %s" % world.cluster.litter(), lambda: not world.cluster.litter())
    code, out, _ = doctor(world, "--namespace", "", program=[world.program("cli", "execq"), "doctor", "--json"])
    report = json.loads(out)
    assert code == 0 and report["worst"] == "warning", out  # the canary is empty here
    assert [c["check"] for c in report["checks"] if c["state"] == "warning"] == ["canary"], out
    world.worker()
    assert world.result("r")["stdout"] == "1\n"


def test_doctor_without_redis(world):
    world.cluster.start()
    code, out, _ = doctor(world, canary="python", redis_url="redis://127.0.0.1:%d" % free_port(), call_budget="2s")
    found = table(out)
    assert code == 1 and found["redis"][0] == "BAD" and "redis-url" in out, out
    assert found["network"][0] == "ok", out
    world.cluster.stop()


def test_doctor_with_a_wrong_password(world):
    world.up(workers=0)
    world.redis.call("CONFIG", "SET", "requirepass", "secret-1")
    code, out, _ = doctor(world, redis_url="redis://:secret-2@127.0.0.1:%d" % world.redis.port)
    assert code == 1 and table(out)["redis"][0] == "BAD" and "secret-2" not in out, out
    world.redis.call("CONFIG", "SET", "requirepass", "")


def test_doctor_on_a_redis_that_may_forget(world):
    world.redis.start("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
    world.cluster.start()
    code, out, _ = doctor(world)
    found = table(out)
    assert code == 1 and found["redis memory"][0] == "BAD" and found["redis disk"][0] == "warning", out
    assert "CONFIG SET maxmemory-policy noeviction" in out, out


def test_doctor_on_a_queue_of_another_version(world):
    world.up(workers=0)
    world.redis.call("HSET", world.key("meta"), "protocol", "99")
    code, out, _ = doctor(world)
    found = table(out)
    assert code == 1 and found["redis lease"][0] == "BAD" and "protocol 99" in out, out


def test_doctor_without_a_cluster(world):
    world.up(workers=0)
    with open(world.cluster.kubeconfig, encoding="utf-8") as f:
        text = f.read()
    other = os.path.join(world.dir, "other")
    with open(other, "w", encoding="utf-8") as f:
        f.write(text.replace(world.cluster.base, "https://127.0.0.1:%d" % free_port()))
    code, out, _ = doctor(world, canary="python", kubeconfig=other, call_budget="2s")
    found = table(out)
    assert code == 1 and found["kubernetes"][0] == "BAD" and "kubeconfig" in out, out
    assert found["redis lease"][0] == "ok" and "network" not in found, out
    code, out, _ = doctor(world, kubeconfig=os.path.join(world.dir, "none"))
    assert code == 2 and table(out)["kubernetes"][0] == "BAD", out


def test_doctor_in_no_namespace(world):
    world.up(workers=0)
    code, out, _ = doctor(world, namespace="nowhere", canary="python")
    found = table(out)
    assert code == 1 and found["runner"][0] == "BAD" and "nowhere" in out and "network" not in found, out


@on_devcluster
def test_doctor_where_pods_are_refused(world):
    world.up(workers=0)
    world.cluster.faults({"pod": "*", "action": "no_pod"})
    code, out, _ = doctor(world, canary="python")
    assert code == 1 and table(out)["language python"][0] == "BAD" and "PodSecurity" in out, out


def test_doctor_is_not_in(world):
    """execq alone, as on a producer's machine."""
    alone = os.path.join(world.dir, "execq")
    shutil.copy(world.program("cli", "execq"), alone)
    done = subprocess.run([alone, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env={**world.env, "PATH": world.dir})
    assert done.returncode == 2 and b"execq-worker is neither beside" in done.stderr, done
    os.symlink(world.program("worker", "execq-worker"), os.path.join(world.dir, "execq-worker"))
    done = subprocess.run([alone, "doctor", "--slots", "many"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, env={**world.env, "PATH": ""})
    assert done.returncode == 2 and b"--slots" in done.stderr, done


def test_doctor_is_interrupted(world):
    """It deletes what it has made, and shows what it knows."""
    world.up(workers=0)
    process = subprocess.Popen([world.program("worker", "execq-worker"), "--doctor"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=world.dir,
                               env={**world.env, **world.settings(canary="python", log_level="info")})
    until("it has begun", lambda: world.cluster.objects("jobs"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and table(out.decode())["runner"][0] == "ok", (out, err)
    until("its Jobs are gone: %s" % world.cluster.litter(), lambda: not world.cluster.litter())
