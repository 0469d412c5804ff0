#!/usr/bin/python3
"""What the queue alone carries and how soon an idle worker wakes: push, claim, admit, finish with a result, nothing run.

    bench/queue.py [--build build/release] [--jobs 200000] [--report]

Each row has a redis-server of its own, with the append-only file off or flushed every second; worker and Redis are on
this machine, so the figures are of the two together. Build the program first: cmake --build build/release --target
queue_bench. --report writes a section of docs/benchmarks.md.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from section import TOP, processors, write_section  # noqa: E402

APPEND = {"off": ["no"], "everysec": ["yes", "--appendfsync", "everysec"]}
WAKE = ["", "An idle worker, 1,000 times: from just before the push until the claim has come.", ""]
SHAPES = [(100, 200, 1), (100, 200, 16), (100, 200, 64), (100, 200, 256), (1000, 1000, 256)]


class Server:
    """A redis-server in a folder of its own."""

    def __init__(self, append):
        self.folder = tempfile.TemporaryDirectory(prefix="execq-bench-")
        self.url = "unix://%s/s" % self.folder.name
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--save", "", "--dir", self.folder.name, "--unixsocket", self.folder.name + "/s",
             "--logfile", self.folder.name + "/log", "--appendonly"] + APPEND[append])

    def __enter__(self):
        while not os.path.exists(self.folder.name + "/s"):
            if self.process.poll() is not None:
                sys.exit("queue.py: redis-server ended: %s/log" % self.folder.name)
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def measure(program, append, *what):
    with Server(append) as server:
        out = subprocess.run([program, server.url] + [str(w) for w in what], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def load_table(program, jobs):
    yield "| requests claimed at once | payload, result | append-only file | requests a second | steps a call | worker, CPU each | Redis, CPU each |"
    yield "|---|---|---|---|---|---|---|"
    for append in APPEND:
        for payload, result, room in SHAPES:
            r = measure(program, append, "load", jobs if room > 1 else jobs // 10, payload, result, room)
            yield "| %d | %d, %d bytes | %s | %d | %.1f | %.1f \u00b5s | %.1f \u00b5s |" % (
                room, payload, result, append, r["jobs_s"], r["steps"], r["worker_us"], r["redis_us"])


def wake_table(program):
    yield "| append-only file | p50 | p99 | most |"
    yield "|---|---|---|---|"
    for append in APPEND:
        r = measure(program, append, "wake", 1000)
        yield "| %s | %.2f ms | %.2f ms | %.2f ms |" % (append, r["p50_us"] / 1e3, r["p99_us"] / 1e3, r["most_us"] / 1e3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(TOP, "build/release"))
    parser.add_argument("--jobs", type=int, default=200000)
    parser.add_argument("--report", action="store_true", help="write the tables into docs/benchmarks.md")
    options = parser.parse_args()
    program = os.path.join(options.build, "bench/queue_bench")
    if not os.path.exists(program):
        sys.exit("queue.py: no %s: cmake --build %s --target queue_bench" % (program, options.build))
    redis = subprocess.run(["redis-server", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split()[2]
    lines = ["## The queue alone", "",
             "`bench/queue.py --report` writes this section: one worker's seat claims, admits and finishes with a result what",
             "was pushed before, and nothing is run. Redis (%s) on the same machine: %s." % (redis[2:], processors()), ""]
    for line in itertools.chain(load_table(program, options.jobs), WAKE, wake_table(program)):
        print(line, flush=True)
        lines.append(line)
    if options.report:
        write_section("queue", lines)


if __name__ == "__main__":
    main()
