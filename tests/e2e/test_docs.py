"""The examples of docs/ and README.md that are marked as tests (```sh protocol-test): they run as they stand. And those of
docs/examples.md: each request (```json request) is pushed as it stands, and its result has to be the one that follows it
(```json result), under the settings in front of it (```ini settings)."""

import glob
import json
import os
import re
import subprocess

from resp import Redis, RedisError
from world import TOP, Skip, on_devcluster

EXAMPLES = os.path.join(TOP, "docs/examples.md")
PAIR = re.compile(r"(?:^```ini settings\n(?P<settings>.*?)^```\n\s*)?^```json request\n(?P<request>.*?)^```\n\s*"
                  r"^```json result\n(?P<result>.*?)^```$", re.M | re.S)
MEASURED = {"wall_ms", "cpu_ms", "max_rss_bytes", "queued", "claimed", "created", "started", "finished", "published"}
LEFT_OUT = {"usage", "times", "attempts", "worker", "stdout_bytes", "stderr_bytes"}  # may be; as the page says
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


class Different(Exception):
    """A result is not what the page shows."""


def compare(shown, found, whole, at="result"):
    """`found` is what `shown` says: `...` in a string is any text, measured numbers are only numbers. Of a `whole` one
    nothing may be missing; otherwise what the page says that it leaves out, and what is null or false."""
    if isinstance(shown, str) and "..." in shown:
        same = isinstance(found, str) and re.fullmatch(".*".join(map(re.escape, shown.split("..."))), found, re.S)
    elif isinstance(shown, dict) and isinstance(found, dict):
        for name, value in found.items():
            if name not in shown and (whole or not (name in LEFT_OUT or value is None or value is False)):
                raise Different("%s has %r: %r, which the page does not show" % (at, name, value))
        for name, value in shown.items():
            if name not in found:
                raise Different("%s has no %r" % (at, name))
            if name in MEASURED and type(value) in (int, float) and type(found[name]) in (int, float):
                continue
            compare(value, found[name], whole, "%s.%s" % (at, name))
        return
    elif isinstance(shown, list) and isinstance(found, list):
        if len(shown) != len(found):
            raise Different("%s has %d entries, not %d" % (at, len(found), len(shown)))
        for n, pair in enumerate(zip(shown, found)):
            compare(*pair, whole, "%s[%d]" % (at, n))
        return
    else:
        same = type(shown) is type(found) and shown == found
    if not same:
        raise Different("%s is %.600r, not %.600r" % (at, found, shown))


def pairs():
    """(settings, request, result) of each example on the page, as text."""
    with open(EXAMPLES, encoding="utf-8") as f:
        for match in PAIR.finditer(f.read()):
            yield match["settings"] or "", match["request"], match["result"]


def pair(settings, request, shown):
    def test(world):
        asked, expected = json.loads(request), json.loads(shown)
        world.up(**{k.replace("-", "_"): v for k, v in (line.split(" = ") for line in settings.splitlines())})
        world.push(request)
        found = world.result(asked["id"])
        try:
            compare(expected, found, "times" in expected)
        except Different as e:
            raise AssertionError("docs/examples.md is not right: %s\n%s" % (e, json.dumps(found, indent=2))) from None

    if json.loads(request).get("language", "python") != "python":  # no image with a compiler elsewhere
        return on_devcluster(test)
    return test


def test_the_page_of_examples_is_complete(world):
    """Every request has its result, and every status and verdict of docs/protocol.md an example."""
    with open(EXAMPLES, encoding="utf-8") as f:
        text = f.read()
    shown = [json.loads(result) for _, _, result in pairs()]
    assert text.count("\n```json request") == text.count("\n```json result") == len(shown) > 10
    assert text.count("\n```ini settings") == sum(bool(settings) for settings, _, _ in pairs())
    assert all(json.loads(request)["id"] == r["id"] for (_, request, _), r in zip(pairs(), shown))
    assert [bool("times" in r) for r in shown].count(True) == 1
    with open(os.path.join(TOP, "docs/protocol.md"), encoding="utf-8") as f:
        protocol = f.read()
    statuses = set(re.findall(r"^\| (?:[a-z' ]+ )?\| `(\w+)` \|", protocol, re.M)) - {"status"}
    verdicts = set(re.findall(r"^\| `(\w+)` \|", protocol.split("| `verdict` of a case |")[1].split("\n\n")[0], re.M))
    assert len(statuses) == 13 and len(verdicts) == 5, (statuses, verdicts)
    assert statuses - {"cancelled"} == {r["status"] for r in shown}, statuses
    assert verdicts == {case["verdict"] for r in shown for case in r.get("cases", [])}, verdicts


def test_a_wrong_page_of_examples_is_noticed(world):
    """Whatever is changed in a shown result, it is not the same any more."""

    def changed(value):
        """`value` with one thing different, every way."""
        if isinstance(value, dict):
            for name, inner in value.items():
                if name not in MEASURED:
                    yield from ({**value, name: other} for other in changed(inner))
                yield {k: v for k, v in value.items() if k != name}
            yield {**value, "more": 1}
        elif isinstance(value, list):
            for n, inner in enumerate(value):
                yield from (value[:n] + [other] + value[n + 1:] for other in changed(inner))
            yield value + [None]
        elif isinstance(value, str):
            yield None
            if "..." not in value:
                yield value + "."
        else:
            yield 12345

    tried = 0
    for _, _, result in pairs():
        shown = json.loads(result)
        compare(shown, shown, "times" in shown)
        for tried, other in enumerate(changed(shown), tried + 1):
            try:
                compare(shown, other, "times" in shown)
            except Different:
                continue
            raise AssertionError("taken for the same: %s" % json.dumps(other))
    assert tried > 200, tried


TESTS = [("examples.md: %s" % json.loads(request)["id"][8:], pair(settings, request, result))
         for settings, request, result in pairs()]
TESTS += [("%s, example %d (%s)" % (file, number, language), example(language, text))
         for file, number, language, text in examples()]
