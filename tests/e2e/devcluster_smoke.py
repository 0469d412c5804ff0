#!/usr/bin/env python3
"""The devcluster by itself, over its own API: verbs, watches, deletion, Jobs, pods, ordered faults.

usage: devcluster_smoke.py PATH-OF-execq-devcluster [--skip-kubectl] [NAME...]

Prints TAP; exits with 1 if a test failed. Needs nothing beside Python's library, and bubblewrap. The tests are in smoke/."""

import os
import sys

from smoke import api, faults, jobs, program, watches
from smoke.cluster import Cluster


def report(number, name, what):
    try:
        note = what()
        print("ok %d - %s%s" % (number, name, " # " + note if note else ""), flush=True)
        return True
    except Exception as e:  # a failed test does not end the others
        print("not ok %d - %s\n# %s: %s" % (number, name, type(e).__name__, str(e)[:2000].replace("\n", "\n# ")), flush=True)
        return False


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    binary = os.path.abspath(words[0])
    chosen = [(name, test) for module in (api, watches, jobs, faults, program) for name, test in vars(module).items()
              if name.startswith("test_") and (not words[1:] or any(w in name for w in words[1:]))]
    print("1..%d" % len(chosen))
    cluster = Cluster(binary, "--bookmark-every", "200ms", "--seed", "1")
    failed = 0

    def with_cluster(test):
        try:
            return test(cluster)
        finally:
            cluster.call("DELETE", "/devcluster/faults", fresh=True)
            cluster.empty()

    try:
        for i, (name, test) in enumerate(chosen):
            alone = test.__code__.co_varnames[0] == "program"
            failed += not report(i + 1, name[5:], lambda: test(binary) if alone else with_cluster(test))
            if cluster.process.poll() is not None:
                break
        code = cluster.stop()
        if code != 0:
            print("Bail out! the devcluster ended with %s\n%s" % (code, cluster.log()[-5000:]))
            failed += 1
    finally:
        if cluster.process.poll() is None:
            cluster.process.kill()
        if failed:
            print("# " + cluster.log()[-1500:].replace("\n", "\n# "))
        cluster.clean()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
