# SPDX-License-Identifier: GPL-2.0-or-later
"""Does pycost say what the counter says?  proof.py CALLS, in the guest.

Truth is counted without pycost, as the difference of whole runs of costs.py.
"""
import json
import subprocess
import sys

PYTHON = "/usr/bin/python3.9"
SCRIPT = "/rig/costs.py"
PYCOST = "/rig/pycost"
COUNTED = "/rig/counted"
failed = 0


def check(good, name, text):
    global failed
    failed += not good
    print("%s %s: %s" % ("PASS" if good else "FAIL", name, text), flush=True)


def note(text):
    print("rig: " + text, flush=True)


def command(calls, numbers):
    return [PYTHON, "-S", SCRIPT, str(calls), str(numbers)]


def counted(what, *words):
    return int(subprocess.check_output([COUNTED, what, *words]))


def record(calls, numbers, *options):
    ran = subprocess.run(
        [PYCOST, "record", *options, "-o", "out.pycost", "--", *command(calls, numbers)],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if ran.returncode or "lost:" in ran.stderr:
        check(False, "record", " ".join(ran.stderr.split()))
    return json.loads(subprocess.check_output([PYCOST, "report", "-f", "json", "out.pycost"]))


def own(report, *keys):
    """{function: numbers} of the script's own functions."""
    return {
        f["qualname"]: tuple(f[key] for key in keys)
        for f in report["functions"]
        if f["file"] == SCRIPT
    }


def percent(value, truth):
    return 100 * (value / truth - 1)


def prove_counter():
    one, two = (counted("instructions", COUNTED, "loop", str(n)) for n in (10 ** 6, 2 * 10 ** 6))
    check(two - one == 2 * 10 ** 6, "counter", "a million turns of two: %d" % (two - one))


def prove_same():
    record(500, 500, "--no-calibration")  # the first run after a boot differs
    first, second = (record(500, 500, "--no-calibration") for _ in range(2))
    check(
        first["metric"] == "instructions:u" and not first["metric_fallback"],
        "metric",
        first["metric"],
    )
    one, two = (own(report, "calls", "self_raw") for report in (first, second))
    note("calls and raw self, twice: %s %s" % (one, two))
    check(one == two and len(one) == 4, "identical", "two runs agree in the script's functions")
    one, two = (
        {(f["file"], f["line"], f["qualname"]): f["self_raw"] for f in report["functions"]}
        for report in (first, second)
    )
    differ = sorted(name for name in one if one[name] != two.get(name))
    note("of all %d functions %d differ: %s" % (len(one), len(differ), differ[:6]))


def added(report):
    calibration = report["calibration"][0]
    return calibration["entry"] + calibration["exit"]


def prove_costs(what, calls, *options):
    base = counted(what, *command(calls, 1000))
    many = counted(what, *command(2 * calls, 1000)) - base
    each = (counted(what, *command(calls, 201000)) - base) / 200000
    numbers = round(many / each)
    total = counted(what, *command(calls, numbers))
    one = total - counted(what, *command(calls, 0))
    note("%s: an empty call %.2f, a number %.2f" % (what, many / calls, each))

    report = record(calls, numbers, *options)
    note("%s: calibration %s" % (what, json.dumps(report["calibration"][0])))
    seen = own(report, "calls", "self", "self_raw", "cumulative", "cumulative_raw")
    for name, values in seen.items():
        note("%s: %s: calls %d, self %d (raw %d), cumulative %d (raw %d)" % (what, name, *values))
    check(seen["empty"][0] == calls, what + " calls", "empty called %d times" % seen["empty"][0])
    _, _, _, many_seen, many_raw = seen["many_empty_calls"]
    _, _, _, one_seen, one_raw = seen["one_c_call"]
    # What the report itself claims: nothing for instructions, some percent for time,
    # of probes that cost many times an empty call.
    claimed = report["calibration"][0]["total_error"] * calls / many
    within = max(10, 100 * claimed)
    note("%s: a probed call adds %.2f, by calibration %.2f" % (what, (many_raw - many) / calls, added(report)))
    check(
        abs(percent(many_seen / one_seen, many / one)) < within,
        what + " ratio",
        "truth %.4f, corrected %.4f, raw %.4f, to be right within %.0f %%"
        % (many / one, many_seen / one_seen, many_raw / one_raw, within),
    )
    for name, value, raw, truth in (
        ("many_empty_calls", many_seen, many_raw, many),
        ("one_c_call", one_seen, one_raw, one),
    ):
        off = percent(value, truth)
        check(
            abs(off) < within,
            "%s %s" % (what, name),
            "truth %d, corrected %d (%+.2f %%), raw %d (%+.2f %%)"
            % (truth, value, off, raw, percent(raw, truth)),
        )
    # Before the first call and after the last no probe fires: of that part of the
    # process a shorter run tells the size, corrected by the same calibration.
    short = record(500, 1000, "--no-calibration", *options)
    short_calls = sum(f["calls"] for f in short["functions"])
    unseen = counted(what, *command(500, 1000)) - (short["total_raw"] - short_calls * added(report))
    off = percent(report["total"] + unseen, total)
    check(
        abs(off) < within,
        what + " total",
        "unprobed %d, corrected %d + %d before the first call (%+.2f %%)"
        % (total, report["total"], unseen, off),
    )


calls = int(sys.argv[1])
prove_counter()
prove_same()
prove_costs("instructions", calls)
prove_costs("time", calls // 2, "--metric", "task-clock")
sys.exit(failed != 0)
