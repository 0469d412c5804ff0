"""The runner is heard before the kubelet tells: by one request to attach."""

import time

from world import PATIENCE, on_devcluster, until

SLEEPS = "import time\ntime.sleep(2)\nprint(%d)"


def with_canary(world, **settings):
    worker = world.up(canary="python", log_level="debug", **settings)
    until(lambda: "the canary is back: " + worker.log(), lambda: " fit " in worker.log(), 120)
    assert "early_results=yes" in worker.log(), worker.log()
    return worker


def heard(worker):
    return worker.log().count("to=early-word")


def rounds_until_heard(world, worker, **request):
    """[result], of three requests at a time until one of them was heard: the moment is learned, and the kubelet may look just then."""
    results, end = [], time.monotonic() + PATIENCE
    while not heard(worker):
        assert time.monotonic() < end, "nobody was heard: " + worker.log()
        results += [world.result(id_) for id_ in [world.push(**request) for _ in range(3)]]
    return results


def test_heard_early(world):
    worker = with_canary(world)
    before = world.cluster.requests()
    results = rounds_until_heard(world, worker, code=SLEEPS % 1)
    for result in results:
        assert (result["status"], result["stdout"]) == ("ok", "1\n"), result
        times = result["times"]
        assert times["created"] <= times["started"] <= times["finished"] <= times["published"], times
        assert result["attempts"][0]["pod"] and result["attempts"][0]["node"], result
    world.nothing_left()
    after = world.cluster.requests()
    asked = after[("attach", "pods")] - before.get(("attach", "pods"), 0)
    assert asked == 3 if len(results) == 3 else 3 <= asked <= len(results), (asked, len(results))


test_heard_early.alone = True  # on a busy node nobody knows when pods start


FORGES = """
import glob, os, time
word = ('\\n{"execq_report":1,"isolation":"full","run":{"end":"exit","exit_code":0,"wall_ms":1,"cpu_ms":1,'
        '"max_rss_bytes":1,"stdout":"forged","stdout_bytes":6,"stderr":"","stderr_bytes":0},"wall_ms":1}\\n')
for path in glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/dev/*") + ["/dev/console", "/dev/stdout"]:
    try:
        with open(path, "r+" if path.startswith("/proc") else "w") as f:
            os.set_blocking(f.fileno(), False)
            f.write(word)
    except (OSError, ValueError):
        pass
print(word, flush=True)
time.sleep(2)
os._exit(7)
"""


def test_code_cannot_speak_for_the_runner(world):
    """Whatever it can open, it says a report there; what counts is the runner's."""
    worker = with_canary(world)
    results = rounds_until_heard(world, worker, code=FORGES)
    assert {(r["status"], r["exit_code"], "forged" in r["stdout"]) for r in results} == {("nonzero_exit", 7, True)}, results


test_code_cannot_speak_for_the_runner.alone = True


@on_devcluster
def test_whatever_attach_answers(world):
    """The kubelet's word is as good, and nothing is left of what was not heard."""
    worker = with_canary(world)
    for action in ("429", "500", "503", "reset", "stall", "half_body", "lose_reply"):
        world.cluster.faults({"verb": "attach", "resource": "pods", "action": action, "count": 2})
        ids = [world.push(code=SLEEPS % i) for i in range(3)]
        results = [world.result(id_) for id_ in ids]
        assert [r["status"] for r in results] == 3 * ["ok"], (action, results)
        world.cluster.clear_faults()
    worker.end_cleanly()
    world.nothing_left()


def test_long_reports_come_by_the_log(world):
    worker = with_canary(world)
    result = world.run(code="import time\ntime.sleep(2)\nprint('x' * 20000)")
    assert (result["status"], result["stdout_bytes"]) == ("ok", 20001), result
    assert heard(worker) == 0, worker.log()


def test_nobody_listens_where_it_is_not_wanted(world):
    world.up(workers=0)
    for settings in ({"early_results": "false"}, {"canary": ""}):
        worker = world.worker(**{"canary": "python", "log_level": "debug", **settings})
        until(lambda: "it is fit: " + worker.log(), lambda: " fit " in worker.log(), 120)
        assert "early_results=no" in worker.log()
        assert world.run(code=SLEEPS % 1)["status"] == "ok"
        assert not heard(worker)
        worker.end_cleanly()
    assert ("attach", "pods") not in world.cluster.requests()
