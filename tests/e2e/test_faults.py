"""What the cluster can do to a request, ordered from the devcluster: the status, the reason and the attempts that
docs/protocol.md promises, and nothing left behind (World.end looks)."""

from world import until

FAST = dict(call_timeout="1s", call_budget="20s")
LONG = "x" * 9000  # beyond the termination message: the report goes to the log


def attempts(result):
    return [(a["status"], a.get("reason")) for a in result["attempts"]]


# --- what a repeated call cures: no attempt is charged ---------------------------------------------------------------

WRITES = [("create", "jobs"), ("create", "configmaps"), ("delete", "jobs")]


def cured(rule):
    def test(world):
        world.up(**FAST)
        assert world.run()["status"] == "ok"  # the watch stands
        world.cluster.faults(rule)
        results = [world.run(code="print(%d, '%s')" % (i, LONG)) for i in range(3)]
        for i, result in enumerate(results):
            assert (result["status"], result["stdout"]) == ("ok", "%d %s\n" % (i, LONG)), result
            assert attempts(result) == [("ok", None)], result
        world.nothing_left()
        hits = world.cluster.fault_hits()
        assert hits >= 1, "the fault never happened"

    return test


CURED = [{"verb": verb, "resource": resource, "action": action, "count": 2}
         for action in ("429", "500", "503", "504", "reset", "lose_reply", "half_body")
         for verb, resource in WRITES + [("log", "pods")]]
CURED += [{"verb": verb, "resource": resource, "action": "stall", "count": 1}
          for verb, resource in WRITES + [("log", "pods")]]
CURED += [{"verb": "watch", "resource": "pods", "action": action, "count": 2}
          for action in ("cut_watch", "half_line", "410_event")]

# --- the same for the watch and the list behind it, from the beginning -------------------------------------------------


def watch_start(rule):
    def test(world):
        world.redis.start()
        world.cluster.start()
        world.cluster.faults(rule)
        world.worker(**FAST, start_budget="60s")
        result = world.run()
        assert (result["status"], attempts(result)) == ("ok", [("ok", None)]), result
        assert world.cluster.fault_hits() >= 1

    return test


STARTS = [{"verb": verb, "resource": "pods", "action": action, "count": 2}
          for verb in ("list", "watch") for action in ("410", "429", "500", "reset", "half_body", "stall")]

# --- what ends an attempt: one more cures it, and attempts say so -------------------------------------------------------


def another_attempt(rule, reason, **settings):
    def test(world):
        world.up(**{**FAST, **settings})
        world.cluster.faults({**rule, "count": 1})
        result = world.run(code="import time\nprint('%s')\ntime.sleep(4)" % LONG)
        assert (result["status"], result["stdout"]) == ("ok", LONG + "\n"), result
        assert attempts(result) == [("infra_error", reason), ("ok", None)], result
        jobs = [a["job"] for a in result["attempts"]]
        assert jobs[0] != jobs[1], "a new attempt has a new name: %s" % jobs

    return test


def hopeless(rule, reason, n, **settings):
    """The fault stays: the result is ours, after as many attempts as were asked for."""

    def test(world):
        world.up(**{**FAST, **settings})
        world.cluster.faults(rule)
        result = world.run(code="import time\nprint('%s')\ntime.sleep(4)" % LONG, retry={"infra": 1})
        assert result["status"] == "infra_error" and result["error"]["reason"] == reason, result
        assert attempts(result) == [("infra_error", reason)] * n, result

    return test


POD = [
    # action, reason, settings, attempts where it stays
    ("evict", "evicted", {}, 2),
    ("delete", "disrupted", {}, 2),
    ("node_lost", "node_lost", {"timeout": "6s", "call_budget": "2s"}, 2),
    ("never_schedule", "unschedulable", {"start_budget": "3s"}, 2),
    ("image_pull", "image_pull", {}, 1),
    ("log_lost", "log_lost", {"call_budget": "3s"}, 2),
    ("start_error", "start", {}, 1),
    ("no_pod", "admission", {"start_budget": "8s"}, 1),
]


def test_out_of_memory_is_the_codes_own(world):
    world.up()
    world.cluster.faults({"pod": "*", "action": "oom", "after_ms": 200, "count": 1})
    result = world.run(code="import time\nprint('big', flush=True)\ntime.sleep(20)")
    assert result["status"] == "oom" and attempts(result) == [("oom", None)], result


def test_a_quota_is_waited_for_and_charges_nothing(world):
    world.up()
    world.cluster.faults({"verb": "create", "resource": "jobs", "action": "403", "count": 2})
    result = world.run()
    assert (result["status"], attempts(result)) == ("ok", [("ok", None)]), result


def test_an_api_that_stays_away_is_an_infra_error(world):
    world.up(call_budget="2s", call_timeout="1s")
    world.run()
    world.cluster.faults({"verb": "create", "resource": "jobs", "action": "500"})
    result = world.run(retry={"infra": 1})
    assert result["status"] == "infra_error" and result["error"]["reason"] == "api", result
    assert result["error"]["retryable"] is True and len(result["attempts"]) == 2, result


def test_what_kills_its_workers_tells_of_earlier_attempts(world):
    """The result that the reaper writes lists them as every other result does."""
    world.redis.start()
    world.cluster.start()
    world.cluster.faults({"pod": "*", "action": "evict", "after_ms": 100, "count": 1})
    id_ = world.push(code="import time\ntime.sleep(600)", timeout_s=600, retry={"infra": 5})
    for i in range(3):
        w = world.worker(lease="1s")
        until("the first attempt has ended", lambda: world.redis.call("HGET", world.key("task:" + id_), "infra") == b"1")
        # admitted too: two fields. What dies before that counts for its bytes, not for its id
        until("worker %d has it" % i, lambda: world.redis.call("HLEN", world.key("claims:w%d" % (i + 1))) >= 2)
        w.kill()
    world.worker(lease="1s")
    result = world.result(id_)
    assert result["error"]["reason"] == "poison" and attempts(result) == [("infra_error", "evicted")], result


def test_retry_can_be_narrowed(world):
    world.up()
    world.cluster.faults({"pod": "*", "action": "evict", "after_ms": 100})
    result = world.run(code="import time\ntime.sleep(5)", retry={"infra": 2, "on": ["node_lost"]})
    assert result["error"]["reason"] == "evicted" and len(result["attempts"]) == 1, result
    result = world.run(code="import time\ntime.sleep(5)", retry={"infra": 0})
    assert result["error"]["reason"] == "evicted" and len(result["attempts"]) == 1, result


def test_an_api_that_is_away_for_a_while(world):
    """Every call is cut for some seconds while a request runs: it is not charged for that."""
    world.up(**FAST)
    world.push(id="r", code="import time\nprint('there', flush=True)\ntime.sleep(2)")
    until("it runs", lambda: world.cluster.objects("pods"))
    world.cluster.faults({"verb": "*", "resource": "*", "action": "reset"},
                         {"verb": "watch", "resource": "pods", "action": "cut_watch"})
    until("calls are cut", lambda: world.cluster.fault_hits() >= 5)
    world.cluster.clear_faults()
    result = world.result("r")
    assert (result["status"], result["stdout"], attempts(result)) == ("ok", "there\n", [("ok", None)]), result


def test_many_faults_at_once(world):
    """A call in ten fails one way or the other; every request is told right, and none is charged for it."""
    world.up(workers=2, **FAST)
    world.cluster.faults(*[{"verb": "*", "resource": "*", "action": action, "probability": 0.03}
                           for action in ("429", "500", "reset")])
    ids = [world.push(code="print(%d)" % i) for i in range(40)]
    for i, id_ in enumerate(ids):
        result = world.result(id_)
        assert (result["status"], result["stdout"]) == ("ok", "%d\n" % i), result
        assert len(result["attempts"]) == 1, result


def name_of(rule):
    return "%s %s %s" % (rule["action"], rule.get("verb", "pod"), rule.get("resource", ""))


TESTS = [("cured: " + name_of(r), cured(r)) for r in CURED]
TESTS += [("cured at the start: " + name_of(r), watch_start(r)) for r in STARTS]
for action, reason, settings, n in POD:
    rule = {"pod": "*", "action": action, **({"after_ms": 300} if action in ("evict", "delete", "node_lost") else {})}
    if n > 1:
        TESTS.append(("another attempt after " + action, another_attempt(rule, reason, **settings)))
    TESTS.append(("a result after %s that stays" % action, hopeless(rule, reason, n, **settings)))
