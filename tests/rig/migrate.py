# SPDX-License-Identifier: GPL-2.0-or-later
"""A thread that moves from one processor to another costs what it costs on one.

With two of them the emulated counters are not exact: QEMU has one count of
instructions for all, so what the other processor runs meanwhile, in the kernel too, is
in it.  But the thread's own counter reads the same, and nothing of that may be lost.
"""
from common import check, own, percent
from same import prove_conserved
from stopped import Recording, stopped

# Seen: 0.1.
WITHIN = 0.5


def prove(version):
    processes = stopped(version, cpus1=("moving", 1), cpus2=("moving", 2)).values()
    options = ("--no-calibration", "--metric", "instructions")
    with Recording(version + " moving", processes, *options) as recording:
        for process in processes:
            recording.round(process)
    rows = [own(recording.report, p.path, "calls", "self_raw")["work"] for p in processes]
    off = percent(rows[1][1], rows[0][1])
    check(
        rows[0][0] == rows[1][0] > 0 and abs(off) < WITHIN,
        version + " moving",
        "%d calls, raw self %d on one CPU, %d on two (%+.3f %%)" % (*rows[0], rows[1][1], off),
    )
    prove_conserved(recording, processes)
