#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores in today's ClickHouse, by its engine as a library: the same answers as DuckDB's.
clickhouse_today.py [TEST...]  It wants tests/fetch.sh chdb."""
import os
import random
import sys
import tempfile

import clickhouse_rig
from clickhouse import retention, texts
from clickhouse_batches import story
from clickhouse_stores import DAY, Refused, Store, exact, made_groups, run, running, same_answers, tell
from serve_rig import TOP, check, work


def engine():
    server = clickhouse_rig.Embedded(tempfile.mkdtemp(dir=work, prefix="chdb-"))
    running.append(server)
    server.start()
    return server


def test_same_answers():
    duck = Store(tempfile.mkdtemp(dir=work), "--minutes", "8")
    server = engine()
    version = server.ask("SELECT version()").strip()
    stores = [duck, Store(server.url())]
    begin, groups, made = story(random.randrange(1 << 30))
    answers = tell(stores, groups, 5)
    check("each batch is new once", answers[0] == answers[1] and answers[0].count("new") == len(made),
          str([a.count("new") for a in answers]))
    now = max(b["begin"] for b in made) // 60 * 60 + 60
    same_answers("ClickHouse %s, partly rolled up" % version, duck, stores[1:], begin, now)
    for store in stores:
        store.do("maintain %d" % (now + 2 * DAY))
    rolled = stores[1].do("ask SELECT step, count(*) FROM rolled GROUP BY step ORDER BY step")
    check("hours and days are made", [r[0] for r in rolled] == [3600, 86400], str(rolled))
    same_answers("ClickHouse %s, rolled up" % version, duck, stores[1:], begin, now)
    texts(stores)
    for sql, word in (("SELEC 1", "Syntax error"), ("SELECT nothing FROM tags", "nothing"),
                      ("SELECT * FROM missing", "missing")):
        try:
            stores[1].do("ask " + sql)
            check("refuses " + sql, False)
        except Refused as refused:
            check("says what is wrong with " + sql, refused.code == -5 and word in refused.words, refused.words)


def test_retention():
    retention(engine())


def test_schema():
    """The file of the tables, too."""
    server = engine()
    with open(os.path.join(TOP, "deploy", "clickhouse", "schema.sql")) as f:
        statements = "".join(line for line in f if not line.startswith("--")).split(";\n")
    for statement in statements[:-1]:
        server.ask(statement, "")
    store = Store(server.url())
    groups, made = made_groups(3, 3, random)
    for group in groups + groups:
        store.write(group)
    exact("tables made from it do, and what is sent twice counts once", store, made)


if __name__ == "__main__":
    run([f for name, f in globals().items() if name.startswith("test_")], sys.argv[1:],
        None if os.path.exists(os.path.join(clickhouse_rig.CHDB, ".complete")) else
        "no chDB here: tests/fetch.sh chdb")
