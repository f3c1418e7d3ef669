#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of real back ends: each to its class and its request, and how long they took.

PostgreSQL, MariaDB and memcached, asked by Flask's views by way of their usual drivers.
Each view tells how long it waited by its own clock, around its calls.
"""
import collections
import http.client
import os
import subprocess
import time

import lib
from server import Server, answers
from watched import Requests

WAIT_NS = 4_000_000  # tests/web/stores.py: what a query to a data base waits for
CLASSES = ("postgresql", "mysql", "memcache")
# What each view calls, times n: [(class, calls, how long at least)]
VIEWS = {
    "none": [],
    "postgresql": [("postgresql", lambda n: n, lambda n: n * WAIT_NS)],
    "transaction": [("postgresql", lambda n: n + 2, lambda n: n * WAIT_NS)],
    "mysql": [("mysql", lambda n: n, lambda n: n * WAIT_NS)],
    "memcache": [("memcache", lambda n: 2 * n, lambda n: 1)],
    "long": [("postgresql", lambda n: n, lambda n: 1), ("mysql", lambda n: n, lambda n: 1)],
}
VIEWS["all"] = VIEWS["postgresql"] + VIEWS["mysql"] + VIEWS["memcache"]

# PostgreSQL refuses to be root.
AS_NOBODY = """
import os, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Stores:
    """The servers, each with its data in a directory of its own."""

    def __init__(self):
        made = subprocess.run([os.path.join(lib.TOP, "tests", "fetch.sh"), "sites"],
                              stdout=subprocess.PIPE)
        if made.returncode:
            raise LookupError("tests/fetch.sh sites cannot have their packages")
        self.root = made.stdout.decode().strip()
        self.ports = {name: lib.free_port() for name in CLASSES}
        self.postgresql()
        self.mysql()
        self.start("memcache", "memcached", "-l", "127.0.0.1", "-p", self.ports["memcache"],
                   "-u", "nobody")
        for name, port in self.ports.items():
            lib.until(lambda port=port: answers(str(port)), name + " does not listen")

    def command(self, *command):
        return [os.path.join(self.root, "enter"), "python3.11", "-c", AS_NOBODY,
                *map(str, command)]

    def directory(self, name):
        os.chmod(lib.work, 0o755)
        path = os.path.join(lib.work, name)
        os.mkdir(path)
        os.chown(path, 65534, 65534)
        return path

    def make(self, *command):
        made = subprocess.run(self.command(*command), cwd="/", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if made.returncode:
            raise AssertionError(made.stdout.decode()[-2000:])

    def start(self, name, *command):
        with open(os.path.join(lib.work, name + ".log"), "wb") as log:
            return lib.start(*self.command(*command), cwd="/", stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log)

    def postgresql(self):
        programs, data = "/usr/lib/postgresql/15/bin/", self.directory("postgresql")
        self.socket = data
        self.make(programs + "initdb", "-D", data + "/data", "-A", "trust", "-N",
                  "--locale", "C", "-E", "UTF8")
        self.start("postgresql", programs + "postgres", "-D", data + "/data", "-k", data,
                   "-h", "127.0.0.1", "-p", self.ports["postgresql"], "-F")

    def mysql(self):
        data = self.directory("mysql")
        self.start("mysql", "mariadbd", "--no-defaults", "--skip-grant-tables",
                   "--datadir=" + data, "--socket=%s/socket" % data, "--pid-file=%s/pid" % data,
                   "--bind-address=127.0.0.1", "--port=%d" % self.ports["mysql"])


def ask(where, path, number):
    connection = http.client.HTTPConnection("127.0.0.1", int(where), timeout=lib.PATIENCE)
    connection.request("GET", path, headers={"X-Request-Id": "r%d" % number})
    answer = connection.getresponse()
    told = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise AssertionError("%s: %d %s" % (path, answer.status, told[-300:]))
    return list(map(int, told.split()))


def wrong_use(view, times, waited, told):
    """What pycost tells of one request's calls, and should not; None: nothing."""
    expected = {name: (calls(times), least(times)) for name, calls, least in VIEWS[view]}
    if {name: use["calls"] for name, use in told["backends"].items()} != {
            name: calls for name, (calls, _) in expected.items()}:
        return "calls"
    most = [sum(waited)] if len(waited) < len(expected) else waited
    for at, (name, (_, least)) in enumerate(expected.items()):
        if not least <= told["backends"][name]["ns"] <= most[min(at, len(most) - 1)]:
            return "time"
    return None


def compare(title, stores, kind, **environment):
    served = Server(kind, "3.11", "stores", root=stores.root, **environment)
    ask(served.where, "/connect/0", 0)
    options = [option for name, port in stores.ports.items()
               for option in ("--backend", "%s=%d" % (name, port))]
    options += ["--backend", "postgresql=%s/.s.PGSQL.%d" % (stores.socket,
                                                            stores.ports["postgresql"])]
    watched = Requests([served.pid, *served.workers()], *options)
    sent = {}
    for number in range(70):
        view, times = list(VIEWS)[number % len(VIEWS)], 1 + number // len(VIEWS) % 3
        sent["r%d" % number] = view, times, ask(served.where, "/%s/%d" % (view, times), number)
    time.sleep(0.3)
    watched.stop()
    served.end()
    seen = {told["tags"].get("x-request-id"): told for told in watched.each}
    lib.equal(title + ": each request once", (sorted(seen), len(watched.each)),
              (sorted(sent), len(sent)))
    wrong = collections.defaultdict(list)
    share = collections.defaultdict(lambda: [0, 0])
    for name, (view, times, waited) in sent.items():
        if name in seen:
            wrong[wrong_use(view, times, waited, seen[name])].append(
                (view, times, waited, seen[name]["backends"]))
            share[view][0] += sum(use["ns"] for use in seen[name]["backends"].values())
            share[view][1] += sum(waited)
    lib.check(title + ": the calls of each class", not wrong["calls"], wrong["calls"][:3])
    lib.check(title + ": no less than the back end waited, no more than the view",
              not wrong["time"], wrong["time"][:3])
    parts = {view: told / waited for view, (told, waited) in share.items() if waited}
    lib.check(title + ": what the view waited is the back end's time, or the driver's own",
              all(parts[view] > 0.9 for view in ("postgresql", "transaction", "mysql"))
              and parts["memcache"] > 0.25, parts)
    lib.check(title + ": nothing lost", not watched.losses, watched.losses)


def backends():
    try:
        stores = Stores()
    except LookupError as reason:
        lib.skip("backends", reason)
        return
    where = {name.upper() + "_PORT": port for name, port in stores.ports.items()}
    compare("sync", stores, "sync", POSTGRESQL="127.0.0.1", **where)
    compare("gthread, a socket's path", stores, "gthread", POSTGRESQL=stores.socket, **where)


if __name__ == "__main__":
    lib.run(backends)
