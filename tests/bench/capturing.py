# SPDX-License-Identifier: GPL-2.0-or-later
"""What exact costs by request cost: of one request in a thousand, and of all."""
import os

import budget
import lab
import watching
from results import note, row

EVERY = 1000


class Capture(watching.Watch):
    """One request in a thousand is probed, all others run at full speed; as they are
    watched within a budget, over whole cycles of phases."""

    ARGUMENTS = ("record", "--no-calibration", "--requests=1/%d" % EVERY)
    SETTLE = 6  # which probes can be trusted is found out first


class Plain(Capture):
    """Each call, and nothing known of requests."""

    ARGUMENTS = ("record", "--no-calibration")


class All(Capture):
    """Each call, by request."""

    ARGUMENTS = ("record", "--no-calibration", "--requests")


def one_in(room):
    """One worker of gunicorn, with exact costs of one request in a thousand."""
    affinity = os.sched_getaffinity(0)
    lab.pin_all(os.getpid(), 1)
    try:
        for app, name in (("small", "flask"), ("shop", "django")):
            site = watching.Site(room, app)
            changes, shares = budget.pairs(room, site, site, Capture)
            budget.tell("%s, 1/%d" % (name, EVERY), changes)
            for what in ("watched:", "captured:"):
                note(budget.told(room, "report", what))
            row("%s, 1/%d: pycost's own CPU, %% of a core" % (name, EVERY), shares, None, "%.2f")
            room.stop_all()
    finally:
        os.sched_setaffinity(0, affinity)


def all_requests(room):
    """The same worker, with each call measured: by request over without requests."""
    affinity = os.sched_getaffinity(0)
    lab.pin_all(os.getpid(), 1)
    try:
        for app, name in (("small", "flask"), ("shop", "django")):
            site = watching.Site(room, app)
            pids = [site.process.pid, site.worker]
            phases = []
            for number in range(2 * watching.CYCLES // 3 + 1):
                with (All if number % 2 else Plain)(room, pids):
                    phases.append(site.phase())
            changes = [[2 * now / (one + other) for one, now, other in zip(
                phases[i - 1], phases[i], phases[i + 1])] for i in range(1, len(phases), 2)]
            watching.tell(name + ", all requests, exact", changes,
                          ("CPU time a request", "time a request"), None,
                          "by request / plain")
            room.stop_all()
    finally:
        os.sched_setaffinity(0, affinity)


CRITERIA = {"one-in": one_in, "by-request": all_requests}
