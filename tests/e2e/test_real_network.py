"""What code in a pod can reach when a request has network false, which is the only thing it can ask for: the node, the API server,
name servers, the cloud's metadata address, IPv6, raw sockets. Everything that is tried does answer: it is tried from the node
first."""

import json
import subprocess
import sys

METADATA, NAME_SERVER, PORT = "169.254.169.254", "10.96.0.10", 18080

# Answers on the node until its input ends: TCP on every address, IPv6 too, and UDP port 53.
ANSWERS = """
import socket, subprocess, sys, threading
for address in %r:
    subprocess.run(["ip", "address", "replace", address + "/32", "dev", "lo"], check=True)
def tcp(family, address):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, %d)); s.listen(50)
    def serve():
        while True: s.accept()[0].close()
    threading.Thread(target=serve, daemon=True).start()
def udp(family, address):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, 53))
    def serve():
        while True:
            data, who = s.recvfrom(2048)
            # a name server that knows every name: 192.0.2.1
            s.sendto(data[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + data[12:data.index(b"\\0", 12) + 5] +
                     b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc0\\0\\2\\1", who)
    threading.Thread(target=serve, daemon=True).start()
tcp(socket.AF_INET, "")
udp(socket.AF_INET, %r)
try: tcp(socket.AF_INET6, "::")
except OSError as e: print("no IPv6 here:", e, file=sys.stderr)
print("ready", flush=True)
sys.stdin.read()
"""

PROBES = """
import json, socket, struct, threading
node, found = %r, {}
def probe(name):
    def take(f):
        def run():
            try: found[name] = f() or "open"
            except Exception as e: found[name] = "closed: %%s: %%s" %% (type(e).__name__, e)
        t = threading.Thread(target=run, daemon=True); t.start(); threads.append(t)
    return take
threads = []
def tcp(address, port, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(3); s.connect((address, port) if family == socket.AF_INET else
                                                                              (address, port, 0, scope(address))); s.close()
QUERY = b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\7example\\4test\\0\\0\\1\\0\\1"
def udp(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.sendto(QUERY, (address, port)); s.recvfrom(2048)
def scope(address):
    return next((i for i, n in socket.if_nameindex() if n != "lo"), 0) if address.startswith("fe80") else 0
@probe("TCP, API server by its Service")
def _(): tcp("10.96.0.1", 443)
@probe("TCP, API server on the node")
def _(): tcp(node, 443)
@probe("TCP, kubelet")
def _(): tcp(node, 10250)
@probe("TCP, a port of the node")
def _(): tcp(node, %d)
@probe("TCP, metadata address")
def _(): tcp(%r, %d)
@probe("UDP, name server of the cluster")
def _(): udp(%r, 53)
@probe("IPv6, link-local, the node")
def _(): tcp(%r, %d, socket.AF_INET6)
@probe("a name")
def _(): socket.getaddrinfo("example.test", 80)
@probe("a name of the cluster")
def _(): socket.getaddrinfo("kubernetes.default.svc.cluster.local", 443)
@probe("raw socket, ICMP")
def _(): socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
@probe("raw socket, packets")
def _(): socket.socket(17, socket.SOCK_RAW, socket.htons(3)) # AF_PACKET
@probe("ping of the node")
def _():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.settimeout(3); s.connect((node, 1))
    s.send(struct.pack("!BBHHH", 8, 0, 0xf7ff - 1, 0, 1)); s.recv(100)
for t in threads: t.join(8)
print(json.dumps(found))
"""

# What answers a pod, at the most. No network plugin of the test cluster enforces NetworkPolicies. With gVisor the runner gives the
# code a network namespace of its own; under runc with seccomp it cannot (docs/runner.md), and the code has the pod's network.
POD_NETWORK = {"TCP, API server by its Service", "TCP, API server on the node", "TCP, kubelet", "TCP, a port of the node",
               "TCP, metadata address", "UDP, name server of the cluster", "IPv6, link-local, the node", "ping of the node"}
OPEN = {"gvisor-no-network": set(), "gvisor": set(), "": POD_NETWORK}


class Answers:
    """On the node, while it is used."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.node = cluster.base.split("//")[1].split(":")[0]

    def __enter__(self):
        self.process = self.cluster.inside("python3", "-c", ANSWERS % ([METADATA, NAME_SERVER], PORT, NAME_SERVER),
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)

    def bridge(self):
        """The link-local address of the bridge that pods hang on; any, where there is no IPv6."""
        shown = self.cluster.inside("ip", "-json", "-6", "address", "show", "dev", "execq0", stdout=subprocess.PIPE, text=True)
        text = shown.communicate(timeout=30)[0]
        found = [a["local"] for link in json.loads(text or "[]") for a in link.get("addr_info", [])]
        return found[0] if found else "fe80::1"

    def probes(self):
        return PROBES % (self.node, PORT, METADATA, PORT, NAME_SERVER, self.bridge(), PORT)


def open_ones(text):
    found = json.loads(text)
    return {name for name, what in found.items() if what == "open"}, found


def test_what_code_can_reach(world):
    world.cluster.start()
    world.redis.start()
    with Answers(world.cluster) as answers:
        on_node = world.cluster.inside("python3", "-c", answers.probes(), stdout=subprocess.PIPE, text=True)
        there, found = open_ones(on_node.communicate(timeout=60)[0])
        assert {n for n in POD_NETWORK if n.startswith(("TCP", "UDP"))} <= there, found
        for runtime_class, expected in OPEN.items():
            world.queue = "q" + runtime_class
            world.worker(runtime_class=runtime_class)
            result = world.run(code=answers.probes(), timeout_s=60)
            assert result["status"] == "ok", result
            there, found = open_ones(result["stdout"])
            print("%s: %s" % (runtime_class or "runc", json.dumps(found, indent=1)), file=sys.stderr)
            assert there <= expected, (runtime_class, found)
