#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores in ClickHouse 18.16: the same answers as DuckDB's, on one server and on two shards;
each batch once, whoever writes it and whatever is killed.  clickhouse.py [TEST...]

PYCOST_TEST_KILLS says how often servers are killed (20)."""
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import clickhouse_rig
from clickhouse_batches import packed, random_batch, story
from clickhouse_stores import (AGAIN, DAY, HOUR, STORES, Refused, Store, exact, made_groups, opened, run,
                               running, same_answers, tell, write_together)
from serve_rig import TOP, certificate_authority, check, skip, work

KILLS = int(os.environ.get("PYCOST_TEST_KILLS", "20"))


# ---- the same answers ----

def test_same_answers():
    try:
        duck = Store(tempfile.mkdtemp(dir=work), "--minutes", "8")
    except Refused as refused:
        skip("same answers", refused.words)
        return
    one = clickhouse_rig.servers(work)[0]
    shards = clickhouse_rig.servers(work, shards=2)
    running.extend([one, *shards])
    begin, groups, made = story(random.randrange(1 << 30))
    where = ",".join(s.url() for s in shards)
    stores = [duck, Store(one.url()), Store(where, "--cluster", "fleet")]
    answers = tell(stores, groups, 5)
    check("each batch is new once, everywhere", answers[0] == answers[1] == answers[2]
          and answers[0].count("new") == len(made), "of %d: %s" % (len(made), [a.count("new") for a in answers]))
    now = max(b["begin"] for b in made) // 60 * 60 + 60
    expected = sum(c[4] for b in made for c in b["costs"])
    got = [s.facts("costs", begin, now, 86400, 0, "SELECT sum(self) FROM @ AS f")[0][0] for s in stores]
    check("all have what was sent", all(math.isclose(g, expected, rel_tol=1e-12) for g in got),
          "%r, not %r" % (got, expected))
    halves = [float(s.ask("SELECT count() FROM attempts WHERE state = 1", "pycost_shard")) for s in shards]
    check("both shards have a share", min(halves) > 0, str(halves))
    same_answers("partly rolled up", stores[0], stores[1:], begin, now)
    for store in stores:
        store.do("maintain %d" % (now + 2 * DAY))
    for store in stores[1:]:
        rolled = store.do("ask SELECT step, count(*) FROM rolled GROUP BY step ORDER BY step")
        check("hours and days are made", [r[0] for r in rolled] == [3600, 86400], str(rolled))
    same_answers("rolled up", stores[0], stores[1:], begin, now)
    texts(stores)
    for store in stores:
        store.close()


def texts(stores):
    for text in ("it's", "a\\b", "\\", "''", "%_", "\"", "t\\t", "søk \U0001f40d", "{x}", "-- x", "a\\'b"):
        got = [s.do("quote SELECT_@_AS_x " + text) for s in stores]
        check("text %r" % text, all(g == [[text]] for g in got), str(got))


# ---- each batch once ----

def test_kills():
    """Its servers are killed while batches are written, added up and dropped."""
    servers = clickhouse_rig.servers(work, shards=2)
    running.extend(servers)
    where = ",".join(s.url() for s in servers)
    r = random.Random(7)
    groups, made = made_groups(40 + 4 * KILLS, 3, r)
    done, tries, turned, killed = threading.Event(), [0], [0], [0]

    def write(mine):
        store = opened(where, "--cluster", "fleet")
        for group in mine:
            tries[0] += store.write_until_done(group)[1]
            if r.random() < 0.1:
                tries[0] += store.write_until_done(group)[1]
        while killed[0] < KILLS:
            tries[0] += store.write_until_done(r.choice(mine))[1]
        store.close()

    def maintain():
        store = opened(where, "--cluster", "fleet")
        while not done.is_set():
            try:
                store.do("maintain %d" % (time.time() + 3 * HOUR))
                turned[0] += 1
            except Refused:
                pass
            done.wait(0.3)
        store.close()
    writers = [threading.Thread(target=write, args=(groups[i::3],)) for i in range(3)]
    upkeep = threading.Thread(target=maintain)
    for t in writers + [upkeep]:
        t.start()
    while any(t.is_alive() for t in writers):
        time.sleep(r.uniform(0.05, 0.6))
        if killed[0] < KILLS:
            victim = r.choice(servers)
            victim.kill()
            killed[0] += 1
            time.sleep(r.uniform(0, 0.3))
            victim.start()
    done.set()
    upkeep.join()
    check("servers were killed while they were written to", killed[0] == KILLS and tries[0] > 0,
          "%d kills, %d tries" % (killed[0], tries[0]))
    store = opened(where, "--cluster", "fleet")
    exact("%d kills, %d tries again, %d times added up: totals are exact" % (killed[0], tries[0], turned[0]),
          store, made)
    store.do("maintain %d" % (time.time() + 3 * HOUR))
    exact("as they are when it is added up", store, made)
    store.close()


def test_together():
    """Two collectors get the same batches at once, in other groups; and one is killed."""
    server = clickhouse_rig.servers(work)[0]
    running.append(server)
    Store(server.url()).close()
    groups, made = made_groups(40, 4, random)
    files = [f for g in groups for f in g]
    fresh, _ = write_together(lambda _: Store(server.url()), files)
    store = Store(server.url())
    exact("three write the same at once: each batch counts once", store, made)
    given_up = int(server.ask("SELECT count() FROM attempts WHERE state = 2", "pycost"))
    check("some attempts were given up for others", given_up > 0, "none of them")
    check("each is new to one", fresh == len(files), "%d, not %d" % (fresh, len(files)))
    store.close()


def test_killed_collectors():
    """Who writes is killed, at any point; another one writes the same."""
    server = clickhouse_rig.servers(work)[0]
    running.append(server)
    Store(server.url()).close()
    groups, made = made_groups(KILLS, 3, random)
    for group in groups:
        store = Store(server.url())
        store.process.stdin.write("write " + " ".join(group) + "\n")
        store.process.stdin.flush()
        time.sleep(random.uniform(0, 0.12))
        store.process.kill()
        store.process.wait()
    store = Store(server.url())
    waited = time.monotonic()
    for group in groups:
        store.write_until_done(group)
    exact("%d collectors are killed, others write the same: totals are exact" % KILLS, store, made)
    check("what was left undone is done in time", time.monotonic() - waited < 60,
          "%.0f s" % (time.monotonic() - waited))
    store.close()


# ---- what goes wrong ----

def refusal(where, *options):
    try:
        Store(where, *options).close()
    except Refused as refused:
        return refused.code, refused.words
    return 0, ""


def test_errors():
    server = clickhouse_rig.servers(work)[0]
    running.append(server)
    away = "http://127.0.0.1:%d/pycost" % clickhouse_rig.free_ports(1)[0]
    for what, (code, words), expected, word in (
            ("nobody there", refusal(away), AGAIN, "connect"),
            ("a wrong password", refusal(server.url(), "--user", "pycost", "--password", "wr0ng"), -13, "assword"),
            ("an unknown user", refusal(server.url(), "--user", "nobody"), -13, "user"),
            ("a password in the URL", refusal("http://a:b@127.0.0.1:1/x"), -22, "by themselves"),
            ("no name of a database", refusal(server.base + "/a-b"), -22, "letters"),
            ("two databases", refusal(server.url("a") + "," + server.url("b")), -22, "one name"),
            ("no such cluster", refusal(server.url(), "--cluster", "none"), -22, "no shard"),
            ("a port that is not HTTP", refusal("http://127.0.0.1:%d/x" % server.tcp), -5, "is that ClickHouse")):
        check("%s: one line, and no password" % what, code == expected and word in words and "\n" not in words
              and "wr0ng" not in words, "%d %s" % (code, words))
    store = Store(server.url(), "--user", "pycost", "--password", "se&cret")
    for sql, word in (("SELEC 1", "Syntax error"), ("SELECT nothing FROM tags", "nothing"),
                      ("SELECT * FROM missing", "missing")):
        try:
            store.do("ask " + sql)
            check("refuses " + sql, False)
        except Refused as refused:
            check("says what is wrong with " + sql, refused.code == -5 and word in refused.words, refused.words)
    groups, made = made_groups(2, 3, random)
    second = Store(away + "," + server.url())
    second.write(groups[0])
    exact("a server that is away is passed over", second, made[:3])
    server.kill()
    try:
        second.write(groups[1])
        check("says that the server is away", False)
    except Refused as refused:
        check("says that the server is away", refused.code == AGAIN and "connect" in refused.words, refused.words)
    server.start()
    second.write_until_done(groups[1])
    exact("and goes on when it is back", second, made)
    store.close()
    second.close()


def test_https():
    """By a certificate of the test's own."""
    directory = certificate_authority()
    port = clickhouse_rig.free_ports(1)[0]
    running.extend(clickhouse_rig.servers(work, more=clickhouse_rig.HTTPS % {"port": port, "dir": directory}))
    url = "https://127.0.0.1:%d/pycost" % port
    groups, made = made_groups(2, 3, random)
    store = Store(url, "--ca", os.path.join(directory, "ca.pem"))
    store.write(groups[0])
    store.write(groups[1])
    exact("https: what is sent is there", store, made)
    store.close()
    for what, options, expected, word in (
            ("whom nobody here trusts", (), -5, "certificate is refused"),
            ("another CA's", ("--ca", os.path.join(directory, "other-ca.pem")), -5, "certificate is refused"),
            ("a file that is not there", ("--ca", os.path.join(directory, "none.pem")), -5, "none.pem"),
            ("a key for a CA", ("--ca", os.path.join(directory, "ca.key")), -5, "ca.key")):
        code, words = refusal(url, *options)
        check("https: refuses %s, in one line" % what, code == expected and word in words and "\n" not in words
              and "engine.ca" in words, "%d %s" % (code, words))


def test_time_out():
    server = clickhouse_rig.servers(work)[0]
    running.append(server)
    store = Store(server.url())
    for name, stop in (("a question", False), ("a server that does not answer", True)):
        began = time.monotonic()
        if stop:
            server.process.send_signal(signal.SIGSTOP)
        try:
            store.do("within 1500 SELECT count(*) FROM system.numbers")
            check("%s: is given up in time" % name, False)
        except Refused as refused:
            took = time.monotonic() - began
            check("%s: is given up in time" % name, refused.code == -110 and 1 < took < 10,
                  "%d %s, %.1f s" % (refused.code, refused.words, took))
        server.process.send_signal(signal.SIGCONT)
    left = server.ask("SELECT count() FROM system.processes WHERE query LIKE '%numbers%'")
    check("it does not go on", int(left) <= 1, left)
    rows = store.do("within 60000 SELECT count(*) FROM tags")
    check("there is an answer within the time", rows == [[0]], str(rows))
    store.close()


def test_retention():
    """What is too old goes, and is not mistaken for what comes late."""
    running.extend(clickhouse_rig.servers(work))
    retention(running[-1])


def retention(server):
    store = Store(server.url())
    now = int(time.time()) // DAY * DAY + DAY
    r = random.Random(3)
    days = (900, 100, 40, 9, 7, 1)
    files = packed([random_batch(r, now - d * DAY + 600) for d in days] +
                   [random_batch(r, now - 9 * DAY + 1200)])
    store.write(files[:-1])

    def rows():
        return {step: [int(x) for x in server.ask(
            "SELECT DISTINCT t - t %% 86400 FROM costs_%s ORDER BY 1 DESC" % step, "pycost").split()]
                for step in ("minute", "hour", "day")}
    for at in (now, now + HOUR + 10, now + 2 * HOUR + 20):
        store.do("maintain %d" % at)
    first = [now - d * DAY for d in days]
    got = rows()
    # Minutes as long as batches may come late; days by 32 of them.
    check("minutes go after 8 days", sorted(got["minute"]) == sorted(first[4:]), str(got["minute"]))
    check("hours go after 90 days", sorted(got["hour"]) == sorted(first[2:]), str(got["hour"]))
    check("days go after 800 days", sorted(got["day"]) == sorted(first[1:]), str(got["day"]))
    try:
        store.write(files[-1:])
        check("a batch of then is refused", False)
    except Refused as refused:
        check("a batch of then is refused", refused.code == -34 and "older" in refused.words, refused.words)
    left = server.ask("SELECT count() FROM system.tables WHERE name LIKE 'next%'", "pycost")
    check("no table is left over", left == "0\n", left)
    store.close()


def test_schema():
    """What is shown to who wants to read it is what is made."""
    for name, options in (("schema.sql", []), ("schema-cluster.sql", ["fleet"])):
        made = subprocess.run([STORES, "--schema", *options], stdout=subprocess.PIPE, text=True, check=True)
        with open(os.path.join(TOP, "deploy", "clickhouse", name)) as f:
            check("deploy/clickhouse/%s is up to date" % name, f.read() == made.stdout,
                  "run build/stores --schema %s >it" % " ".join(options))
    server = clickhouse_rig.servers(work)[0]
    running.append(server)
    with open(os.path.join(TOP, "deploy", "clickhouse", "schema.sql")) as f:
        statements = "".join(line for line in f if not line.startswith("--")).split(";\n")
    for statement in statements[:-1]:
        server.ask(statement)
    store = Store(server.url())
    groups, made = made_groups(1, 3, random)
    store.write(groups[0])
    exact("tables made from it do", store, made)
    store.close()


def main():
    tests = [f for name, f in globals().items() if name.startswith("test_")]
    run(tests, sys.argv[1:], None if clickhouse_rig.is_there() else
        "no ClickHouse here: tests/fetch.sh clickhouse, as root")


if __name__ == "__main__":
    main()
