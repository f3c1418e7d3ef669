# SPDX-License-Identifier: GPL-2.0-or-later
"""Are the counts the same on all kernels?  across.py NAME=LOG..., on the host.

A probe is a nop.  Until 6.12 arm64's kernel lets the processor run it, out of line;
since 6.13 ("arm64: insn: Simulate nop instruction for better uprobe performance") it
only steps over it, so each probe takes one user instruction less: that of an entry is
the function's own, that of a return its caller's.  There is no other difference.
"""
import json
import re
import sys

SIMULATED_SINCE = (6, 13)


def read(path):
    """The kernel's version, and {Python: {function: [calls, raw self, probes]}}."""
    with open(path, errors="replace") as log:
        text = log.read()
    kernel = re.search(r"rig: kernel (\d+)\.(\d+)", text)
    rows = re.findall(r"^rig: same (\S+) (\{.*\})$", text, re.MULTILINE)
    return tuple(map(int, kernel.groups())), {version: json.loads(row) for version, row in rows}


def expected(row, kernel, kernel_of_row):
    """What a row of one kernel is on another."""
    calls, self_raw, probes = row
    steps = (kernel_of_row >= SIMULATED_SINCE) - (kernel >= SIMULATED_SINCE)
    return [calls, self_raw + steps * probes, probes]


def compare(version, base, other):
    (name, base_kernel, base_rows), (other_name, kernel, rows) = base, other
    differ = [
        function
        for function in sorted({**base_rows, **rows})
        if function not in base_rows
        or rows.get(function) != expected(base_rows[function], kernel, base_kernel)
    ]
    both = sum(rows[f][1] for f in rows), sum(base_rows[f][1] for f in base_rows)
    probes = sum(row[2] for row in rows.values())
    law = (
        "the nop of each of %d probes less" % probes
        if (kernel >= SIMULATED_SINCE) != (base_kernel >= SIMULATED_SINCE)
        else "equal"
    )
    print(
        "%s across kernels, %s, %s and %s: raw self of %d functions, %d and %d (%s): %d differ %s"
        % (
            "PASS" if rows and not differ else "FAIL",
            version,
            other_name,
            name,
            len(rows),
            *both,
            law,
            len(differ),
            [(f, base_rows.get(f), rows.get(f)) for f in differ[:5]],
        )
    )


def main(words):
    logs = [(name, *read(path)) for name, _, path in (word.partition("=") for word in words)]
    for version in sorted({version for _, _, rows in logs for version in rows}, key=len):
        base, *others = ((name, kernel, rows.get(version, {})) for name, kernel, rows in logs)
        for other in others:
            compare(version, base, other)


main(sys.argv[1:])
