"""Noise: as a plan, as code, as stdin, arguments and environment. No crash, no hang, always a report."""

import random

from harness import PYTHON, EXIT_REPORTED, Wrong, read_report
from plans import plan, record
from test_runs import want

ROUNDS = 60


def noise(rng, most):
    kind = rng.randrange(3)
    n = rng.randrange(most)
    if kind == 0:
        return rng.randbytes(n)
    if kind == 1:
        return bytes(rng.choice(b"\n 0123456789abcdefgh-\0\xff") for _ in range(n))
    return b"".join(rng.choice(WORDS) for _ in range(n // 8))


WORDS = [b"arg 4\ntrue\n", b"arg 0\n\n", b"execq-plan 1\n", b"end 0\n\n", b"case 0\n\n", b"file 1\na\n", b"file-bytes 2\nxx\n",
         b"stdin 99999999\n", b"timeout-ms 1\n1\n", b"cwd 1\n/\n", b"output 2\n**\n", b"case-arg 1\nx\n", b"env 3\nA=b\n"]


def sample(rng, cwd):
    return plan(["/bin/cat", "-"], cwd, ("stdin", "x"), ("env", "A=b"), ("file", "d/f"), ("file-mode", "644"), ("file-bytes", "y"),
                ("output", "**"), ("case", ""), ("case-stdin", "z"), ("case-compare", "tokens"), ("case-digest", "0" * 64),
                ("compile-arg", "/bin/true"), timeout_ms=2000, output_bytes=rng.randrange(100), processes=50,
                file_size_bytes=100000, stack_bytes=1 << 20, total_ms=4000)


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        at = rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at:at + rng.randrange(1, 20)]
        elif kind == 3:
            data[at:at] = noise(rng, 30)
        elif kind == 4:
            data[at:at] = data[rng.randrange(len(data)):][:rng.randrange(1, 80)]
        else:
            data[at:at + 1] = b"%d" % rng.choice((0, 1, 9, 255, 1 << 31, 1 << 63))
        if not data:
            data = bytearray(b"\n")
    return bytes(data)


def many(r, seed, make):
    for i in range(ROUNDS):
        rng = random.Random("%s %d" % (seed, i))
        answer = r.run(lambda cwd: make(rng, cwd))
        try:
            report = read_report(answer)
            if answer.code != EXIT_REPORTED:
                raise Wrong("ended with %d" % answer.code)
        except Exception as error:
            raise Wrong("%s, round %d: %s" % (seed, i, error)) from error
        yield report


def test_noise_as_plan(r):
    for report in many(r, "noise", lambda rng, cwd: noise(rng, 2000)):
        if "error" not in report and "run" not in report and "cases" not in report:
            raise Wrong(str(report))


def test_mutated_plans(r):
    refused = sum("error" in report for report in many(r, "mutated", lambda rng, cwd: mutate(rng, sample(rng, cwd))))
    if ROUNDS > 50 and refused in (0, ROUNDS):
        raise AssertionError("%d of %d were refused: this tests little" % (refused, ROUNDS))


def without_nul(data):
    return data.replace(b"\0", b"\1")


def test_noise_as_everything_else(r):
    def make(rng, cwd):
        records = [("stdin", noise(rng, 5000)), ("file", "code.py"), ("file-bytes", noise(rng, 3000)), ("output", b"*")]
        records += [record("env", b"A" + without_nul(noise(rng, 20)).replace(b"=", b"") + b"=" + without_nul(noise(rng, 100)))
                    for _ in range(3)]
        records += [("arg", without_nul(noise(rng, 200))) for _ in range(3)]
        return r.plan([PYTHON, "-S", "code.py"], cwd, *records, timeout_ms=5000)

    for report in many(r, "code", make):
        want("run" in report, True, str(report))


def test_noise_through_the_program(r):
    def make(rng, cwd):
        return r.plan(["/bin/sh", "-c", "tee /dev/stderr"], cwd, ("stdin", noise(rng, 9000)), timeout_ms=5000)

    for report in many(r, "through", make):
        want(report["run"]["stdout_bytes"], report["run"]["stderr_bytes"])
