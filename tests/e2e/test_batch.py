"""execq batch: interrupted and resumed, nothing is run twice."""

import json
import os
import signal
import subprocess
import time

from world import until


def write(world, n, marker):
    """Requests that leave no trace in Redis if they run twice: the devcluster counts the pods."""
    path = os.path.join(world.dir, "in.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            f.write(json.dumps({"code": "import time\ntime.sleep(0.2)\nprint('%s', %d)" % (marker, i)}) + "\n")
    return path


def start(world, path, out):
    log = open(os.path.join(world.dir, "batch.log"), "ab")
    return subprocess.Popen([world.program("cli", "execq"), "batch", path, "-o", out], stdin=subprocess.DEVNULL,
                            stdout=log, stderr=log, cwd=world.dir, start_new_session=True,
                            env={**world.env, "EXECQ_REDIS_URL": world.redis.url, "EXECQ_QUEUE": world.queue})


def interrupted_by(number):
    def test(world):
        n = world.many(40)
        world.up(slots=4)
        path, out = write(world, n, "x"), os.path.join(world.dir, "out.jsonl")
        for cut in map(world.many, (3, 12, 25)):
            process = start(world, path, out)
            until("%d are done" % cut, lambda: int(world.redis.call("HGET", world.key("stats"), "finished") or 0) >= cut)
            process.send_signal(number)
            code = process.wait(60)
            assert code == (130 if number == signal.SIGINT else -9), code
            assert not os.path.exists(out), "a result file before the end"
        code = start(world, path, out).wait(120)
        assert code == 0, open(os.path.join(world.dir, "batch.log")).read()[-2000:]
        with open(out, encoding="utf-8") as f:
            results = [json.loads(line) for line in f]
        assert [r["stdout"] for r in results] == ["x %d\n" % i for i in range(n)], "not all, or not in order"
        assert len({r["id"] for r in results}) == n
        started = world.cluster.metrics()["execq_devcluster_pods_started_total"][()]
        assert started == n, "%d pods for %d snippets: some ran twice" % (started, n)
        left = [f for f in os.listdir(world.dir) if "part" in f]
        assert not left, left

    return test


def test_results_survive_the_loss_of_redis(world):
    """What was collected before stands in the journal: it is not asked for again."""
    world.up(slots=4)
    path, out = write(world, 12, "y"), os.path.join(world.dir, "out.jsonl")
    process = start(world, path, out)
    until("three are done", lambda: int(world.redis.call("HGET", world.key("stats"), "finished") or 0) >= 3)
    world.redis.kill()
    time.sleep(1)
    world.redis.start()
    code = process.wait(120)
    assert code == 0, open(os.path.join(world.dir, "batch.log")).read()[-2000:]
    with open(out, encoding="utf-8") as f:
        assert [json.loads(line)["stdout"] for line in f] == ["y %d\n" % i for i in range(12)]


def test_the_same_snippet_twice_in_a_file(world):
    world.up()
    path, out = os.path.join(world.dir, "in.jsonl"), os.path.join(world.dir, "out.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"code": "print(1)"}\n\n{"code": "print(1)"}\n{"id": "mine", "code": "print(2)"}\n')
    code = start(world, path, out).wait(120)
    assert code == 0, open(os.path.join(world.dir, "batch.log")).read()[-2000:]
    with open(out, encoding="utf-8") as f:
        results = [json.loads(line) for line in f]
    assert [r["stdout"] for r in results] == ["1\n", "1\n", "2\n"], results
    assert results[2]["id"] == "mine"


def test_a_bad_line_is_told_before_anything_runs(world):
    world.up()
    path, out = os.path.join(world.dir, "in.jsonl"), os.path.join(world.dir, "out.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"code": "print(1)"}\n{"code": \n')
    code = start(world, path, out).wait(60)
    assert code == 2, code
    with open(os.path.join(world.dir, "batch.log"), encoding="utf-8") as f:
        assert "line 2" in f.read()
    assert world.redis.call("LLEN", world.key("requests")) == 0 and not os.path.exists(out)
    assert ("create", "jobs") not in world.cluster.requests()


TESTS = [("interrupted by SIGINT and resumed", interrupted_by(signal.SIGINT)),
         ("killed and resumed", interrupted_by(signal.SIGKILL))]
