#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Function costs by request: the calls of each endpoint are known, and add up.

A worker's endpoints share a helper that each calls a number of times of its own. With
all requests measured, with one in so many, and by samples; under gunicorn's two kinds
of workers, and the standard library's server where there is no gunicorn.
"""
import collections
import http.client
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time

import lib
import server
import truth

sys.path.insert(0, server.WEB)
import known  # noqa: E402

# Traps on 3.11, probes on the others.
SERVERS = {
    "3.9 wsgiref": ("wsgiref", "3.9"), "3.11 sync": ("sync", "3.11"),
    "3.11 gthread": ("gthread", "3.11"), "3.15 sync": ("sync", "3.15"),
    "3.15 gthread": ("gthread", "3.15"),
}
GLOBS = {"cheap": "GET /cheap", "dear": "GET /dear/*", "heavy": "GET /heavy",
         "light": "GET /light"}
KNOWN = {name for calls in known.CALLS.values() for name in calls}


def serve(name, workers=1):
    """A server, and the PIDs of its processes."""
    made = server.Server(*SERVERS[name], app="known", workers=workers)
    made.port = int(made.where)
    made.pids = sorted({made.pid, *made.workers()})
    return made


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


def record(site, *arguments):
    recording = lib.Recording("-p", ",".join(map(str, site.pids)), *arguments)

    def serves():
        if recording.process.poll() is not None:
            raise AssertionError("record ended: " + recording.said())
        return recording.serves()

    lib.until(serves, "the recorder")
    return recording


def told_of(report):
    """{endpoint: requests whose function costs are in it, and all of it}"""
    globs = {glob: endpoint for endpoint, glob in GLOBS.items()}
    told = {}
    for e in report.json["endpoints"]:
        name = globs.get("%s %s" % (e["method"], e["name"]))
        if name:
            told[name] = e["requests"], e["served"]
    return told


def exact(name):
    site = serve(name)
    recording = record(site, "--no-calibration", "--requests")
    recording.attached(*site.pids)
    served = send(site.port, mixed(200, name))
    time.sleep(0.3)  # what a worker does after its answer is the request's, too
    recording.stop()
    lib.equal(name + ": all requests are answered", sum(served.values()), 200)
    whole = recording.report()
    lib.equal(name + ": calls of all endpoints", calls_of(whole), expected(served))
    for endpoint in ("cheap", "dear"):
        lib.equal("%s: calls of %s" % (name, endpoint),
                  calls_of(recording.report("--endpoint", GLOBS[endpoint])),
                  expected({endpoint: served[endpoint]}))
    lib.check(name + ": nothing lost", not whole.losses, whole.losses)
    lib.equal(name + ": requests of each endpoint", told_of(whole),
              {endpoint: (served[endpoint], served[endpoint]) for endpoint in served})
    site.end()


def all_requests():
    for name in SERVERS:
        exact(name)


RATE = 250  # requests a second
# A busy kernel takes seconds to switch probes off and on: what comes meanwhile is made up
# for later, but for the last.
LAG = 3 * RATE


def is_share(captured, served, every):
    """Binomial, as if each were chosen by itself; less what may lag behind at the end."""
    error = math.sqrt(served / every * (1 - 1 / every))
    return -3 * error - min(LAG, served / 2) / every <= captured - served / every <= 3 * error


def one_in(name, every, count):
    site = serve(name, 1 if "wsgiref" in name else 2)
    recording = record(site, "--no-calibration", "--requests=1/%d" % every)
    served = send(site.port, mixed(count, name), rate=RATE)
    time.sleep(0.3)
    recording.stop()
    lib.equal("%s 1/%d: all requests are answered" % (name, every), sum(served.values()), count)
    captured = {}
    for endpoint in ("cheap", "dear"):
        got = calls_of(recording.report("--endpoint", GLOBS[endpoint]))
        captured[endpoint] = got[endpoint]
        lib.equal("%s 1/%d: whole requests of %s" % (name, every, endpoint), got,
                  expected({endpoint: got[endpoint]}))
    whole = recording.report()
    lib.equal("%s 1/%d: nothing else" % (name, every), calls_of(whole), expected(captured))
    lib.equal("%s 1/%d: how many they are is told" % (name, every), whole.json["captured"],
              {"requests": sum(captured.values()), "of": count})
    lib.equal("%s 1/%d: and of each endpoint" % (name, every), told_of(whole),
              {endpoint: (captured[endpoint], served[endpoint]) for endpoint in captured})
    total = sum(captured.values())
    lib.check("%s: one in %d" % (name, every), is_share(total, count, every),
              "%d of %d" % (total, count))
    share, error = captured["cheap"] / total, 0.5 / math.sqrt(total)
    lib.check("%s 1/%d: of each kind as many as there are" % (name, every),
              abs(share - 0.5) < 4 * error, captured)
    # A busy kernel takes its time.
    lib.until(lambda: all(lib.probes_off(pid) for pid in site.pids), "the probes are on")
    lib.ok("%s 1/%d: the probes are off" % (name, every))
    site.end()


def some_requests():
    for name in SERVERS:
        one_in(name, 10, 2500)


def within_budget():
    """Requests are watched at times only; one in N of all is captured all the same."""
    every, seconds = 100, 40
    others = ("3.11 gthread",) if os.environ.get("PYCOST_TEST_LONG") == "1" else ()
    for name in ("3.15 sync",) + others:
        site = serve(name)
        recording = record(site, "--no-calibration", "--requests=1/%d" % every)
        load = server.Load(site.where, "1 GET /cheap\n1 GET /dear/7\n", "-n",
                           1000 * seconds, "-c", 3, "-k", 1, "-r", 1000).done()
        recording.stop()
        whole = recording.report()
        told, answered = whole.json["captured"], load.told["answered"]
        lib.check(name + " within a budget: part of the time was watched",
                  told["estimate"] and told["watched"] < 80, told)
        captured = {}
        for endpoint in ("cheap", "dear"):
            got = calls_of(recording.report("--endpoint", GLOBS[endpoint]))
            captured[endpoint] = got["app"]
            lib.equal("%s within a budget: whole requests of %s" % (name, endpoint), got,
                      expected({endpoint: got["app"]}))
        lib.equal(name + " within a budget: nothing else", calls_of(whole), expected(captured))
        total = sum(captured.values())
        lib.equal(name + " within a budget: how many they are is told", told["requests"], total)
        lib.check("%s within a budget: the estimate of %d is within three of its errors" % (
            name, answered), abs(told["of"] - answered) < 3 * told["error"], told)
        # What it is aimed at is the estimate. As much as comes between two phases may lag behind,
        # and on a busy machine the budget is for fewer.
        error = math.sqrt(answered / every + (3 * told["error"] / every) ** 2)
        lib.check("%s within a budget: at most one in %d of all, and not much less" % (name, every),
                  answered / every / 4 < total < answered / every + 3 * error,
                  "%d of %d" % (total, answered))
        lib.check(name + " within a budget: of each kind as many as there are",
                  abs(captured["cheap"] / total - 0.5) < 4 * 0.5 / math.sqrt(total), captured)
        lib.check(name + " within a budget: nothing lost", not whole.losses, whole.losses)
        lib.until(lambda: all(lib.probes_off(pid) for pid in site.pids), "the probes are on")
        site.end()


def one_endpoint():
    site = serve("3.15 sync")
    recording = record(site, "--no-calibration", "--requests", "1/5", "--endpoint", GLOBS["dear"])
    served = send(site.port, mixed(1200, "one"), rate=RATE)
    recording.stop()
    got = calls_of(recording.report())
    lib.equal("one endpoint: nothing but it", got, expected({"dear": got["dear"]}))
    lib.check("one endpoint: one in 5 of it", is_share(got["dear"], served["dear"], 5),
              "%d of %d" % (got["dear"], served["dear"]))
    site.end()


def respawned():
    """A worker that comes in another's place is armed in its turn."""
    site = serve("3.15 sync")
    recording = record(site, "--no-calibration", "--requests=1/5")
    before = send(site.port, mixed(500, "before"), rate=RATE)
    worker, = site.workers()
    os.kill(worker, signal.SIGKILL)
    lib.until(lambda: site.workers() and site.workers() != [worker], "another worker")
    after = send(site.port, mixed(500, "after"), rate=RATE)
    time.sleep(0.3)
    new, = site.workers()
    recording.stop()
    got = calls_of(recording.report())
    lib.equal("respawned: whole requests", got,
              expected({"cheap": got["cheap"], "dear": got["dear"]}))
    sent = sum((before + after).values())
    lib.check("respawned: one in 5", is_share(got["app"], sent, 5),
              "%d of %d" % (got["app"], sent))
    lib.check("respawned: the new worker's too",
              calls_of(recording.report("--pid", str(new)))["app"] > 20)
    site.end()


def turned():
    """Stacks that are moved from class to class all the time: no call is lost, nor its caller."""
    turner = os.path.join(os.path.dirname(lib.PYCOST), "turner")

    def turns(recording):
        process = lib.start(turner, recording.process.pid, 300, stdout=subprocess.PIPE)
        lib.equal("turned", process.stdout.readline(), b"turning\n")

    turned_ones = [("3.11", "constructs"), ("3.15", "constructs"), ("3.15", "greenlets")]
    if os.environ.get("PYCOST_TEST_LONG") == "1":
        turned_ones += [("3.9", "constructs"), ("3.9", "greenlets"), ("3.11", "greenlets")]
    for version, name in turned_ones:
        truth.each_construct(version, name, "--requests", during=turns)
        lib.end_all()


def by_samples():
    """Shares of endpoints, by samples and by the time that their requests took on a CPU."""
    site = serve("3.15 gthread")
    recording = record(site, "--mode", "sample", "--rate", "997", "--requests")
    served = send(site.port, ["heavy", "light", "light"] * 60)
    time.sleep(0.3)
    recording.stop()
    lib.equal("samples: all requests are answered", sum(served.values()), 180)
    report = recording.report()
    period = report.json["period"]
    total = report.json["total"]
    told = lib.pycost("requests", recording.file, "--format", "json", "--by", "endpoint")
    rows = {row["keys"]["endpoint"]: row for row in json.loads(told.stdout)["rows"]}
    for endpoint in ("heavy", "light"):
        e, = [e for e in report.json["endpoints"] if e["name"] == "/" + endpoint]
        cpu, samples = rows[GLOBS[endpoint]]["cpu"]["sum"], e["total"] / period
        # Each sample falls into the endpoint or not; what is beside it is the clock's.
        error = math.sqrt(samples) * period + 0.02 * cpu
        lib.check("samples: time of %s" % endpoint, abs(e["total"] - cpu) < 4 * error,
                  "%.1f of %.1f ms, ± %.1f" % (e["total"] / 1e6, cpu / 1e6, error / 1e6))
    within = sum(e["total"] for e in report.json["endpoints"] if e["name"])
    lib.check("samples: most are of requests", within > 0.65 * total,
              "%.1f of %.1f ms" % (within / 1e6, total / 1e6))
    inside = {f["qualname"] for f in recording.report("--endpoint", GLOBS["heavy"])
              .functions.values() if os.path.basename(f["file"]) == "known.py"}
    lib.check("samples: an endpoint has its own functions only",
              "heavy" in inside and "light" not in inside, inside)
    site.end()


if __name__ == "__main__":
    lib.run(all_requests, some_requests, within_budget, one_endpoint, respawned, turned, by_samples)
