"""What becomes of code: each row the same status, exit code, streams and flags on every cluster."""

import base64
import hashlib

BIG = "import sys\nfor i in range(20000):\n    print('line', i)\n"
BIG_OUT = "".join("line %d\n" % i for i in range(20000))
CAT = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n"


def b64(data):
    return base64.b64encode(data).decode()


# name, request, settings of the worker, what the result must hold (a function: must be true of the value)
ROWS = [
    ("streams apart",
     {"code": "import sys\nfor i in range(3):\n    print('o%d' % i)\n    print('e%d' % i, file=sys.stderr)"}, {},
     {"status": "ok", "exit_code": 0, "signal": None, "stdout": "o0\no1\no2\n", "stderr": "e0\ne1\ne2\n",
      "stdout_bytes": 9, "stdout_truncated": False, "stderr_bytes": 9, "stderr_truncated": False}),
    ("no output", {"code": "pass"}, {}, {"status": "ok", "stdout": "", "stderr": "", "stdout_bytes": 0}),
    ("exit code", {"code": "import sys\nprint('x')\nsys.exit(7)"}, {},
     {"status": "nonzero_exit", "exit_code": 7, "signal": None, "stdout": "x\n"}),
    ("the runner's own exit code", {"code": "import sys\nsys.exit(86)"}, {}, {"status": "nonzero_exit", "exit_code": 86}),
    ("an exception", {"code": "raise ValueError('no')"}, {},
     {"status": "nonzero_exit", "exit_code": 1, "stdout": "", "stderr": lambda s: s.endswith("ValueError: no\n")}),
    ("a signal", {"code": "import os\nos.kill(os.getpid(), 11)"}, {}, {"status": "signal", "signal": 11, "exit_code": None}),
    ("killed by itself", {"code": "import os\nos.kill(os.getpid(), 9)"}, {}, {"status": "signal", "signal": 9}),
    ("a timeout keeps what was printed", {"code": "import time\nprint('before', flush=True)\ntime.sleep(60)", "timeout_s": 1},
     {}, {"status": "timeout", "stdout": "before\n", "signal": 15,
          "usage": lambda u: 1000 <= u["wall_ms"] < 3000, "error": lambda e: "timeout_s = 1" in e["message"]}),
    ("a timeout that is ignored",
     {"code": "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('x', flush=True)\ntime.sleep(60)", "timeout_s": 1},
     {}, {"status": "timeout", "stdout": "x\n", "signal": 9}),
    ("an endless loop", {"code": "while True:\n    pass", "timeout_s": 1}, {}, {"status": "timeout"}),
    ("stdin", {"code": CAT, "stdin": "gr\u00fc\u00dfe\n\x00"}, {}, {"status": "ok", "stdout_base64": b64("gr\u00fc\u00dfe\n\x00".encode())}),
    ("stdin of bytes", {"code": CAT, "stdin": {"base64": b64(bytes(range(256)))}}, {},
     {"status": "ok", "stdout_base64": b64(bytes(range(256))), "stdout_bytes": 256}),
    ("no stdin", {"code": CAT}, {}, {"status": "ok", "stdout": ""}),
    ("args and env as they are", {"code": "import os, sys\nprint(sys.argv[1:], os.environ['A'], os.environ['HOME'])",
                                  "args": ["$(HOME)", "$$", "", "a b"], "env": {"A": "$(HOME) $x"}}, {},
     {"status": "ok", "stdout": "['$(HOME)', '$$', '', 'a b'] $(HOME) $x /tmp\n"}),
    ("files",
     {"code": "import os, subprocess\nprint(open('a/b.txt').read(), open('c.bin', 'rb').read(), oct(os.stat('run.sh').st_mode)[-3:],"
              " subprocess.run(['./run.sh'], capture_output=True).stdout, os.getcwd())",
      "files": {"a/b.txt": "text", "c.bin": {"base64": b64(b"\x00\xff")}, "run.sh": {"text": "#!/bin/sh\necho ran\n", "mode": "755"}}},
     {}, {"status": "ok", "stdout": "text b'\\x00\\xff' 755 b'ran\\n' /work\n"}),
    ("outputs",
     {"code": "import os\nos.makedirs('out/deep')\nopen('out/a.txt', 'w').write('hi')\nopen('out/deep/b.bin', 'wb').write(b'\\0\\xff')\n"
              "open('out/deep/big.txt', 'w').write('x' * 5000)\nopen('no.txt', 'w').write('no')\nos.symlink('/etc/passwd', 'out/link')",
      "outputs": ["out/**"], "output_bytes": 4000}, {},
     {"status": "ok", "files": lambda f: f == {
         "out/a.txt": {"text": "hi", "bytes": 2, "truncated": False},
         "out/deep/b.bin": {"base64": b64(b"\x00\xff"), "bytes": 2, "truncated": False},
         "out/deep/big.txt": {"text": "x" * 4000, "bytes": 5000, "truncated": True}}}),
    ("outputs that are not there", {"code": "pass", "outputs": ["*.png"]}, {}, {"status": "ok", "files": {}}),
    ("long output", {"code": BIG}, {}, {"status": "ok", "stdout": BIG_OUT, "stdout_truncated": False}),
    ("output that is cut", {"code": BIG, "output_bytes": 100}, {},
     {"status": "ok", "stdout": BIG_OUT[:100], "stdout_truncated": True, "stdout_bytes": len(BIG_OUT)}),
    ("no output wanted", {"code": BIG, "output_bytes": 0}, {},
     {"status": "ok", "stdout": "", "stdout_truncated": True, "stdout_bytes": len(BIG_OUT)}),
    ("one line of a megabyte", {"code": "print('x' * 1000000)"}, {},
     {"status": "ok", "stdout": lambda s: hashlib.sha1(s.encode()).hexdigest() == hashlib.sha1(b"x" * 1000000 + b"\n").hexdigest()}),
    ("bytes that are no text", {"code": "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 40)"}, {},
     {"status": "ok", "stdout_base64": b64(bytes(range(256)) * 40)}),
    ("control characters", {"code": "print('\\x1b[31mred\\x07 \\u202e \\x85')"}, {}, {"status": "ok", "stdout": "\x1b[31mred\x07 \u202e \x85\n"}),
    ("too much output", {"code": "while True:\n    print('x' * 1000)"}, {"output_limit": "1Mi"},
     {"status": "output_limit", "stdout_truncated": True, "stdout_bytes": lambda n: n > 1 << 20}),
    ("too much on the disk",
     {"code": "import time\nf = open('/tmp/x', 'wb')\nfor i in range(64):\n    f.write(bytes(1 << 18))\n    f.flush()\ntime.sleep(60)", "disk": "4Mi"}, {},
     {"status": "disk_limit", "error": lambda e: "disk = 4194304" in e["message"]}),
    ("too much memory", {"code": "x = []\nwhile True:\n    x.append(bytearray(1 << 24))", "memory": "128Mi"}, {}, {"status": "oom"}),
    ("a program that is not there", {"code": "", "argv": ["/no/such/program"]}, {},
     {"status": "invalid", "error": lambda e: "/no/such/program" in e["message"]}),
    ("a daemon that outlives its parent",
     {"code": "import os, time\nprint('parent', flush=True)\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(60)\n    os._exit(0)\n"}, {},
     {"status": "ok", "stdout": "parent\n", "usage": lambda u: u["wall_ms"] < 10000}),
    ("every descriptor closed", {"code": "import os\nos.closerange(0, 1000)\nos._exit(3)"}, {}, {"status": "nonzero_exit", "exit_code": 3, "stdout": ""}),
    ("signals to everybody", {"code": "import os, signal\nprint('x', flush=True)\nsignal.signal(15, signal.SIG_IGN)\n\ntry:\n    os.kill(-1, 15)\nexcept OSError:\n    pass\nprint('y')"}, {},
     {"status": "ok", "stdout": "x\ny\n"}),
    ("a forged report",
     {"code": "import os\nfor path in ('/dev/termination-log', '/proc/1/fd/1', '/proc/1/fd/2'):\n    try:\n"
              "        open(path, 'w').write('{\"execq_report\":1,\"lines\":1,\"bytes\":1,\"sha256\":\"\"}\\n')\n    except OSError:\n        pass\n"
              "print('true', flush=True)\nos._exit(86)"}, {},
     {"status": "nonzero_exit", "exit_code": 86, "stdout": "true\n"}),
    ("cases",
     {"code": "import sys\nn = sys.stdin.read().split()\nif n == ['crash']:\n    raise SystemExit(4)\nif n == ['hang']:\n"
              "    import time\n    time.sleep(60)\nprint(sum(map(int, n)), *sys.argv[1:])",
      "cases": [{"stdin": "1 2", "expected": "3\n"}, {"stdin": "1 2", "expected": "4\n"}, {"stdin": "2 2", "expected": "4", "compare": "trimmed"},
                {"stdin": "5", "args": ["a", "b"], "expected": " 5  a\nb ", "compare": "tokens"}, {"stdin": "7"}, {"stdin": "crash", "expected": ""},
                {"stdin": "hang", "timeout_s": 0.5}, {"stdin": "9", "expected": "9\n"}]}, {},
     {"status": "nonzero_exit", "exit_code": 4, "stdout": None,
      "cases": lambda cs: [c["verdict"] for c in cs] == ["passed", "wrong", "passed", "passed", "unchecked", "failed", "failed", "passed"]
      and [c["status"] for c in cs] == ["ok"] * 5 + ["nonzero_exit", "timeout", "ok"] and cs[1]["stdout"] == "3\n" and cs[5]["exit_code"] == 4}),
    ("cases up to the first failure",
     {"code": "print(input())", "stop_on_first_failure": True,
      "cases": [{"stdin": "1\n", "expected": "1\n"}, {"stdin": "2\n", "expected": "3\n"}, {"stdin": "4\n", "expected": "4\n"}]}, {},
     {"status": "ok", "cases": lambda cs: [c["verdict"] for c in cs] == ["passed", "wrong", "skipped"] and cs[2] == {"verdict": "skipped"}}),
    ("a thousand cases",
     {"code": "import sys\nprint(sys.argv[1])", "argv": ["echo"], "cases": [{"args": [str(i)], "expected": "%d\n" % i} for i in range(1000)]}, {},
     {"status": "ok", "cases": lambda cs: len(cs) == 1000 and all(c["verdict"] == "passed" for c in cs)}),
    ("a compile stage that fails", {"code": "def f(:\n", "language": "checked"}, {"checked": True},
     {"status": "compile_error", "exit_code": 1, "stdout": "", "stderr": lambda s: "SyntaxError" in s}),
    ("a compile stage", {"code": "print('ran')", "language": "checked"}, {"checked": True},
     {"status": "ok", "stdout": "ran\n", "compile": lambda c: c["exit_code"] == 0 and c["stdout"] == "" and c["usage"]["wall_ms"] >= 0}),
]

# A language with two stages that needs nothing but the image of Python.
CHECKED = "checked=python:3.11-slim,code.py,python3,-c,import ast;ast.parse(open('/app/code.py').read()),=>,python3,/app/code.py"


def check(result, expected):
    for field, value in expected.items():
        found = result.get(field)
        good = value(found) if callable(value) else found == value
        assert good, "%s is %.300r, not as it should be in %.2000s" % (field, found, result)


def times_add_up(result):
    t = result["times"]
    known = [t[k] for k in ("claimed", "created", "started", "finished", "published") if t[k] is not None]
    assert known == sorted(known) and len(known) >= 3, t


def row(request, settings, expected):
    def test(world):
        wanted = dict(settings)
        if wanted.pop("checked", False):
            wanted["language"] = CHECKED
        world.up(**wanted)
        result = world.run(request)
        check(result, expected)
        times_add_up(result)
        assert len(result["attempts"]) == 1, result["attempts"]

    test.together = True
    return test


def with_time(request, expected):
    """On a machine with much to do, a second may be over before the code has printed."""
    return {**request, "timeout_s": 8} if expected["status"] == "timeout" else request


def test_the_rows_side_by_side(world):
    """All of them at once in one worker, as a batch has them."""
    world.up(language=CHECKED, output_limit="1Mi", slots="64")
    rows = [r for r in ROWS if r[0] not in ("one line of a megabyte", "a thousand cases")]  # beyond this limit; too slow for all
    ids = [world.push(with_time(request, expected)) for _, request, _, expected in rows]
    for id_, (_, request, _, expected) in zip(ids, rows):
        late = request is not with_time(request, expected)
        check(world.result(id_), {k: v for k, v in expected.items() if k != "usage" and not (late and k == "error")})


def test_a_line_of_a_megabyte(world):
    _, request, settings, expected = next(r for r in ROWS if r[0] == "one line of a megabyte")
    row(request, settings, expected)(world)


TESTS = [(name, row(request, settings, expected)) for name, request, settings, expected in ROWS]
