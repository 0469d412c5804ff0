"""Code that wants to hurt: the runner reports all the same, and what it says is true."""

import ast
import json
import os
import subprocess
import time

from harness import PYTHON, Wrong, text_of
from plans import record
from test_runs import want


def test_flood_of_lines(r):
    answer = r.python("import sys\nfor i in range(1000000): sys.stdout.write('%d\\n' % i)", output_bytes=100000)
    whole = "".join("%d\n" % i for i in range(20000)).encode()
    want((answer.out(), answer.run()["stdout_bytes"]), (whole[:100000], 6888890))


def test_one_line_of_100_mb(r):
    run = r.python("import os\nfor i in range(1600): os.write(2, b'x' * 65536)").run()
    want((run["end"], run["stderr_bytes"], len(run["stderr"])), ("exit", 1600 * 65536, 1 << 20))


def test_endless_flood_on_both_streams(r):
    code = "import os\nif os.fork(): os.dup2(1, 2)\nwhile True: os.write(2, b'x' * 65536)"
    run = r.python(code, timeout_ms=3000, output_bytes=10).run()
    want((run["end"], run["stdout"], run["stderr"]), ("timeout", "x" * 10, "x" * 10))


def test_bytes_of_every_kind(r):
    for data in (b"\0", b"a\0b", b"\xff\xfe", b"\x1b[31mred\x1b[0m\r\n", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf",
                 "\u2028\u2029\ufeff\U0001f600".encode(), b'"\\/</script>', bytes(range(256)), b"\n" * 5000, b"\x7f" * 9):
        answer = r.python("import os; os.write(1, %r); os.write(2, %r)" % (data, data[::-1]))
        want((answer.out(), answer.out("stderr")), (data, data[::-1]))


def test_looks_like_a_report(r):
    fake = json.dumps({"execq_report": 1, "run": {"end": "exit", "exit_code": 0}})
    answer = r.python("import os; os.write(1, b'\\n' + %r.encode() + b'\\n'); os._exit(3)" % fake)
    want((answer.run()["exit_code"], answer.out().decode()), (3, "\n" + fake + "\n"))


def test_closes_everything(r):
    run = r.python("import os, time; os.closerange(0, 65536); time.sleep(0.2); os._exit(5)").run()
    want((run["end"], run["exit_code"]), ("exit", 5))


def test_closes_everything_and_stays(r):
    want(r.python("import os, time; os.closerange(0, 65536); time.sleep(60)", timeout_ms=1000).run()["end"], "timeout")


DAEMON = """import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        %s
        while True:
            try: os.write(1, b'x')
            except OSError: pass
            open('alive', 'w').write(str(time.time()))
            time.sleep(0.01)
    os._exit(0)
os.wait()
time.sleep(0.3)
os._exit(4)"""


def test_daemons_die(r):
    for extra in ("pass", "import signal; [signal.signal(s, signal.SIG_IGN) for s in range(1, 32) if s not in (9, 19)]",
                  "os.closerange(0, 100)", "os.chdir('/tmp') if os.access('/tmp', 7) else 0"):
        started = time.monotonic()
        run = r.python(DAEMON % extra, timeout_ms=30000).run()
        want((run["end"], run["exit_code"], run.get("leftovers", False)), ("exit", 4, False))
        if time.monotonic() - started > 20:
            raise AssertionError("waited for a daemon")


def test_daemons_of_a_compile_stage_die_before_the_run(r):
    def make(cwd):
        daemon = DAEMON.replace("time.sleep(0.3)", "while not os.path.exists('alive'): time.sleep(0.01)")
        compile_argv = [PYTHON, "-S", "-c", daemon.replace("os._exit(4)", "os._exit(0)") % "pass"]
        code = "import os, time\na = os.stat('alive').st_mtime_ns; time.sleep(0.3); print(a == os.stat('alive').st_mtime_ns)"
        return r.plan([PYTHON, "-S", "-c", code], cwd, *[("compile-arg", a) for a in compile_argv])

    want(r.report(make).out(), b"True\n")


def test_fork_bomb(r):
    """Bounded by RLIMIT_NPROC where that counts, else by itself."""
    code = """import os, time
for i in range(6):
    try: os.fork()
    except OSError: pass
os.setsid() if os.getpgid(0) != os.getpid() else 0
while True:
    try:
        if os.fork() == 0: os._exit(0)
        os.wait()
    except OSError: pass"""
    run = r.python(code, timeout_ms=1000, processes=40).run()
    want((run["end"], run.get("leftovers", False)), ("timeout", False))


def test_kill_everybody(r):
    code = "import os, signal\ntry: os.kill(-1, 9)\nexcept OSError: pass\nos._exit(7)"
    if r.pid1 or r.isolation == "full":  # else that would be everything of this user's
        run = r.python(code).run()
        if (run["end"], run.get("exit_code"), run.get("signal")) not in (("exit", 7, None), ("signal", None, 9)):
            raise AssertionError(run)


def test_kill_the_parent(r):
    code = """import os, signal
for pid in {1, os.getppid()}:
    for s in (9, 15, 19, 11, 2, 1):
        try: os.kill(pid, s)
        except OSError: pass
os.kill(os.getpid(), 9)"""
    if r.isolation == "full":
        run = r.python(code, timeout_ms=5000).run()
        if run.get("signal") not in (9, 15):
            raise AssertionError(run)
        # No signal but SIGTERM, which comes back to the code, does anything to what stands between it and the runner.
        code = "import os, time\nfor s in set(range(1, 65)) - {15, 32, 33}: os.kill(1, s)\ntime.sleep(0.2); os._exit(9)"
        run = r.python(code, timeout_ms=5000).run()
        if r.mode == "kube-gvisor":  # where a namespace's PID 1 can be killed from inside: the code kills itself
            want(run.get("exit_code") == 9 or run["signal"] > 0, True, run)
        else:
            want(run.get("exit_code"), 9)


def test_code_cannot_stop_pid_1(r):
    """Not while it runs, and not with a signal that waits until it is gone."""
    if r.pid1 and r.isolation != "full":
        code = "import os, time\nfor s in (15, 2, 15): os.kill(1, s); time.sleep(0.1)\nos.kill(1, 15)"
        cases = r.python(code, record("case"), record("case")).report["cases"]
        want([(c["verdict"], c["end"]) for c in cases], [("unchecked", "exit")] * 2)


ATTACK = """import os, ctypes
pids = {1, os.getppid(), %s}
done = []
for pid in pids:
    for name in os.listdir('/proc/%%d/fd' %% pid) if os.access('/proc/%%d/fd' %% pid, os.R_OK) else map(str, range(20)):
        try:
            fd = os.open('/proc/%%d/fd/%%s' %% (pid, name), os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, b'forged\\n')
            done.append((pid, name))
        except OSError: pass
    for name in ('mem', 'environ', 'maps', 'auxv'):
        try:
            open('/proc/%%d/%%s' %% (pid, name), 'rb').read(1)
            done.append((pid, name))
        except OSError: pass
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, 0, 0) == 0: done.append((pid, 'ptrace'))
print(done)"""


def test_descriptors_memory_and_ptrace_of_the_runner(r):
    """Where the code can see the runner at all, the kernel does not let it in."""
    answer = r.python(ATTACK % "0")
    done = set(ast.literal_eval(answer.out().decode()))
    if r.mode == "kube-gvisor":  # there only the process between the two is seen, and has the code's own environment
        done -= {(1, "environ"), (1, "maps"), (1, "auxv")}
    want(done, set())
    if b"forged" in answer.log:
        raise AssertionError("the log was reached")


def test_message_and_plan(r):
    code = """import os
for path in (%r, %r):
    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_APPEND):
        try: os.write(os.open(path, flags), b'forged' * 1000)
        except OSError: pass
    for f in (os.unlink, lambda p: os.chmod(p, 0), lambda p: os.rename(p, p + '.gone'), lambda p: os.truncate(p, 1 << 40)):
        try: f(path)
        except OSError: pass
print('done')"""

    def make(cwd):
        # By hand the folder of both is the code's to write to: there only the descriptor that the runner holds is safe.
        paths = ("/dev/termination-log", "/execq/plan") if r.pid1 else ("/dev/null", "/dev/null")
        return r.plan([PYTHON, "-S", "-c", code % paths], cwd)

    want(r.report(make).out(), b"done\n")


def test_plan_is_out_of_sight(r):
    if r.isolation == "full":
        def make(cwd):
            path = "/execq/plan" if r.pid1 else os.path.join(os.path.dirname(cwd), "plan")
            return r.plan([PYTHON, "-S", "-c", "print(open(%r, 'rb').read())" % path], cwd)

        want(r.report(make).out(), b"b''\n")


def test_plan_is_out_of_sight_of_every_case(r):
    if r.isolation == "full" and r.pid1:
        code = "import sys; print(len(open('/execq/plan', 'rb').read()), open('/dev/termination-log', 'rb').read())"
        cases = r.python(code, record("case"), record("case")).report["cases"]
        want([c["stdout"] for c in cases], ["0 b''\n"] * 2)


def test_links_in_output_files(r):
    code = """import os
os.symlink('/etc/passwd', 'a.txt')
os.symlink('/etc', 'd')
os.mkfifo('fifo.txt')
os.mkdir('e.txt')
os.symlink('..', 'e.txt/up')
os.symlink('/dev/zero', 'z.txt')
open('good.txt', 'w').write('good')
os.link('good.txt', 'hard.txt')
open('shut.txt', 'w').write('x'); os.chmod('shut.txt', 0)
open(b'odd\\xff\\n.txt', 'w').write('odd')"""
    answer = r.python(code, ("output", "**/*.txt"), ("output", "d/passwd"), ("output", "**"))
    got = [(text_of(f, "path"), text_of(f, "content")) for f in answer.report["files"]]
    want(got, [(b"good.txt", b"good"), (b"hard.txt", b"good"), (b"odd\xff\n.txt", b"odd")])
    want(answer.report["files_omitted"], 1)


def test_ten_thousand_output_files(r):
    answer = r.python("for i in range(10000): open('%d' % i, 'w').write('x')", ("output", "*"), timeout_ms=60000)
    want(len(answer.report["files"]), 256)
    if not answer.report.get("files_cut_short"):  # a slow disk may take more than the three seconds there are
        want(answer.report["files_omitted"], 9744)


def test_deep_folders(r):
    code = """import os
for i in range(400):
    os.mkdir('d'); os.chdir('d')
open('f', 'w').write('x' * 1000000)
import time; time.sleep(2)"""
    answer = r.python(code, ("output", "**/f"), disk_bytes=2000000, timeout_ms=20000)
    want((answer.run()["end"], answer.report["files_cut_short"]), ("disk_limit", True))


def test_huge_sparse_output_file(r):
    answer = r.python("open('f', 'wb').truncate(1 << 40)", ("output", "f"), ("output-max", 1000))
    got = answer.report["files"][0]
    want((got["bytes"], text_of(got, "content"), got["truncated"]), (1 << 40, b"\0" * 1000, True))


def test_working_directory_taken_away(r):
    code = """import os
open('f', 'w').write('x')
try: os.chmod('.', 0)
except PermissionError: pass  # it may be somebody else's
print('done')"""
    want(r.python(code, ("output", "*")).out(), b"done\n")


def test_arguments_too_long(r):
    answer = r.report(lambda cwd: r.plan(["/bin/true"], cwd, ("arg", "x" * 3000000)))
    want((answer.run()["end"], "too long" in answer.run()["why"]), ("not_started", True))


def test_stopped_by_itself(r):
    want(r.python("import os; os.kill(os.getpid(), 19)", timeout_ms=1000).run()["end"], "timeout")


def test_everything_stopped_and_traced(r):
    code = """import os, ctypes, time
pid = os.fork()
if pid == 0: time.sleep(60)
ctypes.CDLL(None).ptrace(16, pid, 0, 0)
os._exit(0)"""
    run = r.python(code, timeout_ms=5000).run()
    want((run["end"], run.get("leftovers", False)), ("exit", False))


def test_namespaces_of_its_own(r):
    """Code that makes another sandbox inside dies with it all the same."""
    code = """import os, ctypes, time
libc = ctypes.CDLL(None)
libc.unshare(0x10000000 | 0x20000000)
if os.fork() == 0:
    if os.fork() == 0: time.sleep(60)
    time.sleep(60)
os._exit(0)"""
    run = r.python(code, timeout_ms=20000).run()
    want((run["end"], run.get("leftovers", False)), ("exit", False))


def test_children_that_tell_nobody(r):
    """A clone whose end raises no signal is waited for as well."""
    code = """import ctypes, os, time
libc = ctypes.CDLL(None)
if libc.syscall(%d, 0, 0, 0, 0, 0) == 0:
    if libc.syscall(%d, 0, 0, 0, 0, 0) == 0: time.sleep(60)
    os._exit(0)
os._exit(0)""" % ((56, 56) if os.uname().machine == "x86_64" else (220, 220))
    run = r.python(code, timeout_ms=10000).run()
    want((run["end"], run.get("leftovers", False)), ("exit", False))


def test_stdin_closed_halfway(r):
    run = r.python("import os; os.read(0, 10); os.close(0); print('ok')", ("stdin", b"x" * 5000000)).run()
    want(run["stdout"], "ok\n")


def test_nonblocking_streams(r):
    code = """import os
for fd in (0, 1, 2): os.set_blocking(fd, False)
n = 0
while n < 3000000:
    try: n += os.write(1, b'x' * 1000)
    except BlockingIOError: pass"""
    want(r.python(code, output_bytes=10).run()["stdout_bytes"], 3000000)


def test_many_short_runs_leave_nothing_open(r):
    cases = [record("case") for _ in range(60)]
    answer = r.report(lambda cwd: r.plan(["/bin/true"], cwd, *cases), prefix=["prlimit", "--nofile=30"])
    want({c["end"] for c in answer.report["cases"]}, {"exit"})


def test_started_without_descriptors(r):
    """The runner's own 0 to 2 are closed: no pipe may become one of them."""
    folder = r.new_folder()
    if r.pid1:
        return
    with open(folder + "/plan", "wb") as f:
        f.write(r.plan([PYTHON, "-S", "-c", "print(input()); import sys; print('e', file=sys.stderr)"], folder + "/work",
                       ("stdin", "in\n")))
    subprocess.run(["/bin/sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *r.command(folder)], timeout=30, check=False,
                   **({"user": 65432, "group": 65432, "extra_groups": []} if os.getuid() == 0 else {}))
    with open(folder + "/message", "rb") as f:
        run = json.load(f)["run"]
    want((run["stdout"], run["stderr"]), ("in\n", "e\n"))


def test_own_failures_have_their_own_codes(r):
    if r.pid1:
        return
    folder = r.new_folder()
    with open(folder + "/plan", "wb") as f:
        f.write(r.plan([PYTHON, "-S", "-c", "print('x' * 9999)"], folder + "/work"))
    rows = [
        ([], 64), (["--nonsense", "x"], 64), (["a", "b"], 64), (["--message"], 64), (["--version"], 0),
        (["--message", "/nowhere/x", folder + "/plan"], 73), (["--message", folder, folder + "/plan"], 73),
        (["--message", "/dev/full", folder + "/plan"], 73),
    ]
    for arguments, code in rows:
        got = subprocess.run([r.binary] + arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        want(got.returncode, code, arguments)
    with open("/dev/full", "wb") as full:
        command = [r.binary, "--message", folder + "/m", folder + "/plan"]
        want(subprocess.run(command, stdout=full, timeout=30, check=False).returncode, 74)
    for plan in (folder + "/none", folder, "/dev/zero"):
        got = subprocess.run([r.binary, "--message", folder + "/m", plan], timeout=30, check=False)
        with open(folder + "/m", "rb") as f:
            report = json.load(f)
        want((got.returncode, report["error_at"]), (86, "plan"), report)


def test_sigkill_is_only_suspected_of_memory(r):
    run = r.python("import os; os.kill(os.getpid(), 9)").run()
    if run.get("oom") or (run.get("oom_suspected") and run["signal"] != 9):
        raise Wrong(str(run))
