# SPDX-License-Identifier: GPL-2.0-or-later
"""Does pycost say what the counter says?  proof.py full|part, in the guest."""
import sys

import common
import same


def main(what):
    same.prove_counter()
    for version in ("3.9", "3.15"):
        quiet = same.prove_same(version)
        same.prove_competitor(version, quiet)


main(sys.argv[1])
sys.exit(common.failed != 0)
