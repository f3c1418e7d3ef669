# SPDX-License-Identifier: GPL-2.0-or-later
"""Does pycost say what the counter says?  proof.py full|part|moving, in the guest.

moving wants two processors.  Or one of same, table, pressure and sampled, of full, alone.
"""
import os
import sys

import migrate
import pressure
import same
import sampled
import table

# All that could be fetched.
PYTHONS = [v for v in ("3.9", "3.15") if os.path.exists("/usr/bin/python" + v)]


def main(what):
    if what in ("full", "pressure"):
        pressure.prove()
    if what in ("full", "part", "same"):
        same.prove(PYTHONS, what != "part")
    if what in ("full", "sampled"):
        sampled.prove(PYTHONS)
    if what == "part":
        sampled.prove_threads(PYTHONS[-1])
    if what == "moving":
        for version in PYTHONS:
            migrate.prove(version)
    if what in ("full", "table"):
        for version in PYTHONS:
            table.prove(version)
        table.prove_time("3.9")


main(sys.argv[1])
