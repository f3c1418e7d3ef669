# SPDX-License-Identifier: GPL-2.0-or-later
"""Do samples find what is there?

The emulated PMU is to interrupt after so many user instructions, but QEMU sees that only
at the next change between user and kernel mode: as late as a tick of the clock.  So
there are more ticks here, and how late interrupts come is counted, not assumed.
The truth is the process's own counter, read between the kinds of code, in the very run
that is sampled: a sample costs it no instruction.

Where many names are new there are some fifty samples too many, whatever the length of the
run: most likely as such a sample wakes the recorder, whose own instructions, on the same
CPU and counter, then bring the next one forward.
"""
import collections
import json
import os
import subprocess

from common import COUNTED, OUTPUT, check, counted, python, recorded, recorder
from same import SIZES as SMALL
from samples import Samples
from stopped import Recording, stopped
from table import SIZES

PERIOD = 50021
# In nanoseconds.  An instruction takes 8 of them, and most of the kernel's are of ticks.
TICK_NS = 50000
TICK = TICK_NS // 8
OPTIONS = ("--mode", "sample", "--metric", "instructions", "--period", str(PERIOD))
TURNS = 40000
WORKERS = {"in_main", "in_child", "in_thread_child"}


# In this order: the last one forbids to set the other.
SYSCTLS = (("perf_event_max_sample_rate", 10 ** 6), ("perf_cpu_time_max_percent", 0))


class Ticks:
    """Interrupts, as long as it is entered; the kernel has no say in how many."""

    def __enter__(self):
        for name, value in SYSCTLS:
            with open("/proc/sys/kernel/" + name, "w") as file:
                file.write(str(value))
        self.process = subprocess.Popen(
            [COUNTED, "ticks", str(TICK_NS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        check(self.process.stdout.readline() == b"1\n", "ticks", "each %d ns" % TICK_NS)

    def __exit__(self, *what):
        self.process.stdin.close()
        self.process.wait()
        with open("/proc/sys/kernel/perf_cpu_time_max_percent", "w") as file:
            file.write("25")


def allowed(periods, of):
    """Four standard errors of so many periods of all, and an interrupt that comes late."""
    return 4 * (periods * max(0, 1 - periods / of)) ** 0.5 + 1 + TICK / PERIOD


def near(name, samples, took, of):
    periods = took / PERIOD
    within = allowed(periods, of)
    check(
        abs(samples - periods) <= within,
        name,
        "%d instructions are %.1f periods: %d samples (%+.1f, to be within %.1f)"
        % (took, periods, samples, samples - periods, within),
    )


def prove_walked(name, report):
    """Samples met while the interpreter changes its frames have no path, and are few."""
    unwalked = report["losses"].get("unwalked", 0)
    check(
        unwalked <= 0.005 * report["samples"],
        name + " walked",
        "%d of %d samples without a path" % (unwalked, report["samples"]),
    )


def prove_interrupts(version):
    command = python(version, "work.py", *SIZES.values())
    took = counted("instructions", command)
    said = subprocess.check_output([COUNTED, "fixed", COUNTED, "late", str(PERIOD), *command])
    n, kernel, mean, most = map(int, said.split())
    check(
        abs(n - took / PERIOD) <= 1 and 0 < mean < most < TICK,
        version + " interrupts",
        "%d of %.1f, %d came in kernel mode; late by %d instructions, at most by %d"
        % (n, took / PERIOD, kernel, mean, most),
    )


class Sampled:
    """What a recording has of some processes, by the word of its file."""

    def __init__(self, *pids):
        self.all = Samples(OUTPUT)
        self.samples = [s for s in self.all.samples if self.all.nodes[s.node].pid in pids]
        self.total = sum(s.count for s in self.samples)

    def functions(self, node):
        """(file, qualified name) on the way to a node, outermost first."""
        found = []
        while node:
            parent, function = self.all.nodes[node][:2]
            if function:
                f = self.all.functions[function]
                found.append((os.path.basename(f.file), f.qualname))
            node = parent
        return found[::-1]

    def leaves(self):
        """Samples, each with the function that it is in."""
        for s in self.samples:
            path = self.functions(s.node)
            if path:
                yield s, path[-1]

    def paths_to(self, name):
        return self.all.by(
            lambda s: self.all.path(s.node),
            [s for s, (_, qualname) in self.leaves() if qualname == name],
        )


def prove_kinds(version, found, took, kinds):
    seen = collections.Counter()
    for s in found.samples:
        for file, name in set(found.functions(s.node)):
            seen[name] += s.count if file == "work.py" else 0
    near(version + " samples", found.total, took, float("inf"))
    for kind, cost in kinds.items():
        near("%s sampled %s" % (version, kind), seen[kind], cost, took / PERIOD)


def prove_edges(version, found, report):
    """No path has a call in it that the exact mode never saw."""
    names = {f["id"]: (os.path.basename(f["file"]), f["qualname"]) for f in report["functions"]}
    known = {(names[e["caller"]], names[e["callee"]]) for e in report["edges"]}
    seen = collections.Counter()
    for s in found.samples:
        path = found.functions(s.node)
        # What comes last is not work.
        for edge in set(zip(path, path[1:])) if ("in_turn.py", "tell") not in path else ():
            seen[edge] += s.count
    never = {edge: n for edge, n in seen.items() if edge not in known}
    check(
        len(seen) > 25 and not never,
        version + " sampled calls",
        "%d pairs of caller and callee, the exact mode has %d: %d that it has not %s"
        % (len(seen), len(known), len(never), never),
    )
    outermost = collections.Counter()
    for s in found.samples:
        outermost[tuple(found.functions(s.node)[:1])] += s.count
    whole = {(("rounds.py", "<module>"),), ()}
    check(
        set(outermost) <= whole and outermost[()] <= 0.02 * found.total,
        version + " sampled outermost",
        "%s" % dict(outermost),
    )


def prove_places(version, found, path):
    """Lines and opcodes are of the function that was running."""
    with open(os.path.join(path, "codes.json")) as file:
        codes = json.load(file)
    counts = collections.Counter()
    strange = collections.Counter()
    for s, (file, name) in found.leaves():
        if file != "work.py":
            continue
        lines, opcodes = codes[name]
        counts["all"] += s.count
        if not s.line and s.opcode is None:
            counts["not begun"] += s.count
        elif s.line not in lines or s.opcode not in opcodes:
            strange[name, s.line, s.opcode] += s.count
    check(
        counts["all"] > 500 and counts["not begun"] <= 0.05 * counts["all"]
        and sum(strange.values()) <= 0.01 * counts["all"],
        version + " sampled places",
        "%d samples, %d of calls that have not begun; not on a line and at an opcode of "
        "their function: %s" % (counts["all"], counts["not begun"], dict(strange)),
    )


def family(version):
    """natively.py and its children, from exec to exit."""
    command = python(version, "natively.py", TURNS)
    under = (COUNTED, "children", "children")
    report = recorded(version + " family", recorder(*OPTIONS, "--", *command, under=under))
    with open("children") as children:
        counts = dict(map(int, line.split()) for line in children)
    found = Sampled(*report["pids"])
    prove_walked(version + " family", report)
    near(version + " family", found.total, counts.get(report["pids"][0], 0), float("inf"))
    check(len(report["pids"]) == 3, version + " children", "processes %s" % report["pids"])
    return found


def prove_threads(version):
    """Threads that run C code without the interpreter's lock, and children of any thread."""
    with Ticks():
        found = family(version)
    sums, paths = found.paths_to("sums"), found.paths_to("turns")
    natives = found.all.by(found.all.native, [s for s, f in found.leaves() if f[1] == "sums"])
    zlib = sum(n for (symbol, file), n in natives.items() if "adler32" in symbol and "libz" in file)
    check(
        zlib > 0.95 * sum(sums.values()) > 50 and all(p[-2] == "in_thread" for p in sums),
        version + " C code without the lock",
        "%s in %s" % (dict(sums), dict(natives)),
    )
    callers = {p[-2]: n for p, n in paths.items()}
    each = sum(callers.values()) / 3
    off = max(abs(callers.get(who, 0) - each) for who in WORKERS)
    check(
        set(callers) == WORKERS and len(paths) == 3 and off <= allowed(each, 3 * each),
        version + " children of threads",
        "the same work, %s samples; paths %s" % (callers, [" > ".join(p) for p in paths]),
    )


def prove(versions):
    exactly = [stopped(v, exact=("in_turn", *SMALL))["exact"] for v in versions]
    with Recording("exact", exactly, "--no-calibration", "--metric", "instructions") as exact:
        for process in exactly:
            for _ in SIZES:
                exact.round(process)
    kinds = {}
    targets = [stopped(v, turns=("in_turn", *SIZES.values()))["turns"] for v in versions]
    with Ticks():
        for version in versions:
            prove_interrupts(version)
        with Recording("sampled", targets, *OPTIONS) as recording:
            for version, process in zip(versions, targets):
                kinds[version] = {kind: recording.round(process) for kind in SIZES}
                recording.round(process)  # in_turn.py has more to say
    report = recording.report
    check(
        (report["mode"], report["metric"], report["period"], report["metric_fallback"])
        == ("sampled", "instructions:u", PERIOD, False),
        "sampled by",
        "one in %d %s, %d samples" % (report["period"], report["metric"], report["samples"]),
    )
    prove_walked("sampled", report)
    for version, process in zip(versions, targets):
        found = Sampled(process.pid)
        prove_kinds(version, found, recording.took[process.pid], kinds[version])
        prove_edges(version, found, exact.report)
        prove_places(version, found, os.path.dirname(process.path))
    for version in versions:
        prove_threads(version)

