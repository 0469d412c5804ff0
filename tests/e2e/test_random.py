"""Random requests: code, standard input, arguments, environment, names of files and globs that are odd and legal, and a few
that are not. Each has exactly one result, what went in was seen by the code and came back, nothing is left, and the worker is
as well as before. E2E_SEED gives the seed that a failure names."""

import base64
import json
import os
import random

from world import Cluster, until

THE_CODES = {"ok", "nonzero_exit", "signal", "timeout", "oom", "output_limit", "disk_limit"}

# Tells what it was given, so that it can be compared. Bytes as text of one character a byte.
MIRROR = """import json, os, sys
def text(data):
    return data.decode('latin-1')
files = {}
for folder, _, names in os.walk(b'.'):
    for name in names:
        path = os.path.join(folder, name)
        files[text(path[2:])] = text(open(path, 'rb').read())
print(json.dumps({'stdin': text(sys.stdin.buffer.read()), 'args': [text(os.fsencode(a)) for a in sys.argv[1:]],
                  'env': {text(k): text(v) for k, v in os.environb.items() if k.startswith(b'X_')}, 'files': files}))
#"""

FRAGMENTS = ["import os, sys\n", "print(", ")", "'", '"""', "\\", "\n", "\t", "    ", "def f(", ":\n", "while 1: pass\n", "os._exit(3)\n",
             "os.kill(os.getpid(), 9)\n", "sys.stdout.write('x' * 10**6)\n", "\0", "\u202e", "\U0001f600", "\ufeff", "#", "é", "=",
             "0" * 5000, "[" * 300, "os.fork()\n", "open('f', 'w').write('y' * 1000)\n", "os.close(1)\n", "\r", "\x1b[2J", "$(id)", "`", ";"]


def text(rng, most):
    """Any characters that JSON can carry."""
    kind, n = rng.randrange(4), rng.randrange(most + 1)
    if kind == 0:
        return "".join(rng.choice(FRAGMENTS) for _ in range(n // 8))[:n]
    if kind == 1:
        return "".join(chr(rng.randrange(128)) for _ in range(n))
    if kind == 2:
        return chr(rng.randrange(32, 0xd800)) * n  # one very long line
    return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xd800), rng.randrange(0xe000, 0x110000)))) for _ in range(n))


def word(rng, most=60):
    return text(rng, most).replace("\0", "")


def bytes_of(value):
    """What a string or {"base64": ...} of a request stands for."""
    if isinstance(value, str):
        return value.encode()
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"])


def content(rng, most):
    kind = rng.randrange(3)
    if kind == 0:
        return text(rng, most // 4)
    return {"base64": base64.b64encode(rng.randbytes(rng.randrange(most))).decode()}


def cut(name, most):
    """At most so many bytes of it."""
    return name.encode()[:most].decode(errors="ignore")


def legal(name):
    """What is left of it if it has to be a path, or a glob."""
    parts = [cut(part, 255) for part in name.split("/") if part.strip(".")]
    return "/".join(part for part in cut("/".join(parts[:32]), 512).split("/") if part.strip(".")) or "f"


def path(rng):
    return legal("/".join(word(rng, 12).replace("/", "|") for _ in range(rng.choice((1, 1, 1, 2, 4, 32)))))


def files(rng):
    found = {}
    for _ in range(rng.randrange(6)):
        name = path(rng)
        parts = name.split("/")
        folders = ["/".join(parts[:n]) for n in range(1, len(parts))]
        if not any(f in found for f in folders) and not any(f.startswith(name + "/") for f in found):
            found[name] = content(rng, 300)
    return found


def glob(rng):
    name = path(rng)
    return legal(rng.choice((name, name + "*", "*" + name[:20], "**/" + name, "?" * rng.randrange(1, 50), "**/*", "*", "**")))


def random_request(rng):
    """(request, kind). "any": nobody knows how the code ends; "mirror": what it prints has to be the request; "broken":
    what has to be `invalid`."""
    kind = rng.choice(("any", "any", "any", "mirror", "mirror", "mirror", "broken"))
    request = {"code": text(rng, rng.choice((50, 3000, 60000))), "stdin": content(rng, 5000), "timeout_s": rng.choice((1, 2.5)),
               "args": [word(rng) for _ in range(rng.randrange(9))], "env": {"X_%d" % n: word(rng) for n in range(rng.randrange(9))},
               "files": files(rng), "outputs": [glob(rng) for _ in range(rng.randrange(5))], "memory": "128Mi",
               "meta": {word(rng): [word(rng), rng.random(), None]}}
    if kind == "mirror":
        # behind the program anything in one line of a comment
        noise = "".join(c for c in request["code"] if ord(c) >= 32)
        request.update(code=MIRROR + noise, timeout_s=20, outputs=["**"])
    elif kind == "any" and rng.randrange(3) == 0:
        request["argv"] = ["/bin/sh", "/app/code.py"]
    elif kind == "broken":
        request.update(rng.choice((
            {"args": ["a\0b"]}, {"env": {"A=B": "c"}}, {"env": {"X": "\0"}}, {"files": {"../" + path(rng): ""}}, {"files": {"/" + path(rng): ""}},
            {"files": {"a\0": ""}}, {"files": {"a": "", "a/b": ""}}, {"files": {"x" * 256: ""}}, {"outputs": ["a//b"]}, {"outputs": [""]},
            {"stdin": {"base64": "A" + "=" * rng.randrange(4)}}, {"stdin": {"base64": word(rng) + "\n"}}, {"code": None}, {word(rng) + "?": 1})))
    return request, kind


def check_mirror(request, result):
    assert result["status"] == "ok", result
    seen = json.loads(result["stdout"])
    for name, found, sent in (("stdin", [seen["stdin"]], [bytes_of(request["stdin"])]), ("args", seen["args"], [a.encode() for a in request["args"]])):
        assert [f.encode("latin-1") for f in found] == sent, (name, found, sent)
    assert {k: v.encode("latin-1") for k, v in seen["env"].items()} == {k: v.encode() for k, v in request["env"].items()}, seen["env"]
    sent = {name: bytes_of(value) for name, value in request["files"].items()}
    assert {k.encode("latin-1").decode(): v.encode("latin-1") for k, v in seen["files"].items()} == sent, (seen["files"], sent)
    assert {name: bytes_of(value) for name, value in result["files"].items()} == sent, (result["files"], sent)


def test_random_requests(world):
    seed = os.environ.get("E2E_SEED") or "%08x" % random.SystemRandom().getrandbits(32)
    print("E2E_SEED=%s" % seed)
    here = isinstance(world.cluster, Cluster)
    count = world.many(100)
    world.up(output_limit="2Mi", slots="16" if here else "8")  # a pod takes longer there
    made = {"random-%d" % n: random_request(random.Random("%s %d" % (seed, n))) for n in range(count)}
    for id_, (request, _) in made.items():
        world.push({**request, "id": id_})
    for id_, (request, kind) in made.items():
        result = world.result(id_)
        try:
            if kind == "broken":
                assert result["status"] == "invalid", result
            else:
                assert result["status"] in THE_CODES, result
                assert len(result["attempts"]) == 1 and result["meta"] == request["meta"], result
            if kind == "mirror":
                check_mirror(request, result)
        except Exception as e:
            raise AssertionError("E2E_SEED=%s, %s (%s): %.6000s\n%s" % (seed, id_, kind, e, json.dumps(request)[:3000])) from e
    until("each is counted once", lambda: int(world.redis.call("HGET", world.key("stats"), "finished") or 0) >= count)
    assert all(world.redis.call("LLEN", world.key("result:" + id_)) == 1 for id_ in made)
    assert len(world.dead()) == sum(kind == "broken" for _, kind in made.values()), world.dead()
    world.nothing_left()
    assert all(w.alive() for w in world.workers) and world.run()["stdout"] == "hello\n"
