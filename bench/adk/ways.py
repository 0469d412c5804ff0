"""The ways to run a snippet, each with a process of its own whose processor time and memory count.

    way.burst(numbers, threads)  ->  [(seconds since the call, seconds that this one took, was it right?), ...]

runs a snippet that prints its number for each of `numbers`, `threads` at once; ends are in the order that they came.
"""

import json
import os
import subprocess
import time

from cluster import ADK_NAMESPACE
from world import TOP, until

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 300


class Executor:
    """executor.py in a process of its own; `how` picks adk or pods."""

    def __init__(self, world, how, cpu_request):
        self.how = how
        kubeconfig = os.path.join(world.dir, "kubeconfig-" + how)
        with open(kubeconfig, "w", encoding="utf-8") as f:
            subprocess.run([os.path.join(TOP, "tests/cluster/worker-kubeconfig"), how, ADK_NAMESPACE], check=True, stdout=f)
        self.process = subprocess.Popen([os.path.join(TOP, "build/adk/bin/python"), os.path.join(HERE, "executor.py"),
                                         kubeconfig, ADK_NAMESPACE, cpu_request], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.process.stdout.readline()

    def with_slots(self, slots):
        """A burst says how many threads it wants."""

    def burst(self, numbers, threads):
        self.process.stdin.write(json.dumps({"how": self.how, "numbers": numbers, "threads": threads}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        code = self.process.wait()
        assert code == 0, "%s ended with %d" % (self.how, code)


class Execq:
    """One worker; this program pushes requests and takes results."""

    def __init__(self, world, cpu_request):
        self.world, self.cpu_request, self.worker, self.slots = world, cpu_request, None, 0

    def with_slots(self, slots):
        if slots == self.slots:
            return
        if self.worker:
            self.worker.end_cleanly()
        self.slots = slots
        self.worker = self.world.worker(slots=slots, log_level="info", canary="python", cpu_request=self.cpu_request)
        until(lambda: "the canary is back: " + self.worker.log(), lambda: " fit " in self.worker.log(), 120)

    @property
    def pid(self):
        return self.worker.pid

    def burst(self, numbers, threads):
        """All in the queue at once; the worker has `threads` slots. Of many, a snippet's time is from its claim to its result."""
        assert threads == self.slots
        call, reply_to, began = self.world.redis.call, "bench-%d" % numbers[0], time.monotonic()
        waiting, ends = {"n%d" % n for n in numbers}, []
        call.pipeline([("RPUSH", self.world.key("requests"), json.dumps(
            {"id": "n%d" % n, "code": "print(%d)" % n, "reply_to": reply_to})) for n in numbers])
        while waiting:
            reply = call("BLPOP", self.world.key("reply:" + reply_to), str(PATIENCE_S), timeout=PATIENCE_S + 10)
            at = time.monotonic() - began
            if not reply:
                return ends + [(at, at, False)] * len(waiting)
            result = json.loads(reply[1])
            # one that was begun again is counted as failed: its times are of the last attempt alone
            right = result["id"] in waiting and result["status"] == "ok" and result["stdout"] == result["id"][1:] + "\n" and \
                len(result["attempts"]) == 1
            waiting.discard(result["id"])
            times = result["times"]
            ends.append((at, at if len(numbers) == 1 else times["published"] - times["claimed"], right))
        return ends

    def end(self):
        self.worker.end_cleanly()
