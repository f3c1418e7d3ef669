# SPDX-License-Identifier: GPL-2.0-or-later
"""Does pycost say what the counter says?  proof.py full|part, in the guest."""
import sys

import common
import same

PYTHONS = ("3.9", "3.15")


def main(what):
    same.prove(PYTHONS, what == "full")


main(sys.argv[1])
sys.exit(common.failed != 0)
