"""Faults that are ordered of the devcluster, and its counters."""

import http.client
import json
import time

from smoke.cluster import CMS, EVENTS, JOBS, PODS, cm, ended, job, log_of, pod_of, run, terminated, until


def broken(call):
    try:
        call()
    except (http.client.HTTPException, OSError):
        return True
    return False


def test_faults_answers(c):
    for action, code, reason in (("429", 429, "TooManyRequests"), ("500", 500, "InternalError"),
                                 ("503", 503, "ServiceUnavailable"), ("504", 504, "Timeout"), ("403", 403, "Forbidden"),
                                 ("410", 410, "Expired")):
        c.faults({"verb": "create", "resource": "configmaps", "action": action, "count": 1})
        reply = c.call("POST", CMS, cm("a"))
        assert (reply.status, reply.json["reason"]) == (code, reason), reply.body
        assert (action != "429") or reply.headers["Retry-After"] == "1"
        assert c.get(CMS)["items"] == []
    assert c.hits() == [1] * 6
    c.create(CMS, cm("a"))
    c.faults({"verb": "get", "resource": "configmaps", "match": "other", "action": "500"},
             {"verb": "*", "resource": "*", "every": 3, "action": "503"})
    assert [c.call("GET", CMS + "/a").status for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    bad = c.call("POST", "/devcluster/faults", [{"verb": "create", "action": "nonsense"}])
    assert bad.status == 400 and "nonsense" in bad.json["message"]


def test_faults_on_the_way(c):
    c.faults({"verb": "create", "match": "lost", "action": "lose_reply", "count": 1},
             {"verb": "create", "match": "never", "action": "reset", "count": 1},
             {"verb": "list", "resource": "configmaps", "action": "half_body", "count": 1},
             {"verb": "get", "resource": "configmaps", "match": "stall", "action": "stall", "count": 1},
             {"verb": "get", "resource": "configmaps", "match": "slow", "slow_ms": 300})
    assert broken(lambda: c.call("POST", CMS, cm("lost"), fresh=True))
    assert broken(lambda: c.call("POST", CMS, cm("never"), fresh=True))
    assert broken(lambda: c.call("GET", CMS, fresh=True))
    assert broken(lambda: c.call("GET", CMS + "/stall", fresh=True, timeout=0.3))
    assert c.call("POST", CMS, cm("lost")).status == 409
    assert c.call("GET", CMS + "/never").status == 404
    before = time.monotonic()
    assert c.call("GET", CMS + "/slow").status == 404 and time.monotonic() - before >= 0.3
    assert c.hits() == [1] * 5


def test_faults_on_a_watch(c):
    version = c.get(CMS)["metadata"]["resourceVersion"]
    for action in ("cut_watch", "half_line", "410_event"):
        c.faults({"verb": "watch", "resource": "configmaps", "action": action, "count": 1})
        with c.watch(CMS + "?resourceVersion=" + version) as w:
            version = c.create(CMS, cm("w-" + action.replace("_", "-")))["metadata"]["resourceVersion"]
            if action == "410_event":
                assert w.next()["object"]["code"] == 410
                assert w.next() == b""
            else:
                text = b""
                try:
                    while not text.endswith(b"\n"):
                        piece = w.reply.read1(100)
                        if not piece:
                            break
                        text += piece
                except (http.client.HTTPException, OSError):
                    pass
                assert (action == "half_line") == text.startswith(b'{"type"') and b"\n" not in text, (action, text)
    c.faults({"verb": "watch", "resource": "configmaps", "action": "410", "count": 1})
    with c.watch(CMS) as w:
        assert w.status == 410
    until("all are gone", lambda: c.metric("execq_devcluster_watches") == 0)


SLEEP = "import time\nprint('up', flush=True)\ntime.sleep(1000)"


def test_faults_of_pods(c):
    c.faults(*[{"pod": action.replace("_", "-"), "action": action}
               for action in ("evict", "oom", "never_schedule", "image_pull", "delete", "start_error", "no_pod",
                              "log_lost", "node_lost")])
    for name in ("evict", "oom", "start-error", "log-lost"):
        c.create(JOBS, job(name, "print('x')" if name == "log-lost" else SLEEP))
    pod = ended(c, "evict")
    assert pod["status"]["reason"] == "Evicted" and pod["status"]["phase"] == "Failed"
    assert [x for x in pod["status"]["conditions"] if x["type"] == "DisruptionTarget"][0]["reason"] == "TerminationByKubelet"
    assert (terminated(ended(c, "oom"))["reason"], terminated(ended(c, "oom"))["exitCode"]) == ("OOMKilled", 137)
    assert (terminated(ended(c, "start-error"))["reason"], terminated(ended(c, "start-error"))["exitCode"]) == (
        "StartError", 128)
    assert "unable to retrieve container logs" in log_of(c, ended(c, "log-lost"))
    for name in ("never-schedule", "image-pull", "node-lost", "no-pod"):
        c.create(JOBS, job(name, SLEEP))
    until("unschedulable", lambda: "Unschedulable" in json.dumps(pod_of(c, "never-schedule")))
    until("no image", lambda: "ImagePullBackOff" in json.dumps(pod_of(c, "image-pull")))
    until("a node that is gone", lambda: c.call(
        "GET", "%s/%s/log" % (PODS, pod_of(c, "node-lost")["metadata"]["name"])).status == 500)
    assert pod_of(c, "node-lost")["status"]["phase"] == "Running"
    until("no pod may be made", lambda: [e for e in c.get(EVENTS)["items"] if e["reason"] == "FailedCreate"])
    assert pod_of(c, "no-pod") is None and "conditions" not in c.get(JOBS + "/no-pod")["status"]
    with c.watch(PODS) as w:
        c.create(JOBS, job("delete", SLEEP))
        while True:
            event = w.next()
            if event["type"] == "DELETED":
                break
        assert "DisruptionTarget" in json.dumps(event["object"])


def test_counters(c):
    before = c.metric('execq_devcluster_requests_total{verb="create",resource="jobs"}')
    started = c.metric("execq_devcluster_pods_started_total")
    run(c, "count", "1")
    assert c.metric('execq_devcluster_requests_total{verb="create",resource="jobs"}') == before + 1
    assert c.metric("execq_devcluster_pods_started_total") == started + 1
