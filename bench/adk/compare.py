"""See ./run. Three ways to run the same snippets on the same cluster, in turns, so that all see the same machine:

    adk     GkeCodeExecutor: a thread a snippet, in its own Python
    execq   one execq-worker; this program pushes requests and takes results
    pods    bare pods from a loop: the most that the node does, whoever asks
"""

import argparse
import os
import random
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/e2e"))
sys.path.append(os.path.join(TOP, "bench"))
sys.dont_write_bytecode = True

from cluster import ACCOUNTS, Cluster  # noqa: E402
from report import write_report  # noqa: E402
from section import cpu_ms, processors  # noqa: E402
from ways import Execq, Executor  # noqa: E402
from world import World, become_subreaper  # noqa: E402


def memory_mib(pid, what="VmHWM"):
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(what)) / 1024


def turn_of(width):
    """How many snippets a turn has: each place runs one before the clock starts, one after it stops, and in between at least
    two; all of them 20 to 32 in between. One at a time seven must do."""
    return (2 + max(2, min(7, -(-20 // width)))) * width


def steady(ends, width):
    """The part of a turn in which `width` snippets were under way all the time: how many seconds, how many snippets were
    done in them, and how long each took.

    All of the first begin together and end nearly together: the clock starts with the `width`-th end. Each end lets the next
    begin, until there is none: that is so after the `width`-th end from behind, and there the clock stops. Ends come in
    swarms, as the kubelet looks once a second, and one swarm more or less would be a fifth of a turn. So what was under way
    when the clock started or stopped counts with that part of its time that is between: simulated with such swarms, that
    meets the true rate within 3 of 100, and turns differ half as much as by counting ends."""
    begin, stop = ends[width - 1][0], ends[-width - 1][0]
    parts = [max(0, min(at, stop) - max(at - took, begin)) / took for at, took, right in ends if right]
    return stop - begin, sum(parts), [took for at, took, right in ends if right and begin < at <= stop]


class Bench:
    def __init__(self, world, ways):
        self.world, self.ways, self.number = world, ways, 0
        self.random = random.Random(1)

    def numbers(self, n):
        self.number += n
        return list(range(self.number - n, self.number))

    def with_slots(self, slots):
        for way in self.ways.values():
            way.with_slots(slots)
        self.world.cluster.sweep()

    def shapes(self):
        """Warms all of them with a snippet each and looks at its pod: only what is alike can be compared."""
        found = {}
        self.with_slots(1)
        for name, way in self.ways.items():
            warm = threading.Thread(target=way.burst, args=(self.numbers(1), 1))
            warm.start()
            found[name] = self.world.cluster.shape(ACCOUNTS[name][1])
            warm.join()
            self.world.cluster.sweep()
        first = found["adk"]
        assert all(shape == first for shape in found.values()), "pods are not alike: %s" % found
        return first

    def latency(self, n):
        """One at a time, in turns, at random moments: the kubelet looks at its pods once a second, and whoever comes right
        after a look would always come right after a look."""
        seconds, wrong = {name: [] for name in self.ways}, {name: 0 for name in self.ways}
        before = {name: cpu_ms(way.pid) for name, way in self.ways.items()}
        asked = self.world.cluster.asked()
        for i in range(n):
            for name, way in self.ways.items():
                time.sleep(self.random.random())
                ((_, took, right),) = way.burst(self.numbers(1), 1)
                if right:
                    seconds[name].append(took)
                else:
                    wrong[name] += 1
            print("  one at a time: %d of %d" % (i + 1, n), file=sys.stderr)
        time.sleep(2)  # what is tidied afterwards counts too
        cpu = {name: (cpu_ms(way.pid) - before[name]) / n for name, way in self.ways.items()}
        after = self.world.cluster.asked()
        left = {name: self.world.cluster.left(namespace) for name, (_, namespace) in ACCOUNTS.items()}
        asked = {name: {what: count - asked[name].get(what, 0) for what, count in after[name].items()
                        if count != asked[name].get(what, 0)} for name in after}
        self.world.cluster.sweep()
        return {"n": n, "seconds": seconds, "wrong": wrong, "cpu_ms": cpu, "asked": asked, "left": left}

    def turn(self, name, width):
        way, n = self.ways[name], turn_of(width)
        cpu, before = cpu_ms(way.pid), self.world.cluster.worked()
        ends = way.burst(self.numbers(n), width)
        self.world.cluster.sweep()
        cpu = cpu_ms(way.pid) - cpu  # with what is tidied afterwards
        worked = {what: ms - before[what] for what, ms in self.world.cluster.worked().items()}
        seconds, done, took = steady(ends, width)
        print("  %d at once: %s %.2f a second" % (width, name, done / seconds), file=sys.stderr)
        return {"n": n, "seconds": seconds, "done": done, "took": took, "wrong": sum(not e[2] for e in ends), "cpu_ms": cpu,
                "worked_ms": worked, "memory": memory_mib(way.pid)}

    def throughput(self, width, rounds):
        """{way: its turns}. Each round begins with another one, so that nobody always comes after the same one."""
        turns, order = {name: [] for name in self.ways}, list(self.ways)
        self.with_slots(width)
        for _ in range(rounds):
            for name in order:
                turns[name].append(self.turn(name, width))
            order = order[1:] + order[:1]
        return turns


def machine(cluster):
    node = cluster.get("/api/v1/nodes/node-1")["status"]["nodeInfo"]
    return "%s, Kubernetes %s, %s, gVisor systrap, Redis on the same machine" % (
        processors(), node["kubeletVersion"], node["containerRuntimeVersion"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(TOP, "build/release"))
    parser.add_argument("--singles", type=int, default=30, help="snippets one at a time")
    parser.add_argument("--widths", default="1,4,8,16", help="how many at once")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each, for each width")
    parser.add_argument("--cpu-request", default="100m", help="of a pod; at GkeCodeExecutor's own 200m ten fit onto two processors")
    parser.add_argument("--quick", action="store_const", const={"singles": 3, "widths": "1,4", "rounds": 1}, default={})
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    vars(options).update(options.quick)
    become_subreaper()
    began, world = time.monotonic(), World(options.build, cluster=Cluster)
    try:
        world.redis.start()
        world.cluster.start()
        ways = {"adk": Executor(world, "adk", options.cpu_request), "execq": Execq(world, options.cpu_request),
                "pods": Executor(world, "pods", options.cpu_request)}
        bench = Bench(world, ways)
        found = {"machine": machine(world.cluster), "pod": bench.shapes(), "latency": bench.latency(options.singles),
                 "rounds": options.rounds, "turns": {}}
        for width in [int(w) for w in options.widths.split(",")]:
            found["turns"][width] = bench.throughput(width, options.rounds)
        for way in ways.values():
            way.end()
        world.redis.kill()
        write_report(found, options.report)
        print("took %.1f minutes" % ((time.monotonic() - began) / 60), file=sys.stderr)
    finally:
        world.close()


if __name__ == "__main__":
    main()
