# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs that requests are watched all the time: no probes, no samples."""
import json
import os
import socket
import statistics
import subprocess
import time

import lab
import overhead
from results import note, row

# Seconds of load with or without, and how often; seconds that pycost has to begin.
PHASE, CYCLES, SETTLE = 3, 12, 3
# One more than is answered at a time: the worker never waits.
CONNECTIONS = 3
# Of the application: what is asked for.
MIXES = {"small": "1 GET /\n", "shop": "1 GET /product/7/\n"}


class Site:
    """One worker of gunicorn, on one CPU; who asks, and all else, on the other."""

    def __init__(self, room, app):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.room, self.app = room, app
        python = room.python("python3.15")
        self.process = room.start(
            [*python.enter, python.inner, "-m", "gunicorn", "--bind",
             "127.0.0.1:%d" % self.port, "--no-control-socket", app + ":app"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(lab.TOP / "tests/web")})
        self.mix = room.work / (app + ".mix")
        self.mix.write_text(MIXES[app])
        end = time.monotonic() + lab.PATIENCE
        while not self.serves():
            if time.monotonic() > end or self.process.poll() is not None:
                raise lab.Failed("the server does not serve " + app)
            time.sleep(0.1)
        self.worker, = overhead.children(self.process.pid)
        self.load("-n", 300)
        lab.pin_all(self.worker, 0)

    def serves(self):
        with socket.socket() as s:
            return (s.connect_ex(("127.0.0.1", self.port)) == 0
                    and len(overhead.children(self.process.pid)) == 1)

    def load(self, *options):
        """CPU seconds of the worker for each request, and seconds of all."""
        before = lab.cpu_seconds(self.worker)
        told = json.loads(subprocess.run(
            [str(self.room.build / "load"), "-m", str(self.mix), "-c", str(CONNECTIONS), "-k", "1",
             *map(str, options), str(self.port)], check=True, stdout=subprocess.PIPE).stdout)
        took = lab.cpu_seconds(self.worker) - before
        if told["answered"] != told["sent"] or any(c["status"] != 200 for c in told["counts"]):
            raise lab.Failed("requests failed: %s" % told)
        return took / told["answered"], 1 / told["rate"]

    def phase(self):
        return self.load("-n", 10 ** 9, "-t", PHASE)


class Watch(overhead.Recorder):
    """pycost, watching the requests of some processes and nothing else."""

    ARGUMENTS, SETTLE = ("record", "-q", "--requests-only"), SETTLE

    def __init__(self, room, pids, output="watched.pycost"):
        self.room, self.output = room, room.work / output
        self.complaint = room.work / "complaint"
        with open(self.complaint, "w") as complaint:
            self.process = room.start(
                [room.pycost, *self.ARGUMENTS, "-p", ",".join(map(str, pids)),
                 "-o", str(self.output)],
                stdout=subprocess.DEVNULL, stderr=complaint)
        self.pid = self.process.pid
        lab.pin_all(self.pid, 1)
        time.sleep(self.SETTLE)
        self.check()


def turns(room, pids, measures, watch_of=Watch):
    """{name: [with / without]} of measures {name: function}, each phase with over the two
    beside it that are without; and what they are without."""
    phases, shares, peaks = [], [], []
    for number in range(2 * CYCLES + 1):
        if number % 2:
            with watch_of(room, pids) as watch:
                begin, before = time.monotonic(), watch.cpu()
                phases.append({name: measure() for name, measure in measures.items()})
                shares.append(100 * (watch.cpu() - before) / (time.monotonic() - begin))
                peaks.append(watch.peak())
        else:
            phases.append({name: measure() for name, measure in measures.items()})
    changes = {
        name: [[2 * now / (one + other) for one, now, other in zip(
            phases[i - 1][name], phases[i][name], phases[i + 1][name])]
            for i in range(1, len(phases), 2)]
        for name in measures}
    plain = {name: [statistics.median(values) for values in zip(
        *(phase[name] for phase in phases[::2]))] for name in measures}
    return changes, plain, shares, peaks


def tell(name, changes, what, limit, against="with / without"):
    for which, kind in enumerate(what):
        values = [change[which] for change in changes]
        row("%s: %s, %s" % (name, kind, against), values, limit, "%.4f", overhead.error(values))


def programs(room, site):
    """What the kernel itself says that our programs take of a request."""
    with overhead.program_times(), Watch(room, [site.process.pid, site.worker]) as watch:
        runs, taken = watch.in_kernel()
        before, begin = lab.cpu_seconds(site.worker), time.monotonic()
        _, wall = site.phase()
        now, took = watch.in_kernel(), time.monotonic() - begin
        watch.check()
        if now[0] == runs:
            raise lab.Failed("our programs do not run")
        count = took / wall
        row("%s: our programs, %% of the worker's CPU time" % site.app,
            [100 * (now[1] - taken) / (lab.cpu_seconds(site.worker) - before)], None, "%.2f")
        note("%s: %.1f runs of our programs a request, on the whole machine, %.2f us each" % (
            site.app, (now[0] - runs) / count, 1e6 * (now[1] - taken) / (now[0] - runs)))


def requests(room):
    """One worker of gunicorn, as much as it can serve: trivial Flask, Django and a database."""
    affinity = os.sched_getaffinity(0)
    lab.pin_all(os.getpid(), 1)
    try:
        for app, name in (("small", "flask"), ("shop", "django")):
            site = Site(room, app)
            changes, plain, shares, peaks = turns(
                room, [site.process.pid, site.worker], {name: site.phase})
            note("%s, without: %.0f us of CPU time a request, %.0f requests a second" % (
                name, 1e6 * plain[name][0], 1 / plain[name][1]))
            tell(name, changes[name], ("CPU time a request", "time a request"), 1.01)
            row(name + ": pycost's own CPU, % of a core", shares, None, "%.2f")
            row(name + ": its memory at its peak, MiB", peaks, None, "%.1f")
            programs(room, site)
            room.stop_all()
    finally:
        os.sched_setaffinity(0, affinity)


def bystanders(room):
    """Processes that are not watched, while a worker is that serves at times."""
    affinity = os.sched_getaffinity(0)
    lab.pin_all(os.getpid(), 1)
    try:
        watched, other = Site(room, "small"), Site(room, "small")
        spinner = room.spinner()
        lab.pin(spinner.pid, 0)
        spins = {what: lambda what=what, count=count: [spinner.work(what, count)]
                 for what, count in (("loop", 100000000), ("ask", 3000000))}
        changes, plain, _, _ = turns(room, [watched.process.pid, watched.worker],
                                     {"other worker": other.phase, **spins})
        tell("a worker that is not watched", changes["other worker"],
             ("CPU time a request", "time a request"), 1.01)
        tell("a loop of arithmetic", changes["loop"], ("time",), 1.01)
        tell("a loop of system calls", changes["ask"], ("time of one",), 1.01)
        note("a system call takes %.0f ns without, %+.0f ns with" % (
            plain["ask"][0], plain["ask"][0] * (statistics.median(
                change[0] for change in changes["ask"]) - 1)))
        room.stop_all()
    finally:
        os.sched_setaffinity(0, affinity)


CRITERIA = {"requests": requests, "bystanders": bystanders}
