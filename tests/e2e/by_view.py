#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Within a budget, samples in a view are its endpoint's though nobody watched the request.

Beside a recording of all requests, of the same workers at the same time.
"""
import collections
import math
import os
import signal
import subprocess

import batch
import lib
from server import Load, Server

MIX = "4 GET /cheap\n1 GET /dear\n1 GET /left\n1 GET /right\n"
RATE = 999
# What both see of a view is within so many standard errors of the two.
ERRORS = 4


class Sampled:
    """pycost record, by samples, in the background."""

    def __init__(self, pids, name, *options):
        self.file = os.path.join(lib.work, name + ".pycost")
        self.log = self.file + ".log"
        with open(self.log, "wb") as log:
            self.process = lib.start(lib.PYCOST, "record", "--mode", "sample", "--rate", RATE,
                                     "--metric", "task-clock", "--requests", "-o", self.file,
                                     "-p", ",".join(map(str, pids)), *options,
                                     stdin=subprocess.DEVNULL, stderr=log)
        lib.until(lambda: "measuring" in self.said(), "pycost does not measure")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(lib.PATIENCE):
            raise AssertionError("pycost: " + self.said())
        self.whole = lib.Report(self.file).json
        told = lib.Report(self.file, "--by", "endpoint").json
        self.period, self.parts = told["period"], {}
        for part in told["endpoints"]:
            name = part["name"] and "%s %s" % (part["method"], part["name"])
            self.parts[name] = part
        return self

    def samples(self, endpoint, function):
        """In a function and below, within the trees of an endpoint."""
        return sum(f["cumulative"] for f in self.parts.get(endpoint, {}).get("functions", ())
                   if "%s.%s" % (f["module"], f["qualname"]) == function) / self.period


def same(name, a, b):
    off = abs(a / b - 1) if b else 1
    lib.check("%s: %d samples as %d" % (name, a, b),
              min(a, b) > 100 and off < ERRORS * math.sqrt(1 / max(a, 1) + 1 / max(b, 1)), off)


def pushed(some):
    """A fleet is told the same; where a minute ends amid it, it knows less in the first."""
    collector = batch.Collector()
    made = lib.pycost("push", some.file, "--to", collector.url, "--service", "views")
    collector.end()
    lib.equal("push: it is taken", (made.returncode, made.stderr.decode()[:200]), (0, ""))
    batches = list(collector.batches.values())
    functions = {id: f["qualname"] for b in batches for id, f in b.functions.items()}
    costs, by_view = collections.Counter(), collections.Counter()
    for b in batches:
        for cost in b.costs:
            costs[b.slices[cost["slice"]]["endpoint"],
                  functions.get(cost["function"])] += cost["cumulative"]
        for counter in b.counters:
            if counter["name"] == "costs.by_view":
                by_view[b.slices[counter["slice"]]["endpoint"]] += counter["value"]
    lib.equal("push: all is there", sum(c["self"] for b in batches for c in b.costs),
              some.whole["total"])
    lib.equal("push: whose views are known", sorted(by_view), ["GET /cheap", "GET /dear"])
    for name in ("cheap", "dear"):
        endpoint = "GET /" + name
        got = costs[endpoint, name] / some.period, by_view[endpoint]
        told = some.samples(endpoint, "views." + name), some.parts[endpoint]["by_view"]
        lib.check("push: %s as in the report" % name,
                  got == told if len(batches) == 1 else 0 < got[0] <= told[0] and got[1] <= told[1],
                  (len(batches), got, told))


def budget():
    served = Server("sync", "3.11", app="views")
    pids = [served.pid, *served.workers()]
    full = Sampled(pids, "full")
    some = Sampled(pids, "some", "--budget", 1)
    load = Load(served.where, MIX, "-n", 2500, "-c", 3, log=False).done()
    some.stop()
    full.stop()
    served.end()
    lib.check("the load was served", load.told["answered"] == 2500, load.told)
    for name in ("cheap", "dear"):
        part = some.parts["GET /" + name]
        lib.check(name + ": a good part of it is by its view alone",
                  0.2 * part["total"] < part.get("by_view", 0) < part["total"], part)
        same(name + ": its view, within a budget and not",
             some.samples("GET /" + name, "views." + name),
             full.samples("GET /" + name, "views." + name))
        lib.check(name + ": and next to nothing of it is of no request",
                  some.samples(None, "views." + name) <
                  0.02 * some.samples("GET /" + name, "views." + name))
    same("four cheap ones do as much as one dear one",
         some.samples("GET /cheap", "views.cheap"), some.samples("GET /dear", "views.dear"))
    outside = some.samples(None, "views.both")
    watched = sum(some.samples("GET /" + name, "views.both") for name in ("left", "right"))
    lib.check("a view of two endpoints is neither's, but where it was watched",
              min(outside, watched) > 0 and
              not any(some.parts["GET /" + name].get("by_view") for name in ("left", "right")),
              (outside, watched))
    same("and no sample of it is lost", outside + watched,
         sum(full.samples("GET /" + name, "views.both") for name in ("left", "right")))
    lib.equal("parts are the whole",
              sum(part["total"] for part in some.parts.values()), some.whole["total"])
    lib.check("of all requests nothing is guessed",
              not any(part.get("by_view") for part in full.parts.values()))
    shown = lib.pycost("report", some.file, "--by", "endpoint").stdout.decode()
    lib.check("it says what is by view alone",
              "by view:     ~" in shown and "of it by its view alone" in shown, shown[:1500])
    pushed(some)


if __name__ == "__main__":
    lib.run(budget)
