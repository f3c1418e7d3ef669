# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the report of calls.py with what was called: counts.py REPORT.json"""
import json
import sys

KNOWN = {
    "leaf": 2 * 1500 + 1,
    "middle": 1500,
    "catches": 1000,
    "fails": 1000,
    "consume": 1,
    "counter": 501,
    "deep": 901,
    "wraps.<locals>.wrapper": 100,
    "Shop.__init__": 100,
    "Shop.sell": 100,
    "in_thread": 1,
    "in_child": 1,
}

report = json.load(open(sys.argv[1]))
seen = {}
for function in report["functions"]:
    if function["file"].endswith("/calls.py"):
        name = function["qualname"]
        seen[name] = seen.get(name, 0) + function["calls"]
wrong = [
    "%s %s, not %d" % (name, seen.get(name), known)
    for name, known in KNOWN.items()
    if seen.get(name) != known
]
if wrong:
    sys.exit("; ".join(wrong))
if not report["exact"] or not report["complete"]:
    sys.exit("exact %s, complete %s" % (report["exact"], report["complete"]))
print("%s, %d functions" % (report["metric"], len(report["functions"])))
