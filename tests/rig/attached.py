# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks the report of sleeper.py, to which the profiler came in mid-call."""
import json
import sys

report = json.load(open(sys.argv[1]))
found = {f["qualname"]: f for f in report["functions"]}
leaf, deep = found["leaf"], found["deep"]
assert leaf["calls"] == 1000, leaf["calls"]
# Rebuilt from the interpreter's frames: on the stack, but not called.
assert deep["calls"] == 0, deep["calls"]
assert deep["cumulative_raw"] >= leaf["cumulative_raw"], deep
print("%d calls below %d rebuilt frames" % (leaf["calls"], 701))
