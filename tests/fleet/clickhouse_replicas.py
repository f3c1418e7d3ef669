#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores in ClickHouse 18.16 whose shards have two replicas, by ZooKeeper: the same answers from
each, and each batch once, through whichever it is written.  clickhouse_replicas.py [TEST...]

PYCOST_TEST_KILLS says how often replicas are killed (12).  It wants tests/fetch.sh zookeeper."""
import os
import random
import sys
import tempfile
import threading
import time

import clickhouse_rig
from clickhouse_batches import story
from clickhouse_stores import (AGAIN, DAY, HOUR, Refused, Store, exact, made_groups, opened, run, running,
                               same_answers, write_together)
from serve_rig import check, work

KILLS = int(os.environ.get("PYCOST_TEST_KILLS", "12"))


def replicas(shards=1):
    zookeeper = clickhouse_rig.Zookeeper(work)
    running.append(zookeeper)
    servers = clickhouse_rig.servers(work, shards=shards, replicas=2, more=zookeeper.config)
    running.extend(servers)
    return servers


def url(servers, first=0):
    """One that is asked first."""
    return ",".join(s.url() for s in servers[first:] + servers[:first])


def store(servers, first=0):
    return opened(url(servers, first), "--cluster", "fleet")


def settle(servers):
    """Until each replica has what there is."""
    end = time.monotonic() + 60
    while any(s.ask("SELECT sum(queue_size) FROM system.replicas") != "0\n" for s in servers):
        if time.monotonic() > end:
            raise RuntimeError("a replica does not get what others have: " + servers[0].ask(
                "SELECT table, type, new_part_name, last_exception FROM system.replication_queue LIMIT 3"))
        time.sleep(0.05)


def test_same_answers():
    """Two shards of two replicas, written through all of them."""
    duck = Store(tempfile.mkdtemp(dir=work), "--minutes", "8")
    servers = replicas(shards=2)
    stores = [store(servers, i) for i in range(4)]
    begin, groups, made = story(random.randrange(1 << 30))
    wrong = 0
    for i, (now, group) in enumerate(groups):
        wrong += duck.write(group) != stores[i % 4].write_until_done(group)[0]
        if i % 5 == 0:
            duck.do("maintain %d" % now)
            stores[(i + 1) % 4].do("maintain %d" % now)
    check("each batch is new once, through whichever replica", not wrong, "%d groups" % wrong)
    now = max(b["begin"] for b in made) // 60 * 60 + 60
    settle(servers)
    same_answers("four servers, partly rolled up", duck, stores, begin, now)
    for one in (duck, stores[3]):
        one.do("maintain %d" % (now + 2 * DAY))
    settle(servers)
    rolled = servers[1].ask("SELECT uniq(t) FROM rolled WHERE step = 3600", "pycost_shard")
    check("hours are made, and on each replica", int(rolled) > 1, rolled)
    same_answers("four servers, rolled up", duck, stores, begin, now)


def test_together():
    """Three collectors get the same batches at once, in other groups, and write to either."""
    servers = replicas()
    for i in range(2):
        store(servers, i).close()
    groups, made = made_groups(60, 4, random)
    files = [f for g in groups for f in g]
    fresh, tries = write_together(lambda number: store(servers, number % 2), files)
    settle(servers)
    check("each of %d is new to one, %d tries again" % (len(files), tries), fresh == len(files),
          "%d" % fresh)
    for i in range(2):
        exact("through two replicas at once: each counts once, asked at replica %d" % (i + 1),
              store(servers, i), made)
    given_up = int(servers[0].ask("SELECT count() FROM attempts WHERE state = 2", "pycost_shard"))
    check("some attempts were given up for others", given_up > 0, "none of them")


def test_kills():
    """A replica is killed while batches are written through both and added up; it comes back."""
    servers = replicas()
    r = random.Random(11)
    groups, made = made_groups(20 + 6 * KILLS, 3, r)
    done, tries, turned, killed = threading.Event(), [0], [0], [0]

    def write(number):
        mine, list_of = store(servers, number % 2), groups[number // 2::2]  # two write the same
        for group in list_of:
            tries[0] += mine.write_until_done(group)[1]
        while killed[0] < KILLS:
            tries[0] += mine.write_until_done(r.choice(list_of))[1]
            time.sleep(0.05)
        mine.close()

    def maintain():
        mine = store(servers)
        while not done.is_set():
            try:
                mine.do("maintain %d" % (time.time() + 3 * HOUR))
                turned[0] += 1
            except Refused:
                pass
            done.wait(0.5)
        mine.close()
    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    upkeep = threading.Thread(target=maintain)
    for t in threads + [upkeep]:
        t.start()
    while any(t.is_alive() for t in threads):
        time.sleep(r.uniform(0.1, 1.5))
        if killed[0] < KILLS:
            victim = r.choice(servers)
            victim.kill()
            killed[0] += 1
            time.sleep(r.uniform(0, 4))
            victim.start()
    done.set()
    upkeep.join()
    settle(servers)
    for i in range(2):
        exact("%d kills, %d tries again, %d times added up: totals of replica %d are exact"
              % (killed[0], tries[0], turned[0], i + 1), store(servers, i), made)
    store(servers).do("maintain %d" % (time.time() + 3 * HOUR))
    settle(servers)
    for i in range(2):
        exact("as they are when all is added up, at replica %d" % (i + 1), store(servers, i), made)


def put_off(name, do, words=""):
    """It cannot be done now, which is said in these words."""
    try:
        do()
        check(name, False, "it was done")
    except Refused as refused:
        check(name, refused.code == AGAIN and words in refused.words,
              "%d %s" % (refused.code, refused.words))


def test_away():
    """One that is away is no reason not to write; ZooKeeper is."""
    servers = replicas()
    groups, made = made_groups(6, 3, random)
    mine = store(servers, 0)
    mine.write_until_done(groups[0])
    settle(servers)
    servers[0].kill()
    mine.write_until_done(groups[1])
    exact("with a replica away, the other takes batches", mine, made[:6])
    later = "maintain %d" % (time.time() + 3 * HOUR)
    put_off("hours wait for the first replica, and it is said", lambda: mine.do(later), "connect")
    servers[0].start()
    mine.write_until_done(groups[2])
    settle(servers)
    for i in range(2):
        exact("it gets what it missed, asked at replica %d" % (i + 1), store(servers, i), made[:9])
    alone = Store(servers[1].url(), "--cluster", "fleet")
    put_off("where no URL is of the first replica, it is said", lambda: alone.do(later),
            "first replica")
    running[0].stop()
    put_off("without ZooKeeper nothing is stored, and is to be sent again",
            lambda: mine.write(groups[3]))


if __name__ == "__main__":
    run([f for name, f in globals().items() if name.startswith("test_")], sys.argv[1:],
        None if clickhouse_rig.has_zookeeper() else
        "no ClickHouse or no ZooKeeper here: tests/fetch.sh clickhouse zookeeper, as root")
