#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Task-clock: all of a process's CPU time is somewhere, and none of anybody else's."""
import json
import os
import subprocess
import time

import lib

FIXED = """
import json, sys, threading, time
sys.path.insert(0, %r)
import protocol

def empty(): pass

def many_calls():
    for _ in range(150_000): empty()

def one_call():
    sum(range(25_000_000))

def both():
    begin = time.thread_time_ns()
    many_calls()
    middle = time.thread_time_ns()
    one_call()
    spent["many_calls"] = middle - begin
    spent["one_call"] = time.thread_time_ns() - middle

spent = {}

def main():
    options = protocol.parser("").parse_args()
    protocol.ready(options)
    protocol.start(options)
    both()
    protocol.say("DONE")
    protocol.wait_line()
    protocol.say(json.dumps(spent))
    threads = [threading.Thread(target=both) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    protocol.done(options)

main()
""" % lib.ORACLE


# This machine's kernel may not tell every context switch; then a slice is lost, and
# told as lost. A run without one is worth waiting for.
ATTEMPTS = 4


def conserved(target, kind):
    """Recorded to spent, and what the parts miss of the total, and what was lost."""
    recording = lib.Recording.of(target.pid)
    before = lib.cpu_ns(target.pid)
    target.go()
    target.line("DONE") if kind == "one thread" else target.line() and target.line()
    spent = lib.cpu_ns(target.pid) - before
    report = recording.stop().report()
    parts = sum(f["self_raw"] for f in report.functions.values())
    total = report.json["total_raw"]
    return total / spent, total - parts - report.json["outside"]["self_raw"], report.json["losses"]


def conservation():
    """All functions' own costs and what is outside them make up the CPU time."""
    for version in lib.PYTHONS:
        for _ in range(ATTEMPTS):
            target = lib.Target(version, lib.script("fixed.py", FIXED))
            results = {kind: conserved(target, kind) for kind in ("one thread", "four threads")}
            target.end()
            if all(abs(ratio - 1) < 0.02 or not losses["slices"] for ratio, _, losses in results.values()):
                break
        for kind, (ratio, missing, losses) in results.items():
            lib.equal("clock %s, %s: the parts make the total" % (version, kind), missing, 0)
            lib.check("clock %s, %s: within 2 %% of the CPU time" % (version, kind),
                      abs(ratio - 1) < 0.02, "%+.1f %%, %d slices lost" % (100 * (ratio - 1), losses["slices"]))


def one_run(version, cpu, with_other):
    """What pycost says of two functions, and what the scheduler told the target."""
    other = with_other and lib.start("taskset", "-c", cpu, "python3", "-c", "while True: pass")
    target = lib.Target(version, lib.script("fixed.py", FIXED))
    subprocess.run(["taskset", "-cp", str(cpu), str(target.pid)], stdout=subprocess.DEVNULL,
                   check=True)
    recording = lib.Recording.of(target.pid)
    begin = time.monotonic_ns()
    target.done()
    took = time.monotonic_ns() - begin
    report = recording.stop().report()
    target.go()
    spent = json.loads(target.line())
    target.process.kill()
    target.process.wait()
    if other:
        other.kill()
        other.wait()
    told = {"one_call": report.named("one_call")[0]["cumulative_raw"],
            "many_calls": report.named("many_calls")[0]["cumulative_raw"]}
    return told, spent, took


def competitor():
    """What a busy process on the same CPU takes is charged to nobody."""
    cpu = max(os.sched_getaffinity(0))
    for version in lib.PYTHONS:
        alone, _, _ = one_run(version, cpu, False)
        told, spent, took = one_run(version, cpu, True)
        ratios = {name: told[name] / spent[name] for name in told}
        share = sum(spent.values()) / took
        # How fast the machine is changes from run to run: the target's own clock, of
        # the same run, is the measure.
        print("clock %s: it had %.0f %% of the CPU; costs to those without the other: %s"
              % (version, 100 * share, {n: round(told[n] / alone[n], 2) for n in told}))
        lib.check("clock %s: other processes' time is not counted" % version,
                  share < 0.75 and all(0.95 < ratio < 1.05 for ratio in ratios.values()),
                  "share %.2f, recorded to spent %s" % (share, ratios))


if __name__ == "__main__":
    lib.run(conservation, competitor)
