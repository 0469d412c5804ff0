#!/usr/bin/env python3
"""A producer that needs nothing but Python: pushes ten requests, collects their results as they come.

    python3 examples/producer.py [REDIS_URL]        default: $EXECQ_REDIS_URL or redis://127.0.0.1:6379/0

With the redis package the same is: r = redis.Redis.from_url(url); r.rpush(...); r.blpop(...).
"""

import json
import os
import socket
import sys
import uuid
from urllib.parse import unquote, urlsplit


class Redis:
    """As much of a Redis client as a producer needs: r("COMMAND", word, ...) -> reply."""

    def __init__(self, url):
        u = urlsplit(url)
        if u.scheme in ("unix", "redis+unix"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(unquote(u.path))
            database = u.query.removeprefix("db=")
        else:
            self.socket = socket.create_connection((u.hostname or "127.0.0.1", u.port or 6379))
            database = u.path.strip("/")
        self.file = self.socket.makefile("rb")
        if u.password:
            self("AUTH", *([unquote(u.username)] if u.username else []), unquote(u.password))
        if database:
            self("SELECT", database)

    def __call__(self, *words):
        data = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(d), d) for d in data))
        return self._read()

    def _read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError("Redis: " + rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        return rest


def main():
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXECQ_REDIS_URL", "redis://127.0.0.1:6379/0")
    prefix = "execq:{%s}:" % os.environ.get("EXECQ_QUEUE", "default")
    redis = Redis(url)
    batch = uuid.uuid4().hex[:12]

    waiting = set()
    for n in range(10):
        request = {
            "id": f"{batch}-{n}",  # yours to choose; the same id never runs twice
            "code": "import sys\nn = int(sys.argv[1])\nprint(sum(i * i for i in range(n)))",
            "args": [str(10**n % 999983)],
            "timeout_s": 10,
            "reply_to": batch,  # a copy of each result goes to this one list, so one loop collects them all
        }
        redis("RPUSH", prefix + "requests", json.dumps(request))
        waiting.add(request["id"])

    while waiting:
        popped = redis("BLPOP", prefix + "reply:" + batch, 60)
        if popped is None:
            sys.exit(f"no result for a minute; is a worker running? Still waiting for {sorted(waiting)}")
        result = json.loads(popped[1])
        waiting.discard(result["id"])
        print(result["id"], result["status"], result["stdout"].strip())


if __name__ == "__main__":
    main()
