# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left when the profiler is taken out: work.py's kinds of code, one by one.

The truth needs no profiler: what a kind costs is what a run with it costs more than
a run without it.  In this machine time goes by the instruction, so what cProfile's
clock shows can be compared, as shares of the whole.
"""
import json
import subprocess

from common import COUNTED, check, counted, note, own, percent, python, recorded, recorder, script

# In %, of what a kind costs; the worst that was seen is in ARCHITECTURE.md.
WITHIN = 1
SIZES = {
    "tiny_calls": 4000,
    "one_c_call": 40000,
    "recursion": 30,
    "long_function": 900,
    "generators": 1500,
    "objects": 500,
    "exceptions": 600,
    "closures": 1200,
    "sorting": 1200,
    "encoding": 150,
    "coroutines": 1500,
}


def words(without=None):
    """All of a length, so that the words themselves always cost the same."""
    return ["%06d" % (0 if kind == without else size) for kind, size in SIZES.items()]


def instructions(version, without=None):
    return counted("instructions", python(version, "work.py", *words(without)))


def profiled(version):
    return json.loads(subprocess.check_output(python(version, "profiled.py", *words())))


def recording(version):
    """The report, and what the process's own counter saw meanwhile."""
    command = python(version, "work.py", *words())
    under = (COUNTED, "children", "children")
    found = recorded(version, recorder("--metric", "instructions", "--", *command, under=under))
    with open("children") as children:
        counts = dict(line.split() for line in children)
    return found, int(counts.get(str(found["pids"][0]), -1))


def prove_totals(version, found, own_count, unprobed):
    probed = found["total_raw"]
    check(
        probed == own_count,
        version + " conserved from exec to exit",
        "counted %d, reported %d, %+d" % (own_count, probed, probed - own_count),
    )
    off = percent(found["total"], unprobed)
    check(
        abs(off) < 0.1,
        version + " total",
        "unprobed %d, probed %d (%+.2f %%), corrected %d (%+.3f %%)"
        % (unprobed, probed, percent(probed, unprobed), found["total"], off),
    )


def print_table(version, rows):
    note("%s: what is left when the profiler is taken out, for each kind of code" % version)
    line = "%-14s %12s %7s %9s %8s %9s"
    note(version + ": " + line % ("kind", "instructions", "share", "corrected", "raw", "cProfile"))
    for kind, (truth, share, corrected, raw, profile) in rows.items():
        numbers = ["%d" % truth, "%.1f %%" % share]
        numbers += ["%+.2f %%" % corrected, "%+.1f %%" % raw, "%+.1f %%" % profile]
        note(version + ": " + line % (kind, *numbers))


def prove_time(version):
    """The other metric, of which the probes' own time in the kernel is a part."""
    command = python(version, "work.py", *words())
    unprobed = counted("time", command)
    found = recorded(version, recorder("--metric", "task-clock", "--", *command))
    calibration, off = found["calibration"][0], percent(found["total"], unprobed)
    # What the report itself claims, some percent of probes that cost many times a call.
    claimed = max(10, 100 * calibration["total_error"] * calibration["calls"] / unprobed)
    check(
        abs(off) < claimed,
        version + " time",
        "unprobed %d ns, probed %d (%+.1f %%), corrected %d (%+.2f %%, to be within %.0f %%)"
        % (
            unprobed,
            found["total_raw"],
            percent(found["total_raw"], unprobed),
            found["total"],
            off,
            claimed,
        ),
    )


def prove(version):
    # The first run compiles what the others find.
    instructions(version)
    unprobed = instructions(version)
    truth = {kind: unprobed - instructions(version, kind) for kind in SIZES}
    found, own_count = recording(version)
    seconds = profiled(version)
    none = counted("instructions", python(version, "work.py", *["000000"] * len(SIZES)))
    note("%s: apart %d, together %d" % (version, sum(truth.values()), unprobed - none))
    note("%s: calibration %s" % (version, json.dumps(found["calibration"])))
    prove_totals(version, found, own_count, unprobed)
    seen = own(found, script("work.py"), "cumulative", "cumulative_raw")
    whole, profile = sum(truth.values()), sum(seconds.values())
    rows = {
        kind: (
            cost,
            100 * cost / whole,
            percent(seen[kind][0], cost),
            percent(seen[kind][1], cost),
            percent(seconds[kind] / profile, cost / whole),
        )
        for kind, cost in truth.items()
    }
    print_table(version, rows)
    for kind, row in rows.items():
        check(abs(row[2]) < WITHIN, "%s %s" % (version, kind), "corrected %+.2f %%" % row[2])
    ours, theirs = (max((abs(row[i]), kind) for kind, row in rows.items()) for i in (2, 4))
    check(
        ours[0] < theirs[0],
        version + " against cProfile",
        "its worst is %.1f %% off (%s), ours %.2f %% (%s)" % (*theirs, *ours),
    )
