# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the samples of spun.py with what is known: spins.py RECORDING TIMES"""
import sys

from samples import Samples

NAMES = ("three", "one")
found = Samples(sys.argv[1])
with open(sys.argv[2]) as file:
    times = dict(map(int, line.split()) for line in file)
wrong, said = [], []
for pid, took in times.items():
    samples = [s for s in found.samples if found.nodes[s.node].pid == pid]
    total, expected = sum(s.count for s in samples), took / found.period
    paths = found.by(lambda s: found.path(s.node), samples)
    three, one = (sum(n for p, n in paths.items() if p[-2:] == (k, "spin")) for k in NAMES)
    spun = three + one
    share = three / max(spun, 1)
    callers = {p[:2] for p in paths if "spin" in p}
    said.append("%d samples of %.0f, %.3f of %d in three" % (total, expected, share, spun))
    # The clock's timer is late when the host has other things to do, and a timer that is
    # late by periods fires once (perf_swevent_hrtimer() forwards it): fewer are no error here.
    if not 0.4 * expected < total < expected + 4 * expected ** 0.5 + 1 or expected < 300:
        wrong.append("%d samples in %d ns" % (total, took))
    if abs(share - 0.75) > 4 * (0.75 * 0.25 / max(spun, 1)) ** 0.5 + 0.02 or spun < 0.7 * total:
        wrong.append("a share of %.3f" % share)
    if len(callers) != 1 or not callers <= {("<module>", "parent"), ("<module>", "child")}:
        wrong.append("callers %s" % callers)
if len(times) != 2 or not found.ended:
    wrong.append("%d processes, ended %s" % (len(times), found.ended))
if wrong:
    sys.exit("; ".join(wrong + said))
print("; ".join(said))
