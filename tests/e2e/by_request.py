#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Function costs by request: the calls of each endpoint are known, and add up.

A worker's endpoints share a helper that each calls a number of times of its own. With
all requests measured, with one in so many, and by samples; under gunicorn's two kinds
of workers, and the standard library's server where there is no gunicorn.
"""
import collections
import http.client
import math
import os
import random
import subprocess
import sys
import threading
import time

import lib

sys.path.insert(0, os.path.join(lib.TOP, "tests", "web"))
import known  # noqa: E402

WEB = os.path.join(lib.TOP, "tests", "web")
SYNC = ("-k", "sync")
THREADS = ("-k", "gthread", "--threads", "4")
# Traps on 3.11, probes on the others.
SERVERS = {
    "3.9 wsgiref": ("3.9", None), "3.11 sync": ("3.11", SYNC), "3.11 gthread": ("3.11", THREADS),
    "3.15 sync": ("3.15", SYNC), "3.15 gthread": ("3.15", THREADS),
}
GLOBS = {"cheap": "GET /cheap", "dear": "GET /dear/*", "heavy": "GET /heavy",
         "light": "GET /light"}
KNOWN = {name for calls in known.CALLS.values() for name in calls}


class Server:
    """`workers` is the PIDs that serve."""

    def __init__(self, version, worker, workers=1):
        self.port = lib.free_port()
        if worker is None:
            command = lib.python(version, "known.py", self.port)
        else:
            command = lib.python(version, "-m", "gunicorn", "-b", "127.0.0.1:%d" % self.port, "-w",
                                 workers, "--no-control-socket", *worker, "known:app")
            command = [part for part in command if part != "--no-control-socket"]
        self.process = lib.start(*command, cwd=WEB, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        lib.until(self.answers, "the server")
        self.pids = [self.process.pid]
        if worker is not None:
            told = lib.until(lambda: self.children(workers), "the workers")
            self.pids += told

    def children(self, workers):
        told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                              stdout=subprocess.PIPE)
        pids = [int(pid) for pid in told.stdout.split()]
        return pids if len(pids) == workers else None

    def answers(self):
        try:
            return Client(self.port).get("/cheap")
        except OSError:
            return False

    def end(self):
        self.process.terminate()
        self.process.wait(lib.PATIENCE)


class Client:
    def __init__(self, port):
        self.port, self.connection = port, None

    def get(self, path, keep=False):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                         timeout=lib.PATIENCE)
        self.connection.request("GET", path, headers={} if keep else {"Connection": "close"})
        answer = self.connection.getresponse()
        answer.read()
        if not keep or answer.will_close:
            self.connection.close()
            self.connection = None
        return answer.status == 200


def send(port, names, clients=4, rate=None):
    """Requests in this order, by several clients, so many a second at most; how many of
    each were answered."""
    waiting, served = list(reversed(names)), collections.Counter()
    began = time.monotonic()

    def work(keep):
        client = Client(port)
        while True:
            try:
                name = waiting.pop()
            except IndexError:
                return
            late = rate and (len(names) - len(waiting)) / rate - (time.monotonic() - began)
            if late and late > 0:
                time.sleep(late)
            path = "/dear/%d" % len(waiting) if name == "dear" else "/" + name
            if client.get(path, keep):
                served[name] += 1

    threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return served


def mixed(count, seed):
    names = ["cheap", "dear"] * (count // 2)
    random.Random(seed).shuffle(names)
    return names


def calls_of(report):
    """Of the functions that the application's endpoints call."""
    got = collections.Counter()
    for f in report.functions.values():
        if f["name"] in KNOWN and os.path.basename(f["file"]) == "known.py" and f["calls"]:
            got[f["name"]] += f["calls"]
    return got


def expected(served):
    made = collections.Counter()
    for name, count in served.items():
        for function, calls in known.CALLS[name].items():
            made[function] += calls * count
    return made


def record(server, *arguments):
    recording = lib.Recording("-p", ",".join(map(str, server.pids)), "--no-calibration", *arguments)
    lib.until(recording.serves, "the recorder")
    return recording


def exact(name):
    server = Server(*SERVERS[name])
    recording = record(server, "--requests")
    recording.attached(*server.pids)
    served = send(server.port, mixed(200, name))
    recording.stop()
    lib.equal(name + ": all requests are answered", sum(served.values()), 200)
    whole = recording.report()
    lib.equal(name + ": calls of all endpoints", calls_of(whole), expected(served))
    for endpoint in ("cheap", "dear"):
        lib.equal("%s: calls of %s" % (name, endpoint),
                  calls_of(recording.report("--endpoint", GLOBS[endpoint])),
                  expected({endpoint: served[endpoint]}))
    lib.check(name + ": nothing lost", not whole.losses, whole.losses)
    server.end()


def all_requests():
    for name in SERVERS:
        exact(name)


def one_in(name, every, count):
    server = Server(*SERVERS[name], *([] if SERVERS[name][1] is None else [2]))
    recording = record(server, "--requests=1/%d" % every)
    served = send(server.port, mixed(count, name), rate=250)
    recording.stop()
    lib.equal("%s 1/%d: all requests are answered" % (name, every), sum(served.values()), count)
    captured = {}
    for endpoint in ("cheap", "dear"):
        got = calls_of(recording.report("--endpoint", GLOBS[endpoint]))
        captured[endpoint] = got[endpoint]
        lib.equal("%s 1/%d: whole requests of %s" % (name, every, endpoint), got,
                  expected({endpoint: got[endpoint]}))
    lib.equal("%s 1/%d: nothing else" % (name, every), calls_of(recording.report()),
              expected(captured))
    total = sum(captured.values())
    error = math.sqrt(count / every * (1 - 1 / every))
    lib.check("%s: one in %d" % (name, every), abs(total - count / every) <= 3 * error,
              "%d of %d" % (total, count))
    share, error = captured["cheap"] / total, 0.5 / math.sqrt(total)
    lib.check("%s 1/%d: of each kind as many as there are" % (name, every),
              abs(share - 0.5) < 4 * error, captured)
    lib.check("%s 1/%d: the probes are off" % (name, every),
              all(lib.probes_off(pid) for pid in server.pids))
    server.end()


def some_requests():
    for name in SERVERS:
        one_in(name, 10, 1500)


def one_endpoint():
    server = Server(*SERVERS["3.15 sync"])
    recording = record(server, "--requests", "1/5", "--endpoint", GLOBS["dear"])
    served = send(server.port, mixed(1200, "one"), rate=250)
    recording.stop()
    got = calls_of(recording.report())
    lib.equal("one endpoint: nothing but it", got, expected({"dear": got["dear"]}))
    error = math.sqrt(served["dear"] / 5 * 0.8)
    lib.check("one endpoint: one in 5 of it", abs(got["dear"] - served["dear"] / 5) < 3 * error,
              "%d of %d" % (got["dear"], served["dear"]))
    server.end()


if __name__ == "__main__":
    lib.run(all_requests, some_requests, one_endpoint)
