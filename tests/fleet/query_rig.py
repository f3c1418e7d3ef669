# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks pycost query, and compares its rows with those that were expected."""
import json
import math
import os
import subprocess
import sys
import time

import query_truth
from query_truth import DAY, HOUR, MINUTE

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib  # noqa: E402

BUILD = os.path.join(lib.TOP, os.environ.get("BUILD", "build"))

# The newest minutes, and some of five days ago that only hours and days are kept of.
now = int(time.time()) // DAY * DAY - DAY + 12 * HOUR
recent = (now - 2 * HOUR, now)
everything = (now - 10 * DAY, now)
world = query_truth.World(now, 20261122)


store = None  # set by setup()


def setup(where):
    global store
    store = where
    for i in range(6):
        world.add_minute(now - 2 * HOUR + i * 7 * MINUTE)
    for i in range(3):
        world.add_minute(now - 5 * DAY + i * 50 * MINUTE)
    made = subprocess.run([os.path.join(BUILD, "store_json"), store, "--maintain", str(now + HOUR)],
                          input=json.dumps(world.batches), text=True, capture_output=True)
    return made.stderr.strip()


def ask(kind, *options, since=None, until=None, format="json"):
    since, until = (since, until) if since else recent
    return subprocess.run([lib.PYCOST, "query", kind, "--store", store, "--since", str(since),
                           "--until", str(until), "-f", format, *options], capture_output=True)


def answer(kind, *options, **more):
    made = ask(kind, *options, **more)
    if made.returncode:
        raise AssertionError("%s %s: %s" % (kind, options, made.stderr.decode()))
    return json.loads(made.stdout)


def rows(answered):
    names = [c["name"] for c in answered["columns"]]
    return [dict(zip(names, row)) for row in answered["rows"]]


def close(a, b, share=1e-9):
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=share, abs_tol=1e-9)


def same(name, got, expected, share=1e-9):
    """Rows by their keys: {key: {column: value}}."""
    if set(got) != set(expected):
        lib.fail(name, "rows %r, not %r" % (sorted(set(got) ^ set(expected))[:4], len(expected)))
        return
    for key, values in expected.items():
        for column, value in values.items():
            seen = got[key][column]
            equal = close(seen, value, share) if isinstance(value, (int, float)) else seen == value
            if not equal:
                lib.fail(name, "%r: %s is %r, not %r" % (key, column, seen, value))
                return
    lib.ok("%s (%d rows)" % (name, len(expected)))


STRETCHES = {"minutes": recent, "days": everything,
             "part of a stretch": (now - 2 * HOUR + 5 * MINUTE, now - 2 * HOUR + 30 * MINUTE)}
CONDITIONS = {
    "all": ((), ()),
    "a service": ((("service", "shop", False),), ("service",)),
    "a name with quotes": ((("service", "it's; DROP TABLE tags--", False),), ()),
    "a glob": ((("service", "*DROP*", False),), ("version",)),
    "not": ((("version", "1.*", True),), ("version", "service")),
    "a set": ((("version", "[!2]*", False),), ()),
    "an endpoint without its method": ((("endpoint", "/shop/*", False),), ("endpoint",)),
}


def options_of(where, by):
    options = []
    for key, glob, negated in where:
        options += ["--where", "%s%s=%s" % (key, "!" if negated else "", glob)]
    return options + (["--by", ",".join(by)] if by else [])


def cases():
    for stretch, (since, until) in STRETCHES.items():
        for condition, (where, by) in CONDITIONS.items():
            yield "%s, %s" % (stretch, condition), since, until, where, by
