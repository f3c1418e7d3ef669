# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores by themselves, told what to do; whether what they hold is what was sent."""
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

import clickhouse_rig
from clickhouse_questions import ALL_SUMS, questions, sums_sql
from serve_rig import BUILD, batches, check, counts, skip, work

STORES = os.path.join(BUILD, "stores")
DAY, HOUR = 86400, 3600
AGAIN = -11  # EAGAIN
running = []


class Refused(Exception):
    def __init__(self, line):
        super().__init__(line)
        self.code = int(line.split()[1])
        self.words = line.split(" ", 2)[2]


class Store:
    """tests/fleet/stores.c"""

    def __init__(self, where, *options):
        self.process = subprocess.Popen([STORES, *options, where], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        running.append(self.process)
        self.rows()

    def rows(self):
        rows = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("stores ended with %s" % self.process.wait())
            if line.startswith("error "):
                raise Refused(line.rstrip("\n"))
            if line.startswith("ok"):
                self.said = line.split()[1:]
                return rows
            rows.append(json.loads(line))

    def do(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.rows()

    def write(self, files):
        self.do("write " + " ".join(files))
        return self.said

    def write_until_done(self, files):
        """As a sender does: again, until it is told."""
        tries = 0
        while True:
            try:
                return self.write(files), tries
            except Refused as refused:
                if refused.code != AGAIN:
                    raise
            tries += 1
            time.sleep(random.uniform(0, 0.2))

    def facts(self, fact, since, until, step, hosts, sql):
        return self.do("facts %s %d %d %d %d %s" % (fact, since, until, step, hosts, sql))

    def close(self):
        self.process.stdin.close()
        return self.process.wait(60)


def write_together(opened_by, files):
    """Three stores, of opened_by(NUMBER), write the same at once, in groups of their own: how many
    each was told are new, and how often one had to try again."""
    fresh, tries = [], []

    def write(number):
        r = random.Random(number)
        store = opened_by(number)
        at = 0
        while at < len(files):
            size = r.randrange(1, 9)
            said, again = store.write_until_done(files[at:at + size])
            fresh.append(said.count("new"))
            tries.append(again)
            at += size
        store.close()
    threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(fresh), sum(tries)


def opened(*args):
    """However often its server is killed meanwhile."""
    while True:
        try:
            return Store(*args)
        except Refused as refused:
            if refused.code != AGAIN:
                raise
            time.sleep(0.05)


def unlike(a, b, where=""):
    """Where two answers differ by more than the order in which floats were added up."""
    if isinstance(a, float) or isinstance(b, float):
        if isinstance(a, (int, float)) and isinstance(b, (int, float)) and \
                math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6):
            return None
        return "%s: %r, %r" % (where, a, b)
    if type(a) is not type(b):
        return "%s: %r, %r" % (where, a, b)
    if isinstance(a, list):
        if len(a) != len(b):
            return "%s: %d, %d of them" % (where, len(a), len(b))
        return next(filter(None, (unlike(x, y, "%s[%d]" % (where, i))
                                  for i, (x, y) in enumerate(zip(a, b)))), None)
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return "%s: keys %s, %s" % (where, sorted(a), sorted(b))
        return next(filter(None, (unlike(a[k], b[k], where + "." + k) for k in a)), None)
    return None if a == b else "%s: %r, %r" % (where, a, b)


def same_answers(name, duck, others, begin, now):
    """Every question and every sum of every table, of DuckDB and of each of the others."""
    wrong, asked = [], 0

    def ask(store, what):
        try:
            return what(store)
        except Refused as refused:
            return [refused.code]  # what one refuses, all do
    asks = [(q, lambda s, q=q: s.do("query " + q)) for q in questions(begin, now)]
    for fact, columns in ALL_SUMS.items():
        for since, until, step in ((begin, now, 60), (begin, now, 3600), (begin, now, 86400),
                                   (begin + 3000, begin + DAY + 5 * HOUR + 60, 86400),
                                   (now - 2 * HOUR, now, 60)):
            for hosts in (0, 1) if step == 60 and fact in ("requests", "backends", "counters") else (0,):
                asks.append(("%s %d-%d /%d %d" % (fact, since - begin, until - begin, step, hosts),
                             lambda s, a=(fact, since, until, step, hosts, sums_sql(columns)): s.facts(*a)))
    refused = empty = 0
    for words, what in asks:
        expected = ask(duck, what)
        refused += len(expected) == 1 and isinstance(expected[0], int)
        empty += not expected or isinstance(expected[0], dict) and not expected[0].get("rows", [1])
        for i, store in enumerate(others):
            asked += 1
            difference = unlike(expected, ask(store, what))
            if difference:
                wrong.append("%d: %s%s" % (i, words, difference))
    check("%s: %d questions have the same answers" % (name, asked), not wrong and refused < 5 and
          empty < len(asks) / 4, "%d differ (%d refused, %d empty): %s" % (len(wrong), refused, empty,
                                                                          "; ".join(wrong[:4])))


def tell(stores, groups, maintain_each):
    answers = [[] for _ in stores]
    for i, (now, group) in enumerate(groups):
        for store, said in zip(stores, answers):
            said += store.write(group)
            if i % maintain_each == 0:
                store.do("maintain %d" % now)
    return answers


def sums(store, made):
    begin = min(b.begin for b in made)
    return {name: store.facts(fact, begin, max(b.begin for b in made) + 60, 60, 0,
                              "SELECT toFloat64(sum(%s)) FROM @ AS f" % column)[0][0]
            for name, fact, column in (("calls", "costs", "calls"), ("self", "costs", "self"),
                                       ("path_self", "path_costs", "self"), ("requests", "requests", "n"),
                                       ("counter", "counters", "value"))}


def totals(made):
    return {k: float(sum(getattr(b, k) for b in made))
            for k in ("calls", "self", "path_self", "requests", "counter")}


def made_groups(groups, size, r, **wanted):
    """Batches of several senders, in groups; and all of them."""
    begin = int(time.time()) // HOUR * HOUR - 2 * HOUR
    made = [batches(size, sender="web-%d" % (g % 5), begin=begin + 60 * (g % 115), functions=30, **wanted)
            for g in range(groups)]
    directory = tempfile.mkdtemp(dir=work)
    for batch in (b for group in made for b in group):
        with open(os.path.join(directory, batch.id), "wb") as f:
            f.write(batch.bytes)
    return [[os.path.join(directory, b.id) for b in group] for group in made], [b for g in made for b in g]


def exact(name, store, made):
    got = sums(store, made)
    check(name, got == totals(made), "%r, not %r" % (got, totals(made)))


def run(tests, wanted, needs):
    """needs: what is missing, in words; or nothing."""
    if needs:
        skip("clickhouse", needs)
        tests = []
    for test in tests:
        name = test.__name__[5:]
        if wanted and name not in wanted:
            continue
        began = time.monotonic()
        try:
            test()
        except Exception as error:  # pylint: disable=broad-except
            counts["failed"] += 1
            print("FAIL %s: %s: %s" % (name, type(error).__name__, error))
            if os.environ.get("PYCOST_TEST_TRACE"):
                raise
        finally:
            for one in running:
                if isinstance(one, subprocess.Popen):
                    one.kill()
                    one.wait()
                else:
                    one.stop()
            running.clear()
        print("# %s: %.0f s" % (name, time.monotonic() - began))
    print("%d passed, %d failed, %d skipped" % tuple(counts[k] for k in ("passed", "failed", "skipped")))
    sys.exit(1 if counts["failed"] else 0)
