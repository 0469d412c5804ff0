"""Each verb of the worker's Role, taken away: something stops working, and the worker says which right is missing. So no verb is
there for nothing, and an operator with an older Role finds out what to add."""

import time

from identity import Identity
from test_real import FIRST_SLEEPS, attempts, running
from test_real_auth import waits_until_mended
from world import until

FULL = [("batch", "jobs", ("create", "get", "list", "delete")), ("", "configmaps", ("create", "get", "delete")),
        ("", "pods", ("list", "watch")), ("", "pods/log", ("get",)), ("", "pods/attach", ("get", "create")),
        ("", "events", ("list",))]
SLEEPS = "import time\ntime.sleep(%d)\nprint('done')"


def rules(without=None):
    return [{"apiGroups": [group], "resources": [resource], "verbs": [v for v in verbs if (resource, v) != without]}
            for group, resource, verbs in FULL if any((resource, v) != without for v in verbs)]


def test_the_role_is_the_one_that_is_tried_here(world):
    world.cluster.start()
    role = world.cluster.get(world.cluster.path("roles", "execq-worker"))
    def flat(of):
        return sorted((r["apiGroups"], r["resources"], sorted(r["verbs"])) for r in of)
    assert flat(role["rules"]) == flat(rules()), role["rules"]


class Case:
    """A worker whose account lacks one right."""

    def __init__(self, world, missing, **settings):
        self.world, self.missing = world, missing
        world.redis.start()
        world.cluster.start()
        self.who = Identity(world, bound=False)
        self.role = {"metadata": {"name": "less"}, "rules": rules(missing)}
        world.cluster.request("POST", world.cluster.path("roles"), self.role)
        self.who.bind("less", ("list", "events") if missing == ("pods", "list") else ("list", "pods"))
        with open(world.cluster.kubeconfig, encoding="utf-8") as f:
            self.full = f.read()
        self.who.kubeconfig('token: "%s"' % self.who.token())
        with open(world.cluster.kubeconfig, encoding="utf-8") as f:
            self.less = f.read()
        self.settings = settings

    def worker(self, full=False):
        with open(self.world.cluster.kubeconfig, "w", encoding="utf-8") as f:
            f.write(self.full if full else self.less)
        w = self.world.worker(**self.settings)
        until("it has read its kubeconfig", lambda: "started" in w.log())
        return w

    def words(self):
        return 'cannot %s resource \\"%s\\"' % (self.missing[1], self.missing[0])

    def said(self, worker):
        until(lambda: "it says %s: %s" % (self.words(), worker.log()[-3000:]), lambda: self.words() in worker.log())

    def mend(self):
        self.role["rules"] = rules()
        self.world.cluster.request("PUT", self.world.cluster.path("roles", "less"), self.role)

    def ends(self, id_):
        """However long the right is missing, nobody is charged; once it is there the request runs."""
        time.sleep(10)
        assert not self.world.has_result(id_)
        self.mend()
        result = self.world.result(id_)
        assert result["status"] == "ok", result
        return result


def test_without_create_of_jobs(world):
    case = Case(world, ("jobs", "create"))
    worker = case.worker()
    id_ = world.push(code="print(1)")
    case.said(worker)
    case.ends(id_)


def test_without_create_of_configmaps(world):
    """The runner's cannot be made: the worker leaves, and says how. Where it is there, each request's own is missed."""
    case = Case(world, ("configmaps", "create"))
    worker = case.worker()
    assert worker.wait() == 1 and "may not be created" in worker.log() and "--runner-manifest" in worker.log(), worker.log()
    first = case.worker(full=True)
    assert world.run(code="print(1)")["status"] == "ok"
    first.end_cleanly()
    worker = case.worker()
    id_ = world.push(code="print(1)")
    case.said(worker)
    case.ends(id_)


def test_without_list_of_jobs(world):
    """Nobody sweeps."""
    case = Case(world, ("jobs", "list"))
    worker = case.worker()
    case.said(worker)
    assert world.run(code="print(1)")["status"] == "ok"


def test_without_delete_of_jobs(world):
    """Requests run, but their Jobs stay; with the right the sweeper takes them away."""
    case = Case(world, ("jobs", "delete"))
    worker = case.worker()
    assert world.run(code="print(1)")["status"] == "ok"
    case.said(worker)
    assert world.cluster.objects("jobs")
    case.mend()


def adopted(world, case):
    """A worker with all rights dies over a request; one with less takes it up."""
    first = case.worker(full=True)
    id_ = world.push(code=SLEEPS % 12, timeout_s=60)
    until("it runs", lambda: running(world))
    first.kill()
    return case.worker(), id_


def test_without_get_of_jobs(world):
    case = Case(world, ("jobs", "get"))
    worker, id_ = adopted(world, case)
    case.said(worker)
    case.ends(id_)


def test_without_get_of_configmaps(world):
    case = Case(world, ("configmaps", "get"))
    worker, id_ = adopted(world, case)
    case.said(worker)
    case.ends(id_)


def test_without_delete_of_configmaps(world):
    """Somebody's ConfigMap has the name that the second attempt needs."""
    case = Case(world, ("configmaps", "delete"))
    worker = case.worker()
    id_ = world.push(code=FIRST_SLEEPS % 60)
    until("it runs", lambda: running(world))
    name = world.cluster.objects("jobs")[0]["metadata"]["name"][:-1] + "2"
    world.cluster.request("POST", world.cluster.path("configmaps"), {"metadata": {"name": name}, "data": {"a": "b"}})
    world.cluster.request("DELETE", world.cluster.path("pods", running(world)[0]))
    case.said(worker)
    result = case.ends(id_)
    assert attempts(result)[0] == ("infra_error", "disrupted"), result
    if name in [m["metadata"]["name"] for m in world.cluster.objects("configmaps")] and result["status"] != "ok":
        world.cluster.request("DELETE", world.cluster.path("configmaps", name))


def test_without_list_of_pods(world):
    case = Case(world, ("pods", "list"))
    waits_until_mended(world, case.worker(), ["error no-access", case.words()], case.mend)


def test_without_watch_of_pods(world):
    """It lists again and again instead: slow, and said loudly."""
    case = Case(world, ("pods", "watch"))
    worker = case.worker()
    case.said(worker)
    assert "error no-access" in worker.log()
    assert world.run(code="print(1)")["status"] == "ok"


def test_without_get_of_logs(world):
    """Output that is too long for the pod's status has to come by the log."""
    case = Case(world, ("pods/log", "get"))
    case.worker()
    result = world.run(code="print('x' * 99 + '\\n' * 1, end='')\nprint(('y' * 99 + '\\n') * 1000)", retry={"infra": 0})
    assert result["status"] == "infra_error" and result["error"]["reason"] in ("log_lost", "api"), result
    assert case.words().replace("\\", "") in result["error"]["message"], result


def test_without_get_of_attach(world):
    """Nobody hears the runner early, but everybody hears it; and it is said once."""
    case = Case(world, ("pods/attach", "get"), canary="python")
    worker = case.worker()
    until(lambda: "the canary is back: " + worker.log(), lambda: "early_results=yes" in worker.log(), 120)
    results = [world.result(id_) for id_ in [world.push(code=SLEEPS % 3) for _ in range(2)]]
    assert [r["status"] for r in results] == ["ok", "ok"], results
    case.said(worker)
    assert world.run(code=SLEEPS % 3)["status"] == "ok"
    assert worker.log().count("no-early-results") == 1, worker.log()


def test_without_list_of_events(world):
    """Why a Job gets no pod is not told: the request waits for the whole start-budget, and ends with another reason."""
    case = Case(world, ("events", "list"), start_budget="8s")
    world.cluster.request("POST", world.cluster.path("limitranges"), {"metadata": {"name": "small"}, "spec": {"limits": [
        {"type": "Container", "max": {"memory": "32Mi"}}]}})
    case.worker()
    began = time.monotonic()
    result = world.run(memory="256Mi", retry={"infra": 0})
    assert (result["status"], result["error"]["reason"]) == ("infra_error", "start"), result
    assert time.monotonic() - began >= 8
    case.mend()
    result = world.run(memory="256Mi", retry={"infra": 0})
    assert (result["status"], result["error"]["reason"]) == ("infra_error", "admission"), result
