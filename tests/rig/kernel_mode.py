# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the column of kernel mode right?  kernel_mode.py CALLS PYTHON..., in the guest.

`kernel_mode.py run` and a number for each of FUNCTIONS is what it measures.  Truth
is counted without pycost: by how much the kernel's instructions of a whole run grow
when one of these numbers doubles.  The clock's interrupts are in the truth, too.
"""
import os
import sys

# Ticks of the clock come as they like, at about this share of what runs.
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


class Box:
    def __init__(self):
        pass


def boxes(n):
    """On 3.15 one more return for each."""
    for _ in range(n):
        Box()


def one():
    yield


def generators(n):
    """On 3.15 one more entry for each."""
    for _ in range(n):
        for _ in one():
            pass


FUNCTIONS = (asks, reads, turns, many_empty_calls, boxes, generators)


# ---- the check ----
RUNS = 3


def interrupts(instructions):
    """The clock's, of so many instructions: in truth and in the report alike, but not the same."""
    return 2 * INTERRUPTS * abs(instructions)


def counts(command):
    """The median of some runs, and how far they are apart: interrupts come as they like."""
    values = sorted(counted("kernel", command) for _ in range(RUNS))
    return values[RUNS // 2], values[-1] - values[0]


def truths(command, numbers):
    """By how much each number, doubled, raises the count of the whole run, and how far
    that is out at most."""
    counted("kernel", command(numbers))  # the first one reads from disk
    base, scatter = counts(command(numbers))
    truth = {}
    for i, function in enumerate(FUNCTIONS):
        count, apart = counts(command(numbers[:i] + (2 * numbers[i],) + numbers[i + 1 :]))
        truth[function.__name__] = (count - base, scatter + apart)
    return truth


def near(name, value, truth, within, text=""):
    check(
        abs(value - truth) < within,
        name,
        "truth %d, seen %d (%+.2f %%), to be right within %d%s"
        % (truth, value, 100 * (value / truth - 1), within, text),
    )


def prove(version, calls):
    name = "kernel mode %s " % version
    numbers = (calls, calls // 4, 2 * calls, calls, calls // 4, calls // 4)

    def command(counts):
        return python(version, "kernel_mode.py", "run", *counts)

    truth = truths(command, numbers)
    seen = recorded(name, recorder("--kernel", "--", *command(numbers)))
    check(seen["kernel_metric"] == "instructions:k", name + "metric", seen["kernel_metric"])
    calibration = seen["calibration"][0]
    note(name + str({k: round(v, 4) for k, v in calibration.items() if k.startswith("kernel")}))
    own = {f["qualname"]: f for f in seen["functions"] if f["file"] == script("kernel_mode.py")}
    for function, f in sorted(own.items()):
        note(
            "%s%s: calls %d, self %d, kernel %d (raw %d, +- %.0f)"
            % (name, function, f["calls"], f["self"], f["kernel_self"], f["kernel_self_raw"],
               f["kernel_self_error"])
        )
    for function, (expected, scatter) in truth.items():
        f = own[function]
        error = f["kernel_cumulative_error"]
        within = interrupts(f["cumulative"] + expected) + scatter + error
        text = ": truth's runs are %d apart, the report's own error is %d" % (scatter, error)
        near(name + function, f["kernel_cumulative"], expected, within, text)
    whole = sum(f["kernel_self"] for f in seen["functions"]) + seen["outside"]["kernel_self"]
    check(whole == seen["kernel_total"], name + "sum", "%d of %d" % (whole, seen["kernel_total"]))
    prove_growth(name, command, numbers, seen)


def prove_growth(name, command, numbers, seen):
    """Of the whole process, by what it grows: making breakpoints at the exec, and waking
    the recorder for each new name, is work of the kernel for the process, too."""
    twice = tuple(2 * n for n in numbers)
    (less, scatter), (more_counted, apart) = counts(command(numbers)), counts(command(twice))
    truth = more_counted - less
    more = recorded(name, recorder("--kernel", "--", *command(twice)))
    grown = {key: more[key] - seen[key] for key in ("kernel_total", "total")}
    calls = sum(f["calls"] for f in more["functions"]) - sum(f["calls"] for f in seen["functions"])
    error = seen["calibration"][0]["kernel_total_error"] * calls
    within = interrupts(grown["total"] + truth) + scatter + apart + error
    near(name + "growth", grown["kernel_total"], truth, within)


def prove_off(version):
    """Without --kernel there is nothing of it."""
    command = python(version, "kernel_mode.py", "run", *[100] * len(FUNCTIONS))
    seen = recorded("kernel mode off", recorder("--no-calibration", "--", *command))
    keys = {key for f in seen["functions"] for key in f} | set(seen)
    check(not any(k.startswith("kernel_") for k in keys), "kernel mode off", "nothing of it is told")


if sys.argv[1] == "run":
    for function, number in zip(FUNCTIONS, sys.argv[2:]):
        function(int(number))
else:
    from common import check, counted, note, python, recorded, recorder, script

    for version in sys.argv[2:]:
        prove(version, int(sys.argv[1]))
    prove_off(sys.argv[2])
