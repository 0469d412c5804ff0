"""Tables and a picture of what compare.py found."""

import os
import statistics

from section import TOP, quantile, write_section

PICTURE = os.path.join(TOP, "docs/benchmarks-adk.svg")
NAMES = {"adk": "GkeCodeExecutor", "execq": "execq", "pods": "bare pods in a loop"}
BY_THE_CLOCK = ("execq", "list jobs")
COLOURS = {"adk": "#c0653a", "execq": "#2f6f9f", "pods": "#9a9a9a"}


def rates(turns):
    """Snippets a second: of all turns together, of the slowest, of the fastest."""
    single = [t["done"] / t["seconds"] for t in turns]
    return sum(t["done"] for t in turns) / sum(t["seconds"] for t in turns), min(single), max(single)


def tables(found):
    latency, widths = found["latency"], found["turns"]
    most = max(widths)
    lines = ["| | " + " | ".join(NAMES.values()) + " |", "|---|---|---|---|"]

    def row(name, cell):
        lines.append("| %s | %s |" % (name, " | ".join(cell(w) for w in NAMES)))

    row("one at a time, median", lambda w: "%.2f s" % statistics.median(latency["seconds"][w]))
    row("one at a time, 95 of 100 within", lambda w: "%.2f s" % quantile(latency["seconds"][w], 0.95))
    for width, turns in widths.items():
        row("%d at once, snippets a second" % width, lambda w, t=turns: "%.2f (%.2f to %.2f)" % rates(t[w]))
    row("%d at once, median" % most, lambda w: "%.1f s" % statistics.median(s for t in widths[most][w] for s in t["took"]))
    row("processor time of the client, a snippet, one at a time", lambda w: "%.1f ms" % latency["cpu_ms"][w])
    row("the same, %d at once" % most, lambda w: "%.1f ms" % (
        sum(t["cpu_ms"] for t in widths[most][w]) / sum(t["n"] for t in widths[most][w])))
    for what in ("machine", "control plane"):
        row("of the %s, a snippet, %d at once" % (what, most), lambda w, x=what: "%.0f ms" % (
            sum(t["worked_ms"][x] for t in widths[most][w]) / sum(t["n"] for t in widths[most][w])))
    row("most memory of the client, %d at once" % most, lambda w: "%.0f MiB" % max(t["memory"] for t in widths[most][w]))
    row("API requests a snippet", lambda w: "%.1f" % (sum(
        n for what, n in latency["asked"][w].items() if (w, what) != BY_THE_CLOCK) / latency["n"]))
    row("left after %d snippets" % latency["n"], lambda w: "" if w == "pods" else ", ".join(
        "%d %s" % (n, kind) for kind, n in latency["left"][w].items() if n) or "nothing")
    row("wrong or failed, of all", lambda w: "%d of %d" % (
        latency["wrong"][w] + sum(t["wrong"] for turns in widths.values() for t in turns[w]),
        latency["n"] + sum(t["n"] for turns in widths.values() for t in turns[w])))
    lines += ["", "API requests in %d snippets, by the API server's audit log (\"%s\" is the sweeper of %s, every 30 s, whatever" % (
        latency["n"], BY_THE_CLOCK[1], BY_THE_CLOCK[0]), "there is to do, and not in the table):", ""]
    for way in NAMES:
        lines.append("- %s: %s" % (NAMES[way], ", ".join("%d %s" % (n, what) for what, n in
                                                       sorted(latency["asked"][way].items(), key=lambda t: -t[1]))))
    return lines


def bar(x, wide, floor, scale, rate, colour):
    """With a line from the slowest turn to the fastest, and the number above both."""
    whole, least, most = (floor - scale * r for r in rate)
    middle = x + wide / 2
    return ['<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (x, whole, wide, floor - whole, colour),
            '<path d="M%.1f %.1fV%.1fM%.1f %.1fh8M%.1f %.1fh8" fill="none" stroke="#333"/>' % (
                middle, least, most, middle - 4, least, middle - 4, most),
            '<text x="%.1f" y="%.1f" text-anchor="middle">%.2f</text>' % (middle, most - 5, rate[0])]


def picture(found):
    """Snippets a second over how many at once: bars, no library needed."""
    measured = {width: {w: rates(turns[w]) for w in NAMES} for width, turns in found["turns"].items()}
    top = max(rate[2] for row in measured.values() for rate in row.values()) * 1.15
    width, height, left, bottom = 640, 300, 50, 40
    floor, scale = height - bottom, (height - bottom - 50) / top
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (width, height),
             '<rect width="%d" height="%d" fill="white"/>' % (width, height),
             '<text x="%d" y="18" font-size="14">snippets a second, gVisor, one node; lines: slowest to fastest turn</text>' % left]
    for step in range(int(top) + 1):
        y = floor - step * scale
        parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%d</text>'
                     % (left, width - 10, y, y, left - 6, y + 4, step))
    room = (width - left - 10) / len(measured)
    for i, (at_once, row) in enumerate(measured.items()):
        for j, (way, rate) in enumerate(row.items()):
            wide = (room - 28) / len(row)
            parts += bar(left + i * room + 14 + j * wide, wide - 4, floor, scale, rate, COLOURS[way])
        parts.append('<text x="%.1f" y="%d" text-anchor="middle">%d at once</text>' % (left + (i + 0.5) * room, height - 22, at_once))
    for j, (way, name) in enumerate(NAMES.items()):
        parts.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">%s</text>'
                     % (left + j * 170, height - 13, COLOURS[way], left + 15 + j * 170, height - 4, name))
    return "\n".join(parts + ["</svg>", ""])


def introduction(found):
    pod, sizes = found["pod"], [by_way["execq"][0]["n"] for by_way in found["turns"].values()]
    turns = "%d turns" % found["rounds"] if found["rounds"] > 1 else "a turn"
    return [
        "## Beside GkeCodeExecutor", "",
        "`bench/adk/run --report` writes this section. The same snippet (`print(n)`) in turns on a cluster of one node from",
        "`tests/cluster/up`, with the same image (`%s`), RuntimeClass (`%s`) and resources (%dm of a processor and %d MiB" % (
            pod["image"], pod["RuntimeClass"], round(1000 * pod["cpu requests"]), pod["memory requests"] / 2**20),
        "reserved, limits %dm and %d MiB), as a look at a pod of each has shown. \"Bare pods\" are what the node can do: created in a loop," % (
            round(1000 * pod["cpu limits"]), pod["memory limits"] / 2**20),
        "watched, deleted, no code in a volume, no log read.", "",
        "Snippets a second are those while all places are taken. Each of the three has %s for each width (of %s snippets), in an" % (
            turns, ", ".join(map(str, sizes))),
        "order that changes, the node empty before each. The clock starts when as many have ended as run at once and stops when the last",
        "has begun, so that neither the start of all together nor the wait for the last few is in it; what was under way at either",
        "moment counts with its part. The figure is of all turns, behind it are those of the slowest and the fastest.", "",
        "The client is a Python with a thread for each place, or the worker of execq; Redis and who asks it are not in it. Its processor",
        "time is that of all its threads, by the kernel's clock of the process. A snippet takes from the call to its return; with many at",
        "once in execq, from claim to result. One that execq had to begin again counts as failed.", "",
        "The processor time of the machine is all that was done on it from the first snippet until everything is deleted (what",
        "GkeCodeExecutor left, by the benchmark) and the node is quiet; the control plane is API server, etcd, controllers and scheduler.", "",
        "![snippets a second](benchmarks-adk.svg)", ""]


def write_report(found, into_docs):
    body = introduction(found) + ["Measured with " + found["machine"] + ".", ""] + tables(found)
    print("\n".join(body))
    if into_docs:
        with open(PICTURE, "w", encoding="utf-8") as f:
            f.write(picture(found))
        write_section("adk", body)
