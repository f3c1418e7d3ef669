# SPDX-License-Identifier: GPL-2.0-or-later
"""When others use the counters too: part of a count must not pass for the whole."""
import re
import subprocess

from common import COUNTED, OUTPUT, PYCOST, check, counted, python, recorder, report

VERSION = "3.9"
# One call of C, long enough for counters to take turns.
SIZES = [0, 400000] + 9 * [0]


class Hog:
    """Uses all the processor's counters as long as it is entered."""

    def __init__(self, how):
        self.command = [COUNTED, "hog", how]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return int(self.process.stdout.readline())

    def __exit__(self, *what):
        self.process.stdin.close()
        self.process.wait()


def work():
    return python(VERSION, "work.py", *SIZES)


def ran(*options):
    process = recorder("--no-calibration", *options, "--", *work())
    said = process.communicate()[1]
    return process.returncode, " ".join(said.split())


def prove_shared(whole):
    """More counters than there are take turns."""
    with Hog("share") as counters:
        status, said = ran("--metric", "instructions")
    check(counters > 1, "counters", "%d, all used by another" % counters)
    found = report() if not status else {"losses": {}, "total_raw": 0}
    share = found.get("counter_running", 1 - found["losses"].get("multiplexed", 0) / 1e6)
    seen = found["total_raw"] / whole
    check(
        0 < share < 1 and abs(seen - share) < 0.1,
        "shared counter",
        "on the PMU %.1f %% of the time by the report, which has %.1f %% of the instructions"
        % (100 * share, 100 * seen),
    )
    text = subprocess.check_output([PYCOST, "report", OUTPUT], universal_newlines=True)
    notes = [line for line in text.splitlines() if re.search("on the PMU|was shared", line)]
    check(
        notes and "lost:" in said,
        "shared counter told",
        "report: %s; record: %s" % (" / ".join(notes), said),
    )


def prove_taken():
    with Hog("pin") as counters:
        status, said = ran("--metric", "instructions")
        text = "all %d: status %d: %s" % (counters, status, said)
        check(status != 0 and "taken" in said, "taken counter", text)
        status, said = ran()
    found = report() if not status else {"metric": None, "metric_fallback": False}
    check(
        found["metric"] == "task-clock" and found["metric_fallback"] and "taken" in said,
        "taken counter, other metric",
        "%s: %s" % (found["metric"], said),
    )


def prove():
    whole = counted("instructions", work())
    prove_shared(whole)
    prove_taken()
