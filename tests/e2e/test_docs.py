"""The examples of docs/ and README.md that are marked as tests (```sh protocol-test): they run as they stand."""

import glob
import json
import os
import re
import subprocess

from resp import Redis, RedisError
from world import TOP, Skip

FENCE = re.compile(r"^```(sh|python) protocol-test\n(.*?)^```$", re.M | re.S)


def examples():
    """(file, number, language, text) of each marked block."""
    for path in sorted(glob.glob(os.path.join(TOP, "docs/*.md"))) + [os.path.join(TOP, "README.md")]:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                for number, match in enumerate(FENCE.finditer(f.read()), 1):
                    yield os.path.basename(path), number, match.group(1), match.group(2)


def example(language, text):
    def test(world):
        if language == "python" and subprocess.run(["/usr/bin/python3", "-c", "import redis"],
                                                   stderr=subprocess.DEVNULL).returncode != 0:
            raise Skip("the Python package redis is not installed")
        world.queue = "default"
        world.up()
        program = ["bash", "-euo", "pipefail", "-c", text] if language == "sh" else ["/usr/bin/python3", "-c", text]
        done = subprocess.run(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              cwd=world.dir, env={**world.env, "EXECQ_REDIS_URL": "redis://127.0.0.1:%d" % world.redis.port})
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == 0, (done.returncode, out, err)
        assert "ERR" not in out and not err, (out, err)
        results = [json.loads(line) for line in out.splitlines() if line.startswith('{"id"')]
        assert all(r["status"] == "ok" for r in results), results
        assert results or re.search(r"^\d+ ok ", out, re.M), "no result in what it printed: %r" % out
        assert not world.dead(), world.dead()

    return test


def test_there_are_examples(world):
    found = [e[0] for e in examples()]
    assert found.count("protocol.md") >= 3, found


def test_the_rights_in_the_documentation_are_enough(world):
    """The ACL of docs/protocol.md: a worker and a producer that may do that and no more."""
    with open(os.path.join(TOP, "docs/protocol.md"), encoding="utf-8") as f:
        blocks = re.findall(r"^```\n(ACL SETUSER .*?)^```$", f.read(), re.M | re.S)
    assert len(blocks) == 1, blocks
    world.queue = "default"
    world.redis.start()
    world.cluster.start()
    admin = Redis(world.redis.socket)
    for line in blocks[0].replace("\n    ", " ").splitlines():
        admin(*line.replace(">PASSWORD", ">secret").split())
    producer = Redis(world.redis.socket)
    producer("AUTH", "producer", "secret")
    worker = world.worker(redis_url="redis://worker:secret@127.0.0.1:%d" % world.redis.port, lease="1s")
    producer("RPUSH", world.key("requests"), json.dumps({"id": "a", "code": "print(1)", "reply_to": "r"}))
    producer("RPUSH", world.key("requests"), json.dumps({"id": "b", "code": "print(1)", "not_before": 1}))
    producer("RPUSH", world.key("requests"), "nonsense")
    for id_ in "ab":
        reply = producer("BLPOP", world.key("result:" + id_), "60", timeout=70)
        assert json.loads(reply[1])["status"] == "ok", reply
    assert producer("LLEN", world.key("reply:r")) == 1
    # another worker dies: survey, recover, delay, release and the rest are needed too
    second = world.worker(redis_url="redis://worker:secret@127.0.0.1:%d" % world.redis.port, lease="1s")
    world.push(id="c", code="import time\ntime.sleep(2)", not_before=1)
    for i in range(8):
        world.push(id="d%d" % i, code="import time\ntime.sleep(1)")
    second.kill()
    for id_ in ["c"] + ["d%d" % i for i in range(8)]:
        assert world.result(id_)["status"] == "ok"
    world.nothing_left()
    assert "NOPERM" not in worker.log() and "permission" not in worker.log().lower(), worker.log()[-3000:]
    denied = [e for e in admin("ACL", "LOG")]
    assert not denied, denied
    for words in (("LRANGE", world.key("dead"), "0", "-1"), ("DEL", world.key("requests")), ("FLUSHALL",)):
        try:
            producer(*words)
            raise AssertionError("the producer may %s" % words[0])
        except RedisError as e:
            assert "NOPERM" in str(e), e


TESTS = [("%s, example %d (%s)" % (file, number, language), example(language, text))
         for file, number, language, text in examples()]
