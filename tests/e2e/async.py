#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that are worked for by turns in one thread: each has its own cost.

Endpoints differ in how much counted work of Python they do, a piece at a time, with a
pause after each; a hundred requests are under way at once.  The truth is a ratio of known
work: time on a CPU is noisy, and what a request takes beside its work is alike for all.
"""
import collections
import statistics
import time

import lib
from server import Load, Server
from watched import Requests, compare

CHEAP, DEAR = 20000, 80000
CONNECTIONS = 100
REQUESTS = 1500
KINDS = (("uvicorn", "3.11"), ("uvicorn-uvloop", "3.11"), ("hypercorn", "3.11"),
         ("aiohttp", "3.11"), ("gevent", "3.11"), ("gunicorn-uvicorn", "3.11"),
         ("uvicorn", "3.15"), ("hypercorn", "3.15"), ("aiohttp", "3.15"))


def mix_of(what):
    return "".join("1 GET /%s/%d\n" % (what, n) for n in (0, CHEAP, DEAR))


def watch(kind, version, mix, *options):
    """(mean cost by path, of the worker: what it took, what pycost says of it)"""
    served = Server(kind, version)
    worker = served.workers()[0] if kind in ("gevent", "gunicorn-uvicorn") else served.pid
    if kind == "hypercorn":
        worker = max(served.workers(), key=lib.cpu_ns)
    watched = Requests([worker], "--metric", "task-clock")
    before = lib.cpu_ns(worker)
    load = Load(served.where, mix, "-n", REQUESTS, "-c", CONNECTIONS, *options).done()
    time.sleep(0.3)
    took = lib.cpu_ns(worker) - before
    watched.stop()
    lib.check("%s on %s: the load was served" % (kind, version),
              load.status == 0 and load.told["answered"] == REQUESTS, load.told)
    compare("%s on %s" % (kind, version), load, watched)
    row, = [w for w in watched.summary["workers"] if w["pid"] == worker]
    by_path = collections.defaultdict(list)
    for told in watched.each:
        by_path[told["path"]].append(told["cost"])
    served.end()
    return {path: statistics.fmean(v) for path, v in by_path.items()}, took, row


def ratio_of(what, mean):
    alone, cheap, dear = (mean["/%s/%d" % (what, n)] for n in (0, CHEAP, DEAR))
    return (dear - alone) / (cheap - alone)


def interleaved():
    for kind, version in KINDS:
        name = "%s on %s" % (kind, version)
        mean, took, row = watch(kind, version, mix_of("pauses"))
        ratio = ratio_of("pauses", mean)
        lib.check("%s: four times the work is four times the cost" % name,
                  3.8 < ratio < 4.2, (ratio, mean))
        lib.check("%s: the worker's total is what its clock says" % name,
                  abs(row["cost"] - took) < 0.01 * took, (row["cost"], took))
        lib.check("%s: little is nobody's" % name,
                  0.8 * took < row["request_cost"] <= row["cost"], (row, took))


def connections():
    """Tasks and greenlets end with each request, and others come to be where they were."""
    for kind, version in (("uvicorn", "3.11"), ("gevent", "3.11"), ("aiohttp", "3.15")):
        mean, _, _ = watch(kind, version, mix_of("pauses"), "-k", 2)
        ratio = ratio_of("pauses", mean)
        lib.check("%s on %s, two requests a connection: four times the cost" % (kind, version),
                  3.8 < ratio < 4.2, (ratio, mean))


def children():
    """Tasks that a request has made are its own."""
    for kind, version in (("uvicorn", "3.11"), ("uvicorn-uvloop", "3.11"), ("hypercorn", "3.11"),
                          ("aiohttp", "3.11"), ("uvicorn", "3.15")):
        name = "%s on %s" % (kind, version)
        mean, took, row = watch(kind, version, mix_of("children"))
        ratio = ratio_of("children", mean)
        lib.check("%s: the work of child tasks is the request's" % name,
                  3.8 < ratio < 4.2 and row["request_cost"] > 0.75 * took, (ratio, mean, row, took))


if __name__ == "__main__":
    lib.run(interleaved, connections, children)
