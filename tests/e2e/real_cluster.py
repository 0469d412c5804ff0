"""A real Kubernetes in the place of the devcluster: the same tests, no faults to order. Needs what tests/cluster/up has
brought up. Each test gets a namespace of its own, furnished as deploy/ furnishes execq-snippets, and workers that have the
rights of their ServiceAccount and no others."""

import json
import os
import random
import ssl
import subprocess
import urllib.error
import urllib.request

from world import TOP, Skip, litter, until

CLUSTER = os.path.join(TOP, "tests/cluster/cluster")
DEPLOYED = "execq-snippets"  # the namespace that is the model
ACCOUNT = "system:serviceaccount:execq:execq-worker"

# what the devcluster counts as verbs and resources, by those of the audit log
VERBS = {("get", "pods/log"): ("log", "pods"), ("get", "pods/attach"): ("attach", "pods")}


class Process:
    """What tests ask of the devcluster's process: does it run? This one always does."""

    def __init__(self):
        self.running = True

    def alive(self):
        return self.running

    def log(self):
        return ""


class RealCluster:
    pace, many = 8, 0.4

    def __init__(self, world):
        self.world, self.process, self.namespace = world, None, None
        self.undo = []  # paths to delete at the end, beside the namespace
        self.kubeconfig = os.path.join(world.dir, "kubeconfig")
        self.kubectl_config = os.path.join(world.dir, "kubeconfig-admin")
        # One machine of two cores runs everything, and eight pods at once must fit on it beside other tests' pods
        self.settings = {"service_account": "execq-snippet", "start_budget": "100s", "cpu_request": "50m",
                         "memory_request": "64Mi", "timeout": "100s"}

    # --- there and gone ---

    def start(self, *options):
        if options:
            raise Skip("options of the devcluster: %s" % " ".join(options))
        done = subprocess.run([CLUSTER, "status"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        if done.returncode:
            raise AssertionError("no cluster is up: tests/cluster/up")
        admin = done.stdout.strip()
        self.dir = os.path.dirname(admin)
        pki = os.path.join(self.dir, "pki")
        self.tls = ssl.create_default_context(cafile=os.path.join(pki, "ca.crt"))
        self.tls.load_cert_chain(os.path.join(pki, "admin.crt"), os.path.join(pki, "admin.key"))
        with open(admin, encoding="utf-8") as f:
            text = f.read()
        self.base = text.split("server: ", 1)[1].split("\n", 1)[0]
        self.furnish()
        with open(self.kubectl_config, "w", encoding="utf-8") as f:
            f.write(text.replace("user: admin}}", "user: admin, namespace: %s}}" % self.namespace))
        worker = subprocess.run([os.path.join(os.path.dirname(CLUSTER), "worker-kubeconfig")], stdout=subprocess.PIPE,
                                check=True, text=True).stdout
        with open(self.kubeconfig, "w", encoding="utf-8") as f:
            f.write(worker.replace("namespace: " + DEPLOYED, "namespace: " + self.namespace))
        self.audit_from = os.path.getsize(self.audit_log())
        self.process = Process()
        return self

    def furnish(self):
        """A namespace like the deployed one, object by object."""
        model = self.get("/api/v1/namespaces/" + DEPLOYED)
        self.namespace = "e2e-%08x" % random.getrandbits(32)
        labels = {k: v for k, v in model["metadata"]["labels"].items() if k.startswith("pod-security")}
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace, "labels": labels}})
        for group in ("/apis/rbac.authorization.k8s.io/v1|roles", "/apis/rbac.authorization.k8s.io/v1|rolebindings",
                      "/api/v1|resourcequotas", "/api/v1|limitranges", "/apis/networking.k8s.io/v1|networkpolicies",
                      "/api/v1|serviceaccounts"):
            path = group.replace("|", "/namespaces/%s/")
            for o in self.get(path % DEPLOYED)["items"]:
                if o["metadata"]["name"] == "default":
                    continue
                o["metadata"] = {"name": o["metadata"]["name"]}
                o.pop("status", None)
                self.request("POST", path % self.namespace, o)
        until("the namespace has its account", lambda: self.exists("serviceaccounts", "default"))
        until("the worker has its rights", self.worker_may)
        self.until_quotas_count()

    def make_quota(self, name, hard):
        self.request("POST", self.path("resourcequotas"), {"metadata": {"name": name}, "spec": {"hard": hard}})
        self.until_quotas_count()

    def until_quotas_count(self):
        until("the quota counts", lambda: all("used" in q.get("status", {}) for q in self.objects("resourcequotas")))

    def worker_may(self):
        """The API server learns of a new RoleBinding a moment after it was made."""
        review = {"spec": {"user": ACCOUNT, "resourceAttributes": {"namespace": self.namespace, "verb": "watch",
                                                                   "resource": "pods"}}}
        return self.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    def exists(self, resource, name):
        return name in [o["metadata"]["name"] for o in self.objects(resource)]

    def stop(self):
        if self.process:
            self.process.running = False

    def close(self):
        while self.undo:
            try:
                self.request("DELETE", self.undo.pop())
            except AssertionError as e:
                print(e)
        if self.namespace:
            self.request("DELETE", "/api/v1/namespaces/" + self.namespace)
            self.namespace = None

    # --- the API, as the administrator ---

    def request(self, method, path, body=None, raw=False, content="application/json"):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data=data, method=method,
                                         headers={"Content-Type": content} if data else {})
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.tls) as reply:
                text = reply.read().decode()
        except urllib.error.HTTPError as e:
            raise AssertionError("%s %s: %s" % (method, path, e.read().decode(errors="replace")[:500])) from None
        return text if raw else json.loads(text)

    def get(self, path, raw=False):
        return self.request("GET", path, raw=raw)

    def create(self, path, body, undo=True):
        """An object outside of the test's namespace goes when the test ends."""
        made = self.request("POST", path, body)
        if undo:
            self.undo.append("%s/%s" % (path, made["metadata"]["name"]))
        return made

    def path(self, resource, name=""):
        """Of a kind in the test's namespace."""
        group = {"jobs": "/apis/batch/v1", "roles": "/apis/rbac.authorization.k8s.io/v1",
                 "rolebindings": "/apis/rbac.authorization.k8s.io/v1"}.get(resource, "/api/v1")
        return "%s/namespaces/%s/%s%s" % (group, self.namespace, resource, "/" + name if name else "")

    def inside(self, *words, **options):
        """Starts a command in the network of the node."""
        return subprocess.Popen([CLUSTER, "inside", *words], **options)

    def objects(self, resource):
        return self.get("%s/namespaces/%s/%s" % ("/apis/batch/v1" if resource == "jobs" else "/api/v1", self.namespace,
                                                 resource))["items"]

    def litter(self):
        return litter(self)

    # --- what workers did ---

    def audit_log(self):
        return os.path.join(self.dir, "log", "audit.log")

    def asked(self):
        """(event of the audit log, verb, resource) of each request of workers in this test's namespace that was answered."""
        with open(self.audit_log(), encoding="utf-8") as f:
            f.seek(self.audit_from)
            for line in f:
                event = json.loads(line) if line.endswith("\n") else {}
                o = event.get("objectRef", {})
                if event.get("user", {}).get("username") == ACCOUNT and o.get("namespace") == self.namespace and \
                        event["stage"] == ("ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"):
                    yield event, event["verb"], o["resource"] + ("/" + o["subresource"] if "subresource" in o else "")

    def requests(self):
        """{(verb, resource): how many} that workers asked for in this test's namespace. A create that met another one at the
        same quota is asked for again, and counts once."""
        found = {}
        for event, verb, resource in self.asked():
            if "cannot be fulfilled on resourcequotas" not in event.get("responseStatus", {}).get("message", ""):
                key = VERBS.get((verb, resource), (verb, resource))
                found[key] = found.get(key, 0) + 1
        return found

    def metrics(self):
        """The one that tests ask for: containers that were started."""
        started = [e for e in self.objects("events") if e["reason"] == "Started"]
        return {"execq_devcluster_pods_started_total": {(): sum(e.get("count") or 1 for e in started)}}

    # --- what only the devcluster can do ---

    def faults(self, *_rules):
        raise Skip("faults can be ordered from the devcluster only")

    fault_hits = faults

    def clear_faults(self):
        pass
