# SPDX-License-Identifier: GPL-2.0-or-later
"""What `pycost requests --each` tells of single requests, held against what was sent."""
import collections
import json
import os
import signal
import statistics
import subprocess

import lib
import server

# Of the connections that were cut: whether a request was seen on them, and how far, is for
# the moment to say.
ANSWERS_TO_GARBAGE = (None, 400, 408)
# How much work of Python's is done, a piece at a time: little, and four times as much.
CHEAP, DEAR = 4, 16


class Requests:
    """pycost requests, in the background, each request on a line of its own."""

    def __init__(self, pids, *options, name="each.json"):
        self.file = os.path.join(lib.work, name)
        self.log = self.file + ".log"
        with open(self.file, "wb") as out, open(self.log, "wb") as log:
            self.process = lib.start(
                lib.PYCOST, "requests", "--each", "--format", "json", "--rate", "0", "-p",
                ",".join(map(str, pids)), "--field", "header:x-request-id", *options,
                stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        self.pid = self.process.pid
        lib.until(self.watches, "pycost does not watch")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read().strip()

    def watches(self):
        if self.process.poll() is not None:
            raise AssertionError("pycost ended: " + self.said())
        return "measuring" in self.said()

    def rss_kib(self):
        with open("/proc/%d/status" % self.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(lib.PATIENCE):
            raise AssertionError("pycost: " + self.said())
        with open(self.file, encoding="utf-8") as file:
            *self.each, last = map(json.loads, file)
        # Some kernels do not tell of every context switch: no request is lost by it.
        self.losses = {kind: n for kind, n in last["losses"].items() if n and kind != "slices"}
        return self


def mix_of(what):
    return "".join("1 GET /%s/%d\n" % (what, n) for n in (0, CHEAP, DEAR))


def ratio_is(name, what, each):
    """What requests of mix_of() cost beside what they all do goes by their work."""
    by_path = collections.defaultdict(list)
    for told in each:
        by_path[told["path"]].append(told["cost"])
    typical = {path: statistics.median(costs) for path, costs in by_path.items()}
    alone, cheap, dear = (typical["/%s/%d" % (what, n)] for n in (0, CHEAP, DEAR))
    ratio = (dear - alone) / (cheap - alone)
    lib.check("%s: four times the work is four times the cost" % name, 3.2 < ratio < 4.8,
              (ratio, typical))
    return ratio


def name_of(told):
    return told["tags"].get("x-request-id")


class Comparison:
    """Of what was sent with what was seen."""

    def __init__(self, sent, each):
        self.wrong, self.missing, self.invented = [], [], []
        self.seen = collections.Counter(name_of(told) for told in each)
        by_name = {name_of(told): told for told in each}
        for name, (method, path, status, outcome) in sent.items():
            told = by_name.get(name)
            if told is None:
                if outcome == "answered":
                    self.missing.append((name, method, path, status))
                continue
            path = path.partition("?")[0]
            if (told["method"], told["path"]) != (method, path) or \
                    (outcome == "answered" and told["status"] != status):
                self.wrong.append((name, method, path, status, outcome, told["method"],
                                   told["path"], told["status"]))
        gone = sum(outcome != "answered" for _, _, _, outcome in sent.values())
        nameless = [told for told in each if not name_of(told)]
        self.invented = [name for name in by_name if name and name not in sent]
        self.invented += [told for told in nameless
                          if told["status"] not in ANSWERS_TO_GARBAGE or len(nameless) > gone]
        self.twice = [name for name, n in self.seen.items() if name and n > 1]

    def check(self, name, count):
        lib.check("%s: each of %d requests answered was seen" % (name, count), not self.missing,
                  "%d were not: %r" % (len(self.missing), self.missing[:3]))
        lib.check("%s: none was mixed up" % name, not self.wrong,
                  "%d were: %r" % (len(self.wrong), self.wrong[:3]))
        lib.check("%s: none was seen twice, or invented" % name,
                  not self.twice and not self.invented,
                  "%r %r" % (self.twice[:3], self.invented[:3]))


def compare(name, load, watched):
    """The verdicts on a load that is done and a watch that is stopped."""
    sent = load.requests()
    lib.check("%s: the server kept them apart" % name,
              not load.told["mixed"] and not load.told["garbled"], load.told)
    Comparison(sent, watched.each).check(name, load.told["answered"])
    lib.check("%s: nothing lost" % name, not watched.losses, watched.losses)


__all__ = ["Requests", "Comparison", "compare", "name_of", "server"]
