#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sampling mode, end to end: what is known of workloads must come out of samples.

usage: sample.py [TEST...]   PYCOST_PYTHONS="3.9 3.15" chooses others
"""
import collections
import os
import signal
import subprocess
import sys
import time

import lib
from samples import Samples

VERSIONS = os.environ.get("PYCOST_PYTHONS", "3.9 3.11 3.15").split()
RATE = 997  # samples a second: no multiple of any timer's

HEAD = """
import os, sys, threading, time
print("READY %d" % os.getpid(), flush=True)
sys.stdin.readline()
"""

# Shares are known because all work is one loop's, which all call with their parts.
SHARES = HEAD + """
def spin(n):
    x = 0
    for i in range(n):
        x += i & 3
    return x
def three():
    spin(30000)
def one():
    spin(10000)
def main():
    end = time.monotonic() + 120
    while time.monotonic() < end:
        three()
        one()
threading.Thread(target=lambda: print(" ".join(map(str, sorted(codes()))), flush=True)
                 if sys.stdin.readline() else None, daemon=True).start()
def codes():
    code = spin.__code__
    return set(getattr(code, "_co_code_adaptive", code.co_code)[::2])
main()
"""

HASH = HEAD + """
import hashlib
data = bytes(32 << 20)
def digest():
    hashlib.sha256(data).digest()
def hasher():
    while True:
        digest()
def waits():
    while True:
        time.sleep(0.05)
threading.Thread(target=hasher, daemon=True).start()
waits()
"""

FORKS = HEAD + """
def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(500))
def child(n):
    spin(0.7)
    os._exit(n)
def parent():
    pids = []
    for n in range(3):
        pid = os.fork()
        if not pid:
            child(n)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
parent()
print("CHILDREN DONE", flush=True)
sys.stdin.readline()
"""

IDLE = HEAD + """
def sleeper():
    while True:
        time.sleep(3600)
sleeper()
"""

STATES = HEAD + """
import gc, importlib, json
path = sys.path[0]
class Node: pass
def cycles():
    nodes = [Node() for i in range(20000)]
    for a, b in zip(nodes, nodes[1:]):
        a.next, b.previous = b, a
    return nodes
kept = cycles()
def collects():
    gc.collect()
def imports():
    for name in [n for n in sys.modules if n.split(".")[0] == "json"]:
        del sys.modules[name]
    import json
while True:
    collects()
    imports()
"""

ASYNC = HEAD + """
import asyncio
def work():
    x = 0
    for i in range(20000):
        x += i
async def inner():
    work()
    await asyncio.sleep(0)
async def outer():
    await inner()
async def waits_for(task):
    await task
def called_back(loop):
    work()
    loop.call_soon(called_back, loop)
async def main():
    loop = asyncio.get_event_loop()
    loop.call_soon(called_back, loop)
    while True:
        await waits_for(loop.create_task(outer()))
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(main())
"""

GREENLETS = HEAD + """
import greenlet
def work():
    x = 0
    for i in range(5000):
        x += i
def left():
    while True:
        work()
        right_one.switch()
def right():
    while True:
        work()
        left_one.switch()
left_one, right_one = greenlet.greenlet(left), greenlet.greenlet(right)
left_one.switch()
"""


NATIVE = HEAD + """
import ctypes
outer = ctypes.CDLL(sys.argv[1]).outer
def calls():
    while True:
        outer(1000)
calls()
"""

# leaf() has a frame pointer, middle() has none of its own, outer() has.
NATIVE_C = """
#define KEEP __attribute__((noinline, optimize("O0")))
#define OMIT __attribute__((noinline, optimize("omit-frame-pointer,no-optimize-sibling-calls")))
volatile int x;
KEEP int leaf(int n) { for (int i = 0; i < n; i++) x += i; return x; }
KEEP int inner(int n) { return leaf(n) + 1; }
OMIT int middle(int n) { return inner(n) + 1; }
KEEP int outer(int n) { return middle(n) + 1; }
"""


class Sampled(lib.Recording):
    def __init__(self, *arguments, rate=RATE, **options):
        super().__init__("--mode", "sample", "--rate", str(rate), *arguments, **options)
        lib.until(lambda: self.process.poll() is not None or self.serves(), "it does not start")
        if self.process.poll():
            raise AssertionError("record ended: " + self.said())

    def samples(self):
        return Samples(self.file)


def target(version, name, text, *arguments):
    """Ready, and waiting for its go()."""
    t = lib.Target(version, lib.script(name + ".py", text), *arguments, wait=False)
    t.line("READY %d" % t.pid)
    return t


def sampled(version, name, text, *arguments, seconds=1.5, **options):
    t = target(version, name, text, *arguments)
    recording = Sampled("-p", str(t.pid), **options)
    t.go()
    time.sleep(seconds)
    return recording.stop().samples()


def line_of(text, what):
    return next(i for i, line in enumerate(text.split("\n"), 1) if line.strip() == what)


def near(name, share, expected, count, slack=0.02):
    """Within four standard errors, and what little a machine's own rhythm adds."""
    error = 4 * (expected * (1 - expected) / max(count, 1)) ** 0.5 + slack
    return lib.check(name, abs(share - expected) <= error,
                     "%.3f, not %.3f within %.3f, of %d samples" % (share, expected, error, count))


def shares():
    for version in VERSIONS:
        t = target(version, "shares", SHARES)
        recording = Sampled("-p", str(t.pid))
        t.go()
        time.sleep(3)
        t.go()
        known = set(map(int, t.line().split()))
        s = recording.stop().samples()
        name = "shares %s: " % version
        lib.check(name + "enough samples", s.total > RATE / 8, str(s.total))
        paths, total = s.paths(), s.total
        of_spin = {p[-2]: n for p, n in paths.items() if p[-1:] == ("spin",)}
        near(name + "three of four", of_spin.get("three", 0) / total, 0.75, total)
        near(name + "one of four", of_spin.get("one", 0) / total, 0.25, total)
        heads = {p[0] for p in paths if p and "spin" in p}
        lib.equal(name + "each path from <module>", heads, {"<module>"})
        lines = s.by(lambda x: x.line, s.of("spin"))
        loop = {line_of(SHARES, "for i in range(n):"), line_of(SHARES, "x += i & 3")}
        lib.check(name + "lines of the loop",
                  sum(lines[n] for n in loop) > 0.98 * sum(lines.values()), dict(lines))
        lib.check(name + "no line unknown", not lines[0], dict(lines))
        opcodes = s.by(lambda x: x.opcode, s.of("spin"))
        lib.check(name + "opcodes are the function's",
                  sum(n for op, n in opcodes.items() if op in known) > 0.99 * sum(opcodes.values()),
                  "%s, not of %s" % (dict(opcodes), sorted(known)))
        passages = {(s.path(p.node)[-1], p.line) for p in s.passages}
        lib.check(name + "passages by line",
                  {("three", line_of(SHARES, "spin(30000)")),
                   ("one", line_of(SHARES, "spin(10000)")),
                   ("main", line_of(SHARES, "three()"))} <= passages, passages)
        through = sum(p.count for p in s.passages if s.path(p.node)[-1] == "three")
        lib.equal(name + "a passage for each sample below", through,
                  sum(n for p, n in paths.items() if "three" in p[:-1]))
        natives = s.by(lambda x: s.native(x)[1], s.of("spin"))
        lib.check(name + "native code is in the interpreter",
                  sum(n for o, n in natives.items() if "python" in o) >
                  0.9 * sum(natives.values()), dict(natives))
        lib.check(name + "nothing lost", not s.losses, s.losses)


def threads_without_the_gil():
    for version in VERSIONS:
        s = sampled(version, "hash", HASH, rate=499)
        digest = sum(x.count for x in s.of("digest"))
        lib.check("gil %s: C code is charged to its caller" % version,
                  digest > 0.9 * s.total and s.total > 100, dict(s.paths()))
        natives = s.by(lambda x: s.native(x)[1], s.of("digest"))
        lib.check("gil %s: and its object is told" % version,
                  any("crypto" in o or "_sha" in o or "_hash" in o for o in natives),
                  dict(natives))


def forks():
    for version in VERSIONS:
        t = target(version, "forks", FORKS)
        recording = Sampled("-p", str(t.pid))
        t.go()
        t.line("CHILDREN DONE")
        time.sleep(1.2)
        t.end()
        s = recording.wait().samples()
        spins = collections.Counter()
        for x in s.of("spin"):
            spins[s.nodes[x.node].pid] += x.count
        lib.equal("forks %s: three children" % version, len(spins), 3)
        lib.check("forks %s: not the parent" % version, t.pid not in spins, spins)
        lib.check("forks %s: from <module> on" % version,
                  {p for p in s.paths() if p[-1:] == ("spin",)} ==
                  {("<module>", "parent", "child", "spin")}, set(s.paths()))
        lib.check("forks %s: it ended with its target" % version, s.ended)
        children = {p[0]: p[1] for p in s.processes}
        lib.check("forks %s: whose children they are" % version,
                  all(children.get(pid) == t.pid for pid in spins), children)


def idle():
    for version in VERSIONS:
        s = sampled(version, "idle", IDLE)
        lib.check("idle %s: costs nothing" % version, s.total <= 5, s.total)


def states():
    for version in VERSIONS:
        s = sampled(version, "states", STATES, seconds=2)
        collects = s.by(lambda x: x.state, s.of("collects"))
        lib.check("states %s: collections are told apart" % version,
                  collects["gc"] > 0.9 * sum(collects.values()) and collects["gc"] > 50,
                  dict(collects))
        imported = sum(x.count for x in s.samples
                       if "_find_and_load" in s.path(x.node) and x.state == "import")
        inside = sum(x.count for x in s.samples if "_find_and_load" in s.path(x.node))
        lib.check("states %s: imports are told apart" % version,
                  inside > 20 and imported > 0.9 * inside, "%d of %d" % (imported, inside))
        lib.check("states %s: and nothing else" % version,
                  not any(x.state == "import" for x in s.samples
                          if "_find_and_load" not in s.path(x.node)))


def asyncio_paths():
    for version in VERSIONS:
        s = sampled(version, "async", ASYNC)
        works = {p: n for p, n in s.paths().items() if p[-1:] == ("work",)}
        in_task = {p: n for p, n in works.items() if "inner" in p}
        lib.check("asyncio %s: a path begins at its task" % version,
                  in_task and all(p[-3:] == ("outer", "inner", "work") for p in in_task) and
                  not any(name.startswith(("Handle", "BaseEventLoop", "<module>"))
                          for p in in_task for name in p), in_task)
        if tuple(map(int, version.split("."))) >= (3, 14):
            lib.check("asyncio %s: with who awaits it" % version,
                      all(p[0] == "main" for p in in_task), in_task)
        lib.check("asyncio %s: a callback keeps its loop" % version,
                  any("called_back" in p and "Handle._run" in p for p in works), works)


def greenlets():
    for version in VERSIONS:
        probe = subprocess.run(lib.python(version, "-c", "import greenlet"),
                               stderr=subprocess.DEVNULL)
        if probe.returncode:
            lib.skip("greenlets %s" % version, "no greenlet there")
            continue
        s = sampled(version, "greenlets", GREENLETS)
        works = s.by(lambda x: s.path(x.node)[-2:], s.of("work"))
        total = sum(works.values())
        lib.equal("greenlets %s: two callers" % version, set(works),
                  {("left", "work"), ("right", "work")})
        near("greenlets %s: half each" % version, works["left", "work"] / max(total, 1), 0.5, total)


def native_chains():
    """Only where each frame is certain: never over one that keeps none."""
    library = os.path.join(lib.work, "native.so")
    source = lib.script("native.c", NATIVE_C)
    made = subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source])
    if made.returncode:
        return lib.fail("native chains", "no library")
    s = sampled("3.9", "native", NATIVE, library)
    chains = s.by(lambda x: s.chain(x)[:4], s.of("calls"))
    leaves = {c: n for c, n in chains.items() if c[:1] == ("leaf",)}
    lib.check("native: leaf, inner, middle", leaves.get(("leaf", "inner", "middle"), 0) >
              0.8 * sum(leaves.values()) > 20, chains)
    lib.check("native: no chain passes over a frame", set(leaves) <=
              {("leaf",), ("leaf", "inner"), ("leaf", "inner", "middle")}, chains)


def debuginfod():
    """A library that was stripped gets its names while it is sampled; the client is ours."""
    whole, stripped = (os.path.join(lib.work, "d", n) for n in ("whole.so", "stripped.so"))
    os.mkdir(os.path.dirname(whole))
    source = lib.script("native.c", NATIVE_C)
    hidden = lib.script("hidden.map", "{global: outer; local: *;};\n")
    made = subprocess.run(
        "gcc -O1 -shared -fPIC -Wl,--build-id -Wl,--version-script=%s -o %s %s && strip -o %s %s"
        % (hidden, whole, source, stripped, whole), shell=True)
    if made.returncode:
        return lib.fail("debuginfod", "no library")
    client = os.path.join(lib.work, "d", "debuginfod-find")
    with open(client, "w") as f:
        f.write("#!/bin/sh\nreadelf -n %s | grep -q \"Build ID: $2$\" && echo %s\n"
                % (stripped, whole))
    os.chmod(client, 0o755)
    t = target("3.9", "native", NATIVE, stripped)
    path = os.path.dirname(client) + ":" + os.environ["PATH"]
    recording = Sampled("--debuginfod", "-p", str(t.pid), env=dict(
        os.environ, PATH=path, DEBUGINFOD_URLS="http://127.0.0.1:1/"))
    t.go()
    time.sleep(6)
    s = recording.stop().samples()
    names = s.by(s.native, s.of("calls"))
    ours = {symbol: n for (symbol, path), n in names.items() if path == stripped}
    lib.check("debuginfod: none at first, then leaf", ours.get("", 0) > 100 and
              ours.get("leaf", 0) > 100, ours)
    cases = [
        ("", path, "$DEBUGINFOD_URLS names no server"),
        ("http://127.0.0.1:1/", "/nowhere", "install the package debuginfod"),
    ]
    for command in ("record", "top"):
        for urls, where, words in cases:
            made = lib.pycost(command, "--mode", "sample", "--debuginfod", "-p", t.pid,
                              cwd=lib.work, env=dict(os.environ, PATH=where,
                                                     DEBUGINFOD_URLS=urls))
            said = made.stderr.decode()
            lib.check("debuginfod: %s: %s" % (command, words), made.returncode == 1 and
                      words in said and said.count("\n") == 1,
                      "%d: %s" % (made.returncode, said))


def launched():
    for version in VERSIONS:
        file = lib.script("launched.py", SHARES.replace("sys.stdin.readline()\n", "", 1)
                          .replace("+ 120", "+ 2.5"))
        recording = Sampled("--", *lib.python(version, file))
        s = recording.wait().samples()
        below = sum(n for p, n in s.paths().items() if "main" in p)
        lib.check("launched %s: the command's functions" % version,
                  below > 0.3 * s.total and below > 100, "%d of %d" % (below, s.total))


def everyone():
    version = VERSIONS[0]
    recording = Sampled("--all")
    t = target(version, "late", SHARES)
    t.go()
    time.sleep(3.5)
    s = recording.stop().samples()
    mine = sum(x.count for x in s.of("spin") if s.nodes[x.node].pid == t.pid)
    lib.check("--all: one that came later", mine > RATE / 4, mine)


def recorder_killed():
    version = VERSIONS[-1]
    t = target(version, "killed", SHARES)
    recording = Sampled("-p", str(t.pid))
    t.go()
    time.sleep(2.5)
    recording.process.send_signal(signal.SIGKILL)
    recording.process.wait()
    before = lib.cpu_ns(t.pid)
    time.sleep(0.5)
    lib.check("kill -9: the target runs on", lib.alive(t.pid) and lib.cpu_ns(t.pid) > before)
    s = recording.samples()
    lib.check("kill -9: what was flushed is there", s.total > RATE / 4 and not s.ended, s.total)
    again = Sampled("-p", str(t.pid), "-d", "1")
    lib.check("kill -9: and it can be sampled again", again.wait().samples().total > 50)


def errors():
    sleeper = lib.start("sleep", "60")
    cases = [
        (["--mode", "sample", "--kernel", "-p", "1"], "exact mode", 2),
        (["--mode", "sample", "--no-calibration", "-p", "1"], "exact mode", 2),
        (["--mode", "sample", "--max-threads", "9", "-p", "1"], "exact mode", 2),
        (["--rate", "99", "-p", "1"], "--mode sample", 2),
        (["--debuginfod", "-p", "1"], "--debuginfod needs --mode sample", 2),
        (["--all"], "--mode sample", 2),
        (["--mode", "sample", "--all", "-p", "1"], "--all", 2),
        (["--mode", "sample", "--rate", "10001", "-p", "1"], "10000", 2),
        (["--mode", "sample", "--rate", "9", "--period", "99999", "-p", "1"], "choose one", 2),
        (["--mode", "both", "-p", "1"], "neither", 2),
        (["--mode", "sample"], "say what to record", 2),
        (["--mode", "sample", "-p", str(sleeper.pid)], "not Python", 1),
        (["--mode", "sample", "-p", "999999999"], "no such process", 1),
    ]
    for arguments, words, status in cases:
        made = lib.pycost("record", "-o", os.path.join(lib.work, "never"), *arguments)
        said = made.stderr.decode()
        lib.check("error of %s" % " ".join(arguments[:4]),
                  made.returncode == status and words in said,
                  "%d: %s" % (made.returncode, said))


if __name__ == "__main__":
    lib.run(shares, threads_without_the_gil, forks, idle, states, asyncio_paths, greenlets,
            native_chains, debuginfod, launched, everyone, recorder_killed, errors)
