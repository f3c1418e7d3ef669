#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls, callers, threads and names against the interpreter's own word.

Each construct of tests/oracle runs once under pycost and once, in another process,
under sys.setprofile. Calls must be the same for every function and for every pair
of caller and callee: a pair too many is an impossible call.
"""
import collections
import json
import os
import subprocess

import lib

# What oracle.py and pycost may differ in, with the reason.
#   (version, workload, construct): {key or (caller, callee): why}
EXCEPTIONS = {}


def workload(version, name):
    """Its constructs and its files; None where greenlet is missing."""
    made = subprocess.run(
        lib.python(version, "-c",
                   "import json, %s as w; print(json.dumps([list(w.CONSTRUCTS), w.FILES]))"
                   % name),
        cwd=lib.ORACLE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(made.stdout) if made.returncode == 0 else None


def oracle(version, name, only):
    made = subprocess.run(
        lib.python(version, "oracle.py", "--workload", name, "--only", ",".join(only)),
        cwd=lib.ORACLE, stdout=subprocess.PIPE, check=True)
    told = json.loads(made.stdout)
    calls = collections.Counter({k: f["calls"] for k, f in told["functions"].items()})
    edges = collections.Counter(
        {tuple(edge.split("|")): n for edge, n in told["edges"].items()})
    threads = collections.defaultdict(collections.Counter)
    for key, f in told["functions"].items():
        for thread, n in f["threads"].items():
            threads[thread][key] += n
    return calls, edges, threads


def outside(edges, name):
    """The script's own main() calls run(); in the oracle somebody else's does."""
    told = collections.Counter()
    for (caller, callee), n in edges.items():
        entry = caller.startswith(name + ".py:") and caller.endswith((":main", ":<module>"))
        told["*" if entry else caller, callee] += n
    return told


def differences(got, expected, allowed):
    """What differs, in words, less what is allowed."""
    told = []
    for key in sorted(set(got) | set(expected), key=str):
        if got[key] != expected[key] and key not in allowed:
            name = key if isinstance(key, str) else " -> ".join(key)
            told.append("%s %d, not %d" % (name, got[key], expected[key]))
    return told


def some(told, most=6):
    more = "; and %d more" % (len(told) - most) if len(told) > most else ""
    return "; ".join(told[:most]) + more


def compare(title, got, expected, allowed):
    told = differences(got, expected, allowed)
    return lib.check(title, not told, some(told))


def each_construct(version, name, *options, during=None):
    """All constructs side by side, a process each, under one recorder; during(recording):
    what else happens to it."""
    known = workload(version, name)
    if not known:
        lib.skip("truth %s %s" % (version, name), "the module is missing")
        return
    constructs, files = known
    targets = {c: lib.Target(version, name + ".py", "--only", c) for c in constructs}
    recording = lib.Recording.of([t.pid for t in targets.values()], *options)
    if during:
        during(recording)
    for target in targets.values():
        target.done()
    recording.stop()
    for construct, target in targets.items():
        report = recording.report("--pid", target.pid)
        calls, edges = report.counted(files)
        true_calls, true_edges, _ = oracle(version, name, [construct])
        allowed = EXCEPTIONS.get((version, name, construct), {})
        title = "truth %s %s %s" % (version, name, construct)
        compare(title + ": calls", calls, true_calls, allowed)
        compare(title + ": callers", outside(edges, name), true_edges, allowed)
        target.end()
    losses = recording.report().losses
    lib.check("truth %s %s: nothing lost" % (version, name), not losses, losses)


def calls_of_39():
    each_construct("3.9", "constructs")


def calls_of_311():
    each_construct("3.11", "constructs")


def calls_of_313():
    each_construct("3.13", "constructs")


def calls_of_314():
    each_construct("3.14", "constructs")


def calls_of_315():
    each_construct("3.15", "constructs")


def calls_of_builds():
    """Those without USDT probes that this machine happens to have."""
    for version in lib.BUILDS:
        if not lib.built(version):
            lib.skip("truth " + version, "this machine has no such build")
            continue
        try:
            each_construct(version, "constructs")
        except Exception as error:
            lib.fail("truth " + version, "%s: %s" % (type(error).__name__, error))
        lib.end_all()


def greenlets():
    for version in ("3.9", "3.11", "3.13", "3.14", "3.15"):
        each_construct(version, "greenlets")
        lib.end_all()


if __name__ == "__main__":
    lib.run(calls_of_39, calls_of_311, calls_of_313, calls_of_314, calls_of_315,
            calls_of_builds, greenlets)
