#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests watched in phases: a random sample of them, from which all are estimated."""
import json
import os
import signal
import socket
import statistics
import subprocess
import threading
import time

import lib
from server import Load, Server
from watched import Comparison, Requests, mix_of, name_of, ratio_is

MIX = "6 GET /\n2 GET /status/404\n3 GET /work/1000\n1 GET /work/4000\n1 POST /echo body=0-2000\n"
# What one watch takes of a request lies within what the other one measures.
BESIDE = 0.08
# Seconds of CPU time: what ten idle seconds save, and what a phase of a busy worker costs.
SAVED = 0.05 + 0.06


def links(pid):
    """What a process has attached of BPF."""
    return sum("link_id" in told for told in lib.descriptors(pid))


def programs(pid):
    """The kernel's numbers of its programs."""
    return {int(line.split()[1]) for told in lib.descriptors(pid) for line in told.splitlines()
            if line.startswith("prog_id")}


class Table:
    """pycost requests, in the background: a table at its end, or a recording."""

    def __init__(self, pids, *options, record=False):
        self.file = os.path.join(lib.work, "phases.pycost" if record else "phases.json")
        command = (["record", "--requests-only"] if record else
                   ["requests", "--rate", "0", "--format", "json"])
        self.log = self.file + ".log"
        with open(self.log, "wb") as log:
            self.process = lib.start(lib.PYCOST, *command, "-o", self.file, "--metric",
                                     "task-clock", "-p", ",".join(map(str, pids)), *options, stdin=subprocess.DEVNULL,
                                     stderr=log)
        self.pid = self.process.pid
        lib.until(lambda: "measuring" in self.said(), "pycost does not watch")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(lib.PATIENCE):
            raise AssertionError("pycost: " + self.said())
        return self

    def stop(self):
        with open(self.end().file, encoding="utf-8") as file:
            return json.load(file)


def load_of(served, seconds, *options, mix=MIX):
    return Load(served.where, mix, "-n", 10 ** 9, "-t", seconds, *options)


def told_of(file):
    made = lib.pycost("requests", file, "--format", "json")
    if made.returncode:
        raise AssertionError("requests: " + made.stderr.decode())
    return json.loads(made.stdout)


def some(*servers):
    """The first of them; PYCOST_TEST_LONG=1 tries them all."""
    if os.environ.get("PYCOST_TEST_LONG") == "1":
        return servers
    for kind, version, *_ in servers[1:]:
        lib.skip("%s on %s" % (kind, version), "PYCOST_TEST_LONG=1 runs it")
    return servers[:1]


def load_ends():
    """The load itself: its time over, no client without a request keeps a server from others."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve():
            while True:
                try:
                    connection = listening.accept()[0]
                except OSError:
                    return
                with connection: # which it waits for, however many others there are
                    if connection.recv(4096):
                        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        load = Load(str(listening.getsockname()[1]), "1 GET /\n", "-n", 10 ** 9, "-t", 1, "-r", 8,
                    "-c", 6, "-k", 1, "-w", 5).done()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    lib.check("the load ends with its time, and all are answered",
              not load.status and load.told["sent"] == load.told["answered"] > 3, load.told)


def estimates():
    """Of a recording: how many there were, and what they cost."""
    # As many a second whether watched or not: clients that wait for a saturated worker ask it
    # for less while it is watched, so that the estimate is too low.
    for kind, version, options in some(("sync", "3.15", ("-c", 4, "-k", 1, "-r", 1500)),
                                       ("gthread", "3.11", ("-c", 4, "-k", 0, "-r", 1500))):
        served = Server(kind, version)
        pids = [served.pid, *served.workers()]
        watched = Table(pids, "--budget", 1, record=True)
        load = load_of(served, 40, *options).done()
        watched.end()
        told = told_of(watched.file)
        total, name = told["total"], "%s on %s" % (kind, version)
        answered = load.told["answered"]
        lib.check(name + ": a part of the time was watched",
                  told["watched"]["phases"] > 3 and 1 < told["watched"]["percent"] < 60,
                  told["watched"])
        lib.check(name + ": it says that it estimates",
                  total["estimate"] and 0 < total["seen"] < answered / 2, total)
        worker = told["workers"]
        took = worker["cost"] / 1e9
        lib.check(name + ": it cost what it may, with what was saved before, and the last phase",
                  took * told["watched"]["cost"] / 100 <
                  0.01 * max(took, told["seconds"] / 2) + SAVED, (told["watched"], took))
        lib.check(name + ": the estimate of %d requests is within three of its errors" % answered,
                  abs(total["requests"] - answered) < 3 * total["error"],
                  (total["requests"], total["error"]))
        lib.check(name + ": and its error is of use", total["error"] < 0.3 * answered,
                  total["error"])
        shares = {row["keys"]["endpoint"]: row["requests"] / total["requests"]
                  for row in told["rows"]}
        lib.check(name + ": the endpoints' shares are those that were asked for",
                  abs(sum(n for key, n in shares.items() if "/work" in key) - 4 / 13) < 0.03, shares)
        lib.check(name + ": requests are most of what the workers cost",
                  0.6 * worker["cost"] < worker["request_cost"] < 1.3 * worker["cost"], worker)
        served.end()


def agree():
    """What one request costs is the same, watched in phases or all the time."""
    for kind, version in (("uvicorn", "3.15"), *some(("gthread", "3.11"), ("sync", "3.15"),
                                                     ("waitress", "3.15"))):
        served = Server(kind, version)
        pids = [served.pid, *served.workers()]
        full = Requests(pids, name="full.json")
        watched = Requests(pids, "--budget", "1", name="phases.json")
        load_of(served, 12, "-c", 4, "-r", 1000, mix="1 GET /work/2000\n1 GET /work/6000\n").done()
        watched.stop()
        full.stop()
        by_name = {name_of(told): told for told in full.each}
        both = [(told, by_name[name_of(told)]) for told in watched.each
                if name_of(told) in by_name]
        ratio = sum(a["cost"] for a, _ in both) / max(sum(b["cost"] for _, b in both), 1)
        name = "%s on %s" % (kind, version)
        lib.equal(name + ": whoever is of the sample is of all", len(both), len(watched.each))
        lib.check(name + ": costs are those that the other saw of %d requests" % len(both),
                  len(both) > 100 and abs(ratio - 1) < BESIDE, ratio)
        served.end()


def idle():
    """Who has little to do is watched all the time, and what is told is exact."""
    served = Server("sync", "3.15")
    watched = Table([served.pid, *served.workers()], "--budget", 1)
    load = Load(served.where, MIX, "-n", 100, "-c", 2, "-r", 20).done()
    time.sleep(0.3)
    told = watched.stop()
    lib.equal("idle: all are told, and counted",
              (told["total"]["requests"], told["total"]["estimate"], told["total"]["error"],
               told["watched"]["percent"]), (load.told["answered"], False, 0, 100))
    served.end()


def each():
    """None is told twice, or as another; those told are as many as were watched."""
    for kind, version in some(("uvicorn", "3.15"), ("sync", "3.15"), ("gthread", "3.15"),
                              ("waitress", "3.11")):
        served = Server(kind, version)
        watched = Requests([served.pid, *served.workers()], "--budget", "1")
        load = load_of(served, 12, "-c", 6, "-r", 1500).done()
        watched.stop()
        compared = Comparison(load.requests(), watched.each)
        name = "%s on %s" % (kind, version)
        lib.check(name + ": none was mixed up", not compared.wrong, compared.wrong[:3])
        lib.check(name + ": none was seen twice, or invented",
                  not compared.twice and not compared.invented,
                  (compared.twice[:3], compared.invented[:3]))
        lib.check(name + ": a part was seen",
                  100 < len(watched.each) <= load.told["answered"], len(watched.each))
        lib.check(name + ": nothing lost", not watched.losses, watched.losses)
        served.end()


def long_ones():
    """A request is of the sample when it begins in a phase, however long it is."""
    served = Server("gthread", "3.15")
    watched = Table([served.pid, *served.workers()], "--budget", 0.3)
    load = load_of(served, 25, "-c", 8, mix="8 GET /work/200\n1 GET /sleep/700\n").done()
    time.sleep(1)
    told = watched.stop()
    seen = {row["keys"]["endpoint"]: row["seen"] for row in told["rows"]}
    slept = sum(n for key, n in seen.items() if "sleep" in key)
    lib.check("long requests are no likelier than others, nor less",
              told["total"]["estimate"] and
              0.3 < slept / max(told["total"]["seen"], 1) * 9 < 3, (seen, load.told["answered"]))
    lib.check("those longer than a phase are waited for", not told["losses"].get("cut"),
              told["losses"])
    served.end()


def between():
    """Between phases nothing is attached at sockets; after kill -9, nothing at all."""
    served = Server("sync", "3.15")
    watched = Table([served.pid, *served.workers()], "--budget", 1)
    load = load_of(served, 8, "-c", 3, "-k", 1)
    counts = []
    while load.process.poll() is None:
        counts.append(links(watched.pid))
        time.sleep(0.02)
    load.done()
    lib.check("between phases there are at least three programs fewer",
              max(counts) - min(counts) >= 3, (min(counts), max(counts)))
    lib.check("and that most of the time", counts.count(min(counts)) > len(counts) / 2, len(counts))
    ours = programs(watched.pid)
    watched.process.kill()
    watched.process.wait()
    left = lib.until(lambda: not ours & loaded(), "programs stay after kill -9")
    lib.check("after kill -9 no program is left", left and ours)
    again = Load(served.where, MIX, "-n", 200, "-c", 2).done()
    lib.equal("and the server serves", again.told["answered"], 200)
    served.end()


def loops():
    """Where an event loop runs, it is trapped in phases only; tasks of connections that were
    there before are told apart all the same."""
    for kind, version in (("streams", "3.15"), *some(("uvicorn-uvloop", "3.11"),
                                                     ("aiohttp", "3.15"), ("gevent", "3.11"))):
        served = Server(kind, version)
        worker = served.workers()[0] if served.workers() else served.pid
        watched = Requests([served.pid, *served.workers()], "--budget", "1")
        load = load_of(served, 12, "-c", 50, "-k", 0, mix=mix_of("pauses"))
        trapped = []
        while load.process.poll() is None:
            trapped.append(lib.traps(worker))  # imports' and collections', too
            time.sleep(0.02)
        load.done()
        watched.stop()
        name = "%s on %s" % (kind, version)
        if kind != "gevent":
            share = statistics.mean(count > min(trapped) for count in trapped)
            lib.check(name + ": its loop is trapped at times", 0.02 < share < 0.6,
                      (share, set(trapped)))
        ratio_is(name, "pauses", watched.each)
        served.end()


def loaded():
    """All programs in the kernel."""
    made = subprocess.run(["bpftool", "-j", "prog", "show"], stdout=subprocess.PIPE,
                          env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    return {program["id"] for program in json.loads(made.stdout)}


def refused():
    for given in ("0", "101", "x", ""):
        made = lib.pycost("requests", "-p", os.getpid(), "--budget", given)
        lib.check("a budget of %r is refused" % given,
                  made.returncode == 2 and b"--budget takes percent" in made.stderr, made.stderr)
    made = lib.pycost("record", "--requests", "--budget", "1", "-p", os.getpid())
    lib.check("a budget is not of the exact mode", made.returncode == 2 and
              b"--budget goes with" in made.stderr, made.stderr)


if __name__ == "__main__":
    lib.run(load_ends, estimates, agree, idle, each, long_ones, between, loops, refused)
