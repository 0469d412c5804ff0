"""Watches of the devcluster: what they tell, how they end, and many of them."""

from smoke.cluster import CMS, PODS, cm, until


def test_watch(c):
    version = c.create(CMS, cm("before"))["metadata"]["resourceVersion"]
    with c.watch(CMS + "?resourceVersion=" + version) as w, c.watch(CMS) as all_of:
        c.create(CMS, cm("a", k="1"))
        c.call("PATCH", CMS + "/a", {"data": {"k": "2"}}, headers={"Content-Type": "application/merge-patch+json"})
        c.call("DELETE", CMS + "/a")
        seen = [w.next() for _ in range(3)]
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in seen] == [
            ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in seen]
        assert versions == sorted(set(versions))
        assert all_of.next()["object"]["metadata"]["name"] == "before"
        assert all_of.next()["type"] == "ADDED"
    with c.watch(CMS + "?resourceVersion=%d" % versions[0]) as w:  # from the middle
        assert w.next()["type"] == "MODIFIED" and w.next()["type"] == "DELETED"


def test_watch_with_a_selector(c):
    version = c.get(CMS)["metadata"]["resourceVersion"]
    with c.watch(CMS + "?labelSelector=on%3Dyes&resourceVersion=" + version) as w:
        c.create(CMS, {"metadata": {"name": "a"}})
        for labels in ({"on": "yes"}, {"on": "yes", "x": "1"}, {"on": "no"}, {"on": "yes"}):
            c.call("PATCH", CMS + "/a", {"metadata": {"labels": labels}},
                   headers={"Content-Type": "application/merge-patch+json"})
        c.call("DELETE", CMS + "/a")
        types = [w.next()["type"] for _ in range(5)]
        assert types == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"], types


def test_watch_ends_and_bookmarks(c):
    with c.watch(CMS + "?timeoutSeconds=1&allowWatchBookmarks=true") as w:
        marks = []
        while True:
            event = w.next()
            if event == b"":
                break
            marks.append(event["type"])
        assert set(marks) <= {"BOOKMARK"} and marks, marks
    with c.watch(CMS + "?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true") as w:
        mark = w.until("BOOKMARK")
        assert mark["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


def test_watch_from_too_long_ago(c):
    version = c.get(CMS)["metadata"]["resourceVersion"]
    c.create(CMS, cm("a"))
    c.create("/devcluster/compact", {}, 200)
    with c.watch(CMS + "?resourceVersion=" + version) as w:
        event = w.next()
        assert event["type"] == "ERROR" and event["object"]["code"] == 410 and event["object"]["reason"] == "Expired"
        assert w.next() == b""
    future = c.call("GET", CMS + "?watch=true&resourceVersion=" + "9" * 18)
    assert future.status == 504, future.body


def test_many_watches_that_come_and_go(c):
    for _ in range(3):
        watches = [c.watch(PODS) for _ in range(30)]
        c.create(CMS, {"metadata": {"generateName": "a-"}})
        for w in watches:
            w.close()
    until("they are gone", lambda: c.metric("execq_devcluster_watches") == 0)


def test_a_watch_that_does_not_read_is_cut(c):
    with c.watch(CMS) as w:
        for i in range(40):
            c.create(CMS, cm("big-%d" % i, k="x" * 1000000))
            c.call("DELETE", CMS + "/big-%d" % i)
        until("it is cut", lambda: c.metric("execq_devcluster_watches") == 0)
        assert w.status == 200
