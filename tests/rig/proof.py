# SPDX-License-Identifier: GPL-2.0-or-later
"""Does pycost say what the instruction counter says?  proof.py CALLS, in the guest.

Truth is counted without pycost, as the difference of whole runs of costs.py.
"""
import json
import os
import subprocess
import sys

PYTHON = "/usr/bin/python3.9"
SCRIPT = "/rig/costs.py"
PYCOST = "/rig/pycost"
calls = int(sys.argv[1])
failed = 0


def check(good, name, text):
    global failed
    failed += not good
    print("%s %s: %s" % ("PASS" if good else "FAIL", name, text), flush=True)


def note(text):
    print("rig: " + text, flush=True)


def command(n_calls, n_numbers):
    return [PYTHON, "-S", SCRIPT, str(n_calls), str(n_numbers)]


def counted(n_calls, n_numbers):
    out = subprocess.check_output(["/rig/instructions", *command(n_calls, n_numbers)])
    return int(out)


def record(n_calls, n_numbers, *options):
    ran = subprocess.run(
        [PYCOST, "record", *options, "-o", "out.pycost", "--", *command(n_calls, n_numbers)],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if ran.returncode or "lost:" in ran.stderr:
        note(ran.stderr)
    return json.loads(subprocess.check_output([PYCOST, "report", "-f", "json", "out.pycost"]))


def own(report, *keys):
    """{function: numbers} of the script's own functions."""
    return {
        f["qualname"]: tuple(f[key] for key in keys)
        for f in report["functions"]
        if f["file"] == SCRIPT
    }


def prove_same():
    record(500, 500, "--no-calibration")  # the first run after a boot differs
    first, second = (record(500, 500, "--no-calibration") for _ in range(2))
    check(
        first["metric"] == "instructions:u" and not first["metric_fallback"],
        "metric",
        first["metric"],
    )
    one, two = (own(report, "calls", "self_raw") for report in (first, second))
    note("script's functions, twice: %s, %s" % (one, two))
    check(one == two and len(one) == 4, "identical", "two runs agree in the script's functions")
    one, two = (
        {(f["file"], f["line"], f["qualname"]): f["self_raw"] for f in report["functions"]}
        for report in (first, second)
    )
    differ = sorted(set(one.items()) ^ set(two.items()))
    note("%d of all %d functions differ %s" % (len(dict(differ)), len(one), differ[:6]))
    return first


def prove_ratio():
    base = counted(calls, 1000)
    assert base == counted(calls, 1000), "the counter itself is not repeatable"
    many = counted(2 * calls, 1000) - base
    each = (counted(calls, 201000) - base) / 200000
    numbers = round(many / each)
    total = counted(calls, numbers)
    one = total - counted(calls, 0)
    note("truth: an empty call %.2f, a number %.2f instructions" % (many / calls, each))
    note("truth: many_empty_calls %d, one_c_call %d, whole run %d" % (many, one, total))

    report = record(calls, numbers)
    calibration = report["calibration"][0]
    note("calibration: " + json.dumps(calibration))
    seen = own(report, "calls", "self", "self_raw", "cumulative", "cumulative_raw")
    for name, numbers_seen in seen.items():
        note("%s: calls %d, self %d, raw %d, cumulative %d, raw %d" % (name, *numbers_seen))
    check(seen["empty"][0] == calls, "calls", "empty called %d times" % seen["empty"][0])
    truth = many / one
    corrected = seen["many_empty_calls"][3] / seen["one_c_call"][3]
    raw = seen["many_empty_calls"][4] / seen["one_c_call"][4]
    check(
        abs(corrected / truth - 1) < 0.10,
        "ratio",
        "truth %.4f, corrected %.4f, raw %.4f" % (truth, corrected, raw),
    )
    off = seen["many_empty_calls"][3] / many - 1
    check(abs(off) < 0.10, "calls' cost", "corrected is off the truth by %+.2f %%" % (100 * off))
    off = seen["one_c_call"][3] / one - 1
    check(abs(off) < 0.01, "C's cost", "corrected is off the truth by %+.3f %%" % (100 * off))
    off = report["total"] / total - 1
    note(
        "whole run: unprobed %d, corrected %d (%+.2f %%), raw %d (%+.2f %%)"
        % (total, report["total"], 100 * off, report["total_raw"], 100 * (report["total_raw"] / total - 1))
    )
    check(abs(off) < 0.10, "total", "corrected is off the unprobed run by %+.2f %%" % (100 * off))


prove_same()
prove_ratio()
sys.exit(failed != 0)
