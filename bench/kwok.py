#!/usr/bin/python3
"""How one worker's memory, processor time and API requests grow with the requests in flight, on a cluster of fake nodes.

    bench/kwok.py [--build build/release] [--requests 100,500,1000,2000] [--report] [--json FILE]

Needs root and Go: brings up tests/cluster/kwok/cluster (real API server, controller manager and scheduler, pods by kwok) and
takes it down at the end, unless it was up before. Each number of requests has a Redis and a worker of its own. All are
pushed at once, and pods run for so long that all of them are in flight together. Right or wrong is judged (one result
each, nothing left, no attempt that failed), figures are not.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from datetime import datetime

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/e2e"))
sys.dont_write_bytecode = True
os.environ.setdefault("CLUSTER_KWOK", "100")

from real_cluster import ACCOUNT, CLUSTER, RealCluster  # noqa: E402
from resp import Redis  # noqa: E402
from section import cpu_ms, processors, quantile, write_section  # noqa: E402
from world import World, become_subreaper, until  # noqa: E402

START_MS = 1000           # of a pod
MEMORY_MAX_MIB = 60       # with 2,000 requests in flight
CALL_TIMEOUT_S, START_BUDGET_S, OVERTIME_S = 10, 120, 10


class Cluster(RealCluster):
    def __init__(self, world):
        super().__init__(world)
        # requests and limits as they are where nobody sets anything
        self.settings = {"service_account": "execq-snippet", "start_budget": "%ds" % START_BUDGET_S}

    def furnish(self):
        """Without the quota of the deployment's example: it is sized for less."""
        super().furnish()
        for quota in self.objects("resourcequotas"):
            self.request("DELETE", self.path("resourcequotas", quota["metadata"]["name"]))

    def pods(self):
        """How many there are, without reading all of them."""
        page = self.get(self.path("pods") + "?limit=1")
        return len(page["items"]) + page["metadata"].get("remainingItemCount", 0)

    def calls(self):
        """{"verb resource": [seconds that the API server took]} of the worker, watches apart."""
        found = {}
        for event, verb, resource in self.asked():
            if verb != "watch":
                took = [datetime.fromisoformat(event[k].replace("Z", "+00:00")).timestamp()
                        for k in ("requestReceivedTimestamp", "stageTimestamp")]
                found.setdefault(verb + " " + resource, []).append(took[1] - took[0])
        return found


class Sampler(threading.Thread):
    """Looks at the worker twice a second, and at what is in flight."""

    def __init__(self, world, worker):
        super().__init__(daemon=True)
        self.world, self.pid, self.samples, self.over = world, worker.pid, [], threading.Event()
        self.redis = Redis(world.redis.socket)

    def look(self):
        found = {"at": time.monotonic(), "cpu_ms": cpu_ms(self.pid), "load": os.getloadavg()[0],
                 "claimed": self.redis("ZCARD", self.world.key("in_flight"))}
        for name in ("status", "smaps_rollup"):
            with open("/proc/%d/%s" % (self.pid, name), encoding="utf-8") as f:
                for line in f:
                    key, _, rest = line.partition(":")
                    if key in ("VmRSS", "VmHWM", "Pss", "Pss_Anon"):
                        found[key] = int(rest.split()[0]) / 1024
        if len(self.samples) % 6 == 0:
            found["pods"] = self.world.cluster.pods()
        return found

    def run(self):
        while not self.over.wait(0.5):
            try:
                self.samples.append(self.look())
            except (OSError, AssertionError) as e:
                print("# no sample: %s" % e, file=sys.stderr)

    def stop(self):
        self.over.set()
        self.join()
        self.redis.close()

    def most(self, what):
        return max(s.get(what, 0) for s in self.samples)


def collect(world, n, patience):
    """All results, in the order that they came."""
    results = []
    while len(results) < n:
        reply = world.redis.call("BLPOP", world.key("reply:bench"), str(patience), timeout=patience + 10)
        assert reply, "%d of %d results, and no more within %d s\n%s" % (len(results), n, patience, world.worker_logs())
        results.append(json.loads(reply[1]))
    return results


def judge(world, n, results):
    wrong = [r for r in results if r["status"] != "ok" or r["stdout"] != "hello\n"]
    assert not wrong, "%d are not as they should be, the first: %s\n%s" % (len(wrong), wrong[0], world.worker_logs())
    assert {r["id"] for r in results} == {"k%d" % i for i in range(n)}, "ids that were not asked for, or twice"
    many = [r["id"] for r in results if world.redis.call("LLEN", world.key("result:" + r["id"])) != 1]
    assert not many, "not one result each: %s" % many[:5]
    assert world.redis.call("LLEN", world.key("reply:bench")) == 0, "more results than requests"


def steps(results):
    """{step: seconds of each request}"""
    pairs = (("claimed", "created"), ("created", "started"), ("started", "finished"), ("finished", "published"),
             ("claimed", "published"))
    return {"%s to %s" % pair: [r["times"][pair[1]] - r["times"][pair[0]] for r in results] for pair in pairs}


def measure(options, n):
    run_ms = 15000 + n * 1000 // options.rate
    subprocess.run([CLUSTER, "pods", str(START_MS), str(run_ms)], check=True)
    world = World(options.build, cluster=Cluster)
    try:
        worker = world.up(slots=2500, write_rate=options.write_rate, log_level="info", lease="30s", sweep="30s",
                          timeout="%ds" % (run_ms // 1000 + 60))
        until("the worker is ready", lambda: "leased=yes" in worker.log() and "fit" in worker.log())
        sampler = Sampler(world, worker)
        sampler.samples.append(sampler.look())
        sampler.start()
        padding = "#" + "x" * (options.code_bytes - 20)
        for i in range(n):
            world.push(id="k%d" % i, code="print('hello')\n" + padding, reply_to="bench")
        began = time.monotonic()
        results = collect(world, n, patience=run_ms // 1000 + START_BUDGET_S + 60)
        seconds = time.monotonic() - began
        until(lambda: "Redis holds nothing: %s" % world.held(), lambda: not world.held())
        sampler.stop()
        judge(world, n, results)
        cpu = cpu_ms(worker.pid) - sampler.samples[0]["cpu_ms"]
        until(lambda: "the cluster is empty: %s" % world.cluster.litter()[:5], lambda: not world.cluster.litter(), 300)
        found = {"requests": n, "run_ms": run_ms, "seconds": seconds, "idle_mib": sampler.samples[0]["VmRSS"],
                 "rss_mib": sampler.most("VmHWM"), "pss_mib": sampler.most("Pss"), "anon_mib": sampler.most("Pss_Anon"),
                 "after_mib": sampler.samples[-1]["VmRSS"], "cpu_ms": cpu / n, "pods": sampler.most("pods"),
                 "claimed": sampler.most("claimed"), "repeated": sum(len(r.get("attempts") or []) > 1 for r in results),
                 "warnings": [line for line in worker.log().splitlines() if " level=warning" in line or " level=error" in line],
                 "load": statistics.mean(s["load"] for s in sampler.samples), "calls": world.cluster.calls(),
                 "steps": steps(results)}
        if options.samples:
            with open("%s-%d.json" % (options.samples, n), "w", encoding="utf-8") as f:
                json.dump(sampler.samples, f)
        world.end()
        return found
    finally:
        world.close()


def bounds(found, options):
    """What each step may take, in seconds. The first has no limit of its own: it is the wait for those before it."""
    return {"claimed to created": "%.0f at best, by the write rate" % (2 * found["requests"] / options.write_rate),
            "created to started": START_BUDGET_S, "started to finished": found["run_ms"] / 1000 + OVERTIME_S,
            "finished to published": CALL_TIMEOUT_S}


def row(*cells):
    return "| %s |" % " | ".join(cells)


def tables(all_found, options):
    last = all_found[-1]
    lines = [row("in flight", *("%d" % f["requests"] for f in all_found)), "|---" * (len(all_found) + 1) + "|"]
    for name, cell in (
            ("memory, idle (VmRSS)", lambda f: "%.1f MiB" % f["idle_mib"]),
            ("memory, most (VmHWM)", lambda f: "%.1f MiB" % f["rss_mib"]),
            ("of that its own (PSS, most)", lambda f: "%.1f MiB" % f["pss_mib"]),
            ("a request more costs", lambda f: "%.1f KiB" % (1024 * (f["rss_mib"] - f["idle_mib"]) / f["requests"])),
            ("memory after the last", lambda f: "%.1f MiB" % f["after_mib"]),
            ("processor time a request", lambda f: "%.2f ms" % f["cpu_ms"]),
            ("API requests a request", lambda f: "%.2f" % (sum(map(len, f["calls"].values())) / f["requests"])),
            ("claimed at once", lambda f: "%d" % f["claimed"]),
            ("pods at once", lambda f: "%d" % f["pods"]),
            ("pods ran for", lambda f: "%d s" % (f["run_ms"] / 1000)),
            ("all done after", lambda f: "%d s" % f["seconds"]),
            ("needed another attempt", lambda f: "%d" % f["repeated"]),
            ("load of the machine", lambda f: "%.1f" % f["load"])):
        lines.append(row(name, *(cell(f) for f in all_found)))
    limit = bounds(last, options)
    lines += ["", "Steps with %d in flight, seconds:" % last["requests"], "", row("step", "p50", "p95", "most", "bound"), "|---|---|---|---|---|"]
    for name, took in last["steps"].items():
        bound = limit.get(name, "")
        if not isinstance(bound, str):
            bound = "%.0f" % bound + (" **exceeded**" if max(took) > bound else "")
        lines.append(row(name, "%.2f" % quantile(took, 0.5), "%.2f" % quantile(took, 0.95), "%.2f" % max(took), bound))
    lines += ["", "API requests by the API server's audit log, seconds that it took:", "",
              row("request", "how many", "p50", "p95", "most", "bound"), "|---|---|---|---|---|---|"]
    for name, took in sorted(last["calls"].items(), key=lambda t: -len(t[1])):
        lines.append(row(name, str(len(took)), "%.3f" % quantile(took, 0.5), "%.3f" % quantile(took, 0.95),
                         "%.3f" % max(took), "%d" % CALL_TIMEOUT_S))
    return lines


def report(all_found, options, cluster):
    body = tables(all_found, options)
    print("\n".join(body))
    for f in all_found:
        for line in f["warnings"][:10]:
            print("# %d: %s" % (f["requests"], line))
    last = all_found[-1]
    print("%s: %d in flight take %.1f MiB (at most %d wanted)" % (
        "ok" if last["rss_mib"] <= MEMORY_MAX_MIB else "MORE THAN WANTED", last["requests"], last["rss_mib"], MEMORY_MAX_MIB))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(all_found, f)
    if options.report:
        write_section("kwok", [
            "## Many requests in flight", "",
            "`bench/kwok.py --report` writes this section. One worker (`--slots 2500 --write-rate %d`), requests with %d bytes of" % (
                options.write_rate, options.code_bytes),
            "code, pushed at once; API server, controller manager and scheduler of Kubernetes %s are real, nodes and pods are kwok's:" % cluster,
            "a pod starts after a second, runs as long as the table says and ends with the runner's report. All of it ran on the same",
            "machine: %s. Seconds are that machine's; memory and API requests are the worker's." % processors(), ""] + body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--requests", default="100,500,1000,2000", help="how many in flight, one run each")
    parser.add_argument("--write-rate", type=int, default=200, help="of the worker")
    parser.add_argument("--rate", type=int, default=20, help="pods a second that the machine is trusted to start")
    parser.add_argument("--code-bytes", type=int, default=1024)
    parser.add_argument("--report", action="store_true", help="write the tables into docs/benchmarks.md")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--samples", help="write what was sampled to this file, with -NUMBER.json behind it")
    options = parser.parse_args()
    was_up = subprocess.run([CLUSTER, "status"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
    try:
        subprocess.run([CLUSTER, "up"], stdout=subprocess.DEVNULL, check=True)
        become_subreaper()  # only now: what is left when a run ends is killed, and the cluster is to live on
        version = json.loads(subprocess.run([CLUSTER, "kubectl", "get", "--raw", "/version"], check=True,
                                            stdout=subprocess.PIPE).stdout)["gitVersion"]
        report([measure(options, int(n)) for n in options.requests.split(",")], options, version)
    finally:
        if not was_up:
            subprocess.run([CLUSTER, "down"], check=False)


if __name__ == "__main__":
    main()
