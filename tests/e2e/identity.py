"""Who a worker is for the API server of a real cluster: an account and a user of a test's own with the worker's Role in its
namespace, and everything that can prove to be them: tokens that can be revoked, certificates, kubeconfigs."""

import base64
import os
import random
import ssl
import subprocess
import urllib.error
import urllib.request

from world import until

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def openssl(*words, text=None):
    done = subprocess.run(["openssl", *words], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


class Authority:
    """A CA of its own."""

    def __init__(self, folder, name):
        self.key, self.cert = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".crt")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", self.key, "-out", self.cert, "-subj", "/CN=" + name,
                "-addext", "keyUsage = critical, keyCertSign, cRLSign")

    def pem(self):
        with open(self.cert, encoding="utf-8") as f:
            return f.read()


def issue(folder, ca_cert, ca_key, subject, name, usage="clientAuth", names=None, dates=None):
    """Writes name.crt and name.key and returns the paths. `dates`: (from, until) as YYYYMMDDHHMMSSZ."""
    base = os.path.join(folder, "ca-%08x" % random.getrandbits(32))
    os.mkdir(base)
    for file, text in (("index", ""), ("serial", "%016x\n" % random.getrandbits(60)), ("config", """
[ca]
default_ca = us
[us]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 2
policy = any
x509_extensions = ext
[any]
organizationName = optional
commonName = supplied
[ext]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = %s
%s
""" % (usage, "subjectAltName = " + names if names else ""))):
        with open(os.path.join(base, file), "w", encoding="utf-8") as f:
            f.write(text)
    cert, key, asked = (os.path.join(folder, name + end) for end in (".crt", ".key", ".csr"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key + ".new", "-out", asked,
            "-subj", subject)
    words = ["openssl", "ca", "-batch", "-notext", "-config", "config", "-cert", ca_cert, "-keyfile", ca_key, "-in", asked,
             "-out", cert + ".new"] + (["-startdate", dates[0], "-enddate", dates[1]] if dates else [])
    done = subprocess.run(words, cwd=base, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    os.rename(key + ".new", key)
    os.rename(cert + ".new", cert)
    return cert, key


class Identity:
    def __init__(self, world, bound=True):
        self.world, self.cluster = world, world.cluster
        self.namespace = self.cluster.namespace + "-who"
        self.user = "user-of-" + self.cluster.namespace
        self.cluster.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.cluster.request("POST", "/api/v1/namespaces/%s/serviceaccounts" % self.namespace, {"metadata": {"name": "w"}})
        self.ca = os.path.join(self.cluster.dir, "pki", "ca.crt")
        if bound:
            self.bind()

    def account(self):
        return "system:serviceaccount:%s:w" % self.namespace

    def bind(self, role="execq-worker", right=("list", "pods")):
        """The Role in the test's namespace, for the account and the user. Waits until `right`, which it has, counts."""
        self.cluster.request("POST", self.cluster.path("rolebindings"), {
            "metadata": {"name": "who"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "w", "namespace": self.namespace},
                         {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": self.user}]})
        until("the rights count", lambda: self.may(*right))

    def may(self, verb, resource, group="", sub=""):
        review = {"spec": {"user": self.account(), "resourceAttributes": {
            "namespace": self.cluster.namespace, "verb": verb, "resource": resource, "group": group, "subresource": sub}}}
        return self.cluster.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    # --- proofs ---

    def token(self):
        """One that is good until revoke(token)."""
        name, path = "t%08x" % random.getrandbits(32), "/api/v1/namespaces/%s/" % self.namespace
        secret = self.cluster.request("POST", path + "secrets", {"metadata": {"name": name}})
        answer = self.cluster.request("POST", path + "serviceaccounts/w/token", {"spec": {"boundObjectRef": {
            "kind": "Secret", "apiVersion": "v1", "name": name, "uid": secret["metadata"]["uid"]}}})
        token = answer["status"]["token"]
        self.world.secrets = {**getattr(self.world, "secrets", {}), token: path + "secrets/" + name}
        return token

    def revoke(self, token):
        """Returns when the API server refuses it, which takes up to ten seconds."""
        self.cluster.request("DELETE", self.world.secrets[token])
        tls = ssl.create_default_context(cafile=self.ca)

        def refused():
            ask = urllib.request.Request(self.cluster.base + "/version", headers={"Authorization": "Bearer " + token})
            try:
                urllib.request.urlopen(ask, timeout=30, context=tls).close()
            except urllib.error.HTTPError as e:
                return e.code == 401
            return False

        until("the token is refused", refused)

    def certificate(self, name="client", expired=False):
        """(certificate, key) of the user, signed by the cluster's CA."""
        return issue(self.world.dir, self.ca, self.ca[:-3] + "key", "/CN=" + self.user, name,
                     dates=("20200101000000Z", "20200102000000Z") if expired else None)

    # --- kubeconfigs ---

    def kubeconfig(self, user, server=None, ca=None, more=""):
        """Writes the worker's: `user` and `more` (of the cluster) are YAML in braces' inside; `ca` a path."""
        with open(self.cluster.kubeconfig, "w", encoding="utf-8") as f:
            f.write("""apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: who, namespace: %s}}]
clusters: [{name: test, cluster: {server: "%s", %s%s}}]
users: [{name: who, user: {%s}}]
""" % (self.cluster.namespace, server or self.cluster.base, "certificate-authority: %s" % (ca or self.ca),
       ", " + more if more else "", user))


def inline(path):
    with open(path, "rb") as f:
        return base64.b64encode(f.read()).decode()
