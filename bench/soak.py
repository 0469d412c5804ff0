#!/usr/bin/python3
"""What a worker costs: memory after many requests against memory after few, its own CPU time, API requests a request.

    bench/soak.py [--build build/release] [--early 500] [--late 5000] [--window 64] [--json FILE]

Runs redis-server, execq-devcluster and one execq-worker on this machine. The figures are reported, never judged: whether
they are good is for whoever compares them. The devcluster shares the cores, so wall time says little here; the worker's
memory and CPU time are its own.
"""

import argparse
import json
import os
import platform
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
sys.dont_write_bytecode = True

from section import cpu_ms  # noqa: E402
from world import World, become_subreaper, until  # noqa: E402


def memory_kib(pid):
    """Resident, of that not shared with files, and the most there ever was."""
    found = {}
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        for line in f:
            name, _, rest = line.partition(":")
            if name in ("VmRSS", "RssAnon", "VmHWM"):
                found[name] = int(rest.split()[0])
    return found


def run_requests(world, begin, end, window):
    """Keeps `window` requests open; collects each result from one reply list, as a batch would."""
    call, opened, done = world.redis.call, begin, begin
    while done < end:
        while opened < end and opened - done < window:
            world.push(id="b%d" % opened, code="print(%d)" % opened, reply_to="soak", result_ttl_s=60)
            opened += 1
        reply = call("BLPOP", world.key("reply:soak"), "120", timeout=130)
        assert reply, "no result within two minutes\n" + world.worker_logs()
        result = json.loads(reply[1])
        assert result["status"] == "ok" and result["stdout"] == result["id"][1:] + "\n", result
        done += 1


def measure(world, worker):
    until("all is tidied", lambda: not world.held())
    requests = world.cluster.requests()
    return {"memory_kib": memory_kib(worker.pid), "cpu_ms": cpu_ms(worker.pid), "at": time.monotonic(),
            "api": sum(n for (verb, _), n in requests.items() if verb != "watch"),
            "api_by_verb": {"%s %s" % key: n for key, n in sorted(requests.items())}}


def table(rows):
    width = max(len(name) for name, _ in rows)
    return "\n".join("%-*s  %s" % (width, name, value) for name, value in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--early", type=int, default=500)
    parser.add_argument("--late", type=int, default=5000)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--json", help="write the figures to this file too")
    options = parser.parse_args()
    if not 0 < options.early < options.late:
        parser.error("--early must be more than 0 and less than --late")
    become_subreaper()
    world = World(options.build)
    try:
        worker = world.up(slots=options.window, log_level="info", sweep="30s", lease="30s")
        until("the worker is ready", lambda: "leased=yes" in worker.log())
        idle = memory_kib(worker.pid)
        run_requests(world, 0, options.early, options.window)
        early = measure(world, worker)
        run_requests(world, options.early, options.late, options.window)
        late = measure(world, worker)
        world.end()
    finally:
        world.close()
    n, seconds = options.late - options.early, late["at"] - early["at"]
    figures = {
        "requests": {"early": options.early, "late": options.late, "window": options.window},
        "rss_kib": {"idle": idle["VmRSS"], "early": early["memory_kib"]["VmRSS"], "late": late["memory_kib"]["VmRSS"],
                    "peak": late["memory_kib"]["VmHWM"]},
        "private_kib": {"idle": idle["RssAnon"], "early": early["memory_kib"]["RssAnon"],
                        "late": late["memory_kib"]["RssAnon"]},
        "worker_cpu_ms_per_request": round((late["cpu_ms"] - early["cpu_ms"]) / n, 3),
        "api_requests_per_request": round((late["api"] - early["api"]) / n, 3),
        "requests_per_second": round(n / seconds, 1),
        "api_by_verb": late["api_by_verb"],
        "machine": {"cores": os.cpu_count(), "system": platform.platform()},
    }
    print(table([
        ("worker, resident, idle", "%d KiB" % figures["rss_kib"]["idle"]),
        ("  after %d requests" % options.early, "%d KiB" % figures["rss_kib"]["early"]),
        ("  after %d requests" % options.late, "%d KiB (%+d KiB)" % (
            figures["rss_kib"]["late"], figures["rss_kib"]["late"] - figures["rss_kib"]["early"])),
        ("  at its peak", "%d KiB" % figures["rss_kib"]["peak"]),
        ("worker, CPU a request", "%.3f ms" % figures["worker_cpu_ms_per_request"]),
        ("API requests a request", "%.3f (watches apart)" % figures["api_requests_per_request"]),
        ("requests a second", "%.1f (%d at once; devcluster and code on the same %d cores)" % (
            figures["requests_per_second"], options.window, os.cpu_count())),
    ]))
    print(json.dumps(figures))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(figures, f, indent=2)
            f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
