#!/usr/bin/python3
"""End-to-end tests: the real programs of a build, together. TAP on stdout.

    tests/e2e/run.py --build build/asan [--real [--runtime-class CLASS]] [--long] [--jobs N] [--keep] [--list] [NAME ...]

NAME: only tests whose name contains it. --real: on the Kubernetes of tests/cluster/up in the place of the devcluster; what
only the devcluster can do is skipped. --long: the full sizes of chaos and soak. --keep: directories stay, logs in them.
Each test runs in a process of its own with programs, ports and a directory of its own; everything it started is ended
when it ends, also when it is interrupted.
"""

import argparse
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from real_cluster import RealCluster  # noqa: E402
from world import PATIENCE, Cluster, Skip, World, become_subreaper, kill_descendants  # noqa: E402

TEST_LIMIT = 280  # seconds for one test
LONG_LIMIT = 900


def collect(real):
    """{name: function} in the order of files and lines; a module may make tests from a table (TESTS). One with an attribute
    `alone` disturbs the cluster that others would use too: nothing runs beside it; where that is "first", it comes before
    others of the kind. One with `together` is also part of a test that does many at once: on a real cluster, where each
    start takes seconds, that one is enough. One with `on_devcluster` needs what only that one has."""
    tests = {}
    for file in sorted(os.listdir(HERE)):
        other = "test_faults" if real else "test_real"  # what only the other cluster can do
        if file.startswith("test_") and file.endswith(".py") and not file.startswith(other):
            module = importlib.import_module(file[:-3])
            found = [(v.__code__.co_firstlineno, k, v) for k, v in vars(module).items()
                     if k.startswith("test_") and callable(v)]
            named = [(name[5:].replace("_", " "), function) for _, name, function in sorted(found, key=lambda t: t[0])]
            for name, function in named + getattr(module, "TESTS", []):
                if not (real and (hasattr(function, "together") or hasattr(function, "on_devcluster"))):
                    tests["%s: %s" % (file[5:-3], name)] = function
    return tests


def run_one(name, options):
    """In the process of one test. Exit codes: 0 passed, 1 failed, 77 skipped."""
    become_subreaper()

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    world = World(options.build, options.keep, RealCluster if options.real else Cluster)
    world.long = options.long
    if options.runtime_class is not None:
        world.cluster.settings = {**world.cluster.settings, "runtime_class": options.runtime_class}
    try:
        collect(options.real)[name](world)
        world.end()
        return 0
    except Skip as e:
        print(e)
        return 77
    except KeyboardInterrupt:
        print("interrupted")
        return 1
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        world.close()


class Runner:
    def __init__(self, options, names):
        self.options, self.names = options, names
        self.running = {}  # process -> (number, name, began, output file)
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def start(self, number, name):
        o = self.options
        words = [sys.executable, os.path.abspath(__file__), "--build", o.build, "--one", name]
        words += ["--long"] * o.long + ["--keep"] * o.keep + ["--real"] * o.real
        words += [] if o.runtime_class is None else ["--runtime-class", o.runtime_class]
        output = open(os.path.join(self.options.out, "%03d.out" % number), "w+", encoding="utf-8", errors="replace")
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   start_new_session=True,
                                   env={**({"E2E_PATIENCE": "300"} if o.real else {}), **os.environ})
        self.running[process] = (number, name, time.monotonic(), output)

    def report(self, process):
        number, name, began, output = self.running.pop(process)
        output.seek(0)
        text = output.read()
        output.close()
        seconds = time.monotonic() - began
        if process.returncode == 77:
            self.counts["skipped"] += 1
            print("ok %d - %s # SKIP %s" % (number, name, text.strip().splitlines()[-1] if text.strip() else ""))
        elif process.returncode == 0:
            self.counts["passed"] += 1
            print("ok %d - %s (%.1f s)" % (number, name, seconds))
        else:
            self.counts["failed"] += 1
            print("not ok %d - %s (%.1f s)" % (number, name, seconds))
            print("".join("# %s\n" % line for line in text.rstrip().splitlines()[-120:]), end="")
        sys.stdout.flush()

    def stop_late(self):
        limit = LONG_LIMIT if self.options.long or self.options.real else TEST_LIMIT
        for process, (_, name, began, output) in self.running.items():
            if time.monotonic() - began > limit + 20:
                process.kill()
            elif time.monotonic() - began > limit:
                output.write("%s: still running after %d s\n" % (name, limit))
                process.terminate()

    def run(self):
        print("1..%d" % len(self.names), flush=True)
        tests = collect(self.options.real)
        alone = {name: tests[name].alone for name in self.names if hasattr(tests[name], "alone")}
        waiting = sorted(enumerate(self.names, 1), key=lambda t: (t[1] in alone, alone.get(t[1]) != "first"))  # they come last
        while waiting or self.running:
            while waiting and len(self.running) < (1 if waiting[0][1] in alone else self.options.jobs):
                self.start(*waiting.pop(0))
            time.sleep(0.05)
            for process in [p for p in self.running if p.poll() is not None]:
                self.report(process)
            self.stop_late()

    def stop(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/asan")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--runtime-class", help="of the snippets' pods with --real; empty: the cluster's default")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--jobs", type=int, help="tests at once; default: four times the processors, with --real as many")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    if not options.jobs:
        options.jobs = max(2, (1 if options.real else 4) * (os.cpu_count() or 1))
    if options.one:
        return run_one(options.one, options)
    names = [n for n in collect(options.real) if not options.names or any(word in n for word in options.names)]
    if options.list:
        print("\n".join(names))
        return 0
    if not names:
        print("no test has such a name", file=sys.stderr)
        return 2
    options.out = os.path.join(options.build, "e2e-out")
    os.makedirs(options.out, exist_ok=True)
    become_subreaper()
    runner = Runner(options, names)

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        runner.run()
    except KeyboardInterrupt:
        print("# interrupted")
        return 130
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        runner.stop()
        kill_descendants()
    print("# %(passed)d passed, %(failed)d failed, %(skipped)d skipped" % runner.counts)
    return 1 if runner.counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
