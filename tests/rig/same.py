# SPDX-License-Identifier: GPL-2.0-or-later
"""Are the counts the same every time, do they add up, and do they show a change?

One recording of many processes answers all, as starting one takes long here.
"""
import json
import subprocess

from common import COUNTED, check, counted, note, own, percent, report
from stopped import Recording, stopped

# Of each kind in work.py.
SIZES = (300, 3000, 3, 90, 100, 40, 30, 60, 50, 20, 50)
ENCODED, AWAITED = SIZES[9], SIZES[10]
# Generators and coroutines that its functions make, as its text says.
MAKES = {
    "generators": 3,
    "closures": 1,
    "encoded": ENCODED,
    "coroutines": 1,
    "task": AWAITED,
    "fetch": AWAITED,
}
# Of planted.py: no more digits, as all is the same but the turns.
TURNS, PLANTED = 10, 30
# Of workers.py: those that take no memory, and one that does.
EXACT, TAKING = ("parse", "price"), "store"


def prove_counter():
    one, two = (counted("instructions", [COUNTED, "loop", str(n)]) for n in (10 ** 6, 2 * 10 ** 6))
    check(two - one == 2 * 10 ** 6, "counter", "a million turns of two: %d" % (two - one))


class Suite:
    """The processes of one Python."""

    def __init__(self, version, full):
        self.version = version
        words = dict.fromkeys(("run1", "run2"), ("work", *SIZES))
        words.update(turns10=("planted", TURNS), turns40=("planted", TURNS + PLANTED))
        if full:
            words.update(busy=words["run1"], family=("family", 200))
            words.update(alone=("workers", 0), threads=("workers", 1))
        self.all = stopped(version, **words)

    def run(self, recording):
        for name, process in self.all.items():
            if name == "busy":
                self.competed = beside_a_loop(recording, process)
            else:
                recording.round(process)

    def prove(self, recording):
        found, version = recording.report, self.version
        rows = {
            name: own(found, process.path, "calls", "self_raw")
            for name, process in self.all.items()
        }
        prove_identical(version + " identical", "two runs", rows["run1"], rows["run2"], 40)
        tell(version, found, self.all["run1"].path, rows["run1"])
        prove_planted(version, found, self.all["turns10"], self.all["turns40"])
        prove_conserved(recording, self.all.values())
        if "busy" not in rows:
            return
        check(self.competed, version + " competitor", "ran all the while")
        prove_identical(
            version + " beside it",
            "a run beside a process that never sleeps",
            rows["run1"],
            rows["busy"],
            40,
        )
        prove_threads(version, rows["alone"], rows["threads"])


def beside_a_loop(recording, process):
    loop = subprocess.Popen([COUNTED, "loop", str(10 ** 15)])
    try:
        recording.round(process)
        return loop.poll() is None
    finally:
        loop.kill()
        loop.wait()


def prove_identical(name, what, one, two, least):
    differ = sorted(f for f in {**one, **two} if one.get(f) != two.get(f) or not one.get(f))
    check(
        not differ and len(one) >= least,
        name,
        "%s: calls and raw self of %d functions, %d differ %s"
        % (what, len(one), len(differ), [(f, one.get(f), two.get(f)) for f in differ]),
    )


def tell(version, found, path, rows):
    """For the comparison with other kernels: each function's calls, raw self, and the
    probes in it, which are its entries and the returns of all that it calls.

    3.15 enters once more when a generator or coroutine is made, in its maker, and
    returns once more, from a frame of its own, when a class has called __init__.
    """
    names = {f["id"]: f["qualname"] for f in found["functions"] if f["file"] == path}
    probes = {f: calls for f, (calls, _) in rows.items()}
    for edge in found["edges"]:
        caller, callee = (names.get(edge[end]) for end in ("caller", "callee"))
        if caller:
            shim = version != "3.9" and callee and callee.endswith(".__init__")
            probes[caller] += edge["calls"] * (2 if shim else 1)
    if version != "3.9":
        for maker, made in MAKES.items():
            probes[maker] += made
    note("same %s %s" % (version, json.dumps({f: [*row, probes[f]] for f, row in rows.items()})))


def prove_planted(version, found, base, more):
    """More turns of one loop, whose cost is known without a probe."""
    truth = more.unprobed - base.unprobed
    one, two = (own(found, p.path, "self_raw", "cumulative_raw") for p in (base, more))
    moved = {name: two[name][0] - one[name][0] for name in one}
    callers = {name: two[name][1] - one[name][1] for name in ("middle", "outer", "main")}
    check(
        moved["turns"] == truth and set(callers.values()) == {truth},
        version + " planted",
        "%d turns more cost %d unprobed, %d in self, %s in the callers' cumulative"
        % (PLANTED, truth, moved["turns"], callers),
    )
    others = {
        name: percent(two[name][0], one[name][0]) for name in one if name != "turns" and moved[name]
    }
    check(
        set(one) == set(two) and all(abs(off) < 0.01 for off in others.values()),
        version + " planted elsewhere",
        "of %d other functions moved, in %%: %s" % (len(one) - 1, others),
    )


def prove_threads(version, alone, threads):
    what = "threads that wait for each other, against one that does the same work"
    one, two = ({name: rows.get(name) for name in EXACT} for rows in (alone, threads))
    prove_identical(version + " threads", what, one, two, len(EXACT))
    # Where the next free block is, is for all that took memory before to say.
    one, two = (rows.get(TAKING, (0, 1)) for rows in (alone, threads))
    off = percent(two[1], one[1])
    check(
        one[0] == two[0] > 0 and abs(off) < 0.05,
        version + " threads taking memory",
        "%s: %d calls, raw self %d alone, %d among threads (%+.4f %%)"
        % (TAKING, one[0], one[1], two[1], off),
    )


def prove_conserved(recording, processes):
    """All that the counter saw is in the report, and nothing else."""
    for process in processes:
        family = {process.pid}
        for p in recording.report["processes"]:
            if p["ppid"] in family:
                family.add(p["pid"])
        took, told = recording.took[process.pid], [report("--pid", str(pid)) for pid in family]
        functions = sum(f["self_raw"] for r in told for f in r["functions"])
        outside = sum(r["outside"]["self_raw"] for r in told)
        total = sum(r["total_raw"] for r in told)
        check(
            took == total == functions + outside,
            process.name + " conserved",
            "counted %d, reported %d, %+d; of it outside any function %d; processes %d"
            % (took, total, total - took, outside, len(family)),
        )


def prove(versions, full):
    prove_counter()
    suites = [Suite(version, full) for version in versions]
    processes = [process for suite in suites for process in suite.all.values()]
    with Recording("all", processes, "--no-calibration", "--metric", "instructions") as recording:
        for suite in suites:
            suite.run(recording)
    for suite in suites:
        suite.prove(recording)
