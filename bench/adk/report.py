"""Tables and a picture of what compare.py found."""

import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from section import TOP, quantile, write_section  # noqa: E402

PICTURE = os.path.join(TOP, "docs/benchmarks-adk.svg")
NAMES = {"adk": "GkeCodeExecutor", "execq": "execq", "pods": "bare pods in a loop"}
BY_THE_CLOCK = ("execq", "list jobs")
COLOURS = {"adk": "#c0653a", "execq": "#2f6f9f", "pods": "#9a9a9a"}


def tables(found):
    latency, throughput = found["latency"], found["throughput"]
    most = max(throughput)
    lines = ["| | " + " | ".join(NAMES.values()) + " |", "|---|---|---|---|"]

    def row(name, cell):
        lines.append("| %s | %s |" % (name, " | ".join(cell(w) for w in NAMES)))

    row("one at a time, median", lambda w: "%.2f s" % statistics.median(latency["seconds"][w]))
    row("one at a time, 95 of 100 within", lambda w: "%.2f s" % quantile(latency["seconds"][w], 0.95))
    for threads, rates in throughput.items():
        row("%d at once" % threads, lambda w, r=rates: "%.2f a second" % r[w]["rate"])
    row("%d at once, median" % most, lambda w: "%.1f s" % throughput[most][w]["median"])
    row("processor time of the client, a snippet", lambda w: "%.1f ms" % latency["cpu_ms"][w])
    row("most memory of the client, %d at once" % most, lambda w: "%.0f MiB" % throughput[most][w]["memory"])
    row("API requests a snippet", lambda w: "%.1f" % (sum(
        n for what, n in latency["asked"][w].items() if (w, what) != BY_THE_CLOCK) / latency["n"]))
    row("left after %d snippets" % (latency["n"] + 1), lambda w: "" if w == "pods" else ", ".join(
        "%d %s" % (n, kind) for kind, n in latency["left"][w].items() if n) or "nothing")
    row("wrong or failed", lambda w: str(sum(r[w]["wrong"] for r in throughput.values())))
    lines += ["", "API requests in %d snippets, by the API server's audit log (\"%s\" is the sweeper of %s, every 30 s, whatever there is to" % (
        latency["n"], BY_THE_CLOCK[1], BY_THE_CLOCK[0]), "do, and not in the table):", ""]
    for way in NAMES:
        lines.append("- %s: %s" % (NAMES[way], ", ".join("%d %s" % (n, what) for what, n in
                                                       sorted(latency["asked"][way].items(), key=lambda t: -t[1]))))
    return lines


def picture(found):
    """Snippets a second over how many at once: bars, no library needed."""
    rates = {t: {w: r[w]["rate"] for w in NAMES} for t, r in found["throughput"].items()}
    top = max(max(r.values()) for r in rates.values()) * 1.15
    width, height, left, bottom = 640, 300, 50, 40
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (width, height),
             '<rect width="%d" height="%d" fill="white"/>' % (width, height),
             '<text x="%d" y="18" font-size="14">snippets a second, gVisor, one node</text>' % left]
    room = (width - left - 10) / len(rates)
    scale = (height - bottom - 50) / top
    for step in range(int(top) + 1):
        y = height - bottom - step * scale
        parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%d</text>'
                     % (left, width - 10, y, y, left - 6, y + 4, step))
    for i, (threads, row) in enumerate(rates.items()):
        for j, (way, rate) in enumerate(row.items()):
            x, bar = left + i * room + 14 + j * (room - 28) / 3, (room - 28) / 3 - 4
            parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>'
                         % (x, height - bottom - rate * scale, bar, rate * scale, COLOURS[way]))
            parts.append('<text x="%.1f" y="%.1f" text-anchor="middle">%.1f</text>'
                         % (x + bar / 2, height - bottom - rate * scale - 4, rate))
        parts.append('<text x="%.1f" y="%d" text-anchor="middle">%d at once</text>' % (left + (i + 0.5) * room, height - 22, threads))
    for j, (way, name) in enumerate(NAMES.items()):
        parts.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">%s</text>'
                     % (left + j * 170, height - 13, COLOURS[way], left + 15 + j * 170, height - 4, name))
    return "\n".join(parts + ["</svg>", ""])


def write_report(found, into_docs):
    body = ["Measured with " + found["machine"] + ".", ""] + tables(found)
    print("\n".join(body))
    if not into_docs:
        return
    with open(PICTURE, "w", encoding="utf-8") as f:
        f.write(picture(found))
    section = ["## Beside GkeCodeExecutor", "", "`bench/adk/run --report` writes this section. The same snippet (`print(n)`), image,"
               " RuntimeClass and resources, in turns, on a cluster", "of one node from `tests/cluster/up`. \"Bare pods\" are what the"
               " node can do: created in a loop, watched, deleted, no code in a volume, no log read.", "",
               "![snippets a second](benchmarks-adk.svg)", ""] + body
    write_section("adk", section)
