#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Line tables as this Python compiled them, and what it says itself of each address.

A line for each code object of the given files:
	minor firstlineno table start:line start:line ...
Table in hexadecimal; "-" for one that is empty; line 0 where there is none.
"""
import dis
import glob
import os
import sys
import types

MINOR = sys.version_info[1]


def ranges(code):
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            if end > start:
                yield start, line or 0
                yield end - 2, line or 0
    else:
        last = None
        for start, line in dis.findlinestarts(code):
            if last is not None and start - 2 > last[0]:
                yield start - 2, last[1]
            yield start, line
            last = start, line


def tell(code, out):
    table = code.co_linetable if MINOR >= 10 else code.co_lnotab
    pairs = " ".join("%d:%d" % pair for pair in ranges(code))
    out.write("%d %d %s %s\n" % (MINOR, code.co_firstlineno, table.hex() or "-", pairs))
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            tell(const, out)


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.__file__)
    for path in sorted(glob.glob(os.path.join(directory, "*.py"))):
        with open(path, "rb") as f:
            try:
                tell(compile(f.read(), path, "exec"), sys.stdout)
            except (SyntaxError, ValueError):
                pass


main()
