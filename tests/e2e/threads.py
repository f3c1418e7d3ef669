#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads, deep stacks and full tables: exact within the limits, and said beyond."""
import collections
import os

import lib
import pprof
import truth

# Threads started one after another, each of which calls once and ends; then many at
# a time, which all wait for each other before each calls.
CROWD = """
import sys, threading
sys.path.insert(0, %r)
import protocol

def first(): pass
def second(): first()

def crowd(count, times):
    barrier = threading.Barrier(count + 1)
    def body():
        barrier.wait()
        for _ in range(times):
            second()
        barrier.wait()
    threads = [threading.Thread(target=body) for _ in range(count)]
    for thread in threads: thread.start()
    barrier.wait()
    barrier.wait()
    for thread in threads: thread.join()

options = protocol.parser("").parse_args()
protocol.ready(options)
protocol.start(options)
for _ in range(50):
    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
protocol.say("DONE")
protocol.wait_line()
crowd(300, 10)
protocol.done(options)
""" % lib.ORACLE

DEEP = """
import sys
sys.path.insert(0, %r)
import protocol

sys.setrecursionlimit(20000)

def leaf(): pass

def descend(n):
    if n:
        descend(n - 1)
    else:
        leaf()

def after(): leaf()

def main():
    options = protocol.parser("").parse_args()
    protocol.ready(options)
    for depth in (1000, 5000):
        protocol.start(options)
        for _ in range(3):
            descend(depth)
        for _ in range(10):
            after()
        protocol.say("DONE")
    protocol.wait_line()

main()
""" % lib.ORACLE


def per_thread():
    """With --per-thread each thread has what setprofile gave it."""
    for version in lib.PYTHONS:
        _, files = truth.workload(version, "constructs")
        target = lib.Target(version, "constructs.py", "--only", "threads")
        recording = lib.Recording.of(target.pid, "--per-thread")
        target.done()
        recording.stop()
        _, _, threads = truth.oracle(version, "constructs", ["threads"])
        got = collections.defaultdict(collections.Counter)
        for path, values, pid, tid in pprof.paths(recording.file):
            name, file = path[-1] if path else ("", "")
            if os.path.basename(file) in files and values[0]:
                got[tid][name.rpartition(".")[2]] += values[0]
        # Thread names against thread numbers: each has another number of calls.
        as_told = sorted(sorted(c.items()) for c in got.values())
        expected = []
        for told in threads.values():
            calls = collections.Counter()
            for key, n in told.items():
                calls[key.rpartition(":")[2]] += n
            expected.append(sorted(calls.items()))
        lib.equal("threads %s: calls of each thread" % version, as_told, sorted(expected))


def many_threads():
    """A thread's first calls count; those of more threads than fit are told as lost."""
    for version in lib.PYTHONS:
        target = lib.Target(version, lib.script("crowd.py", CROWD))
        recording = lib.Recording.of(target.pid)
        target.done()
        report_file = recording.stop()
        report = report_file.report()
        lib.equal("threads %s: the first calls of 50 threads" % version,
                  (report.calls("first"), report.calls("second"), report.losses),
                  (50, 50, {}))
        wide = lib.Recording.of(target.pid, "--max-threads", "400")
        target.done()
        report = wide.stop().report()
        lib.equal("threads %s: 300 at a time in a table of 400" % version,
                  (report.calls("first"), report.calls("second"), report.losses),
                  (3000, 3000, {}))
        target.end()
        target = lib.Target(version, lib.script("crowd.py", CROWD))
        target.done()
        narrow = lib.Recording.of(target.pid, "--max-threads", "100")
        target.done()
        report = narrow.stop().report()
        calls = report.calls("second")
        lib.check("threads %s: 300 at a time in a table of 100 are told as lost" % version,
                  calls <= 1500 and report.losses.get("threads", 0) > 0
                  and "threads" in narrow.said(),
                  "%d calls, losses %s, said %r" % (calls, report.losses, narrow.said()))
        target.end()


def deep_stacks():
    for version in lib.PYTHONS:
        target = lib.Target(version, lib.script("deep.py", DEEP))
        recording = lib.Recording.of(target.pid)
        target.done()
        report = recording.stop().report()
        lib.equal("depth %s: 1,000 calls deep" % version,
                  (report.calls("descend"), report.calls("leaf"), report.calls("after"),
                   report.losses), (3003, 13, 10, {}))
        recording = lib.Recording.of(target.pid)
        target.done()
        report = recording.stop().report()
        # main, descend 5001 times, leaf: what the table has no room for is told.
        lost = report.losses.get("depth", 0)
        calls = report.calls("descend") + report.calls("leaf") + report.calls("after")
        lib.check("depth %s: 5,000 calls deep, the rest told as lost" % version,
                  lost > 0 and calls + lost == 3 * 5002 + 20 and report.calls("after") == 10,
                  "%d calls and %d lost of %d" % (calls, lost, 3 * 5002 + 20))
        names = {"descend", "leaf", "after", "main", "<module>", "start", "say", "wait_line"}
        possible = {("<module>", "main"), ("main", "descend"), ("descend", "descend"),
                    ("descend", "leaf"), ("main", "after"), ("after", "leaf"),
                    ("main", "start"), ("main", "say"), ("main", "wait_line"),
                    ("start", "wait_line")}
        edges = {(report.functions[e["caller"]]["name"], report.functions[e["callee"]]["name"])
                 for e in report.json["edges"]}
        lib.check("depth %s: the tree stays possible" % version, edges <= possible
                  and {f["name"] for f in report.functions.values()} <= names,
                  sorted(edges - possible))
        lib.equal("depth %s: the target is well" % version, target.end(), 0)


def full_tree():
    """Calls beyond --max-paths go to their callers, counted as lost."""
    for version in lib.PYTHONS:
        target = lib.Target(version, "burn.py", "--functions", "100", "--paths", "2000",
                            "--calls-per-second", "20000")
        recording = lib.Recording.of(target.pid, "--max-paths", "50")
        target.go()
        for _ in range(2):
            target.line()
        recording.stop()
        report = recording.report()
        paths = len(list(pprof.paths(recording.file)))
        lost = report.losses.get("nodes", 0)
        lib.check("tree %s: 50 paths at most" % version, 0 < paths <= 50, paths)
        lib.check("tree %s: what did not fit is told as lost" % version,
                  lost > 1000 and "nodes" in recording.said(), report.losses)
        target.process.terminate()
        # Calls up to a moment after the recording's end are in the total.
        last = target.line()
        while '"total"' not in last:
            last = target.line()
        target.end()


def full_tree_adds_up():
    """Of a known number of calls, each is in the tree or told as lost."""
    for version in lib.PYTHONS:
        known = truth.workload(version, "constructs")[1]
        target = lib.Target(version, "constructs.py", "--only", "small,recursion,plain")
        recording = lib.Recording.of(target.pid, "--max-paths", "50")
        target.done()
        report = recording.stop().report()
        calls, _, _ = truth.oracle(version, "constructs", ["small", "recursion", "plain"])
        seen = sum(n for f, n in report.counted(known)[0].items())
        # Those of protocol.py are not the workload's.
        others = sum(f["calls"] for f in report.functions.values()) - seen
        lost = report.losses.get("nodes", 0)
        lib.check("tree %s: calls and losses add up" % version,
                  lost > 0 and 0 <= seen + lost - sum(calls.values()) <= 4,
                  "%d calls, %d others, %d lost, of %d"
                  % (seen, others, lost, sum(calls.values())))
        target.end()


if __name__ == "__main__":
    lib.run(per_thread, many_threads, deep_stacks, full_tree, full_tree_adds_up)
