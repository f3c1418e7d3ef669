# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs that requests are watched within a budget: over whole cycles of phases."""
import contextlib
import os
import statistics
import subprocess

import lab
import overhead
import watching
from results import note, row

PERCENT = 1
# Seconds of load with or without, of load until what was saved or owed before is of no
# account, and how often.
TURN, SETTLE, PAIRS = 20, 8, int(os.environ.get("PYCOST_BENCH_PAIRS", 12))


class Budgeted(watching.Watch):
    """pycost, watching requests in phases."""

    ARGUMENTS, SETTLE = ("record", "-q", "--requests-only", "--budget", str(PERCENT)), 1


def mean_error(values):
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("inf")


def pairs(room, watched, asked, watch_of=Budgeted):
    """Of who is asked: [with / without] of CPU time and of time, each with over the two
    beside it; and what pycost takes itself, in percent."""
    turns, shares = [], []
    for number in range(2 * PAIRS + 1):
        with contextlib.ExitStack() as stack:
            watch = None
            if number % 2:
                watch = stack.enter_context(watch_of(room, [watched.process.pid, watched.worker]))
                asked.load("-n", 10 ** 9, "-t", SETTLE)
                before = watch.cpu()
            turns.append(asked.load("-n", 10 ** 9, "-t", TURN))
            if watch:
                shares.append(100 * (watch.cpu() - before) / TURN)
    changes = [[2 * now / (one + other) for one, now, other in zip(
        turns[i - 1], turns[i], turns[i + 1])] for i in range(1, len(turns), 2)]
    return changes, shares


def told(room, command="requests", what="watched:"):
    """What pycost says itself of the last."""
    made = subprocess.run([room.pycost, command, str(room.work / "watched.pycost")],
                          stdout=subprocess.PIPE, text=True)
    return next((line for line in made.stdout.split("\n") if line.startswith(what)), "")


def tell(name, changes):
    for which, kind in enumerate(("CPU time a request", "time a request")):
        values = [change[which] for change in changes]
        mean, error = statistics.mean(values), mean_error(values)
        row("%s: %s, with / without" % (name, kind), values, 1 + PERCENT / 100, "%.4f",
            overhead.error(values))
        note("%s: %s: %+.2f +- %.2f %% (mean of %d, and its standard error)" % (
            name, kind, 100 * (mean - 1), 100 * error, len(values)))


def budget(room):
    """Requests watched for 1 % of the CPU time: Flask, Django and a database; a bystander."""
    affinity = os.sched_getaffinity(0)
    lab.pin_all(os.getpid(), 1)
    try:
        for app, name in (("small", "flask"), ("shop", "django")):
            site = watching.Site(room, app)
            changes, shares = pairs(room, site, site)
            tell("%s, budget %d %%" % (name, PERCENT), changes)
            row("%s: pycost's own CPU, %% of a core" % name, shares, None, "%.2f")
            note(told(room))
            room.stop_all()
        watched, other = watching.Site(room, "small"), watching.Site(room, "small")
        changes, _ = pairs(room, watched, other)
        tell("a worker that is not watched, a connection a request", changes)
        room.stop_all()
    finally:
        os.sched_setaffinity(0, affinity)


CRITERIA = {"budget": budget}
