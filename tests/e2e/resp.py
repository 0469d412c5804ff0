"""A Redis client of eighty lines: RESP2 over a unix or TCP socket, replies as bytes, numbers, lists, None."""

import socket


class RedisError(Exception):
    """The server's own error reply."""


class Redis:
    def __init__(self, address, timeout=30):
        """`address`: a path, or (host, port)."""
        self.address, self.timeout = address, timeout
        self.socket = self.file = None

    def connect(self):
        self.close()
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(self.timeout)
        self.socket.connect(self.address)
        self.file = self.socket.makefile("rb")

    def close(self):
        for part in (self.file, self.socket):
            if part:
                part.close()
        self.socket = self.file = None

    def _read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RedisError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*":
            size = int(rest)
            return None if size < 0 else [self._read() for _ in range(size)]
        raise ConnectionError("not RESP: %r" % line)

    @staticmethod
    def _pack(words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        return b"".join(parts)

    def __call__(self, *words, timeout=None):
        """One command. `timeout` for those that block. A lost connection is an error, the next call connects anew."""
        if not self.socket:
            self.connect()
        try:
            self.socket.settimeout(timeout or self.timeout)
            self.socket.sendall(self._pack(words))
            return self._read()
        except OSError:
            self.close()
            raise

    def pipeline(self, commands):
        """Many commands in one go; all must succeed."""
        if not self.socket:
            self.connect()
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(b"".join(self._pack(c) for c in commands))
            return [self._read() for _ in commands]
        except OSError:
            self.close()
            raise
