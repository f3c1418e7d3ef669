#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that are worked for by turns in one thread: each has its own cost.

Endpoints differ in how much counted work of Python they do, a piece at a time, with a
pause after each; a hundred requests are under way at once.  The truth is a ratio of known
work: time on a CPU is noisy, and what a request takes beside its work is alike for all.
"""
import collections
import json
import os
import signal
import socket
import subprocess
import time

import lib
from server import Load, Server
from watched import mix_of, ratio_is

CONNECTIONS = 100
REQUESTS = 1500
KINDS = (("uvicorn", "3.11"), ("uvicorn-uvloop", "3.11"), ("aiohttp", "3.11"), ("gevent", "3.11"),
         ("gunicorn-uvicorn", "3.11"), ("uvicorn", "3.15"), ("hypercorn", "3.15"),
         ("aiohttp", "3.15"))


class Watch:
    """pycost requests --each of one process, in the background."""

    def __init__(self, pids, where):
        self.file = os.path.join(lib.work, "each.json")
        with open(self.file, "wb") as out:
            self.process = lib.start(
                lib.PYCOST, "requests", "--each", "--format", "json", "--rate", "0", "--metric",
                "task-clock", "-p", ",".join(map(str, pids)), stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.PIPE)
        lib.until(lambda: lib.traps(pids[-1]) > 0 and self.sees(where),
                  "the loop is not watched")

    def sees(self, where):
        """Whether it has told of a request that is sent now and then until it does."""
        with socket.create_connection(("127.0.0.1", int(where))) as asked:
            asked.sendall(b"GET /status/204 HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            while asked.recv(4096):
                pass
        time.sleep(0.5)
        return os.path.getsize(self.file) > 0

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        told = self.process.communicate()[1].decode()
        lib.processes.remove(self.process)
        if self.process.returncode:
            raise AssertionError("pycost: " + told)
        with open(self.file, encoding="utf-8") as file:
            told = [json.loads(line) for line in file]
        return [line for line in told if line.get("path", "/status/204") != "/status/204"]


def worker_of(served):
    """hypercorn has a process beside its worker that does next to nothing."""
    return max(served.workers(), key=lib.cpu_ns)


def watch(kind, version, mix, *options, anew=False):
    """(each request, what the worker took); anew: the worker is forked while its master is
    watched."""
    name = "%s on %s" % (kind, version)
    served = Server(kind, version)
    worker = worker_of(served)
    watched = Watch([served.pid, worker] if anew else [worker], served.where)
    if anew:
        sites = lib.traps(worker)
        served.process.send_signal(signal.SIGHUP)
        lib.until(lambda: not os.path.exists("/proc/%d" % worker), "the worker stays")
        worker = worker_of(served)
        lib.until(lambda: lib.traps(worker) >= sites, "the new worker's loop is not watched")
    before = lib.cpu_ns(worker)
    load = Load(served.where, mix, "-n", REQUESTS, "-c", CONNECTIONS, *options).done()
    time.sleep(1)
    took = lib.cpu_ns(worker) - before
    each = watched.stop()
    served.end()
    lib.check(name + ": the load was served",
              load.status == 0 and load.told["answered"] == REQUESTS, load.told)
    sent = collections.Counter((path, status) for _, path, status, _ in load.requests().values())
    lib.equal(name + ": requests seen are requests sent",
              collections.Counter((told["path"], told["status"]) for told in each), sent)
    shared = sum("shared" in told["flags"] for told in each)
    lib.equal(name + ": none was taken for another's", shared, 0)
    return each, took


def costs_are(name, what, each, took, least):
    inside = sum(told["cost"] for told in each)
    ratio = ratio_is(name, what, each)
    print("# %s: ratio %.3f, %.1f %% of the worker's time" % (name, ratio, 100 * inside / took))
    lib.check("%s: little is nobody's, and nothing is counted twice" % name,
              least * took < inside < 1.01 * took, (inside, took))


def interleaved():
    for kind, version in KINDS:
        costs_are("%s on %s" % (kind, version), "pauses",
                  *watch(kind, version, mix_of("pauses")), 0.8)


def connections():
    """Tasks and greenlets end with each request, and others come to be where they were."""
    for kind, version in (("uvicorn", "3.11"), ("gevent", "3.11"), ("aiohttp", "3.15")):
        costs_are("%s on %s, two requests a connection" % (kind, version), "pauses",
                  *watch(kind, version, mix_of("pauses"), "-k", 2), 0.75)


def children():
    """Tasks that a request has made are its own."""
    for kind, version in (("uvicorn", "3.11"), ("uvicorn-uvloop", "3.11"), ("aiohttp", "3.11"),
                          ("uvicorn", "3.15"), ("hypercorn", "3.15")):
        costs_are("children of %s on %s" % (kind, version), "children",
                  *watch(kind, version, mix_of("children")), 0.75)


def born():
    """A worker that is forked later is listened to as the first was."""
    for kind, version in (("gunicorn-asyncio", "3.11"), ("gunicorn-uvicorn", "3.11")):
        costs_are("%s on %s, born later" % (kind, version), "pauses",
                  *watch(kind, version, mix_of("pauses"), anew=True), 0.8)


if __name__ == "__main__":
    lib.run(interleaved, connections, children, born)
