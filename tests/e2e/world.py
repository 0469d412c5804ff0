"""The programs together, as a user has them: redis-server, execq-devcluster, execq-worker, execq, each a process of its
own in a directory of its own. A World is made for one test and ends with a look for what should not be there: objects in
the cluster, claims in Redis, reports of a sanitizer, processes."""

import base64
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from resp import Redis

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# seconds until something that should happen counts as not happening; never a measure of speed
PATIENCE = int(os.environ.get("E2E_PATIENCE", "60"))


RUNNER_MAP = re.compile("execq-runner-[a-z0-9]{12}")


class Skip(Exception):
    """The test cannot run here; the text says why."""


def on_devcluster(test):
    """For a test that needs what only the devcluster has: faults on order, or the host's compilers."""
    test.on_devcluster = True
    return test


def become_subreaper():
    """What our children leave behind becomes our child, so that it can be found and ended."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def descendants(root=None):
    """(pid, command) of every process below `root`, zombies left out."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as f:
                    stat = f.read()
            except OSError:
                continue
            rest = stat[stat.rindex(")") + 2:].split()
            if rest[0] not in "ZX":
                parents[int(entry)] = int(rest[1])
                names[int(entry)] = stat[stat.index("(") + 1:stat.rindex(")")]
    found, frontier = [], {root or os.getpid()}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier}
        found += [(pid, names[pid]) for pid in sorted(frontier)]
    return found


def kill_descendants():
    for _ in range(50):
        left = descendants()
        if not left:
            return
        for pid, _name in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        time.sleep(0.02)


def reap():
    """Collects what died as a grandchild. Only for after everything that is waited for by name."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def until(what, condition, patience=PATIENCE):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (patience, what() if callable(what) else what))
        time.sleep(0.02)


taken_ports = []  # a socket each, whose name no other process can bind as long as this one lives


def free_port():
    """One that stays free until its server listens, also where that one is started again: not from the range that the
    kernel gives to clients, and no other test's."""
    for port in random.sample(range(20000, 30000), 1000):
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind("\0execq-test-port-%d" % port)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        taken_ports.append(lock)
        return port
    raise AssertionError("no port is free")


class Process:
    """A program whose output goes to a file."""

    def __init__(self, world, name, argv, env=None):
        self.name, self.log_path = name, os.path.join(world.dir, name + ".log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=world.dir,
                                            env={**world.env, **(env or {})}, start_new_session=True)
        self.pid = self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        """kill -9, and nothing runs any more when this returns."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def wait(self, patience=PATIENCE):
        """The exit code."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s still runs after %d s" % (self.name, patience)) from None

    def stop(self, patience=PATIENCE):
        self.signal(signal.SIGTERM)
        return self.wait(patience)


class RedisServer:
    def __init__(self, world):
        self.world, self.dir, self.runs = world, os.path.join(world.dir, "redis"), 0
        os.mkdir(self.dir)
        self.port, self.socket = free_port(), os.path.join(self.dir, "redis.sock")
        self.url = "unix://" + self.socket
        self.call = Redis(self.socket)
        self.process = None

    def start(self, *options):
        self.runs += 1
        self.process = Process(self.world, "redis-%d" % self.runs, [
            "redis-server", "--dir", self.dir, "--unixsocket", self.socket, "--port", str(self.port), "--bind",
            "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy",
            "noeviction", *options])
        until(lambda: "redis-server answers: " + self.process.log()[-500:], self.answers)
        return self

    def answers(self):
        try:
            return Redis(self.socket)("PING") == b"PONG"
        except Exception as e:  # not there yet, or loading
            if "NOAUTH" in str(e):
                return True
            if not self.process.alive():
                raise AssertionError("redis-server ended: " + self.process.log()[-500:]) from None
            return False

    def kill(self):
        self.process.kill()
        self.call.close()


def litter(cluster):
    """What no request should leave, with what may keep it there. The runner's ConfigMap is every worker's and stays."""
    kept = ("ownerReferences", "deletionTimestamp", "finalizers")
    return ["%s/%s %s" % (resource, o["metadata"]["name"], {k: o["metadata"][k] for k in kept if k in o["metadata"]})
            for resource in ("jobs", "pods", "configmaps") for o in cluster.objects(resource)
            if o["metadata"]["name"] != "kube-root-ca.crt" and not RUNNER_MAP.fullmatch(o["metadata"]["name"])]


class Cluster:
    """execq-devcluster."""

    pace = 1  # how much longer a pod takes than here
    many = 1  # how many of the requests that differ in nothing but their number are sent

    def __init__(self, world):
        self.world, self.runs, self.port = world, 0, free_port()
        self.kubeconfig = self.kubectl_config = os.path.join(world.dir, "kubeconfig")
        self.settings = {}  # of workers
        self.process = self.base = self.headers = self.tls = None

    def start(self, *options):
        self.runs += 1
        self.process = Process(self.world, "devcluster-%d" % self.runs, [
            self.world.program("devcluster", "execq-devcluster"), "--listen", "127.0.0.1:%d" % self.port,
            "--kubeconfig", self.kubeconfig, "--dir", os.path.join(self.world.dir, "devcluster"), *options])
        until(lambda: "the devcluster answers: " + self.process.log()[-500:], self.answers)
        return self

    def answers(self):
        if not self.process.alive():
            raise AssertionError("the devcluster ended: " + self.process.log()[-1000:])
        if not os.path.exists(self.kubeconfig):
            return False
        self._read_kubeconfig()
        try:
            return self.get("/readyz", raw=True)
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.alive():
            code = self.process.stop()
            assert code == 0, "the devcluster ended with %s: %s" % (code, self.process.log()[-3000:])

    def close(self):
        """In any case; its process is ended with all others."""

    def _read_kubeconfig(self):
        """The few lines that the devcluster writes; no YAML parser needed."""
        with open(self.kubeconfig, encoding="utf-8") as f:
            text = f.read()

        def field(name):
            match = re.search(r'"?%s"?:\s*"?([^"\s,}]+)' % name, text)
            return match and match.group(1)

        self.base, token, ca = field("server"), field("token"), field("certificate-authority-data")
        self.headers = {"Authorization": "Bearer " + token} if token else {}
        self.tls = None
        if self.base and self.base.startswith("https"):
            self.tls = ssl.create_default_context(cadata=base64.b64decode(ca).decode() if ca else None)
            self.tls.check_hostname = False
            if not ca:
                self.tls.verify_mode = ssl.CERT_NONE

    def request(self, method, path, body=None, raw=False):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data=data, method=method, headers={
            **self.headers, **({"Content-Type": "application/json"} if data else {})})
        with urllib.request.urlopen(request, timeout=30, context=self.tls) as reply:
            text = reply.read().decode()
        return text if raw else json.loads(text)

    def get(self, path, raw=False):
        return self.request("GET", path, raw=raw)

    def faults(self, *rules):
        """Orders faults (devcluster/faults.h), in addition to those that are there."""
        self.request("POST", "/devcluster/faults", list(rules))

    def clear_faults(self):
        self.request("DELETE", "/devcluster/faults", raw=True)

    def fault_hits(self):
        listed = self.get("/devcluster/faults")
        rules = listed.get("rules", listed.get("items", [])) if isinstance(listed, dict) else listed
        return sum(rule.get("hits", 0) for rule in rules)

    def metrics(self):
        """{"execq_devcluster_requests_total": {("create", "jobs"): 3, ...}, "name": {(): 1}}"""
        found = {}
        for line in self.get("/metrics", raw=True).splitlines():
            match = re.match(r"(\w+)(?:\{([^}]*)\})? ([0-9.e+]+)$", line)
            if match:
                labels = tuple(re.findall(r'="([^"]*)"', match.group(2) or ""))
                found.setdefault(match.group(1), {})[labels] = float(match.group(3))
        return found

    def requests(self):
        """{(verb, resource): how many}, those that came."""
        found = self.metrics().get("execq_devcluster_requests_total", {})
        return {key: int(n) for key, n in found.items() if n}

    def objects(self, resource):
        path = {"jobs": "/apis/batch/v1/jobs"}.get(resource, "/api/v1/" + resource)
        return self.get(path)["items"]

    def litter(self):
        return litter(self)


class Worker(Process):
    def end_cleanly(self):
        """SIGTERM, and exit code 0: everything was settled, and the sanitizers had nothing to say."""
        until("%s is up: %s" % (self.name, self.log()[-2000:]), lambda: "leased=yes" in self.log() or not self.alive())
        code = self.stop()
        assert code == 0, "%s ended with %s: %s" % (self.name, code, self.log()[-3000:])


class World:
    def __init__(self, build, keep=False, cluster=Cluster):
        self.build, self.keep = os.path.abspath(build), keep
        self.dir = tempfile.mkdtemp(prefix="execq-e2e-")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("EXECQ_", "KUBE", "XDG_", "TMPDIR"))}
        self.env["HOME"] = self.dir
        self.queue, self.n_workers, self.workers, self.submitted = "q", 0, [], 0
        self.redis, self.cluster = RedisServer(self), cluster(self)

    def program(self, folder, name):
        path = os.path.join(self.build, folder, name)
        if not os.path.exists(path):
            raise AssertionError("%s is not built" % path)
        return path

    def up(self, workers=1, **settings):
        """The usual beginning. Returns the first worker."""
        self.redis.start()
        self.cluster.start()
        started = [self.worker(**settings) for _ in range(workers)]
        return started[0] if started else None

    # --- workers ---

    def settings(self, **settings):
        """What fits a test on one machine; `settings` by their names with _ for -. No canary: only its own tests spend
        pods on it (test_doctor.py)."""
        preset = {"redis_url": self.redis.url, "queue": self.queue, "kubeconfig": self.cluster.kubeconfig, "lease": "3s",
                  "sweep": "1s", "grace": "20s", "slots": "16", "timeout": "30s", "start_budget": "20s",
                  "write_rate": "1000", "log_level": "debug", "canary": ""}
        preset.update(self.cluster.settings)
        preset.update({k: v for k, v in settings.items() if v is not None})
        return {"EXECQ_" + name.upper(): str(value) for name, value in preset.items()}

    def worker(self, prefix=(), env=None, **settings):
        """`prefix`: words that run it, as in front of a command; `env`: variables beside its settings."""
        self.n_workers += 1
        settings.setdefault("worker_name", "w%d" % self.n_workers)
        w = Worker(self, "worker-%d" % self.n_workers, [*prefix, self.program("worker", "execq-worker")],
                   {**self.settings(**settings), **(env or {})})
        self.workers.append(w)
        return w

    def execq(self, *words, stdin=None, check=True, env=None, timeout=600):
        """Runs the command line tool; returns (exit code, stdout, stderr)."""
        done = subprocess.run([self.program("cli", "execq"), *words], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, cwd=self.dir,
                              env={**self.env, "EXECQ_REDIS_URL": self.redis.url, "EXECQ_QUEUE": self.queue, **(env or {})})
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check:
            assert done.returncode == 0, "execq %s ended with %d: %s" % (" ".join(words), done.returncode, err[-2000:])
        return done.returncode, out, err

    # --- requests and results ---

    def key(self, suffix):
        return "execq:{%s}:%s" % (self.queue, suffix)

    def push(self, request=None, **fields):
        """Pushes one request (a dict, or raw bytes) and returns its id."""
        if not isinstance(request, (bytes, str)):
            self.submitted += 1
            request = {"id": "r%d" % self.submitted, "code": "print('hello')", **(request or {}), **fields}
            payload = json.dumps(request)
        else:
            payload = request
        self.redis.call("RPUSH", self.key("requests"), payload)
        return request["id"] if isinstance(request, dict) else None

    def result(self, id_, patience=PATIENCE):
        """Waits for the result, which stays where it is."""
        reply = self.redis.call("BLMOVE", self.key("result:" + id_), self.key("result:" + id_), "LEFT", "LEFT",
                                str(patience), timeout=patience + 10)
        assert reply is not None, "no result of %s within %d s\n%s" % (id_, patience, self.worker_logs())
        return json.loads(reply)

    def result_look(self, id_):
        """The result that is there; writes nothing."""
        return json.loads(self.redis.call("LRANGE", self.key("result:" + id_), "0", "0")[0])

    def many(self, n):
        """For requests that are there to be many: `n`, and fewer where each costs a second of a processor."""
        return max(2, round(n * self.cluster.many))

    def run(self, request=None, **fields):
        return self.result(self.push(request, **fields))

    def has_result(self, id_):
        return self.redis.call("LLEN", self.key("result:" + id_)) > 0

    def dead(self):
        return self.redis.call("LRANGE", self.key("dead"), "0", "-1")

    def held(self):
        """What Redis holds of requests under way; nothing once all is quiet."""
        call, left = self.redis.call, {}
        for name, command in (("in_flight", "ZCARD"), ("delayed", "ZCARD"), ("quarantine", "LLEN"), ("requests", "LLEN"),
                              ("requests:high", "LLEN"), ("requests:low", "LLEN")):
            n = call(command, self.key(name))
            if n:
                left[name] = n
        for key in call("KEYS", "execq:{*}:claims:*"):
            left[key.decode()] = call("HLEN", key)
        return left

    def worker_logs(self):
        return "\n".join("--- %s\n%s" % (w.name, w.log()[-3000:]) for w in self.workers)

    # --- the end ---

    def nothing_left(self):
        """No request is under way any more, and none left anything."""
        until(lambda: "Redis holds nothing: %s\n%s" % (self.held(), self.worker_logs()), lambda: not self.held())
        until(lambda: "the cluster is empty: %s\n%s" % (self.cluster.litter(), self.worker_logs()),
              lambda: not self.cluster.litter())

    def end(self):
        """After a test that went well: stops everything and looks at what they say."""
        if self.redis.process and self.redis.process.alive() and self.cluster.process and self.cluster.process.alive():
            self.cluster.clear_faults()
            self.nothing_left()
        for w in self.workers:
            if w.alive():
                w.end_cleanly()
        self.cluster.stop()
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(".log"):
                with open(os.path.join(self.dir, name), encoding="utf-8", errors="replace") as f:
                    text = f.read()
                found = re.search(r"(ERROR: \w+Sanitizer|runtime error:|Assertion .* failed).*", text)
                assert not found, "%s: %s" % (name, text[max(0, found.start() - 500):found.start() + 4000])
        if self.redis.process:
            self.redis.kill()
        left = descendants()
        assert not left, "processes left: %s" % left

    def close(self):
        """In any case, also half-way."""
        kill_descendants()
        self.cluster.close()
        if self.keep:
            print("# kept: %s" % self.dir, file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
