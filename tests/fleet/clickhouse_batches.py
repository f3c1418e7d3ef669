# SPDX-License-Identifier: GPL-2.0-or-later
"""Batches of all kinds, by chance, and the order they come in."""
import json
import os
import random
import subprocess
import tempfile
import time

from serve_rig import BUILD, work

STORE_JSON = os.path.join(BUILD, "store_json")
DAY, HOUR = 86400, 3600

SERVICES = ("shop", "it's\\ \"billing\"", "søk \U0001f40d")
ENDPOINTS = ("GET /shop/*", "POST /cart", "")
FUNCTIONS = [["shop.m%d" % (i % 4), "f%d.<locals>.g" % i, "/srv/it's/%d.py" % (i % 4), i + 1]
             for i in range(24)]
PATHS = [[-1 if i < 6 else random.Random(i).randrange(i), i % len(FUNCTIONS)] for i in range(40)]
BACKENDS = ("postgres", "back\\slash", "a'b")


def random_requests(r, slice_number):
    count = r.randrange(1, 50)

    def bins():
        return [[i, r.randrange(1, 9)] for i in sorted(r.sample(range(64, 1400), r.randrange(1, 6)))]
    return {"slice": slice_number, "count": count, "estimate": count * r.uniform(1, 3),
            "variance": r.uniform(0, 9), "sums": [r.randrange(10 ** 9) for _ in range(64)],
            "squares": [r.uniform(0, 1e15) for _ in range(64)], "bins": [bins() for _ in range(3)],
            "backends": [[b, r.randrange(9), r.randrange(10 ** 7)] for b in r.sample(BACKENDS, 2)]}


def random_batch(r, begin):
    base = {"service": r.choice(SERVICES), "metric": "instructions:u", "host": "web-%d" % r.randrange(6),
            "version": "1.%d" % r.randrange(2)}
    slices = [dict(base, endpoint=e, mode=m) for e in ENDPOINTS for m in ("exact", "sampled")]
    slices += [dict(base, endpoint=e, status=s) for e in ENDPOINTS[:2] for s in ("200", "500")]
    slices.append(base)
    costs = [[s, f, r.randrange(1, 99) if s % 2 == 0 else 0, r.randrange(1, 99) if s % 2 else 0,
              r.randrange(10 ** 9), r.randrange(10 ** 9, 10 ** 10), r.uniform(0, 1e6), r.uniform(0, 1e6)]
             for s in range(6) for f in [-1] + r.sample(range(len(FUNCTIONS)), 5)]
    return {"sender": base["host"], "begin": begin, "slices": slices, "functions": FUNCTIONS,
            "paths": PATHS, "costs": costs,
            "path_costs": [[s, p, r.randrange(1, 99), 0, r.randrange(10 ** 9)]
                           for s in range(6) for p in r.sample(range(len(PATHS)), 8)],
            "requests": [random_requests(r, s) for s in range(6, 10)],
            "users": [{"slice": 10, "registers": [[i, r.randrange(1, 20)] for i in
                                                  sorted(r.sample(range(4096), 30))]}],
            "counters": [[10, "loss.nodes", r.randrange(5)], [10, "workers.born", 1]]}


def packed(made):
    directory = tempfile.mkdtemp(dir=work)
    subprocess.run([STORE_JSON, "--pack", directory], input=json.dumps(made), text=True, check=True)
    return [os.path.join(directory, str(i)) for i in range(len(made))]


def story(seed):
    """Groups of batches in the order they come in, and the times in between."""
    r = random.Random(seed)
    begin = int(time.time()) // DAY * DAY - 3 * DAY
    made = [random_batch(r, begin + r.randrange(int(2.6 * DAY)) // 60 * 60) for _ in range(170)]
    made += [random_batch(r, begin + 7 * HOUR + 60 * r.randrange(120)) for _ in range(40)]
    made.sort(key=lambda b: b["begin"])
    for i in range(0, len(made) - 30, 7):  # some are late
        j = i + r.randrange(30)
        made[i], made[j] = made[j], made[i]
    files = packed(made)
    groups, at = [], 0
    while at < len(files):
        size = r.randrange(1, 12)
        group = files[at:at + size]
        if at and r.random() < 0.3:  # some come again
            group += r.sample(files[:at], min(at, 3))
        groups.append((max(b["begin"] for b in made[:at + size]) + 90, group))
        at += size
    return begin, groups, made
