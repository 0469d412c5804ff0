"""The first thing anybody tries, and the snippets of examples/."""

import json
import os

from world import TOP


def test_rpush_and_blpop(world):
    """The README's two commands, by a client that knows nothing of execq."""
    world.up()
    world.redis.call("RPUSH", "execq:{q}:requests", '{"id": "a1", "code": "print(6 * 7)"}')
    key, value = world.redis.call("BLPOP", "execq:{q}:result:a1", "60", timeout=70)
    result = json.loads(value)
    assert key == b"execq:{q}:result:a1"
    assert (result["id"], result["status"], result["exit_code"], result["stdout"]) == ("a1", "ok", 0, "42\n"), result
    assert len(result["attempts"]) == 1 and result["attempts"][0]["status"] == "ok", result


def test_a_failing_program_is_a_result(world):
    world.up()
    result = world.run(code="import sys\nprint('before')\nsys.exit(3)")
    assert (result["status"], result["exit_code"], result["stdout"]) == ("nonzero_exit", 3, "before\n"), result
    assert len(result["attempts"]) == 1, result
    result = world.run(code="import ctypes\nprint('last words', flush=True)\nctypes.string_at(0)")
    assert (result["status"], result["signal"], result["stdout"]) == ("signal", 11, "last words\n"), result
    result = world.run(code="while True: pass", timeout_s=1)
    assert result["status"] == "timeout", result
    result = world.run(code="import time\nprint('partial', flush=True)\ntime.sleep(60)", timeout_s=8)
    assert (result["status"], result["stdout"]) == ("timeout", "partial\n"), result


def test_a_program_sees_no_network_and_no_host(world):
    world.up()
    code = """
import os, socket
try:
    socket.create_connection(("127.0.0.1", %d), 2)
    print("redis reachable")
except OSError:
    print("no network")
print("root" if os.getuid() == 0 else "no root")
print(os.path.exists("%s"))
try:
    open("/usr/execq-was-here", "w")
    print("host writable")
except OSError:
    print("host not writable")
print(sorted(k for k in os.environ if k.startswith("EXECQ_")))
""" % (world.redis.port, world.redis.socket)
    result = world.run(code=code)
    assert result["stdout"] == "no network\nno root\nFalse\nhost not writable\n[]\n", result


def matches(want, got):
    """What `want` names must be there; NAME_contains: as a part."""
    return all(v in got.get(k[:-len("_contains")], "") if k.endswith("_contains") else got.get(k) == v
               for k, v in want.items())


def test_every_example_ends_as_it_says(world):
    with open(os.path.join(TOP, "examples/snippets.jsonl"), encoding="utf-8") as f:
        rows = [json.loads(line) for line in f if line.strip()]
    assert rows, "no examples"
    world.up()
    for row in rows:
        world.push(json.dumps(row))
    wrong = []
    for row in rows:
        result = world.result(row["id"])
        if not matches(row["meta"]["expect"], result):
            wrong.append("%s: wanted %s, got %s" % (row["id"], row["meta"]["expect"], result))
        if result.get("meta") != row["meta"]:
            wrong.append("%s: meta came back as %s" % (row["id"], result.get("meta")))
    assert not wrong, "\n".join(wrong)


def test_reply_to_and_meta_and_unicode(world):
    world.up()
    meta = {"n": 1, "list": [1.5, None, "\u00e4\u20ac\U0001f600"], "big": 12345678901234567}
    world.push(id="u1", code="print('\u00e4\u20ac\U0001f600')", meta=meta, reply_to="mine", args=["x"],
               trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    _, value = world.redis.call("BLPOP", world.key("reply:mine"), "60", timeout=70)
    result = json.loads(value)
    assert result == world.result("u1")
    assert result["meta"] == meta and result["stdout"] == "\u00e4\u20ac\U0001f600\n", result
    assert result["trace"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", result


def test_args_env_and_binary_output(world):
    world.up()
    result = world.run(code="import os, sys\nprint(sys.argv[1:], os.environ['WHO'])", args=["a b", "$HOME"],
                       env={"WHO": "$(WHO) me"})
    assert result["stdout"] == "['a b', '$HOME'] $(WHO) me\n", result
    result = world.run(code="import sys\nsys.stdout.buffer.write(b'\\xff\\x00\\xfe')")
    assert result["status"] == "ok" and result.get("stdout_base64") == "/wD+", result
    result = world.run(code="print('x' * 3000000)")
    assert result["status"] in ("ok", "output_limit") and result["stdout_truncated"] is True, result["status"]
    assert 0 < len(result["stdout"]) <= 1048576


def test_code_of_any_kind(world):
    """Code is bytes: quotes, NULs refused by Python and not by us, 900 KB of it."""
    world.up()
    assert world.run(code="print('''\"\\\\''')")["stdout"] == "\"\\\n"
    big = "x = '%s'\nprint(len(x))" % ("y" * 900000)
    assert world.run(code=big)["stdout"] == "900000\n"
    result = world.run(code="print(open(__file__, 'rb').read()[-4:])\n#\x00\r\n")
    assert result["stdout"] == "b'#\\x00\\r\\n'\n", result
