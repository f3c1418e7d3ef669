# SPDX-License-Identifier: GPL-2.0-or-later
"""A sampled recording as it lies in its file, read without pycost.

As a program, it prints each path with its samples: samples.py RECORDING
"""
import collections
import struct
import sys

STATES = ("runs", "gc", "import", "gil")

Function = collections.namedtuple("Function", "line name qualname module file")
Node = collections.namedtuple("Node", "parent function pid tid")
Native = collections.namedtuple("Native", "parent symbol object")
Sample = collections.namedtuple("Sample", "node line native opcode state in_kernel count")
Passage = collections.namedtuple("Passage", "node line count")


class Facts:
    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def varints(self, n):
        return [self.varint() for _ in range(n)]

    def string(self):
        size = self.varint()
        self.at += size
        return self.data[self.at - size:self.at].decode("utf-8", "replace")

    def strings(self, n):
        return [self.string() for _ in range(n)]


class Samples:
    """functions, nodes and natives by id (from 1); samples, passages as they were told."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        if data[:8] != b"\x89PYCOST\n" or struct.unpack_from("<I", data, 8)[0] not in (3, 4, 5):
            raise ValueError("no recording of version 3 to 5")
        self.functions, self.nodes, self.natives = [None], [None], [None]
        self.samples, self.passages, self.losses = [], [], {}
        self.processes = []
        self.ended = False
        at, waiting = 12, b""
        while at + 16 <= len(data):
            kind, length = struct.unpack_from("<II", data, at)
            payload = data[at + 16:at + 16 + length]
            at += 16 + length
            if len(payload) < length:
                break
            if kind != 1:
                start = Facts(payload)
                self.duration_ns = start.varint()
                payload = payload[start.at:]
            waiting += payload
            if kind != 1:
                self.read(Facts(waiting))
                waiting = b""
            self.ended = kind == 3

    def read(self, facts):
        while facts.at < len(facts.data):
            kind = facts.varint()
            if kind == 1:
                self.metric, self.flags, self.start = facts.varints(3)
                self.host, self.kernel, self.version = facts.strings(3)
                self.period = facts.varint() if self.flags & 16 else 0
            elif kind == 3:
                self.processes.append(tuple(facts.varints(3) + facts.strings(3)))
            elif kind == 4:
                line, _ = facts.varints(2)
                name, qualname, _, module, file, _ = facts.strings(6)
                self.functions.append(Function(line, name, qualname, module, file))
            elif kind == 5:
                back, function, pid, tid = facts.varints(4)
                parent = len(self.nodes) - back if back else 0
                self.nodes.append(Node(parent, function, pid, tid))
            elif kind == 7:
                loss, total = facts.varints(2)
                self.losses[loss] = total
            elif kind == 10:
                back = facts.varint()
                parent = len(self.natives) - back if back else 0
                self.natives.append(Native(parent, *facts.strings(2)))
            elif kind == 11:
                node, line, native, opcode, state, in_kernel, count = facts.varints(7)
                self.samples.append(Sample(node, line, native, opcode - 1 if opcode else None,
                                           STATES[state], bool(in_kernel), count))
            elif kind == 12:
                self.passages.append(Passage(*facts.varints(3)))
            else:
                raise ValueError("fact %d" % kind)

    @property
    def total(self):
        return sum(s.count for s in self.samples)

    def path(self, node):
        """Qualified names, outermost first; none at a root."""
        names = []
        while node:
            parent, function = self.nodes[node][:2]
            if function:
                names.append(self.functions[function].qualname)
            node = parent
        return tuple(reversed(names))

    def paths(self):
        """How many samples each path has."""
        totals = collections.Counter()
        for s in self.samples:
            totals[self.path(s.node)] += s.count
        return totals

    def shares(self):
        """Each function's own share of all samples, "" what is outside."""
        totals = collections.Counter()
        for s in self.samples:
            totals[(self.path(s.node) or ("",))[-1]] += s.count
        return {name: count / self.total for name, count in totals.items()}

    def of(self, qualname):
        return [s for s in self.samples if (self.path(s.node) or ("",))[-1] == qualname]

    def by(self, key, samples=None):
        totals = collections.Counter()
        for s in self.samples if samples is None else samples:
            totals[key(s)] += s.count
        return totals

    def native(self, sample):
        """(symbol, object) of the innermost native function."""
        found = self.natives[sample.native] if sample.native else None
        return (found.symbol, found.object) if found else ("", "")

    def chain(self, sample):
        """Symbols of its native functions, innermost first."""
        symbols, at = [], sample.native
        while at:
            symbols.append(self.natives[at].symbol)
            at = self.natives[at].parent
        return tuple(symbols)


def main():
    s = Samples(sys.argv[1])
    for path, count in s.paths().most_common():
        print("%7d %s" % (count, " > ".join(path) or "(outside)"))


if __name__ == "__main__":
    main()
