"""What stands between a worker and an API server: forwards bytes, and can cut, hold back or refuse them; or ends TLS with a
certificate of its own. Threads of the test's own process."""

import select
import socket
import ssl
import threading


class Proxy:
    """Listens on 127.0.0.1. `target`: (host, port). `server_tls` and `target_tls`: contexts, for a proxy that ends TLS; both
    may be replaced while it runs."""

    def __init__(self, target, server_tls=None, target_tls=None):
        self.target, self.server_tls, self.target_tls = target, server_tls, target_tls
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs, self.lock, self.connections, self.mute, self.refuse = set(), threading.Lock(), 0, False, False
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self):
        return "https://127.0.0.1:%d" % self.port

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        pair = [client]
        try:
            if self.server_tls:
                client.settimeout(10)
                pair[0] = client = self.server_tls.wrap_socket(client, server_side=True)
            target = socket.create_connection(self.target, timeout=10)
            pair.append(target)
            if self.target_tls:
                target = pair[1] = self.target_tls.wrap_socket(target, server_hostname=self.target[0])
            with self.lock:
                self.pairs.add(tuple(pair))
                self.connections += 1
            self.pump(client, target)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            with self.lock:
                self.pairs.discard(tuple(pair))
            for s in pair:
                s.close()

    def pump(self, client, target):
        client.settimeout(None)
        target.settimeout(None)
        while True:
            pending = [s for s in (client, target) if isinstance(s, ssl.SSLSocket) and s.pending()]
            ready = pending or select.select([client, target], [], [], 0.2)[0]
            if self.mute:
                select.select([], [], [], 0.05)
                continue
            for s in ready:
                data = s.recv(65536)
                if not data:
                    return
                (target if s is client else client).sendall(data)

    def cut(self):
        """Every connection that there is, at once."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        return len(pairs)

    def close(self):
        self.listener.close()
        self.cut()
