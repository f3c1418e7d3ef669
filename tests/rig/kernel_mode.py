# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the column of kernel mode right?  kernel_mode.py CALLS, in the guest.

kernel_mode.py run ASKS READS TURNS CALLS is what it measures.  Truth is counted
without pycost: by how much the kernel's instructions of a whole run grow when one
of these numbers doubles.  The clock's interrupts are in the truth, too.
"""
import json
import os
import subprocess
import sys

PYTHON = "/usr/bin/python3.9"
PYCOST = "/rig/pycost"
COUNTED = "/rig/counted"
SCRIPT = os.path.abspath(__file__)
failed = 0
INTERRUPTS = 0.015


# ---- what is measured ----
def asks(n):
    for _ in range(n):
        os.getppid()


def reads(n):
    zero = os.open("/dev/zero", os.O_RDONLY)
    for _ in range(n):
        os.read(zero, 4096)
    os.close(zero)


def turns(n):
    a = 0
    for i in range(n):
        a += i & 3
    return a


def empty():
    pass


def many_empty_calls(n):
    for _ in range(n):
        empty()


FUNCTIONS = (asks, reads, turns, many_empty_calls)


# ---- the check ----
def check(good, name, text):
    global failed
    failed += not good
    print("%s kernel %s: %s" % ("PASS" if good else "FAIL", name, text), flush=True)


def note(text):
    print("rig: kernel: " + text, flush=True)


def command(numbers):
    return [PYTHON, "-S", SCRIPT, "run", *map(str, numbers)]


def counted(what, numbers):
    return int(subprocess.check_output([COUNTED, what, *command(numbers)]))


def doubled(numbers, i):
    return numbers[:i] + (2 * numbers[i],) + numbers[i + 1 :]


def median(values):
    return sorted(values)[len(values) // 2]


def truths(what, numbers):
    """By how much each number, doubled, raises the count of the whole run."""
    counted(what, numbers)  # the first one reads from disk
    base = median([counted(what, numbers) for _ in range(3)])
    return [counted(what, doubled(numbers, i)) - base for i in range(len(numbers))]


def record(numbers, *options):
    ran = subprocess.run(
        [PYCOST, "record", *options, "-o", "kernel.pycost", "--", *command(numbers)],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if ran.returncode or "lost:" in ran.stderr:
        check(False, "record", " ".join(ran.stderr.split()))
    return json.loads(subprocess.check_output([PYCOST, "report", "-f", "json", "kernel.pycost"]))


def own(report):
    return {f["qualname"]: f for f in report["functions"] if f["file"] == SCRIPT}


def near(name, value, truth, within, text=""):
    check(
        abs(value - truth) < within,
        name,
        "truth %d, seen %d (%+.2f %%), to be right within %d%s"
        % (truth, value, 100 * (value / truth - 1), within, text),
    )


def prove(calls):
    numbers = (calls, calls // 4, 2 * calls, calls)
    truth = dict(zip((f.__name__ for f in FUNCTIONS), truths("kernel", numbers)))
    report = record(numbers, "--kernel")
    check(report["kernel_metric"] == "instructions:k", "metric", report["kernel_metric"])
    calibration = report["calibration"][0]
    note("calibration %s" % {k: round(v, 4) for k, v in calibration.items() if "kernel" in k})
    seen = own(report)
    for name, f in sorted(seen.items()):
        note(
            "%s: calls %d, self %d, kernel %d (raw %d, +- %.0f)"
            % (name, f["calls"], f["self"], f["kernel_self"], f["kernel_self_raw"], f["kernel_self_error"])
        )
    for name in truth:
        f = seen[name]
        # Ticks of the clock come as they like, at about this share of what runs.
        ticks = INTERRUPTS * (f["cumulative"] + truth[name])
        error = f["kernel_cumulative_error"]
        text = ", by the report's own error %d" % error if f["cumulative"] > f["self"] else ""
        near(name, f["kernel_cumulative"], truth[name], ticks + error, text)
    whole = sum(f["kernel_self"] for f in report["functions"]) + report["outside"]["kernel_self"]
    check(whole == report["kernel_total"], "sum", "%d of %d" % (whole, report["kernel_total"]))
    # From the exec on, as the counter is: the interpreter's start and end are in both.
    total = counted("kernel", numbers)
    error = calibration["kernel_total_error"] * sum(f["calls"] for f in report["functions"])
    near("total", report["kernel_total"], total, INTERRUPTS * (report["total"] + total) + error)


def prove_off(calls):
    """Without --kernel there is nothing of it."""
    report = record((calls,) * 4, "--no-calibration")
    keys = {key for f in report["functions"] for key in f} | set(report)
    check(not any(key.startswith("kernel_") for key in keys), "off", "no such key in the report")


if sys.argv[1] == "run":
    for function, number in zip(FUNCTIONS, sys.argv[2:]):
        function(int(number))
else:
    prove(int(sys.argv[1]))
    prove_off(100)
    sys.exit(failed != 0)
