"""Redis that goes away, comes back, forgets scripts, cuts connections, is full."""

import threading
import time

from resp import Redis, RedisError
from world import until


def run_through(world, n, disturb, every, patience=120):
    """About n requests while `disturb` happens again and again; all must end well, once."""
    stop = threading.Event()

    def loop():
        while not stop.wait(every):
            disturb()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    ids = []
    try:
        for i in range(world.many(n)):
            ids.append("n%d" % i)
            push_for_sure(world, ids[-1], "import time\ntime.sleep(0.1)\nprint(%d)" % i)
            time.sleep(0.05)
        end = time.monotonic() + patience
        while time.monotonic() < end and not all(safely(world.has_result, i) for i in ids):
            time.sleep(0.1)
    finally:
        stop.set()
        thread.join()
    for i, id_ in enumerate(ids):
        result = world.result(id_)
        assert (result["status"], result["stdout"]) == ("ok", "%d\n" % i), result
        assert len(result["attempts"]) == 1, result
        assert world.redis.call("LLEN", world.key("result:" + id_)) == 1


def safely(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, RedisError):
        return None


def push_for_sure(world, id_, code):
    """A push whose answer is lost is pushed again: the id counts once."""
    while True:
        try:
            world.push(id=id_, code=code)
            return
        except (OSError, RedisError):
            time.sleep(0.05)


def test_scripts_are_forgotten(world):
    world.up(workers=2)
    run_through(world, 30, lambda: Redis(world.redis.socket)("SCRIPT", "FLUSH"), 0.7)


def test_connections_are_cut(world):
    world.up(workers=2)

    def cut():
        call = Redis(world.redis.socket)
        for kind in ("normal", "pubsub"):
            call("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    run_through(world, 30, cut, 0.5)


def test_killed_and_restarted(world):
    """kill -9; every acknowledged write is in the append-only file."""
    world.up(workers=2, lease="3s")

    def restart():
        world.redis.process.kill()  # its connection is another thread's, which notices for itself
        time.sleep(0.2)
        world.redis.start()

    run_through(world, 30, restart, 2)


def test_away_for_longer_than_the_lease(world):
    w = world.up(lease="1s")
    world.push(id="r", code="import time\ntime.sleep(4)\nprint('done')")
    until("it runs", lambda: world.cluster.objects("pods"))
    world.redis.kill()
    time.sleep(3)
    assert w.alive()
    world.redis.start()
    result = world.result("r")
    assert (result["status"], result["stdout"]) == ("ok", "done\n"), result
    assert world.redis.call("LLEN", world.key("result:r")) == 1


def test_not_there_at_the_start(world):
    world.cluster.start()
    w = world.worker()
    until("it tries", lambda: "connected=no" in w.log())
    world.redis.start()
    assert world.run()["status"] == "ok"


def test_full(world):
    """At maxmemory producers are refused, and what is in is still drained."""
    world.up(slots=2)
    ids = [world.push(code="print(%d)" % i) for i in range(world.many(20))]
    world.redis.call("CONFIG", "SET", "maxmemory", "1")
    for i, id_ in enumerate(ids):
        world_wait(world, id_)
        assert world.result_look(id_)["stdout"] == "%d\n" % i
    try:
        world.push()
        raise AssertionError("a full Redis took a request")
    except RedisError as e:
        assert "OOM" in str(e)
    world.redis.call("CONFIG", "SET", "maxmemory", "0")
    assert world.run()["status"] == "ok"


def world_wait(world, id_):
    until("result of " + id_, lambda: world.has_result(id_))


def test_an_eviction_policy_is_complained_about(world):
    world.redis.start("--maxmemory-policy", "allkeys-lru", "--maxmemory", "200mb")
    world.cluster.start()
    w = world.worker()
    until("a warning", lambda: "noeviction" in w.log())
    assert world.run()["status"] == "ok"


def test_a_password(world):
    world.redis.start("--requirepass", "p@ss:w/rd")
    raw = Redis(world.redis.socket)
    raw("AUTH", "p@ss:w/rd")
    world.redis.call = raw
    world.cluster.start()
    w = world.worker(redis_url="redis://:p%%40ss%%3Aw%%2Frd@127.0.0.1:%d/0" % world.redis.port)
    assert world.run()["status"] == "ok"
    assert "w/rd" not in w.log() and "w%2Frd" not in w.log(), "the password is in the log"
    wrong = world.worker(redis_url="redis://:wrong-secret@127.0.0.1:%d/0" % world.redis.port)
    until("it says why", lambda: not wrong.alive() or "WRONGPASS" in wrong.log() or "password" in wrong.log().lower())
    assert "wrong-secret" not in wrong.log()
    wrong.stop()
    world.workers.remove(wrong)
