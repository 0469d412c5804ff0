"""The command lines: what an operator sees before anything runs."""

import os
import subprocess


def run(world, folder, name, *words, env=None):
    done = subprocess.run([world.program(folder, name), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, cwd=world.dir, env={**world.env, **(env or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


PROGRAMS = [("worker", "execq-worker"), ("devcluster", "execq-devcluster"), ("cli", "execq")]


def test_help_and_version(world):
    for folder, name in PROGRAMS:
        code, out, err = run(world, folder, name, "--help")
        assert code == 0 and len(out) > 200 and not err, (name, code, err)
        code, out, err = run(world, folder, name, "--version")
        assert code == 0 and out.startswith(name + " ") and out.count(".") >= 2, (name, code, out)


def test_what_is_unknown_is_named(world):
    for folder, name in PROGRAMS:
        code, out, err = run(world, folder, name, "--colour", "red")
        assert code == 2 and "--colour" in err and not out, (name, code, err)
        assert err.count("\n") <= 5, err


def test_settings_are_checked(world):
    path = os.path.join(world.dir, "worker.conf")
    for line, word in (("colour = red", "colour"), ("slots = many", "slots"), ("slots = 0", "slots"),
                       ("timeout = 5 parsecs", "timeout"), ("no equals", "worker.conf:2"), ("queue = a b", "queue")):
        with open(path, "w", encoding="utf-8") as f:
            f.write("# settings\n%s\n" % line)
        code, _, err = run(world, "worker", "execq-worker", "--config", path, "--check-config")
        assert code == 2 and word in err and "worker.conf:2" in err, (line, code, err)
    code, _, err = run(world, "worker", "execq-worker", "--check-config", env={"EXECQ_SLOTS": "many"})
    assert code == 2 and "EXECQ_SLOTS" in err, err
    for more in ([], ["--check-config"]):
        code, _, err = run(world, "worker", "execq-worker", *more, "--redis-url", "rediss://h")
        assert code == 2 and "rediss" in err and "redis-url" in err, (code, err)
    code, _, err = run(world, "worker", "execq-worker", "--config", "/nonexistent/file")
    assert code == 2 and "/nonexistent/file" in err, err


def test_check_config_prints_what_counts(world):
    path = os.path.join(world.dir, "worker.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write("slots = 7\ntimeout = 5s\nqueue = from-file\n")
    code, out, err = run(world, "worker", "execq-worker", "--config", path, "--check-config", "--slots", "9",
                         env={"EXECQ_QUEUE": "from-env", "EXECQ_SLOTS": "8"})
    assert code == 0, err
    settings = dict(line.split(" = ", 1) for line in out.splitlines() if " = " in line)
    assert settings["slots"] == "9" and settings["queue"] == "from-env" and settings["timeout"] == "5s", settings
    # what it prints can be read again and says the same
    with open(path, "w", encoding="utf-8") as f:
        f.write(out)
    code, again, err = run(world, "worker", "execq-worker", "--config", path, "--check-config")
    assert code == 0 and again == out, err


def test_a_request_that_stands_as_it_is_takes_nothing_along(world):
    """submit --request: what other options would say is refused, not forgotten. Redis is not even asked."""
    path = os.path.join(world.dir, "request.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"id": "r", "code": "pass"}')
    for words in (["--stdin", path], ["--file", "a=" + path], ["--output", "*"], ["--env", "A=b"], ["--language", "bash"],
                  ["--timeout", "3"], ["--cpu", "1"], ["--memory", "1Gi"], ["--image", "i"], ["--id", "i"]):
        code, out, err = run(world, "cli", "execq", "submit", "--request", path, *words)
        assert code == 2 and words[0] + " does not go with --request" in err and not out, (words, code, err)
    code, out, err = run(world, "cli", "execq", "submit", "--request", path, "--", "a")
    assert code == 2 and "--request" in err, (code, err)
    code, out, err = run(world, "cli", "execq", "submit", "--request", path, "--redis-url", "redis://127.0.0.1:1", "--json")
    assert code == 3, (code, err)  # as far as Redis, then


def test_secrets_are_masked(world):
    for url in ("redis://:tellnoone@h:1/0", "redis://user:tellnoone@h", "redis+unix://:tellnoone@/s.sock?db=1",
                "redis://user:tell%40noone@h"):
        code, out, err = run(world, "worker", "execq-worker", "--check-config", "--redis-url", url)
        assert code == 0 and "noone" not in out + err and "***" in out, (url, out)
    code, out, err = run(world, "worker", "execq-worker", "--redis-url", "redis://:tellnoone@h:99999/x")
    assert code == 2 and "noone" not in out + err, (code, err)
    code, out, err = run(world, "cli", "execq", "status", "--redis-url", "redis://:tellnoone@127.0.0.1:1/0")
    assert code == 3 and "noone" not in out + err, (code, err)


def test_no_cluster_is_told(world):
    world.redis.start()
    code, _, err = run(world, "worker", "execq-worker", "--redis-url", world.redis.url, "--kubeconfig", "/nonexistent")
    assert code == 2 and "/nonexistent" in err, (code, err)


def test_run_and_result(world):
    world.up()
    path = os.path.join(world.dir, "hello.py")
    with open(path, "w", encoding="utf-8") as f:
        f.write("import sys\nprint('hello', sys.argv[1:])\nsys.exit(len(sys.argv) - 1)\n")
    code, out, _ = world.execq("run", path, check=False)
    assert (code, out) == (0, "hello []\n"), (code, out)
    code, out, _ = world.execq("run", path, "--", "a", "b", check=False)
    assert (code, out) == (2, "hello ['a', 'b']\n"), (code, out)
    code, _, err = world.execq("result", "nosuchid", check=False)
    assert code == 4, (code, err)
    world.execq("status")
