"""How a worker proves who it is to a real API server. What is wrong is said, with the words that tell what to mend, and costs no
request anything: it waits and runs when that is mended."""

import os
import ssl
import time

from identity import Authority, Identity, inline, issue
from proxy import Proxy
from world import until

# a sanitized worker takes longer for its start; nothing is claimed that early, so this only has to be long enough to notice
# a request that is taken in vain
WATCHED = 6


def begin(world, **options):
    world.redis.start()
    world.cluster.start()
    return Identity(world, **options)


def write(path, text, mode=0o600):
    """In one step, as whoever rotates a file does."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def runs(world):
    result = world.run(code="print(6 * 7)")
    assert (result["status"], result["stdout"], len(result["attempts"])) == ("ok", "42\n", 1), result


def waits_until_mended(world, worker, words, mend):
    """The worker says what is wrong, takes nothing, and after mend() the request runs as if nothing had been."""
    id_ = world.push(code="print(6 * 7)")
    until(lambda: "it says %s: %s" % (words, worker.log()[-3000:]), lambda: all(w in worker.log() for w in words))
    time.sleep(WATCHED)
    assert worker.alive() and not world.has_result(id_), worker.log()
    assert world.redis.call("LLEN", world.key("requests")) == 1, "it was taken: " + worker.log()
    mend()
    result = world.result(id_)
    assert (result["status"], result["stdout"], len(result["attempts"])) == ("ok", "42\n", 1), result


# --- what works ---

def test_a_client_certificate_in_files(world):
    who = begin(world)
    who.kubeconfig("client-certificate: %s, client-key: %s" % who.certificate())
    world.worker()
    runs(world)


def test_a_client_certificate_in_the_kubeconfig(world):
    who = begin(world)
    cert, key = who.certificate()
    who.kubeconfig('client-certificate-data: "%s", client-key-data: "%s"' % (inline(cert), inline(key)))
    os.unlink(key)
    world.worker()
    runs(world)


def test_a_bearer_token(world):
    who = begin(world)
    who.kubeconfig('token: "%s"' % who.token())
    world.worker()
    runs(world)


def test_a_token_file_that_is_rotated(world):
    who = begin(world)
    path, first = os.path.join(world.dir, "token"), who.token()
    write(path, first + "\n")
    who.kubeconfig("tokenFile: " + path)
    worker = world.worker()
    runs(world)
    id_ = world.push(code="import time\ntime.sleep(15)\nprint('over it')")  # one that runs meanwhile
    write(path, who.token())
    who.revoke(first)
    runs(world)
    assert world.result(id_)["stdout"] == "over it\n"
    assert "HTTP 401" not in worker.log(), worker.log()


def service_account_folder(world, who, token):
    """As the kubelet lays it out: files are links into a folder that is exchanged."""
    folder = os.path.join(world.dir, "serviceaccount")
    os.makedirs(folder, exist_ok=True)
    data = "..%d" % time.monotonic_ns()
    os.mkdir(os.path.join(folder, data))
    with open(who.ca, encoding="utf-8") as f:
        files = {"token": token, "ca.crt": f.read(), "namespace": world.cluster.namespace}
    for name, text in files.items():
        with open(os.path.join(folder, data, name), "w", encoding="utf-8") as f:
            f.write(text)
        if not os.path.lexists(os.path.join(folder, name)):
            os.symlink("..data/" + name, os.path.join(folder, name))
    os.symlink(data, os.path.join(folder, "..data.new"))
    os.rename(os.path.join(folder, "..data.new"), os.path.join(folder, "..data"))
    return folder


def test_the_account_of_a_pod(world):
    """The files that a pod finds, in a mount namespace; the token is rotated as the kubelet does it."""
    who = begin(world)
    first = who.token()
    folder = service_account_folder(world, who, first)
    place = "/run/secrets/kubernetes.io/serviceaccount"
    script = "mount -t tmpfs tmpfs /run && mkdir -p %s && mount --bind %s %s && exec \"$@\"" % (place, folder, place)
    host, port = world.cluster.base.split("//")[1], "443"
    if ":" in host:
        host, port = host.split(":")
    worker = world.worker(prefix=["unshare", "--mount", "sh", "-c", script, "sh"], kubeconfig="",
                          env={"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port})
    runs(world)
    service_account_folder(world, who, who.token())
    who.revoke(first)
    runs(world)
    assert "HTTP 401" not in worker.log(), worker.log()


PLUGIN = """#!/bin/sh
echo run >>{log}
test -n "$KUBERNETES_EXEC_INFO" || exit 9
until=$(date -u -d '+{seconds} seconds' +%Y-%m-%dT%H:%M:%SZ)
printf '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "%s",' "$(cat {token})"
printf '"expirationTimestamp": "%s"}}}}' "$until"
"""
USES_PLUGIN = ('exec: {apiVersion: client.authentication.k8s.io/v1, command: %s, interactiveMode: Never, '
               'installHint: "ask the operator for it"}')


def plugin_runs(world):
    with open(os.path.join(world.dir, "plugin.log"), encoding="utf-8") as f:
        return len(f.readlines())


def write_plugin(world, token, seconds=20):
    write(os.path.join(world.dir, "plugin-token"), token)
    write(os.path.join(world.dir, "plugin"), PLUGIN.format(log=os.path.join(world.dir, "plugin.log"), seconds=seconds,
                                                          token=os.path.join(world.dir, "plugin-token")), 0o700)


def test_a_plugin_whose_credentials_expire(world):
    """Each is good for 60 s and asked for again after 48: what runs before that had one of them."""
    who = begin(world)
    first = who.token()
    write_plugin(world, first, seconds=60)
    who.kubeconfig(USES_PLUGIN % os.path.join(world.dir, "plugin"))
    worker = world.worker()
    runs(world)
    assert plugin_runs(world) == 1
    write(os.path.join(world.dir, "plugin-token"), who.token())
    before = plugin_runs(world)  # the next one reads the new token
    until("it is run again: " + worker.log(), lambda: plugin_runs(world) > before)
    who.revoke(first)
    runs(world)
    assert "HTTP 401" not in worker.log(), worker.log()


def test_an_authority_that_is_replaced(world):
    """The server gets a certificate of another CA, and the file both CAs, while a worker runs."""
    who = begin(world)
    old, new = (Authority(world.dir, name) for name in ("old", "new"))
    contexts = []
    for ca in (old, new):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issue(world.dir, ca.cert, ca.key, "/CN=server", "server", "serverAuth", "IP:127.0.0.1"))
        contexts.append(context)
    host, _, port = world.cluster.base.split("//")[1].partition(":")
    proxy = Proxy((host, int(port or 443)), contexts[0], ssl.create_default_context(cafile=who.ca))
    bundle = os.path.join(world.dir, "bundle.crt")
    write(bundle, old.pem())
    who.kubeconfig('token: "%s"' % who.token(), server=proxy.url(), ca=bundle)
    worker = world.worker()
    runs(world)
    write(bundle, old.pem() + new.pem())  # one that is looked at again in minutes only, but for a failure
    proxy.server_tls = contexts[1]
    assert proxy.cut() > 0
    runs(world)
    assert worker.alive()
    worker.end_cleanly()
    proxy.close()


# --- what does not, and says why ---

def test_a_wrong_authority(world):
    who = begin(world)
    bundle = os.path.join(world.dir, "bundle.crt")
    write(bundle, Authority(world.dir, "other").pem())
    who.kubeconfig('token: "%s"' % who.token(), ca=bundle)
    worker = world.worker(call_budget="2s")
    with open(who.ca, encoding="utf-8") as f:
        right = f.read()
    waits_until_mended(world, worker, ["error no-access", "not trusted", "certificate-authority"], lambda: write(bundle, right))


def test_a_server_name_that_is_missing(world):
    """The address is not in the certificate; kubeconfigs are not read again, so mending takes another worker."""
    who = begin(world)
    token = who.token()
    with open(os.path.join(world.cluster.dir, "kubeconfig-tls-server-name"), encoding="utf-8") as f:
        server = f.read().split("server: ", 1)[1].split("\n", 1)[0]
    who.kubeconfig('token: "%s"' % token, server=server)
    worker = world.worker(call_budget="2s")

    def mend():
        worker.end_cleanly()
        who.kubeconfig('token: "%s"' % token, server=server, more="tls-server-name: kubernetes.test")
        world.worker()

    waits_until_mended(world, worker, ["error no-access", "for another name", "tls-server-name"], mend)


def test_a_client_certificate_that_has_expired(world):
    who = begin(world)
    who.kubeconfig("client-certificate: %s, client-key: %s" % who.certificate(expired=True))
    worker = world.worker()
    waits_until_mended(world, worker, ["error no-access", "HTTP 401", "client.crt, which expired at 2020-01-02T00:00:00Z"],
                       who.certificate)


def test_a_token_that_is_refused(world):
    who = begin(world)
    path = os.path.join(world.dir, "token")
    write(path, "nobody's")
    who.kubeconfig("tokenFile: " + path)
    worker = world.worker()
    waits_until_mended(world, worker, ["error no-access", "HTTP 401", "the token in " + path], lambda: write(path, who.token()))


def failing_plugin(text, mode, words):
    def test(world):
        who = begin(world)
        plugin = os.path.join(world.dir, "plugin")
        if text is not None:
            write(plugin, text, mode)
        who.kubeconfig(USES_PLUGIN % plugin)
        worker = world.worker(call_budget="2s")
        waits_until_mended(world, worker, ["error no-access", "credential plugin", "ask the operator for it", *words],
                           lambda: write_plugin(world, who.token()))

    return test


def test_no_rights_at_all(world):
    who = begin(world, bound=False)
    who.kubeconfig('token: "%s"' % who.token())
    worker = world.worker()
    waits_until_mended(world, worker, ["error no-access", "HTTP 403", who.account(), "cannot list resource"], who.bind)


def at_start(user, words):
    """What can be seen at the start ends the worker with exit code 2 or 1 and a line that names it."""
    def test(world):
        who = begin(world)
        who.kubeconfig(user.format(dir=world.dir))
        id_ = world.push(code="print(6 * 7)")
        worker = world.worker()
        assert worker.wait() in (1, 2), worker.log()
        for word in words:
            assert word.format(dir=world.dir) in worker.log(), worker.log()
        who.kubeconfig('token: "%s"' % who.token())
        world.worker()
        assert world.result(id_)["stdout"] == "42\n"

    return test


TESTS = [("a plugin that " + name, failing_plugin(*row)) for name, row in {
    "fails": ("#!/bin/sh\necho sorry >&2\nexit 3\n", 0o700, ["exited with 3"]),
    "prints nonsense": ("#!/bin/sh\necho sorry\n", 0o700, ["plugin"]),
    "answers in another version": ("#!/bin/sh\necho '{\"apiVersion\": \"client.authentication.k8s.io/v1beta1\", \"kind\": "
                                   "\"ExecCredential\", \"status\": {\"token\": \"x\"}}'\n", 0o700, ["v1beta1"]),
    "is not there": (None, 0, ["cannot be started", "No such file"]),
    "is no program": ("#!/bin/sh\n", 0o600, ["cannot be started", "Permission denied"]),
}.items()] + [("told at the start: " + name, at_start(*row)) for name, row in {
    "a token file that is not there": ("tokenFile: {dir}/none", ["tokenFile", "{dir}/none"]),
    "a certificate that is not there": ("client-certificate: {dir}/none, client-key: {dir}/none",
                                        ["client-certificate", "{dir}/none"]),
    "a certificate without a key": ("client-certificate: {dir}/none", ["client-key"]),
}.items()]
