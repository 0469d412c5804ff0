"""Runs the real runner and reads what it says, as a worker would: nothing is believed but a report that adds up."""

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import plans

# How the runner stands: started by hand (and then it may hurt nobody but its own), or PID 1 of a sandbox; with all
# its namespaces, with those that need no /proc of their own, or refused any.
MODES = {
    "full": "full",
    "plain": "none",
    "pid1": "none",  # as under runc
    "pid1-network": "network",
    "pid1-full": "full",  # as under gVisor
}
NOBODY = 65432  # a user of its own where the tests run as root: limits on processes do not count for root
PYTHON = "/usr/bin/python3"
EXIT_REPORTED = 86
HANGS_S = 60


class Wrong(Exception):
    """The runner did something that it must never do, whatever the code does."""


class Answer:
    def __init__(self, code, message, log, stderr):
        self.code, self.message, self.log, self.stderr = code, message, log, stderr
        self.report = None

    def run(self):
        return self.report["run"]

    def out(self, name="stdout", of=None):
        return text_of(of or self.run(), name)


def text_of(where, name):
    if name + "_base64" in where:
        return base64.b64decode(where[name + "_base64"], validate=True)
    return where[name].encode()


def no_doubles(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Wrong("a name stands twice in %s" % names)
    return dict(pairs)


def read_json(data):
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=no_doubles)
    except ValueError as error:
        raise Wrong("no JSON: %s in %r" % (error, data[:300])) from error
    if not isinstance(value, dict) or value.get("execq_report") != 1:
        raise Wrong("no report: %r" % data[:300])
    return value


def check_stream(where, name):
    kept, total = len(text_of(where, name)), where[name + "_bytes"]
    if where.get(name + "_truncated", False) != (kept < total) or kept > total:
        raise Wrong("%s: %d kept of %d, truncated: %s" % (name, kept, total, where.get(name + "_truncated")))


def check_run(run):
    for name in ("wall_ms", "cpu_ms", "max_rss_bytes"):
        if not isinstance(run[name], int) or run[name] < 0:
            raise Wrong("%s is %r" % (name, run[name]))
    check_stream(run, "stdout")
    check_stream(run, "stderr")
    if b"AddressSanitizer" in text_of(run, "stderr") or b"runtime error:" in text_of(run, "stderr"):
        raise Wrong("a sanitizer spoke: %s" % text_of(run, "stderr")[:2000].decode(errors="replace"))


def read_report(answer):
    """The report of a run that ended with the runner's own code."""
    if answer.code != EXIT_REPORTED:
        raise Wrong("ended with %s; stderr: %s" % (answer.code, answer.stderr[-3000:].decode(errors="replace")))
    if len(answer.message) > 4096:
        raise Wrong("a message of %d bytes" % len(answer.message))
    report = read_json(answer.message)
    if "lines" in report:
        lines = answer.log.split(b"\n")
        if lines.pop() != b"" or len(lines) < report["lines"] + 1:
            raise Wrong("the log has %d lines, not %d" % (len(lines), report["lines"]))
        tail = lines[-report["lines"]:]
        whole = b"".join(tail)
        if max(map(len, tail)) >= 16384 or len(whole) != report["bytes"]:
            raise Wrong("lines of %d bytes, %d in all" % (max(map(len, tail)), len(whole)))
        if hashlib.sha256(whole).hexdigest() != report["sha256"]:
            raise Wrong("the digest of the log does not match")
        for line in tail:
            line.decode("utf-8")
        report = read_json(whole)
    for run in [report.get("compile"), report.get("run")] + report.get("cases", []):
        if run and run.get("verdict") != "skipped":
            check_run(run)
    answer.report = report
    return report


class Runner:
    """One runner binary in one mode. Each run gets a folder of its own, which is gone afterwards."""

    def __init__(self, binary, mode):
        self.mode, self.home = mode, tempfile.mkdtemp(prefix="execq-runner-")
        os.chmod(self.home, 0o755)
        self.binary = os.path.join(self.home, "runner")
        shutil.copy(binary, self.binary)
        os.chmod(self.binary, 0o755)
        self.pid1 = mode.startswith("pid1")
        self.isolation = MODES[mode]

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def new_folder(self):
        folder = tempfile.mkdtemp(dir=self.home)
        work = os.path.join(folder, "work")
        os.mkdir(work)
        for path in (folder, work):
            os.chmod(path, 0o777)
            if os.getuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        return folder

    def cwd(self, folder):
        """The name of the working directory as the plan has to give it."""
        return "/work" if self.pid1 else os.path.join(folder, "work")

    def plan_path(self, folder):
        return "/execq/plan" if self.pid1 else os.path.join(folder, "plan")

    def message_path(self, folder):
        return "/dev/termination-log" if self.pid1 else os.path.join(folder, "message")

    def command(self, folder):
        if not self.pid1:
            return [self.binary, "--message", self.message_path(folder), self.plan_path(folder)]
        sandbox = ["bwrap", "--unshare-all", "--as-pid-1", "--die-with-parent", "--ro-bind", "/usr", "/usr"]
        for name in ("/bin", "/lib", "/lib64", "/sbin"):
            if os.path.islink(name):
                sandbox += ["--symlink", os.readlink(name), name]
            elif os.path.isdir(name):
                sandbox += ["--ro-bind", name, name]
        sandbox += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", folder + "/work", "/work"]
        sandbox += ["--bind", folder + "/message", "/dev/termination-log", "--bind", folder + "/plan", "/execq/plan"]
        if self.mode == "pid1":
            sandbox += ["--unshare-user", "--disable-userns"]
        if self.mode == "pid1-network":  # a /proc with something hidden in it: the kernel then allows no fresh one
            sandbox += ["--ro-bind", "/dev/null", "/proc/version"]
        return sandbox + ["--ro-bind", self.binary, "/execq/runner", "/execq/runner", "/execq/plan"]

    def plan(self, argv, cwd, *records, **numbers):
        """A plan in this mode: without namespaces where they are not refused to it."""
        if self.mode == "plain":
            numbers.setdefault("isolate", 0)
        return plans.plan(argv, cwd, *records, **numbers)

    def python(self, code, *records, env=None, before=None, during=None, **numbers):
        """Runs a Python program under the plan that the rest describes, and returns the answer."""
        argv = [PYTHON, "-S", "-c", code]
        return self.report(lambda cwd: self.plan(argv, cwd, *records, **numbers), env=env, before=before, during=during)

    def run(self, make_plan, env=None, before=None, during=None, prefix=()):
        """Runs what make_plan(cwd) returns. `before(folder)` prepares it, `during(process)` disturbs it, `prefix` stands
        before the command line."""
        folder = self.new_folder()
        try:
            with open(folder + "/plan", "wb") as f:
                f.write(make_plan(self.cwd(folder)))
            os.chmod(folder + "/plan", 0o644)
            with open(folder + "/message", "wb") as f:
                f.write(b"what stood here before")
            os.chmod(folder + "/message", 0o666)
            if before:
                before(folder)
            return self.start(folder, env, during, list(prefix))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, folder, env, during, prefix):
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "UBSAN_OPTIONS")}
        keep.update({"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0"})
        keep.update(env or {})
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        with open(folder + "/log", "wb") as log, open(folder + "/stderr", "wb") as stderr:
            # The log has a beginning without a line end, as code may leave one.
            log.write(b"half a line")
            log.flush()
            process = subprocess.Popen(prefix + self.command(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=stderr,
                                       env=keep, cwd="/", start_new_session=True, **who)
            try:
                if during:
                    during(process)
                code = process.wait(timeout=HANGS_S)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Wrong("hung for %d s" % HANGS_S) from error
                raise
        data = []
        for name in ("message", "log", "stderr"):
            with open(os.path.join(folder, name), "rb") as f:
                data.append(f.read())
        return Answer(code, *data)

    def report(self, make_plan, **how):
        answer = self.run(make_plan, **how)
        read_report(answer)
        if "error" in answer.report:
            raise Wrong("refused: %s" % answer.report["error"])
        return answer
