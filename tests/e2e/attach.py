#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attaching to what runs at full speed, again and again; and dying in the middle."""
import collections
import glob
import json
import os
import signal
import subprocess
import threading
import time

import lib

TIMES = int(os.environ.get("PYCOST_TEST_ATTACHES", "100"))

# burn.py's calls, for a program as it is.
POSSIBLE = {
    ("main", "burn"), ("burn", "burst_of_empty"), ("burn", "report"),
    ("burst_of_empty", "empty"), ("<module>", "main"), ("report", "say"),
    ("report", "dumps"), ("dumps", "__init__"), ("dumps", "encode"),
    ("encode", "iterencode"), ("burst", "f00000"), ("burn", "burst"),
}

FORKER = """
import os, sys, time
sys.path.insert(0, %r)
import protocol

def work(): pass

def main():
    options = protocol.parser("").parse_args()
    protocol.ready(options)
    protocol.start(options)
    pid = os.fork()
    if not pid:
        protocol.say("CHILD %%d" %% os.getpid())
        while True:
            for _ in range(1000): work()
            time.sleep(0.01)
    while True:
        work()

main()
""" % lib.ORACLE


def edges_of(report):
    """Pairs of names with the costs of calls in them; the JSON module's are its own."""
    names = report.functions
    return {(names[e["caller"]]["name"], names[e["callee"]]["name"])
            for e in report.json["edges"]
            if "json" not in names[e["caller"]]["module"]}


def orphans():
    """BPF programs like pycost's that no process holds: left behind by one."""
    told = subprocess.run(["bpftool", "-j", "prog", "show"], stdout=subprocess.PIPE)
    ours = {p["id"] for p in json.loads(told.stdout or "[]")
            if p.get("name") in ("on_entry", "on_return", "on_switch", "on_fork", "on_exec",
                                 "on_exit", "survey_entry", "survey_return")}
    held = set()
    for file in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(file) as info:
                held |= {int(line.split()[1]) for line in info if line.startswith("prog_id:")}
        except (OSError, ValueError):
            pass
    return ours - held


def no_orphans(title):
    try:
        # The kernel takes its time to forget a probe.
        lib.until(lambda: not orphans(), "no orphan", 20)
        lib.ok(title)
    except TimeoutError:
        lib.fail(title, orphans())


def loop(version, target, seen):
    """Attaches and detaches; what each recording has wrong goes into seen."""
    for _ in range(TIMES // len(lib.PYTHONS)):
        recording = lib.Recording.of(target.pid)
        cpu = lib.cpu_ns(target.pid)
        time.sleep(0.3)
        cpu = lib.cpu_ns(target.pid) - cpu
        try:
            report = recording.stop().report()
        except AssertionError as error:
            seen["failed"].append(str(error))
            continue
        seen["impossible"] += edges_of(report) - POSSIBLE
        calls = report.calls("empty")
        # On a crowded machine the target may not run for a while.
        if not calls and cpu > 10_000_000:
            seen["empty"].append("%.3f s of CPU: %s" % (cpu / 1e9, recording.said()))
        if report.losses:
            seen["lost"].append(report.losses)
        for edge in report.json["edges"]:
            pair = [report.functions[edge[end]]["name"] for end in ("caller", "callee")]
            if pair == ["burst_of_empty", "empty"] and edge["calls"] != calls:
                seen["impossible"].append((*pair, "%d of %d" % (edge["calls"], calls)))


def attach_often():
    """In mid-flight a hundred times: possible trees, and nothing left behind."""
    targets = {v: lib.Target(v, "burn.py", wait=False) for v in lib.PYTHONS}
    progress = {v: [json.loads(t.line())] for v, t in targets.items()}
    seen = {v: collections.defaultdict(list) for v in targets}
    # One recorder for each, as most of the time is the kernel's own waiting.
    loops = [threading.Thread(target=loop, args=(v, t, seen[v])) for v, t in targets.items()]
    for one in loops:
        one.start()
    for one in loops:
        one.join()
    for version, target in targets.items():
        title = "attach %s: %d times at full speed: " % (version, TIMES // len(targets))
        wrong = seen[version]
        lib.check(title + "no recording failed", not wrong["failed"], wrong["failed"][:3])
        lib.check(title + "each has calls", not wrong["empty"],
                  "%d have none: %s" % (len(wrong["empty"]), wrong["empty"][:3]))
        lib.check(title + "no impossible edge", not wrong["impossible"],
                  sorted(set(wrong["impossible"]), key=str))
        lib.check(title + "nothing lost", not wrong["lost"], wrong["lost"][:3])
        lib.check(title + "semaphores are back to 0", lib.probes_off(target.pid),
                  lib.semaphores(target.pid))
        target.process.terminate()
        last = json.loads(target.line())
        while not last.get("total"):
            progress[version].append(last)
            last = json.loads(target.line())
        beats = progress[version]
        silent = [b["elapsed"] - a["elapsed"] for a, b in zip(beats, beats[1:])
                  if b["calls"] == a["calls"]]
        lib.check(title + "the target went on all the time", not silent, silent)
    no_orphans("attach: no program is left")


def killed():
    """kill -9 of the recorder: all probes off, and a file up to the last flush."""
    for version in lib.PYTHONS:
        target = lib.Target(version, lib.script("forker.py", FORKER))
        recording = lib.Recording.of(target.pid)
        target.go()
        child = int(target.line().split()[1])
        lib.until(lambda: lib.probes_on(child), "the child's probes")
        time.sleep(2.5)  # two flushes
        recording.process.send_signal(signal.SIGKILL)
        recording.process.wait()
        title = "kill -9 %s: " % version
        for who, pid in ("target", target.pid), ("child", child):
            try:
                lib.until(lambda: lib.probes_off(pid), "off", 10)
                lib.ok(title + "the %s's semaphores are back to 0" % who)
            except TimeoutError:
                lib.fail(title + "the %s's semaphores are back to 0" % who,
                         lib.semaphores(pid))
            cpu = lib.cpu_ns(pid)
            time.sleep(0.2)
            lib.check(title + "the %s goes on" % who,
                      lib.alive(pid) and lib.cpu_ns(pid) > cpu)
        no_orphans(title + "no program is left")
        report = recording.report()
        lib.check(title + "the recording is told as incomplete",
                  not report.json["complete"] and "incomplete" in report.warned,
                  report.warned)
        lib.check(title + "it holds the calls up to its last flush",
                  report.calls("work") > 1000 and len(report.json["pids"]) == 2,
                  "%d calls in %s" % (report.calls("work"), report.json["pids"]))
        again = lib.Recording.of(target.pid)
        time.sleep(0.3)
        lib.check(title + "another recorder can attach",
                  again.stop().report().calls("work") > 0)
        os.kill(child, signal.SIGKILL)


def duration():
    """-d S is S seconds of measurement, however long attaching took."""
    for version in lib.PYTHONS:
        target = lib.Target(version, "burn.py", "--calls-per-second", "10000", wait=False)
        target.line()
        file = os.path.join(lib.work, "duration.pycost")
        lib.pycost("record", "-p", target.pid, "-d", "1", "-o", file)
        calls = lib.Report(file).calls("empty")
        lib.check("duration %s: a second of calls" % version, 7000 < calls < 13000,
                  "%d calls of about 10,000" % calls)
        target.process.terminate()


def two_recorders():
    """Both count the same calls of the same process."""
    for version in lib.PYTHONS:
        target = lib.Target(version, "constructs.py", "--only", "recursion")
        one, two = lib.Recording.of(target.pid), lib.Recording.of(target.pid)
        target.done()
        got = [r.stop().report().calls("fib") for r in (one, two)]
        lib.equal("two recorders %s" % version, got, [1973, 1973])
        lib.check("two recorders %s: semaphores" % version, lib.probes_off(target.pid),
                  lib.semaphores(target.pid))


if __name__ == "__main__":
    lib.run(attach_often, duration, killed, two_recorders)
