# SPDX-License-Identifier: GPL-2.0-or-later
"""Does pycost say what the counter says?  proof.py full|part, in the guest.

Or one of same, table and pressure alone.
"""
import sys

import common
import pressure
import same
import table

PYTHONS = ("3.9", "3.15")


def main(what):
    if what in ("full", "pressure"):
        pressure.prove()
    if what in ("full", "part", "same"):
        same.prove(PYTHONS, what == "full")
    if what in ("full", "table"):
        for version in PYTHONS:
            table.prove(version)
        table.prove_time("3.9")


main(sys.argv[1])
sys.exit(common.failed != 0)
