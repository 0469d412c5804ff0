"""Plans as bytes, written by hand here so that the tests do not rest on the worker's writer."""

import hashlib
import os


def record(name, value=b""):
    if isinstance(value, int):
        value = str(value)
    if isinstance(value, str):
        value = os.fsencode(value)
    return b"%s %d\n%s\n" % (name.encode(), len(value), value)


def normal(data, mode):
    """The normal form of an output: what a digest in a plan is the SHA-256 of."""
    if mode == "exact":
        return data
    if mode == "tokens":
        return b" ".join(data.split())
    lines = [line.rstrip(b" \t\n\v\f\r") for line in data.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"\n".join(lines)


def digest(data, mode="exact"):
    return hashlib.sha256(normal(data, mode)).hexdigest()


def plan(argv, cwd, *records, **numbers):
    """`records` are pairs or bytes; keywords are numeric records, with _ for -."""
    out = [b"execq-plan 1\n", record("cwd", cwd)]
    out += [record("arg", a) for a in argv]
    out += [r if isinstance(r, bytes) else record(*r) for r in records]
    out += [record(name.replace("_", "-"), value) for name, value in numbers.items()]
    out.append(record("end"))
    return b"".join(out)
