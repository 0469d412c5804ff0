"""What the benchmarks share: quantiles, processor time, a name for this machine, and each its own section of
docs/benchmarks.md."""

import ctypes
import os
import platform
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(TOP, "docs/benchmarks.md")


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def processors():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return "%d processors (%s), Linux %s" % (os.cpu_count(), model, platform.release())


def cpu_ms(pid):
    """How long a process was on a processor: all threads, those that have ended too, and not in ticks of 10 ms as in
    /proc/PID/stat. /proc/PID/task/*/schedstat is as exact, but forgets a thread with its end."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, os.strerror(error))
    return time.clock_gettime_ns(clock.value) / 1e6


def write_section(name, lines):
    """Between the markers of `name`; what else stands on the page stays as it is."""
    begin, end = "<!-- bench/%s: begin -->" % name, "<!-- bench/%s: end -->" % name
    text = "# Benchmarks\n"
    if os.path.exists(PAGE):
        with open(PAGE, encoding="utf-8") as f:
            text = f.read()
    if begin not in text:
        text += "\n%s\n%s\n" % (begin, end)
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write("%s%s\n%s\n%s%s" % (before, begin, "\n".join(lines), end, after))
