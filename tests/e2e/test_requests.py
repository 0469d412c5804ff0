"""What cannot or must not be run: its status, its reason, its place in `dead`."""

import json
import time

from world import until


def dead_entries(world, n):
    until("%d entries in dead" % n, lambda: len(world.dead()) >= n)
    return [json.loads(e) for e in world.dead()]


def base(**fields):
    return {"id": "x1", "code": "print(1)", **fields}


# name, request, status of the result (None: no result), word of the reason
REFUSED = [
    ("malformed json", b'{"id": "x1", "code": ', None, "JSON"),
    ("nothing at all", b"", None, "JSON"),
    ("not an object", b"[1, 2]", None, "object"),
    ("two values", b'{"id": "x1", "code": "1"} {}', None, "JSON"),
    ("bytes that are not utf-8", b'{"id": "x1", "code": "\xff"}', None, ""),
    ("a nul", b'{"id": "x1", "code": "a"}\x00', None, ""),
    ("no id", {"code": "print(1)"}, None, "id"),
    ("an id with a blank", {"id": "a b", "code": "print(1)"}, None, "id"),
    ("an id that is too long", {"id": "a" * 129, "code": "print(1)"}, None, "id"),
    ("an id that is a number", {"id": 7, "code": "print(1)"}, None, "id"),
    ("no code", {"id": "x1"}, "invalid", "code"),
    ("code of a wrong type", base(code=["print(1)"]), "invalid", "code"),
    ("an unknown field", base(colour="red"), "invalid", "colour"),
    ("a time-out in words", base(timeout_s="5"), "invalid", "timeout_s"),
    ("a negative time-out", base(timeout_s=-1), "invalid", "timeout_s"),
    ("a time-out over the maximum", base(timeout_s=1e6), "rejected", "timeout_s"),
    ("too much memory", base(memory="900Gi"), "rejected", "memory"),
    ("a memory that is none", base(memory="much"), "invalid", "memory"),
    ("too many cpus", base(cpu="64"), "rejected", "cpu"),
    ("a language that is not offered", base(language="cobol"), "rejected", "cobol"),
    ("an image that is not allowed", base(image="evil/image:latest"), "rejected", "evil/image"),
    ("an image that is no image", base(image="a b"), "invalid", "image"),
    ("the network", base(network=True), "rejected", "network"),
    ("a reply_to that is no name", base(reply_to="a b"), "invalid", "reply_to"),
    ("a trace that is none", base(trace="xyz"), "invalid", "trace"),
    ("an env that is no name", base(env={"A B": "x"}), "invalid", "env"),
    ("args that are no list", base(args="x"), "invalid", "args"),
    ("a retry that is no object", base(retry=3), "invalid", "retry"),
]


def refused(payload, status, word):
    def test(world):
        world.up()
        world.push(payload if isinstance(payload, bytes) else json.dumps(payload))
        entry = dead_entries(world, 1)[0]
        assert word in entry["reason"], entry
        if status:
            result = world.result(payload["id"])
            assert result["status"] == status and word in result["error"]["message"], result
            assert "attempts" not in result or not result["attempts"], result
        else:
            assert not world.redis.call("KEYS", world.key("result:*"))
        # and nothing is in its way
        assert world.run(id="next")["status"] == "ok"
        assert ("create", "jobs") in world.cluster.requests() and world.cluster.requests()[("create", "jobs")] == 1

    test.together = True
    return test


def test_each_bad_request_has_its_answer(world):
    """All of the table behind each other, on one worker: one bad thing blocks nothing."""
    world.up()
    for i, (_, payload, status, _) in enumerate(REFUSED):
        if status:
            payload = {**payload, "id": "bad%d" % i}
        world.push(payload if isinstance(payload, bytes) else json.dumps(payload))
    assert world.run(id="good")["status"] == "ok"
    entries = dead_entries(world, len(REFUSED))
    reasons = [e["reason"] for e in entries]
    assert len(entries) == len(REFUSED), reasons
    for i, (name, _, status, word) in enumerate(REFUSED):
        assert any(word in r for r in reasons), "%s: no reason says %r: %s" % (name, word, reasons)
        if status:
            result = world.result("bad%d" % i)
            assert result["status"] == status and word in result["error"]["message"], (name, result)
            assert not result.get("attempts"), (name, result)
    assert world.cluster.requests()[("create", "jobs")] == 1, "something of it reached the cluster"


def test_an_oversized_request(world):
    world.up(payload_max="10Ki")
    world.push(json.dumps({"id": "big", "reply_to": "r", "code": "#" * 20000}))
    result = world.result("big")
    assert result["status"] == "rejected" and "20" in result["error"]["message"], result
    assert world.redis.call("LLEN", world.key("reply:r")) == 1
    world.push(json.dumps({"code": "#" * 20000, "id": "late"}))
    entries = dead_entries(world, 2)
    assert all(e["cut"] and e["bytes"] > 20000 for e in entries), entries
    assert world.run()["status"] == "ok"


def test_an_id_counts_once(world):
    worker = world.up()
    first = world.run(id="same", code="print('first')")
    world.push(id="same", code="print('second')")
    world.push(id="same", code="print('first')")
    world.run(id="other")
    until("both repeats dropped", lambda: worker.log().count("id-taken") >= 2)
    assert world.redis.call("LLEN", world.key("result:same")) == 1
    assert world.result("same") == first and first["stdout"] == "first\n"
    # it also counts once for one that cannot be run
    world.push(json.dumps({"id": "same", "code": "x", "colour": 1}))
    dead_entries(world, 1)
    assert world.result("same") == first


def test_the_same_id_pushed_at_once_to_two_workers(world):
    world.up(workers=2)
    commands = [("RPUSH", world.key("requests"), json.dumps({"id": "d%d" % (i % 10), "code": "print(1)"}))
                for i in range(100)]
    world.redis.call.pipeline(commands)
    for i in range(10):
        assert world.result("d%d" % i)["status"] == "ok"
    world.nothing_left()
    assert world.cluster.requests()[("create", "jobs")] == 10
    for i in range(10):
        assert world.redis.call("LLEN", world.key("result:d%d" % i)) == 1


def test_a_deadline_that_has_passed(world):
    world.up()
    result = world.run(id="late", deadline=time.time() - 1)
    assert result["status"] == "expired" and not result.get("attempts"), result
    result = world.run(id="in-time", deadline=time.time() + 3600)
    assert result["status"] == "ok", result
    assert world.cluster.requests()[("create", "jobs")] == 1


def test_not_before(world):
    world.up()
    due = time.time() + 2
    world.push(id="later", not_before=due, code="import time\nprint(time.time())")
    assert world.run(id="now")["status"] == "ok"
    result = world.result("later")
    assert result["status"] == "ok" and float(result["stdout"]) >= due - 0.1, (due, result)
    assert len(result["attempts"]) == 1, result


def test_a_queue_over_its_cap(world):
    world.redis.start()
    world.cluster.start()
    world.redis.call.pipeline([("RPUSH", world.key("requests"), json.dumps({"id": "c%d" % i, "code": "print(1)"}))
                               for i in range(40)])
    world.worker(inbox_max=20, slots=4)
    statuses = [world.result("c%d" % i)["status"] for i in range(40)]
    assert set(statuses) == {"ok", "rejected"}, statuses
    assert statuses.count("ok") >= 20, statuses


def test_code_retries(world):
    world.up()
    result = world.run(code="import sys\nsys.exit(1)", retry={"code": 1})
    assert result["status"] == "nonzero_exit" and len(result["attempts"]) == 2, result
    assert [a["n"] for a in result["attempts"]] == [1, 2], result


# one of each kind also alone, so that a failure names it
TESTS = [("refused alone: " + name, refused(payload, status, word)) for name, payload, status, word in REFUSED
         if name in ("malformed json", "an unknown field", "an image that is not allowed")]
