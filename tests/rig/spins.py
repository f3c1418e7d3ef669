# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the samples of spun.py with what is known: spins.py RECORDING TIMES"""
import sys

from samples import Samples

found = Samples(sys.argv[1])
with open(sys.argv[2]) as file:
    times = dict(map(int, line.split()) for line in file)
names = {3: ("three", "spin"), 1: ("one", "spin")}
wrong, said = [], []
for pid, took in times.items():
    samples = [s for s in found.samples if found.nodes[s.node].pid == pid]
    total, expected = sum(s.count for s in samples), took / found.period
    paths = found.by(lambda s: found.path(s.node), samples)
    shares = [sum(n for p, n in paths.items() if p[-2:] == names[k]) / max(total, 1) for k in (3, 1)]
    callers = {p[:2] for p in paths if "spin" in p}
    said.append("%d samples of %.0f, %.3f and %.3f" % (total, expected, *shares))
    # Four standard errors, and what a busy host's clock makes of the guest's.
    within = 4 * expected ** 0.5 + 0.1 * expected
    if abs(total - expected) > within or expected < 300:
        wrong.append("%d samples in %d ns" % (total, took))
    if abs(shares[0] - 0.75) > 0.12 or abs(shares[1] - 0.25) > 0.12:
        wrong.append("shares %s" % shares)
    if len(callers) != 1 or not callers <= {("<module>", "parent"), ("<module>", "child")}:
        wrong.append("callers %s" % callers)
if len(times) != 2 or not found.ended:
    wrong.append("%d processes, ended %s" % (len(times), found.ended))
if wrong:
    sys.exit("; ".join(wrong + said))
print("; ".join(said))
