#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calibration: of two functions that cost the same, one all calls and one without any,
the corrected numbers say that they do, while the raw ones do not by far.

The machine's own noise meets calibration and truth alike, hence several attempts.
"""
import json
import os

import lib

ATTEMPTS = 5


def attempt(version):
    target = lib.Target(version, "costs.py", "--rounds", "20", wait=True)
    known = json.loads(target.line())
    recording = lib.Recording("-p", str(target.pid))
    recording.attached(target.pid)
    target.go()
    target.line()
    target.line("DONE")
    report = recording.stop().report()
    target.end()
    cost = {name: report.named(name)[0] for name in ("many_empty_calls", "one_c_call")}
    corrected, raw = (
        cost["many_empty_calls"][kind] / cost["one_c_call"][kind]
        for kind in ("cumulative", "cumulative_raw"))
    calibration = report.json["calibration"][0] if report.json["calibration"] else {}
    print("costs %s: truth %.3f, corrected %.3f, raw %.1f; probes %s ns at entry, %s at exit; "
          "clamped %s" % (version, known["ratio"], corrected, raw,
                          *("%.0f±%.0f" % (calibration.get(end, 0),
                                           calibration.get(end + "_error", 0))
                            for end in ("entry", "exit")),
                          report.losses.get("clamped", 0)))
    return corrected / known["ratio"], raw / known["ratio"]


def ratios():
    for version in lib.PYTHONS:
        tries = []
        for _ in range(int(os.environ.get("PYCOST_TEST_ATTEMPTS", ATTEMPTS))):
            tries.append(attempt(version))
            if abs(tries[-1][0] - 1) < 0.1:
                break
        told = "corrected to truth in each attempt: %s" % ["%.3f" % c for c, _ in tries]
        lib.check("costs %s: corrected costs within 10 %% of the truth" % version,
                  abs(tries[-1][0] - 1) < 0.1, told)
        lib.check("costs %s: the raw ones are more than five times too high" % version,
                  all(raw > 5 for _, raw in tries), ["%.1f" % raw for _, raw in tries])
        if abs(tries[-1][0] - 1) < 0.1:
            print("costs %s: %s" % (version, told))


if __name__ == "__main__":
    lib.run(ratios)
