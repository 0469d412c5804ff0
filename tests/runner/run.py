#!/usr/bin/python3
"""Runs the real runner against programs that behave, misbehave or are noise. TAP on stdout.

    tests/runner/run.py --runner build/release/runner/execq-runner-x86_64 [--mode full] [--long] [name ...]

(name: only tests whose name contains it.) Each test runs in several modes, which harness.py
lists; noise only inside a sandbox.
"""

import argparse
import concurrent.futures
import os
import sys
import threading
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import test_hostile  # noqa: E402
import test_random  # noqa: E402
import test_runs  # noqa: E402

SPEAKING = threading.Lock()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runner", required=True)
    parser.add_argument("--mode", choices=sorted(harness.MODES), action="append")
    parser.add_argument("--long", action="store_true", help="every mode, and more random inputs")
    parser.add_argument("--inputs", type=int, help="random inputs in each mode (300; with --long 1000)")
    parser.add_argument("--seed", type=int, help="of the random inputs; otherwise another one each time, printed")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    test_random.INPUTS = options.inputs or (1000 if options.long else 300)
    if options.seed is not None:
        test_random.SEED = options.seed
    print("# --seed %d" % test_random.SEED)
    modes = options.mode or (harness.MODES if options.long else ["full", "pid1"])
    runners = [harness.Runner(options.runner, mode) for mode in modes]
    work = [(runner, name, test) for runner in runners for name, test in tests_of(runner)
            if any(n in name for n in options.names or [""])]
    try:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:  # most of them wait for a timeout
            results = list(pool.map(lambda job: run_test(*job), work))
    finally:
        for runner in runners:
            runner.close()
    print("1..%d" % len(results))
    return 0 if all(results) else 1


def tests_of(runner):
    for module in (test_runs, test_hostile):
        for name, test in vars(module).items():
            if name.startswith("test_"):
                yield name, test
    if runner.pid1:  # nobody knows what random code does: only in a sandbox
        yield from test_random.tests()


def run_test(runner, name, test):
    try:
        test(runner)
        say("ok 1 - runner %s %s" % (runner.mode, name))
        return True
    except Exception:  # also what the harness itself trips over
        lines = traceback.format_exc().splitlines()
        say("\n".join(["not ok 1 - runner %s %s" % (runner.mode, name)] + ["# " + line for line in lines]))
        return False


def say(text):
    with SPEAKING:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
