#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests counted are requests sent: method, path, status and id, under every server.

The load is of tests/load, by another process: what it asks of is told apart by ids that
the answers carry back. PYCOST_TEST_LONG=1 sends a million.
"""
import collections
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import time

import lib
from server import Load, Server, answers
from watched import Requests, compare

LONG = os.environ.get("PYCOST_TEST_LONG") == "1"

# Of all kinds: what hinders the others for long is rare.
MIX = """
40 GET /
10 GET /status/404
3 GET /status/204
3 GET /status/304
6 HEAD /big/1000
4 GET /big/100000
6 GET /stream/5
2 GET /file/200000
9 POST /echo body=0-5000
3 PUT /echo body=100000-200000
4 GET /work/1000?much={n} field=User-Agent:agent/2
5 GET /shop/{n}?id={id} close
1 GET /threads/2
1 GET /work/500 trickle=1
1 GET /big/100000 abort=answer
1 GET /work/1000 abort=sent
1 GET /shop/{n} abort=head
1 POST /echo body=5000 abort=body
"""
# What no gunicorn before 22, or no uWSGI, does without harm to those that come after.
CHUNKED = """
3 POST /echo chunked body=0-20000
2 POST /echo body=2000 expect
"""
# What is measured is long beside what is around it: being put on a CPU, and our programs.
LONG_WORK = "1 GET /work/20000\n1 GET /work/60000\n"
SIMPLE = """
60 GET /
20 GET /status/404
10 GET /shop/{n}?id={id}
9 POST /echo body=0-3000
1 GET /big/50000
"""


def watch(kind, mix, requests, *options, version="3.11", workers=1, app="many"):
    served = Server(kind, version, app, workers)
    watched = Requests([served.pid, *served.workers()])
    load = Load(served.where, mix, "-n", requests, *options).done()
    # The last is over when its worker waits for the next.
    time.sleep(0.3)
    watched.stop()
    name = "%s on %s" % (kind if app == "many" else kind + " with " + app, version)
    lib.check(name + ": the load was served", load.status == 0 and
              load.told["answered"] > 0.8 * requests, load.told)
    compare(name, load, watched)
    served.end()
    return load, watched


def gunicorn():
    watch("sync", MIX + CHUNKED, 3000, "-c", 16, version="3.15", workers=2)
    watch("sync-unix", MIX + CHUNKED, 2000, "-c", 16)
    watch("gthread", MIX + CHUNKED, 4000, "-c", 16)
    watch("gthread", MIX + CHUNKED, 4000, "-c", 16, version="3.15", workers=2)


def frameworks():
    """Flask's views and Django's, with a database."""
    watch("sync", "3 GET /\n1 GET /status/404\n1 GET /user/{n}\n1 GET /none\n", 1500, "-c", 8,
          app="small")
    watch("gthread", "2 GET /\n3 GET /product/{n}/\n1 GET /search/?q=red+{n}\n1 GET /none/\n",
          800, "-c", 8, version="3.15", app="shop")


def waitress():
    watch("waitress", MIX + CHUNKED, 4000, "-c", 16, version="3.15")
    watch("waitress-unix", MIX, 2000, "-c", 16)


def uwsgi():
    watch("uwsgi-http-socket", MIX, 2000, "-c", 8, "-k", 1)
    watch("uwsgi-threads", MIX, 3000, "-c", 8, "-k", 1)
    watch("uwsgi-socket", SIMPLE, 2000, "-c", 8, "-u")
    watch("uwsgi-http", MIX, 2000, "-c", 8, "-k", 1)


def asynchronous():
    watch("uvicorn", MIX + CHUNKED, 4000, "-c", 32, version="3.15")
    watch("uvicorn-unix", MIX, 2000, "-c", 32, version="3.15")
    watch("hypercorn", MIX, 2000, "-c", 32, version="3.15")
    watch("aiohttp", MIX + CHUNKED, 4000, "-c", 32)
    watch("gevent", MIX, 3000, "-c", 32)


def many_connections():
    """More than there are rows for: each closed one leaves its own, though none is told to be."""
    watch("uvicorn-unix", "1 GET /\n", 17000, "-c", 8, "-k", 1)


def pipelined():
    """Many requests before the first answer: in the order that they were sent in."""
    watch("gthread", SIMPLE, 3000, "-c", 6, "-d", 8)
    watch("waitress", SIMPLE, 3000, "-c", 6, "-d", 8, version="3.15")
    watch("aiohttp", SIMPLE, 3000, "-c", 6, "-d", 8)


def killed():
    """Workers that are killed under load, and those that take their place."""
    for kind, version in (("sync", "3.11"), ("gthread", "3.15")):
        served = Server(kind, version, workers=2)
        watched = Requests([served.pid, *served.workers()])
        load = Load(served.where, SIMPLE, "-n", 6000, "-c", 12, "-r", 1000)
        dice, deaths = random.Random(7), 0
        while load.process.poll() is None:
            time.sleep(0.4)
            workers = served.workers()
            if len(workers) == 2:
                how = signal.SIGTERM if deaths % 2 else signal.SIGKILL
                with contextlib.suppress(ProcessLookupError):
                    os.kill(dice.choice(workers), how)
                    deaths += 1
        load.done()
        time.sleep(0.3)
        watched.stop()
        name = "%s on %s, %d workers killed" % (kind, version, deaths)
        lib.check(name + ": the load went on", deaths > 4 and load.told["answered"] > 4000,
                  load.told)
        compare(name, load, watched)
        served.end()


def sums():
    """Requests and what is outside of them are what the worker took."""
    for kind, version in (("sync", "3.15"), ("gthread", "3.11"), ("waitress", "3.15"),
                          ("uvicorn", "3.11")):
        served = Server(kind, version)
        worker, = served.workers()
        file = os.path.join(lib.work, "sums.pycost")
        recording = lib.start(lib.PYCOST, "record", "--requests-only", "--metric", "task-clock",
                              "-o", file, "-p", worker, stderr=subprocess.PIPE)
        lib.until(lambda: b"measuring" in recording.stderr.readline(), "record does not begin")
        before = lib.cpu_ns(worker)
        load = Load(served.where, LONG_WORK, "-n", 600, "-c", 4).done()
        time.sleep(0.3)
        took = lib.cpu_ns(worker) - before
        recording.send_signal(signal.SIGINT)
        recording.communicate()
        row, = [w for w in told_of(file, "--workers")["workers"] if w["pid"] == worker]
        table = told_of(file)["rows"]
        inside = sum(line["cost"]["sum"] for line in table)
        name = "%s on %s" % (kind, version)
        lib.check(name + ": the worker's total is what its clock says",
                  abs(row["cost"] - took) < 0.01 * took, (row["cost"], took))
        lib.equal(name + ": all requests are in the table, and the worker's",
                  (sum(line["requests"] for line in table), row["requests"]),
                  (load.told["answered"],) * 2)
        lib.check(name + ": its requests add up",
                  row["request_cost"] == inside and 0.8 * took < inside <= row["cost"],
                  (row["request_cost"], inside, took))
        served.end()


def told_of(file, *options):
    made = lib.pycost("requests", file, "--format", "json", *options)
    if made.returncode:
        raise AssertionError("requests: " + made.stderr.decode())
    return json.loads(made.stdout)


def costs():
    """What costs ten times as much is said to."""
    mix = "".join("1 GET /%s\n" % path for path in (
        "work/0", "work/10000", "work/100000", "threads/2", "sleep/20"))
    for kind, version in (("gthread", "3.15"), ("waitress", "3.11")):
        _, watched = watch(kind, mix, 400, "-c", 4, version=version)
        by_path = collections.defaultdict(list)
        for told in watched.each:
            by_path[told["path"]].append(told)
        median = {path: statistics.median(told["cpu"] for told in all_told)
                  for path, all_told in by_path.items()}
        alone = median["/work/0"]
        ratio = (median["/work/100000"] - alone) / (median["/work/10000"] - alone)
        lib.check("%s: ten times the work is ten times the cost" % kind, 8 < ratio < 12.5, median)
        slept = by_path["/sleep/20"]
        lib.check("%s: who sleeps has latency, not cost" % kind,
                  all(told["latency"] > 20e6 for told in slept)
                  and median["/sleep/20"] < 2e6, median)
        if kind == "waitress":
            continue  # its threads learn whom they work for when they answer
        waits = [told for told in watched.each
                 if told["threads"] == 1
                 and max(told["run_queue"], told["gil"]) > 1.05 * told["latency"] + 1e5]
        lib.check("%s: none waited longer than it took" % kind, not waits, waits[:1])
        # Its two threads do two fifths of what /work/100000 does.
        lib.check("%s: a request has its threads' cost" % kind,
                  0.3 < (median["/threads/2"] - alone) / (median["/work/100000"] - alone) < 0.8,
                  median)
        lib.check("%s: three threads worked for it" % kind,
                  {told["threads"] for told in by_path["/threads/2"]} == {3},
                  collections.Counter(told["threads"] for told in by_path["/threads/2"]))


def stores():
    """Calls of a memory store, to the request that made them."""
    port = lib.free_port()
    store = lib.start(os.path.join(lib.root("3.11"), "enter"), "redis-server", "--port", port,
                      "--bind", "127.0.0.1", "--save", "", stdout=subprocess.DEVNULL)
    lib.until(lambda: answers(str(port)), "the store does not listen")
    mix = "1 GET /store/1\n1 GET /store/7\n1 GET /work/100\n"
    for kind, version in (("sync", "3.15"), ("gthread", "3.11"), ("uvicorn", "3.15")):
        served = Server(kind, version, STORE_PORT=port)
        watched = Requests([served.pid, *served.workers()], "--backend", "redis=%d" % port)
        load = Load(served.where, mix, "-n", 600, "-c", 4).done()
        time.sleep(0.3)
        watched.stop()
        compare("%s on %s" % (kind, version), load, watched)
        calls = collections.Counter()
        for told in watched.each:
            use = told["backends"].get("redis", {"calls": 0, "ns": 0})
            calls[told["path"], use["calls"], 0 < use["ns"] < told["latency"]] += 1
        lib.equal("%s: calls of the store, and their time" % kind, sorted(calls),
                  [("/store/1", 1, True), ("/store/7", 7, True), ("/work/100", 0, False)])
        served.end()
    store.terminate()


def million():
    if not LONG:
        lib.skip("a million requests", "PYCOST_TEST_LONG=1 sends them")
        return
    for kind, version in (("sync", "3.15"), ("gthread", "3.11")):
        watch(kind, SIMPLE, 500000, "-c", 16, "-k", 0, version=version, workers=2)


if __name__ == "__main__":
    lib.run(gunicorn, frameworks, waitress, uwsgi, asynchronous, many_connections, pipelined,
            killed, sums, costs, stores, million)
