"""Workers that die, hang, are told to leave, and share the work: one result each, nothing lost."""

import json
import signal
import time

from world import until

LONG = "import time\ntime.sleep(%s)\nprint('done')"


def attempt_numbers(result):
    return [a["n"] for a in result["attempts"]]


def killed_after(ms):
    """kill -9 so long after the push: in any step. Another worker takes over after the lease."""

    def test(world):
        first = world.up(lease="1s")
        world.run(id="warm")
        world.push(id="r", code="print('done')")
        time.sleep(ms / 1000)
        first.kill()
        world.worker(lease="1s")
        result = world.result("r")
        assert (result["status"], result["stdout"]) == ("ok", "done\n"), result
        assert world.redis.call("LLEN", world.key("result:r")) == 1

    return test


def test_killed_in_every_moment(world):
    """Forty times, each a little later, with a second worker always there: exactly one result each."""
    world.up(lease="1s")
    survivor = world.worker(lease="1s")
    n = 40 if world.long else 12
    for i in range(n):
        victim = world.workers[-2] if i == 0 else world.worker(lease="1s")
        until("it works", lambda: "leased=yes" in victim.log())
        ids = [world.push(id="k%d-%d" % (i, j), code="print('done')") for j in range(3)]
        time.sleep(0.06 * i if world.long else 0.18 * i)
        victim.kill()
        for id_ in ids:
            result = world.result(id_)
            assert (result["status"], result["stdout"]) == ("ok", "done\n"), result
    for key in world.redis.call("KEYS", world.key("result:*")):
        assert world.redis.call("LLEN", key) == 1, key
    assert survivor.alive()


def test_a_dead_workers_job_is_adopted(world):
    """It runs while its worker dies: the other one waits for it instead of starting it again."""
    first = world.up(lease="1s")
    world.push(id="r", code=LONG % 6)
    until("it runs", lambda: any(p.get("status", {}).get("phase") == "Running" for p in world.cluster.objects("pods")))
    first.kill()
    world.worker(lease="1s")
    result = world.result("r")
    assert (result["status"], result["stdout"]) == ("ok", "done\n"), result
    assert world.cluster.metrics()["execq_devcluster_pods_started_total"][()] == 1, "it was run twice"


def test_frozen_past_its_lease(world):
    """SIGSTOP until another worker has done its work, then SIGCONT: it must publish and delete nothing more."""
    first = world.up(lease="1s")
    world.run(id="warm")
    world.push(id="r", code=LONG % 1)
    until("it is taken", lambda: world.redis.call("ZCARD", world.key("in_flight")) == 1)
    first.signal(signal.SIGSTOP)
    world.worker(lease="1s")
    before = world.result("r")
    assert before["status"] == "ok", before
    first.signal(signal.SIGCONT)
    until("it knows", lambda: "leased=no" in first.log() or "claim-lost" in first.log() or "lost" in first.log())
    assert world.run(id="after")["status"] == "ok"
    assert world.redis.call("LRANGE", world.key("result:r"), "0", "-1") == \
        [json.dumps(before).encode()] or world.result("r") == before
    assert world.redis.call("LLEN", world.key("result:r")) == 1
    until("it is registered anew", lambda: first.log().count("leased=yes") >= 2)


def test_drain(world):
    """SIGTERM: what runs is finished, what waits is left to others, exit code 0."""
    first = world.up(slots=2, grace="30s")
    ids = [world.push(id="run%d" % i, code=LONG % 8) for i in range(2)]
    until("both run", lambda: [p.get("status", {}).get("phase") for p in world.cluster.objects("pods")] == 2 * ["Running"])
    waiting = world.push(id="waits", code="print('done')")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    for id_ in ids:
        result = world.result(id_)
        assert (result["status"], attempt_numbers(result)) == ("ok", [1]), result
    assert not world.has_result(waiting) and world.redis.call("LLEN", world.key("requests")) == 1
    world.worker()
    assert world.result(waiting)["status"] == "ok"


def test_hand_back_is_not_charged(world):
    """What is still running when the grace period ends goes back to the queue; the next worker adopts its Job."""
    first = world.up(grace="1s")
    world.push(id="r", code=LONG % 15)
    until("it runs", lambda: any(p.get("status", {}).get("phase") == "Running" for p in world.cluster.objects("pods")))
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert world.redis.call("LLEN", world.key("requests")) == 1 and not world.has_result("r")
    world.worker()
    result = world.result("r")
    assert (result["status"], result["stdout"], attempt_numbers(result)) == ("ok", "done\n", [1]), result
    assert world.cluster.metrics()["execq_devcluster_pods_started_total"][()] == 1, "it was run twice"


def test_a_second_sigterm(world):
    """Leaves at once, exit code not 0; nothing is lost."""
    first = world.up(lease="1s", grace="60s")
    world.push(id="r", code=LONG % 8)
    until("it runs", lambda: world.cluster.objects("pods"))
    first.signal(signal.SIGTERM)
    until("it drains", lambda: "draining" in first.log())
    first.signal(signal.SIGTERM)
    assert first.wait() != 0
    assert not world.has_result("r")
    world.worker(lease="1s")
    assert world.result("r")["status"] == "ok"


def test_a_request_that_kills_its_workers(world):
    """Two workers die while they have it: it waits in quarantine, and a third death makes it dead."""
    world.redis.start()
    world.cluster.start()
    world.push(id="poison", code=LONG % 600, timeout_s=600, retry={"infra": 5})
    for i in range(3):
        w = world.worker(lease="1s")
        until("worker %d has it" % i, lambda: world.redis.call("ZCARD", world.key("in_flight")) == 1 and
              world.redis.call("HLEN", world.key("claims:" + w_name(w))) >= 2)  # admitted too
        w.kill()
    last = world.worker(lease="1s")
    result = world.result("poison")
    assert result["status"] == "infra_error" and result["error"]["reason"] == "poison", result
    assert len(world.dead()) == 1
    assert world.run()["status"] == "ok" and last.alive()


def w_name(worker):
    return worker.name.replace("worker-", "w")


def test_two_workers_share(world):
    world.up(workers=2, slots=4)
    until("both are there to take some", lambda: all("runner configmap=" in w.log() for w in world.workers))
    n = world.many(24)
    ids = [world.push(code="import time\ntime.sleep(0.3)\nprint(%d)" % i) for i in range(n)]
    results = [world.result(id_) for id_ in ids]
    assert [r["stdout"] for r in results] == ["%d\n" % i for i in range(n)]
    assert {r["worker"] for r in results} == {"w1", "w2"}, {r["worker"] for r in results}
    assert all(len(r["attempts"]) == 1 for r in results), [r["attempts"] for r in results if len(r["attempts"]) > 1]
    assert world.cluster.requests()[("create", "jobs")] == n, world.cluster.requests()


def test_two_workers_of_one_name(world):
    """The second must not take the first one's seat: both end well or the second one leaves; no result twice."""
    world.up()
    world.worker(worker_name="w1")
    ids = [world.push(code="print(%d)" % i) for i in range(10)]
    for i, id_ in enumerate(ids):
        assert world.result(id_)["stdout"] == "%d\n" % i
        assert world.redis.call("LLEN", world.key("result:" + id_)) == 1
    world.nothing_left()
    for w in world.workers:
        w.stop()


def test_slots_are_a_bound(world):
    world.up(slots=3)
    ids = [world.push(code=LONG % 0.5) for _ in range(12)]
    most = 0
    while not all(world.has_result(i) for i in ids):
        most = max(most, world.redis.call("ZCARD", world.key("in_flight")))
        time.sleep(0.02)
    assert 1 <= most <= 3, most


def test_an_idle_worker_is_quiet(world):
    """No polling in a tight loop: ten idle seconds cost a few commands and next to no CPU."""
    w = world.up()
    world.run()
    world.nothing_left()

    def commands():
        info = world.redis.call("INFO", "stats").decode()
        return int(info.split("total_commands_processed:")[1].split()[0])

    def cpu():
        with open("/proc/%d/stat" % w.pid, encoding="utf-8") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    n, c = commands(), cpu()
    time.sleep(10)
    assert commands() - n < 300, "%d commands in ten idle seconds" % (commands() - n)
    assert cpu() - c < 2, "%g s of CPU in ten idle seconds" % (cpu() - c)


TESTS = [("killed %d ms after the push" % ms, killed_after(ms)) for ms in (0, 20, 60, 120, 250, 400)]
