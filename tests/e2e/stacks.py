#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No impossible stacks: each call in a sampled path must be one that really happened.

The interpreter itself says which function was ever called by which (tests/oracle/
edges.py), of a script that is hard to walk (hard.py); the same script is sampled as
fast as may be. A pair of caller and callee that it did not tell is a stack that never
was, and one in 250,000 samples is one too many. Shares are compared with those that
functions measure themselves (loads.py).

usage: stacks.py [TEST...]   PYCOST_PYTHONS="3.9 3.15" chooses others, by version or as
lib.BUILDS and lib.FREE_THREADED have them. PYCOST_TEST_LONG=1 takes so many samples of each, not of all.
"""
import collections
import json
import os
import socket
import subprocess
import urllib.request

import lib
from sample import Sampled

LONG = bool(os.environ.get("PYCOST_TEST_LONG"))
ENOUGH = 250000
RATE = 10000
# Seconds of each: those that most have, and the others, where only this machine has them.
MAIN, OTHERS = 9, 3
MAIN_VERSIONS = ["3.9", "3.11", "3.13", "3.14", "3.15"]
# Further recordings of MAIN seconds, where a busy machine gave less.
MOST_TURNS = 12 if LONG else 8
LOADS_RATE = 4001
# Of walks that meet the interpreter in the midst of a change, no path is claimed.
MOST_UNWALKED = 0.06


def versions():
    chosen = os.environ.get("PYCOST_PYTHONS")
    if chosen:
        return chosen.split()
    return MAIN_VERSIONS + [v for v in [*lib.BUILDS, *lib.FREE_THREADED] if lib.built(v)]


def minor(version):
    return int(version.split(".")[1].rstrip("t"))


# ---- what is real ----


def ask(version, *arguments):
    made = subprocess.run(lib.python(version, *arguments), cwd=lib.ORACLE, check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=lib.PATIENCE)
    return made.stdout.decode()


class Real:
    """Every call that happened, as the interpreter tells, and every outermost function."""

    def __init__(self, version, script="hard.py"):
        # It would be the end of the profile function.
        names = [n for n in ask(version, script, "--list").split() if n != "overflow"]
        self.edges = self.told(version, script, names)
        # Without the GIL a profile function may miss calls of threads, after others.
        for name in names if version in lib.FREE_THREADED else []:
            self.edges |= self.told(version, script, [name])

    @staticmethod
    def told(version, script, names):
        out = os.path.join(lib.work, "edges-%s.json" % version)
        ask(version, "edges.py", out, script, "--wait", "--rounds", "2", "--only", ",".join(names))
        with open(out, encoding="utf-8") as file:
            told = json.load(file)
        # Below a task's coroutine no event loop is told; which awaits it only from 3.14 on.
        kinds = ["edges", "tasks", "sub"] + ["awaits"] * (minor(version) >= 14)
        return {tuple(edge) for kind in kinds for edge in told[kind]}

    def __contains__(self, edge):
        return edge in self.edges


# ---- what was sampled ----


def key(function):
    return "%s:%d:%s" % (os.path.basename(function.file), function.line, function.name)


class Seen:
    """Samples by pair of caller and callee; None is the caller of the outermost."""

    def __init__(self, samples):
        self.samples = samples
        self.edges = collections.Counter()
        self.walked = 0
        counts = samples.by(lambda sample: sample.node)
        for node, count in counts.items():
            self.add(node, count)

    def add(self, node, count):
        path = []
        while node:
            parent, function = self.samples.nodes[node][:2]
            if function:
                path.append(key(self.samples.functions[function]))
            node = parent
        path.append(None)
        self.walked += count if len(path) > 1 else 0
        for callee, caller in zip(path, path[1:]):
            self.edges[caller, callee] += count

    def impossible(self, real):
        return collections.Counter(
            {edge: n for edge, n in self.edges.items() if edge not in real})


def told(edges, most=8):
    return "; ".join("%s -> %s %d" % (caller or "(outermost)", callee, n)
                     for (caller, callee), n in edges.most_common(most))


def sampled(version, seconds):
    target = lib.Target(version, "hard.py", "--seconds", str(seconds))
    recording = Sampled("-p", str(target.pid), rate=RATE)
    target.done()
    samples = recording.stop().samples()
    target.process.kill()
    return samples


# One call of each kind that must have been met, or the test has proved less than it says.
LANDMARKS = [("switch_down", "switch_down"), ("releases", "digest"), ("releases", "pack"),
             ("task_inner", "inner_part"), ("uses_all", "agen"), ("fails", "fails"),
             ("tree", "tree"), ("do_contexts", "__exit__"), ("do_callbacks", "key"),
             ("_call_with_frames_removed", "<module>"), ("endless", "endless")]


def names(edges):
    return {(caller.rpartition(":")[2], callee.rpartition(":")[2])
            for caller, callee in edges if caller}


def landmarks(version, real):
    """Those that there are: greenlets and other interpreters are not everywhere."""
    wanted = LANDMARKS + [("sub_outer", "sub_middle")] * (minor(version) >= 12)
    wanted = wanted + [("task_outer", "task_middle")] * (minor(version) >= 14)
    return set(wanted) & names(real.edges)


class Tally:
    """What all recordings of one version came to."""

    def __init__(self, version):
        self.version = version
        self.real = Real(version)
        self.walked = self.unwalked = 0
        self.wrong = collections.Counter()
        self.calls = set()

    def take(self, seconds):
        seen = Seen(sampled(self.version, seconds))
        self.walked += seen.walked
        self.unwalked += seen.samples.total - seen.walked
        self.wrong += seen.impossible(self.real)
        self.calls |= set(seen.edges)

    def verdict(self):
        name = "stacks %s: " % self.version
        lib.check(name + "no impossible call in %d samples" % self.walked,
                  self.walked and not self.wrong, told(self.wrong))
        lib.check(name + "few samples without a path",
                  self.unwalked <= MOST_UNWALKED * (self.walked + self.unwalked),
                  "%d of %d" % (self.unwalked, self.walked + self.unwalked))
        lib.check(name + "many different calls", len(self.calls) >= 150,
                  "%d, of %d" % (len(self.calls), len(self.real.edges)))
        missing = landmarks(self.version, self.real) - names(self.calls)
        lib.check(name + "calls of each kind are among them", not missing, sorted(missing))


def hard():
    for version, target in lib.FREE_THREADED.items():
        if not lib.built(version):
            lib.skip("stacks " + version, "tests/fetch.sh %s would build it" % target)
    tallies = [Tally(version) for version in versions()]
    main = [t for t in tallies if t.version in MAIN_VERSIONS] or tallies
    for t in tallies:
        t.take(MAIN if t in main else OTHERS)
    for turn in range(MOST_TURNS):
        for t in tallies if LONG else main:
            if (t.walked if LONG else sum(t.walked for t in tallies)) < ENOUGH:
                t.take(MAIN)
    for t in tallies:
        t.verdict()
    least = min(t.walked for t in tallies) if LONG else sum(t.walked for t in tallies)
    lib.check("stacks: %d samples%s" % (ENOUGH, " of each" if LONG else ""), least >= ENOUGH, least)


# ---- shares that are known ----


def share_of(samples, name):
    """How many samples have this function of loads.py in their paths."""
    counts = samples.by(lambda sample: sample.node)
    return sum(n for node, n in counts.items() if name in samples.path(node))


def loads_of(version):
    """(function, samples of it, of all, its share by its own clock)"""
    target = lib.Target(version, "loads.py", "--seconds", "6")
    recording = Sampled("-p", str(target.pid), rate=LOADS_RATE)
    target.go()
    spent = json.loads(target.line())
    target.line("DONE")
    samples = recording.stop().samples()
    everything = share_of(samples, "run")
    for name, seconds in spent.items():
        if name != "all":
            yield name, share_of(samples, name), everything, seconds / spent["all"]


def shares():
    beyond, told_of = [], []
    for version in versions():
        for name, n, of, true in loads_of(version):
            # As userspace/estimate.h has it.
            p = (n + 1) / (of + 2)
            error = (p * (1 - p) / max(of, 1)) ** 0.5
            off = (n / max(of, 1) - true) / error
            told_of.append(off)
            if abs(off) > 3:
                beyond.append("%s %s %.4f, not %.4f +- %.4f" % (version, name, n / of, true, error))
    lib.check("shares: within three standard errors, but for one in twenty (of %d)" % len(told_of),
              told_of and len(beyond) <= 0.05 * len(told_of), "; ".join(beyond))
    spread = (sum(off * off for off in told_of) / max(len(told_of), 1)) ** 0.5
    print("  deviations have a spread of %.2f standard errors" % spread)


# ---- an interpreter that another program has embedded ----

UWSGI = """
def leaf(n):
    return n * n

def middle(n):
    return sum(leaf(i) for i in range(n))

def application(environ, start_response):
    start_response("200 OK", [])
    for _ in range(3000):
        middle(1000)
    return [b"done"]
"""
UWSGI_CALLS = {(None, "application"), ("application", "middle"), ("middle", "<genexpr>"),
               ("<genexpr>", "leaf"), (None, "uwsgi_apps"), ("middle", "leaf")}


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def uwsgi():
    port = lib.free_port()
    app = lib.script("embedded.py", UWSGI)
    with open(os.path.join(lib.work, "uwsgi.log"), "wb") as log:
        server = lib.start(os.path.join(lib.root("3.11"), "enter"), "uwsgi-core",
                           "--plugins-dir", "/usr/lib/uwsgi/plugins", "--plugin", "python311",
                           "--http-socket", "127.0.0.1:%d" % port, "--wsgi-file", app,
                           "--need-app", stdout=log, stderr=log)
    lib.until(lambda: answers(port), "uwsgi does not listen")
    recording = Sampled("-p", str(server.pid), rate=LOADS_RATE)
    with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=lib.PATIENCE) as answer:
        lib.equal("uwsgi: it answers", answer.read(), b"done")
    seen = Seen(recording.stop().samples())
    calls = collections.Counter()
    for (caller, callee), n in seen.edges.items():
        calls[caller and caller.rpartition(":")[2], callee.rpartition(":")[2]] += n
    wrong = {edge: n for edge, n in calls.items() if edge not in UWSGI_CALLS}
    lib.check("uwsgi: no impossible call in %d samples" % seen.walked,
              seen.walked > 100 and not wrong, wrong or seen.walked)
    lib.check("uwsgi: most samples have a path", seen.walked > 0.9 * seen.samples.total,
              "%d of %d" % (seen.walked, seen.samples.total))
    lib.check("uwsgi: from the application to the leaf", calls["<genexpr>", "leaf"], dict(calls))


if __name__ == "__main__":
    lib.run(hard, shares, uwsgi)
