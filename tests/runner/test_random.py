"""Random bytes and odd but legal values: as a plan, as code, standard input, arguments, environment and names of files.
No crash, no hang, always a report; and where it is known what the program has to see, it saw that.

`INPUTS` are split among the kinds of KINDS; each is made from the seed, its kind and its number alone, so the same seed gives
the same inputs, however many run at once."""

import functools
import os
import random
import re

from harness import PYTHON, Wrong, read_report, text_of
from plans import digest, plan, record

INPUTS = 300
SEED = int.from_bytes(os.urandom(4), "big")
AT_ONCE = 250  # inputs of one test

BLANKS = " \t\n\v\f\r"
WORDS = [b"arg 4\ntrue\n", b"arg 0\n\n", b"execq-plan 1\n", b"end 0\n\n", b"case 0\n\n", b"file 1\na\n", b"file-bytes 2\nxx\n",
         b"stdin 99999999\n", b"timeout-ms 1\n1\n", b"cwd 1\n/\n", b"output 2\n**\n", b"case-arg 1\nx\n", b"env 3\nA=b\n"]
NUMBERS = [b"", b"0", b"1", b"2", b"17", b"-1", b"+1", b"01", b"1 ", b"0x10", b"1e3", b"4096", b"65535", b"2147483647", b"2147483648",
           b"4294967295", b"4294967296", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"9" * 40]
TEXTS = [b"", b"\0", b"a\0b", b"/", b"//", b".", b"..", b"../x", b"a/../b", b"a//b", b"a/", b"/etc/passwd", b"a" * 255, b"a" * 256,
         b"a/" * 40 + b"a", b"**", b"**/*", b"*" * 60, b"?" * 300, b"**/" * 30 + b"x", b"[a-z]", b"A=b", b"=", b"A", b"=b", b"A=" + b"x" * 5000,
         b"\xff\xfe", b"\xc0\x80", "\u202e\U0001f600".encode(), b"\n", b"\r\n", b"755", b"0", b"8", b"7777", b"exact", b"trimmed",
         b"tokens", b"0" * 64, b"f" * 63, b"F" * 64, b"/bin/true", b"/bin/cat", b"/nonexistent", b"/work", b"/dev/null", b"/proc", b"/"]
NAMES = ("arg compile-arg env cwd stdin file file-mode file-bytes output output-max scratch case case-stdin case-arg case-timeout-ms"
         " case-compare case-digest stop-on-first-failure timeout-ms compile-timeout-ms total-ms grace-ms cpu-ms output-bytes"
         " case-output-bytes kill-output-bytes report-bytes file-size-bytes disk-bytes processes stack-bytes core-bytes address-bytes"
         " open-files network isolate end no-such-record").encode().split()
SOURCES = [b"import os, sys\nfor i in range(9):\n    print(i, file=sys.stderr)\nos.write(1, b'x' * 999)\n",
           b"import os\nif os.fork() == 0:\n    os.setsid()\n    os.closerange(0, 99)\nos.kill(os.getpid(), 15)\n",
           b"x = {'a': [1, 2.5, None]}\nopen('f' * 9, 'w').write(str(x))\nraise SystemExit(3)\n"]
SCRIPTS = [b"for i in 1 2 3; do echo $i; done >&2\nexec cat \"$0\"\n", b"(sleep 0.1; echo late) & echo early; kill -9 $$\n",
           b"mkdir -p a/b; echo x > a/b/c; ln -s /etc a/d; chmod 0 a; exit 300\n"]


def noise(rng, most):
    kind = rng.randrange(4)
    n = rng.randrange(most)
    if kind == 0:
        return rng.randbytes(n)
    if kind == 1:
        return bytes(rng.choice(b"\n 0123456789abcdefgh-\0\xff") for _ in range(n))
    if kind == 2:
        return "".join(chr(rng.choice((rng.randrange(32, 127), rng.randrange(0xd800), rng.randrange(0xe000, 0x110000))))
                       for _ in range(n // 3)).encode()
    return b"".join(rng.choice(WORDS) for _ in range(n // 8))


def without_nul(data):
    return data.replace(b"\0", b"\1")


def mutate(rng, data):
    """Bytes changed here and there, whatever they mean."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        at = rng.randrange(len(data) or 1)
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at:at + rng.randrange(1, 20)]
        elif kind == 3:
            data[at:at] = noise(rng, 30)
        elif kind == 4:
            data[at:at] = data[rng.randrange(len(data) or 1):][:rng.randrange(1, 80)]
        else:
            data[at:at + 1] = rng.choice(NUMBERS)
    return bytes(data)


def records(rng, cwd):
    """A plan that is carried out, as a list of names and values: something of everything."""
    stdin, some = noise(rng, 300), rng.randrange
    found = [(b"cwd", cwd.encode()), (b"arg", b"/bin/cat"), (b"arg", b"-"), (b"stdin", stdin), (b"env", b"A=b"), (b"env", b"PATH=/bin"),
             (b"file", b"d/f"), (b"file-mode", b"644"), (b"file-bytes", noise(rng, 50)), (b"file", b"g"), (b"output", b"**"),
             (b"output-max", b"%d" % some(99)), (b"output", b"d/*"), (b"scratch", b"/tmp"), (b"timeout-ms", b"2000"), (b"total-ms", b"4000"),
             (b"output-bytes", b"%d" % some(100)), (b"processes", b"50"), (b"file-size-bytes", b"100000"), (b"stack-bytes", b"1048576"),
             (b"disk-bytes", b"100000"), (b"report-bytes", b"%d" % some(9000)), (b"grace-ms", b"50"), (b"open-files", b"64")]
    if some(2):
        mode = rng.choice(("exact", "trimmed", "tokens"))
        found += [(b"case", b""), (b"case-stdin", stdin), (b"case-compare", mode.encode()), (b"case-digest", digest(stdin, mode).encode()),
                  (b"case", b""), (b"case-arg", b"g"), (b"case-timeout-ms", b"900"), (b"case-output-bytes", b"%d" % some(50)),
                  (b"stop-on-first-failure", b"%d" % some(2))]
        found = [r for r in found if r[0] != b"stdin"]
    if some(3) == 0:
        found += [(b"compile-arg", b"/bin/true"), (b"compile-timeout-ms", b"900")]
    return found


def mutate_records(rng, found):
    """Records left out, doubled, moved, with another name or another value."""
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        at = rng.randrange(len(found))
        name, value = found[at]
        kind = rng.randrange(7)
        if kind == 0:
            del found[at]
        elif kind == 1:
            found.insert(rng.randrange(len(found) + 1), (name, value))
        elif kind == 2:
            found.insert(rng.randrange(len(found)), found.pop(at))
        elif kind == 3:
            found[at] = (rng.choice(NAMES), value)
        elif kind == 4:
            found[at] = (name, mutate(rng, value))
        else:
            found[at] = (name, rng.choice(NUMBERS if value.isdigit() else TEXTS))
        if not found:
            break
    return found


def encode(rng, found):
    """As a plan; now and then with a length that is not true, an end too early, or none."""
    out = [record(name.decode(), value) for name, value in found] + [record("end")]
    kind = rng.randrange(30)
    if kind == 0:
        at = rng.randrange(len(out))
        out[at] = re.sub(rb" \d+", lambda m: b" %d" % rng.choice((0, 1, 9, 99999999, 100000000, 1 << 64)), out[at], count=1)
    elif kind == 1:
        out.insert(rng.randrange(len(out)), record("end"))
    elif kind == 2:
        out = out[:rng.randrange(len(out))]
    return b"execq-plan 1\n" + b"".join(out)


# --- the kinds: each makes a plan and says what its report has to say ---


def anything(_answer):
    pass


def as_plan(rng, _r, _cwd):
    return noise(rng, 2000), anything


def mutated_bytes(rng, _r, cwd):
    return mutate(rng, encode(rng, records(rng, cwd))), anything


def mutated_records(rng, _r, cwd):
    return encode(rng, mutate_records(rng, records(rng, cwd))), anything


def ran(answer):
    if "run" not in answer.report:
        raise Wrong(str(answer.report))


def as_code(rng, r, cwd):
    python = rng.randrange(2)
    code = noise(rng, 3000) if rng.randrange(2) else mutate(rng, rng.choice(SOURCES if python else SCRIPTS))
    return r.plan([PYTHON, "-S", "code"] if python else ["/bin/sh", "code"], cwd, ("file", "code"), ("file-bytes", code), ("output", "*"),
                  ("stdin", noise(rng, 200)), timeout_ms=1000, processes=60, disk_bytes=1 << 20), ran


def as_stdin(rng, r, cwd):
    data = noise(rng, 20000)

    def seen(answer):
        if answer.out() != data or answer.out("stderr") != data:
            raise Wrong("%r became %r and %r" % (data[:500], answer.out()[:500], answer.out("stderr")[:500]))

    return r.plan(["/bin/sh", "-c", "tee /dev/stderr"], cwd, ("stdin", data), timeout_ms=20000), seen


def as_arguments(rng, r, cwd):
    words = [without_nul(noise(rng, rng.choice((3, 40, 4000)))) for _ in range(rng.randrange(1, 30))]

    def seen(answer):
        if answer.out() != b"".join(word + b"\0" for word in words):
            raise Wrong("%r became %r" % (words, answer.out()))

    return r.plan(["/usr/bin/printf", "%s\\0", *words], cwd, timeout_ms=20000), seen


def as_environment(rng, r, cwd):
    pairs = {b"N%d" % n + without_nul(noise(rng, 20)).replace(b"=", b""): without_nul(noise(rng, rng.choice((3, 40, 4000))))
             for n in range(rng.randrange(1, 20))}

    def seen(answer):
        found = set(answer.out().split(b"\0"))
        for name, value in pairs.items():
            if name + b"=" + value not in found:
                raise Wrong("%r=%r is not in %r" % (name, value, found))

    return r.plan(["/usr/bin/env", "-0"], cwd, *[("env", name + b"=" + value) for name, value in pairs.items()], timeout_ms=20000), seen


def file_name(rng):
    parts = [without_nul(noise(rng, rng.choice((3, 10, 255)))).replace(b"/", b"|")[:255] for _ in range(rng.choice((1, 1, 2, 5)))]
    return b"/".join(part if part.strip(b".") else b"x" + part[:9] for part in parts)[:512].rstrip(b"/")


def as_file_names(rng, r, cwd):
    files = {}
    for _ in range(rng.randrange(1, 15)):
        name = file_name(rng)
        parts = name.split(b"/")
        folders = [b"/".join(parts[:n]) for n in range(1, len(parts))]
        if not any(f in files for f in folders) and not any(f.startswith(name + b"/") for f in files):
            files[name] = noise(rng, 100)

    def seen(answer):
        found = {name[2:] for name in answer.out().split(b"\0") if name}
        if found != set(files):
            raise Wrong("%r became %r" % (sorted(files), sorted(found)))
        contents = sorted(text_of(f, "content") for f in answer.report["files"])
        if contents != sorted(files.values()):
            raise Wrong("contents differ: %r" % answer.report["files"])

    return r.plan(["/usr/bin/find", ".", "-type", "f", "-print0"], cwd, ("output", "**"), timeout_ms=20000,
                  *[part for name, data in files.items() for part in (("file", name), ("file-bytes", data))]), seen


KINDS = {as_plan: 10, mutated_bytes: 15, mutated_records: 30, as_code: 15, as_stdin: 5, as_arguments: 5, as_environment: 5,
         as_file_names: 15}  # hundredths of the inputs


def one(r, kind, number):
    """Returns whether the plan was refused."""
    rng = random.Random("%s %s %d" % (SEED, kind.__name__, number))
    expected = []

    def make(cwd):
        data, seen = kind(rng, r, cwd)
        expected.append(seen)
        return data

    try:
        answer = r.run(make)
        read_report(answer)
        if b"Sanitizer" in answer.stderr or b"runtime error" in answer.stderr:
            raise Wrong("a sanitizer spoke: %s" % answer.stderr[:3000].decode(errors="replace"))
        if not {"error", "run", "compile", "cases"} & set(answer.report):
            raise Wrong("nothing in it: %s" % answer.report)
        expected[0](answer)
    except Exception as error:
        raise Wrong("--seed %s, %s number %d: %s" % (SEED, kind.__name__, number, error)) from error
    return "error" in answer.report


def some(kind, begin, end, r):
    refused = sum(one(r, kind, number) for number in range(begin, end))
    if kind is mutated_records and end - begin >= 50 and not 0 < refused < end - begin:
        raise Wrong("%d of %d were refused: this tests little" % (refused, end - begin))


def tests():
    """(name, function of a runner)."""
    for kind, share in KINDS.items():
        total = max(1, INPUTS * share // 100)
        for begin in range(0, total, AT_ONCE):
            end = min(begin + AT_ONCE, total)
            yield "random_%s_%d_to_%d" % (kind.__name__, begin, end - 1), functools.partial(some, kind, begin, end)
