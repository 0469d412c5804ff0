#!/usr/bin/python3
"""What the runner adds to a snippet on this machine: a Python program that prints a line, started directly, by the runner
without namespaces, and by the runner with all of them, in turns. Only reported; nothing passes or fails.

    bench/runner.py [--build build/release] [--runs 200] [--json FILE]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "runner"))

from plans import plan  # noqa: E402

ARGV = ["/usr/bin/python3", "-S", "-c", "print('hello')"]


def timed(command):
    """Wall time and CPU time of everything, and the peak memory of the process itself, from its start to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, process.returncode


def memory_of(command):
    """The runner's own peak, read while the program sleeps."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    with open("/proc/%d/status" % process.pid, encoding="ascii") as f:
        peak = [int(line.split()[1]) for line in f if line.startswith("VmHWM:")][0]
    process.wait()
    return peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--json")
    options = parser.parse_args()
    binary = os.path.join(options.build, "runner", "execq-runner-" + platform.machine())
    with tempfile.TemporaryDirectory() as folder:
        commands = {"directly": ARGV}
        for name, isolate in (("runner, no namespaces", 0), ("runner, all namespaces", 1)):
            path = os.path.join(folder, "plan%d" % isolate)
            with open(path, "wb") as f:
                f.write(plan(ARGV, folder, isolate=isolate))
            commands[name] = [binary, "--message", folder + "/message", path]
        with open(folder + "/sleep", "wb") as f:
            f.write(plan(["/bin/sleep", "1"], folder, isolate=0))
        taken = {name: [] for name in commands}
        for i in range(options.runs + 5):
            for name, command in commands.items():
                wall, cpu, code = timed(command)
                if code != (0 if name == "directly" else 86):
                    sys.exit("%s ended with %d" % (name, code))
                if i >= 5:
                    taken[name].append((1000 * wall, 1000 * cpu))
        memory = memory_of([binary, "--message", folder + "/message", folder + "/sleep"])
    result = {"runs": options.runs, "runner_bytes": os.stat(binary).st_size, "runner_memory_kib": memory}
    print("| | wall, median | p95 | CPU, median |\n|---|---|---|---|")
    for name, rows in taken.items():
        walls = sorted(w for w, _ in rows)
        row = (statistics.median(walls), walls[int(len(walls) * 0.95)], statistics.median(c for _, c in rows))
        print("| %s | %.1f ms | %.1f ms | %.1f ms |" % (name, *row))
        result[name] = {"wall_ms": round(row[0], 2), "p95_ms": round(row[1], 2), "cpu_ms": round(row[2], 2)}
    print("\nThe runner is a file of %d bytes and takes %d KiB of memory." % (result["runner_bytes"], memory))
    print(json.dumps(result))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(result, f)


if __name__ == "__main__":
    main()
