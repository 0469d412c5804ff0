"""The verbs of the devcluster's API, what it refuses, and clients that do it wrong."""

import os
import re
import socket

from smoke.cluster import CMS, JOBS, NS, PODS, cm, job


def test_token_and_health(c):
    for path in (PODS, "/api", "/metrics", "/devcluster/faults"):
        reply = c.call("GET", path, token=False)
        assert reply.status == 401 and reply.json["reason"] == "Unauthorized", path
        assert c.call("GET", path, headers={"Authorization": "Bearer wrong"}).status == 401
    for path in ("/healthz", "/livez", "/readyz"):
        assert c.call("GET", path, token=False).body == b"ok"
    assert c.get("/version")["gitVersion"].startswith("v1.")
    assert os.stat(c.kubeconfig).st_mode & 0o777 == 0o600


def test_discovery(c):
    assert c.get("/api")["versions"] == ["v1"]
    assert "batch" in [g["name"] for g in c.get("/apis")["groups"]]
    names = [r["name"] for r in c.get("/api/v1")["resources"]]
    assert {"pods", "pods/log", "configmaps", "events", "namespaces"} <= set(names), names
    assert [r["kind"] for r in c.get("/apis/batch/v1")["resources"]][0] == "Job"


def test_not_there(c):
    for path in ("/nonsense", "/apis/nope/v1/things", NS + "/nopes"):
        assert c.call("GET", path).status == 404
    reply = c.call("GET", CMS + "/absent")
    assert reply.status == 404 and reply.json["reason"] == "NotFound" and reply.json["kind"] == "Status"
    assert c.call("POST", "/api/v1/namespaces/absent/configmaps", cm("a")).status == 404
    assert c.call("POST", CMS + "/absent", cm("a")).status == 405
    assert c.call("POST", "/api/v1/nodes", {"metadata": {"name": "n"}}).status == 405


REFUSED = [
    # what, path, body, code, reason
    ("no JSON", CMS, b"{", 400, "BadRequest"),
    ("two values", CMS, b"{}{}", 400, "BadRequest"),
    ("a list", CMS, b"[]", 400, "BadRequest"),
    ("nothing", CMS, b"", 400, "BadRequest"),
    ("no name", CMS, {"data": {}}, 422, "Invalid"),
    ("a bad name", CMS, cm("Not_a_name"), 422, "Invalid"),
    ("another kind", CMS, {**cm("a"), "kind": "Pod"}, 400, "BadRequest"),
    ("another version", CMS, {**cm("a"), "apiVersion": "v2"}, 400, "BadRequest"),
    ("an unknown field", CMS, {**cm("a"), "dta": {}}, 400, "BadRequest"),
    ("another namespace", CMS, {"metadata": {"name": "a", "namespace": "b"}}, 400, "BadRequest"),
    ("numbers as data", CMS, {"metadata": {"name": "a"}, "data": {"k": 1}}, 400, "BadRequest"),
    ("a bad key", CMS, cm("a", **{"k/l": "v"}), 422, "Invalid"),
    ("no base64", CMS, {"metadata": {"name": "a"}, "binaryData": {"k": "?"}}, 400, "BadRequest"),
    ("a bad label", CMS, {"metadata": {"name": "a", "labels": {"k": "a b"}}}, 422, "Invalid"),
    ("half an owner", CMS, {"metadata": {"name": "a", "ownerReferences": [{"name": "x"}]}}, 422, "Invalid"),
    ("too much data", CMS, cm("a", k="x" * (1024 * 1024 + 1)), 422, "Invalid"),
    ("too large", CMS, cm("a", k="x" * (3 * 1024 * 1024)), 413, "RequestEntityTooLarge"),
    ("a Job without a spec", JOBS, {"metadata": {"name": "a"}}, 422, "Invalid"),
    ("a Job with a long name", JOBS, job("a" * 64, "1"), 422, "Invalid"),
    ("a Job that restarts", JOBS, job("a", "1", pod={"restartPolicy": "Always"}), 422, "Invalid"),
    ("a Job without a container", JOBS, job("a", "1", pod={"x": 1, "containers": []}), 422, "Invalid"),
    ("a mount of nothing", JOBS, job("a", "1", container={"volumeMounts": [{"name": "x", "mountPath": "/x"}]}), 422,
     "Invalid"),
    ("a bad quantity", JOBS, job("a", "1", memory="lots"), 400, "BadRequest"),
    ("no command", JOBS, job("a", "1", container={"command": []}), 422, "Invalid"),
    ("a negative deadline", JOBS, job("a", "1", deadline=-1), 422, "Invalid"),
]


def test_what_is_refused(c):
    for what, path, body, code, reason in REFUSED:
        if what == "a Job without a container":
            body["spec"]["template"]["spec"]["containers"] = []
        reply = c.call("POST", path, body)
        assert (reply.status, reply.json["reason"]) == (code, reason), (what, reply.status, reply.body)
    assert c.call("POST", CMS, b"\x0a\x02", headers={"Content-Type": "application/vnd.kubernetes.protobuf"}).status == 415


def test_create_get_list_delete(c):
    made = c.create(CMS, cm("a", k="v"))
    meta = made["metadata"]
    assert meta["uid"] and int(meta["resourceVersion"]) > 0 and meta["creationTimestamp"].endswith("Z")
    assert c.get(CMS + "/a") == made
    again = c.call("POST", CMS, cm("a"))
    assert again.status == 409 and again.json["reason"] == "AlreadyExists"
    generated = c.create(CMS, {"metadata": {"generateName": "gen-"}, "data": {}})["metadata"]["name"]
    assert re.fullmatch("gen-[a-z0-9]{5}", generated)
    listed = c.get(CMS)
    assert [i["metadata"]["name"] for i in listed["items"]] == ["a", generated]
    assert listed["kind"] == "ConfigMapList" and int(listed["metadata"]["resourceVersion"]) >= int(meta["resourceVersion"])
    assert c.create(CMS + "?dryRun=All", cm("dry"))["metadata"]["uid"]
    assert c.call("GET", CMS + "/dry").status == 404
    wrong = c.call("DELETE", CMS + "/a", {"preconditions": {"uid": "other"}})
    assert wrong.status == 409 and wrong.json["reason"] == "Conflict"
    assert c.call("DELETE", CMS + "/a", {"preconditions": {"uid": meta["uid"]}}).json["status"] == "Success"
    assert c.call("DELETE", CMS + "/a").status == 404


def test_selectors(c):
    for name, labels in (("a", {"app": "x", "tier": "1"}), ("b", {"app": "y"}), ("d", {})):
        c.create(CMS, {"metadata": {"name": name, "labels": labels}})
    for query, expected in (("labelSelector=app", "ab"), ("labelSelector=app%3Dx", "a"), ("labelSelector=!app", "d"),
                            ("labelSelector=app!%3Dx", "bd"), ("labelSelector=app+in+(x,y),tier", "a"),
                            ("labelSelector=app+notin+(x)", "bd"), ("fieldSelector=metadata.name%3Db", "b")):
        found = "".join(i["metadata"]["name"] for i in c.get(CMS + "?" + query)["items"])
        assert found == expected, (query, found)
    for query in ("labelSelector=a+in+x", "fieldSelector=data%3Dx", "labelSelector=%3D"):
        assert c.call("GET", CMS + "?" + query).status == 400, query
    assert c.call("DELETE", CMS + "?labelSelector=app").status == 200
    assert [i["metadata"]["name"] for i in c.get(CMS)["items"]] == ["d"]


def test_update_and_patch(c):
    made = c.create(CMS, {**cm("a", k="1")})
    patched = c.call("PATCH", CMS + "/a", {"data": {"k": "2", "l": "3"}, "immutable": True},
                     headers={"Content-Type": "application/merge-patch+json"}).json
    assert patched["data"] == {"k": "2", "l": "3"} and patched["metadata"]["uid"] == made["metadata"]["uid"]
    stale = c.call("PUT", CMS + "/a", made)
    assert stale.status == 409 and stale.json["reason"] == "Conflict"
    frozen = c.call("PUT", CMS + "/a", {**patched, "data": {"k": "4"}})
    assert frozen.status == 422, frozen.body
    patched["metadata"]["labels"] = {"a": "b"}
    assert c.call("PUT", CMS + "/a", patched).json["metadata"]["labels"] == {"a": "b"}


def test_keep_alive(c):
    c.get(CMS)
    kept = c.connection.sock
    for i in range(5):
        c.create(CMS, cm("k%d" % i, k="x" * 100000))
    assert c.call("GET", CMS + "/absent").status == 404
    assert c.connection.sock is kept


def test_broken_clients(c):
    for text in (b"\x00\xff\n\n", b"GET / HTTP/9.9\r\n\r\n", b"POST %s HTTP/1.1\r\nContent-Length: 50\r\n\r\n{" % CMS.encode(),
                 b"GET /%zz?%zz=%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"):
        with c.tls.wrap_socket(socket.create_connection((c.host, int(c.port))), server_hostname="127.0.0.1") as s:
            s.sendall(text)
    with socket.create_connection((c.host, int(c.port))) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no TLS
    assert c.get("/version")
