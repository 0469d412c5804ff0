"""Hundreds of snippets through `execq batch` while things die: every one gets its one right result, nothing stays."""

import json
import os
import subprocess
import threading
import time

from resp import Redis
from world import on_devcluster, until


def count(world):
    return 500 if world.long else 60


def write_requests(world, n):
    path = os.path.join(world.dir, "requests.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            code = "import time\ntime.sleep(%.2f)\nprint(%d * 3)" % (0.1 * (i % 4), i)
            f.write(json.dumps({"id": "s%d" % i, "code": code, "meta": {"n": i}}) + "\n")
    return path


class Disturber:
    """Does something every few seconds, in a thread, until stopped; an exception of it fails the test."""

    def __init__(self, every, what):
        self.every, self.what, self.error, self.times = every, what, None, 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def loop(self):
        while not self.stopping.wait(self.every):
            try:
                self.what()
                self.times += 1
            except Exception as e:
                self.error = e
                return

    def stop(self):
        self.stopping.set()
        self.thread.join()
        if self.error:
            raise self.error
        assert self.times > 0, "nothing was disturbed"


def batch(world, requests, limit):
    """`execq batch` in the background; returns (process, path of the results)."""
    out = os.path.join(world.dir, "results.jsonl")
    with open(os.path.join(world.dir, "batch.log"), "wb") as log:
        process = subprocess.Popen(
            [world.program("cli", "execq"), "batch", requests, "-o", out], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, cwd=world.dir, env={**world.env, "EXECQ_REDIS_URL": world.redis.url, "EXECQ_QUEUE": world.queue})
    end = time.monotonic() + limit
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    if process.poll() is None:
        process.kill()
        process.wait()
        with open(os.path.join(world.dir, "batch.log"), encoding="utf-8", errors="replace") as f:
            tail = f.read()[-2000:]
        raise AssertionError("the batch did not end within %d s: %s\nheld: %s\n%s" % (limit, tail, world.held(),
                                                                                   world.worker_logs()))
    return process.returncode, out


def one_death_from_poison(world, n):
    """Has a request that is under way seen two workers die? The third would make it the cause of their deaths, which it is not.
    Asks over a connection of its own, as disturbers are threads."""
    redis = Redis(world.redis.socket)
    tasks = redis.pipeline([("HMGET", world.key("task:s%d" % i), "losses", "state") for i in range(n)])
    waiting = redis("LLEN", world.key("quarantine"))
    redis.close()
    return waiting or any(int(losses or 0) >= 2 and state != b"finished" for losses, state in tasks)


def check(world, n, code, out):
    with open(out, encoding="utf-8") as f:
        results = [json.loads(line) for line in f]
    assert code == 0, "execq batch ended with %d: %s\n%s" % (
        code, open(os.path.join(world.dir, "batch.log")).read()[-3000:], [r for r in results if r["status"] != "ok"][:5])
    assert len(results) == n, len(results)
    assert [r["id"] for r in results] == ["s%d" % i for i in range(n)], "not in order, or not each once"
    for i, r in enumerate(results):
        assert (r["status"], r["stdout"], r["meta"]) == ("ok", "%d\n" % (i * 3), {"n": i}), r
    return results


@on_devcluster  # test_real_chaos.py has more of it
def test_workers_are_killed_all_the_time(world):
    """Two workers; every few seconds one dies by kill -9 and is replaced."""
    n = count(world)
    world.up(workers=2, lease="2s", slots=8 if world.long else 4)
    requests = write_requests(world, n)
    turn = [0]

    def kill_one():
        if one_death_from_poison(world, n):
            return
        victims = [w for w in world.workers if w.alive()]
        victim = victims[turn[0] % len(victims)]
        turn[0] += 1
        victim.kill()
        world.worker(lease="2s", slots=8 if world.long else 4)

    disturber = Disturber(4 if world.long else 1.5, kill_one)
    try:
        code, out = batch(world, requests, 800 if world.long else 200)
    finally:
        disturber.stop()
    results = check(world, n, code, out)
    for r in results:
        assert all(a["status"] == "ok" or a["reason"] != "internal" for a in r["attempts"]), r
    world.nothing_left()


@on_devcluster
def test_redis_restarts_and_the_api_is_flaky(world):
    """Redis killed and restarted; one call in ten is answered with 429, 500 or a cut connection: no infra_error, and no
    attempt is charged for what a repeated call cured."""
    n = count(world)
    world.up(workers=2, lease="5s", slots=8 if world.long else 4, call_timeout="2s")
    requests = write_requests(world, n)
    world.cluster.faults(*[{"verb": "*", "resource": "*", "action": action, "probability": 0.033}
                           for action in ("429", "500", "reset")])

    def restart():
        world.redis.kill()
        time.sleep(0.3)
        world.redis.start()

    disturber = Disturber(6 if world.long else 1.5, restart)
    try:
        code, out = batch(world, requests, 800 if world.long else 200)
    finally:
        disturber.stop()
    results = check(world, n, code, out)
    for r in results:
        assert [a["status"] for a in r["attempts"]] == ["ok"], r["attempts"]
    hits = world.cluster.fault_hits()
    world.cluster.clear_faults()
    assert hits >= n / 10, "only %d faults" % hits
    world.nothing_left()
    until("no worker died", lambda: all(w.alive() for w in world.workers), 1)
