# SPDX-License-Identifier: GPL-2.0-or-later
"""What pycost exports as pprof, read without its schema."""
import gzip

import lib
from protobuf import fields, varints


def paths(file):
    """(functions from the outermost, calls, pid, tid) of each path that was called."""
    made = lib.pycost("report", file, "--format", "pprof")
    if made.returncode:
        raise AssertionError("report: " + made.stderr.decode())
    data = made.stdout
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    strings, functions, locations, samples = [], {}, {}, []
    for field, value in fields(data):
        if field == 6:
            strings.append(value.decode())
        elif field == 5:
            f = dict(fields(value))
            functions[f[1]] = f
        elif field == 4:
            at = dict(fields(value))
            locations[at[1]] = dict(fields(at[4]))[1]
        elif field == 2:
            samples.append(value)
    for sample in samples:
        stack, values, labels = [], [], {}
        for field, value in fields(sample):
            if field == 1:
                stack += varints(value)
            elif field == 2:
                values += varints(value)
            elif field == 3:
                label = dict(fields(value))
                labels[strings[label[1]]] = label.get(3, 0)
        path = [functions[locations[at]] for at in reversed(stack)]
        yield ([(strings[f[2]], strings[f.get(4, 0)]) for f in path], values,
               labels.get("pid", 0), labels.get("thread", 0))
