#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever goes wrong between an agent's spool and an answer, the totals are exact after it:
faults.py [NAME...] runs these tests, as "kills", or all.  Batches are a simulated fleet's; spool,
sender, agent, collector, store and query are the real ones.  PYCOST_TEST_LONG=1 kills more, and runs
what takes minutes of waiting."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request

from faults_rig import (Courier, Disk, Mangler, Proxy, Wire, added, answered, answered_each,
                        collector, couriers, minutes_ago, sent, url_of)
from serve_rig import BUILD, PATIENCE, PYCOST, check, finish, servers, skip, work

LONG = os.environ.get("PYCOST_TEST_LONG") == "1"
KILLS = int(os.environ.get("PYCOST_TEST_KILLS", "220" if LONG else "40"))
PACE_MS = max(60, KILLS * 3 // 2)  # of senders, so that some is left to send, but not hours of it
DAYS = 5
STORE_LEAVES = 64 << 20  # of a disk: see DUCK_DISK_MIN
SEED = int(os.environ.get("PYCOST_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
dice = random.Random(SEED)


def same(name, have, want):
    check(name, have == want and want["samples"] > 0 and want["requests"] > 0,
          "%s, not %s" % (have, want))


def now_and_then():
    time.sleep(dice.choice([dice.uniform(0, 0.05), dice.uniform(0, 0.8)]))


def all_end(these, **how):
    return [(c, c.end(**how)) for c in these]


def failures(told):
    return sum(t["failures"] for _, t in told)


# ---- killed ----


def kill_the_collector(server):
    """Some of the next are killed before they listen."""
    server.process.kill()
    server.process.wait()
    kills = 1
    while dice.random() < 0.25:
        with open(os.devnull, "wb") as nothing:
            other = subprocess.Popen([PYCOST, "serve", "--store", server.store, "--listen",
                                      "127.0.0.1:%d" % server.port], stdout=nothing, stderr=nothing)
        time.sleep(dice.uniform(0, 0.15))
        other.kill()
        other.wait()
        kills += 1
    return collector(store=server.store, port=server.port), kills


def test_kills():
    """Collector with its store, and senders, at any moment."""
    begin = minutes_ago(DAYS * 1440)
    server = collector()
    url = url_of(server.port)
    senders = [Courier(url, DAYS * 1440, begin, every=PACE_MS) for _ in range(4)]
    of_collector = of_senders = 0
    while of_collector + of_senders < KILLS:
        now_and_then()
        which = dice.random()
        if which < 0.6:
            server, kills = kill_the_collector(server)
            of_collector += kills
        if which > 0.4:
            for c in dice.sample(senders, dice.randrange(1, 4)):
                c.kill()
                of_senders += 1
                c.start()
    told = all_end(senders, ask=True)
    minutes = sum(t["minutes"] for _, t in told)
    print("# %d kills of the collector, %d of senders; %d batches" % (of_collector, of_senders, minutes))
    check("kills: enough to be killed", minutes > KILLS, minutes)
    check("kills: nothing dropped, nothing poison",
          not any(t[k] for _, t in told for k in ("dropped", "poison", "expired", "damaged")), told)
    want = sent(told)
    same("kills: exact totals", answered(url, begin, minutes_ago(-1)), want)
    server.stop()
    server = collector(store=server.store, port=server.port)
    same("kills: and when it is started again", answered(url, begin, minutes_ago(-1)), want)
    server.stop()


def test_agent():
    """The agent itself, with what waits in its spool, and the collector."""
    if os.geteuid():
        return skip("agent", "no root")
    server = collector()
    url, begin = url_of(server.port), minutes_ago(400)
    c = Courier(url, 400, begin, put_only=True)
    told = c.end()
    kills, killed_by_turns = 0, max(8, KILLS // 4)
    while kills < killed_by_turns:
        agent = agent_of(c.spool, url)
        now_and_then()
        if dice.random() < 0.5:
            server, more = kill_the_collector(server)
            kills += more
            time.sleep(dice.uniform(0, 1))
        agent.kill()
        agent.wait()
        kills += 1
    agent = agent_of(c.spool, url, "--listen", "127.0.0.1:%d" % free_port())
    waits = until_sent(agent)
    same("agent: exact totals after %d kills" % kills, answered(url, begin, minutes_ago(-1)),
         sent([(c, told)]))
    check("agent: none waits", waits == 0, waits)
    agent.terminate()
    check("agent: ends well", agent.wait(PATIENCE) == 0, agent.returncode)
    server.stop()


agent_ports = iter(range(20000 + os.getpid() % 10000, 65535))
last_port = None


def free_port():
    global last_port
    last_port = next(agent_ports)
    return last_port


def agent_of(spool, url, *options):
    log = open(os.path.join(work, "agent.log"), "ab")
    with log:
        return subprocess.Popen([PYCOST, "agent", "--match", "nothing is called so", "--spool", spool,
                                 "--to", url, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def until_sent(agent):
    until, waits = time.monotonic() + 3 * PATIENCE, None
    while waits != 0 and time.monotonic() < until and agent.poll() is None:
        time.sleep(0.3)
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % last_port, timeout=20) as r:
                found = re.search(r"(?m)^pycost_agent_spool_batches (\S+)$", r.read().decode())
            waits = float(found.group(1))
        except OSError:
            pass
    return waits


# ---- networks ----


def test_cut():
    """A network that is cut, and one that takes everything and brings nothing back."""
    try:
        wire = Wire()
    except OSError as e:
        return skip("cut", "no networks here: %s" % e)
    try:
        begin = minutes_ago(2000)
        server = collector("--insecure", address=wire.near)
        url = url_of(server.port, wire.near)
        senders = [Courier(url, 2000, begin, wrap=wire.wrap, every=20, timeout=2) for _ in range(3)]
        for cut, join in ((wire.cut, wire.join), (wire.deafen, wire.hear)) * (6 if LONG else 2):
            time.sleep(dice.uniform(0.5, 1.5))
            cut()
            time.sleep(dice.uniform(2.5, 5))
            join()
        told = all_end(senders, ask=True)
        print("# %d attempts had failed when the last was put"
              % sum(c.said()[0]["failures"] for c, _ in told))
        same("cut: exact totals", answered(url, begin, minutes_ago(-1)), sent(told))
        duplicates = metric(url, 'pycost_serve_batches_total{result="duplicate"}')
        check("cut: answers were lost", duplicates > 0, duplicates)
        server.stop()
    finally:
        wire.end()


def metric(url, name):
    with urllib.request.urlopen(url + "/metrics", timeout=PATIENCE) as r:
        text = r.read().decode()
    return float(re.search(r"(?m)^%s (\S+)$" % re.escape(name), text).group(1))


def test_mangled():
    """Copies, lost answers, copies that come late; and everything in another order."""
    server = collector()
    url, begin = url_of(server.port), minutes_ago(120)
    net = Mangler(server.port, SEED)
    # A lost answer costs a sender a second at least.
    senders = [Courier(url_of(net.port), 20, begin) for _ in range(8)]
    told = all_end(senders)
    want = sent(told)
    same("mangled: exact totals", answered(url, begin, minutes_ago(-1)), want)
    check("mangled: it was", net.late and net.lost and net.twice and not net.bad,
          (len(net.late), net.lost, net.twice, net.bad))
    again = net.replay(net.late + net.kept)
    check("mangled: copies that come late are known", set(again) == {"duplicate"}, set(again))
    same("mangled: exact totals with them", answered(url, begin, minutes_ago(-1)), want)
    net.swallow, net.kept = True, []
    others = [Courier(url_of(net.port), 30, begin) for _ in range(6)]
    told += all_end(others)
    answers = net.replay(net.kept * 2)
    check("mangled: each once, in any order", answers.count("new") == 180 and len(answers) == 360,
          answers)
    same("mangled: exact totals in any order", answered(url, begin, minutes_ago(-1)), sent(told))
    net.end()
    server.stop()


def test_shuffled():
    """The simulator's senders, some of it twice, hosts in any order."""
    server = collector()
    url, begin = url_of(server.port), minutes_ago(10)
    out = subprocess.run([os.path.join(BUILD, "simulator"), "--url", url, "--hosts", "24", "--workers", "4",
                          "--functions", "300", "--endpoints", "4", "--minutes", "4", "--begin",
                          str(begin), "--again", "0.4", "--shuffle", "--threads", "6", "--seed",
                          str(SEED % 1000)], check=True, stdout=subprocess.PIPE, text=True).stdout
    told = json.loads(out.splitlines()[-1])
    check("shuffled: some were sent twice", told["duplicates"] > 10, told)
    same("shuffled: exact totals", answered(url, begin, minutes_ago(-1)), added([told]))
    server.stop()


def test_slow():
    """A wire that carries little, and a collector that answers when nobody waits any more."""
    server = collector()
    proxy = Proxy(server.port)
    url, begin = url_of(server.port), minutes_ago(60)
    proxy.rate = 6000
    told = all_end([Courier(url_of(proxy.port), 12, begin) for _ in range(3)])
    same("slow: exact totals by a thin wire", answered(url, begin, minutes_ago(-1)), sent(told))
    check("slow: in one attempt", failures(told) == 0, told)
    proxy.rate, proxy.hold = None, 3
    senders = [Courier(url_of(proxy.port), 20, begin, timeout=1) for _ in range(3)]
    for c in senders:
        c.until_put()
    time.sleep(6)
    proxy.hold = 0
    told += all_end(senders)
    duplicates = metric(url, 'pycost_serve_batches_total{result="duplicate"}')
    check("slow: answers came too late", duplicates >= 3, duplicates)
    same("slow: exact totals all the same", answered(url, begin, minutes_ago(-1)), sent(told))
    proxy.end()
    server.stop()


def test_away():
    """No collector for a while; and for longer than the spool has room."""
    begin, longest = minutes_ago(500), 20 if LONG else 6
    server = collector()
    url = url_of(server.port)
    server.stop()
    senders = [Courier(url, 200, begin) for _ in range(3)]
    small = Courier(url, 200, begin, limit=100000)
    waits = [c.until_put()["waiting"] for c in senders]
    check("away: all waits", waits == [200] * 3, waits)
    small.until_put()
    time.sleep(longest)
    server = collector(store=server.store, port=server.port)
    told = all_end(senders)
    dropped = small.end()
    want, have = small.each(), answered_each(url, begin, 200)
    others = [c.each() for c in senders]
    kept = [h == added([*others_then, w]) for w, h, *others_then in zip(want, have, *others)]
    lost = [h == added(others_then) for h, *others_then in zip(have, *others)]
    check("away: each minute is exact, or dropped as one",
          all(k or gone for k, gone in zip(kept, lost)), (kept, lost))
    check("away: what has no room is counted", lost.count(True) == dropped["dropped"] > 0,
          (lost.count(True), dropped))
    # But for the first, which was on its way.
    check("away: the oldest went", lost[1:] == sorted(lost[1:], reverse=True), lost)
    check("away: none of others", sum(t["dropped"] for _, t in told) == 0, told)
    server.stop()


# ---- clocks ----


CLOCK = 'pycost_serve_batches_total{result="clock"}'


def skewed(server, name, offsets, begin_ago=20):
    """Batches of clocks that are off: put where a right clock would have put them."""
    url = url_of(server.port)
    senders = [Courier(url, 10, minutes_ago(begin_ago) + off // 60 * 60, skew=off) for off in offsets]
    told = all_end(senders)
    want = sent(told)
    same(name + ": exact totals", answered(url, minutes_ago(9 * 1440), minutes_ago(-9 * 1440)), want)
    same(name + ": where they belong",
         answered(url, minutes_ago(begin_ago + 4), minutes_ago(begin_ago - 13)), want)


def test_clocks():
    server = collector()
    skewed(server, "clocks, minutes", (-170, -61, 61, 170, 900, -900))
    server.stop()
    server = collector()
    skewed(server, "clocks, hours", (-7200, 7200, 80000, -80000))
    server.stop()
    server = collector("--set", "skew=7d")
    skewed(server, "clocks, days", (-3 * 86400, 3 * 86400, -5 * 86400 - 77, 5 * 86400 + 77))
    server.stop()


def test_clock_set():
    """A clock that is days off is refused, and nothing is lost. Set right, what it was behind
    comes; what it was ahead waits until its time has come."""
    server = collector()
    url = url_of(server.port)
    behind, ahead = (Courier(url, 10, minutes_ago(20) + off, skew=off) for off in (-3 * 86400, 3 * 86400))
    behind.until_put()
    ahead.until_put()
    until = time.monotonic() + PATIENCE
    while metric(url, CLOCK) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    check("clock set: refused", metric(url, CLOCK) >= 2, metric(url, CLOCK))
    for c in (behind, ahead):
        c.kill()
        c.start(skew=0)
    told = [(behind, behind.end())]
    same("clock set: exact totals", answered(url, minutes_ago(9 * 1440), minutes_ago(-9 * 1440)), sent(told))
    waits = ahead.until_put()
    check("clock set: of the future: it waits", waits["waiting"] == 10 and not waits["dropped"]
          and not waits["expired"] and not waits["poison"], waits)
    # What is made with the right clock comes after them, and need not wait for their time.
    ahead.kill()
    os.remove(ahead.spool + ".put")
    fresh = Courier(url, 10, minutes_ago(40), spool=ahead.spool)
    want = sent(told + [(fresh, {"minutes": 10})])
    until = time.monotonic() + 2 * PATIENCE
    have = {}
    while have != want and time.monotonic() < until:
        time.sleep(0.5)
        have = answered(url, minutes_ago(9 * 1440), minutes_ago(-9 * 1440))
    same("clock set: others pass by it", have, want)
    server.stop()


# ---- disks, and what is on them ----


def test_damaged():
    """Noise in a spool: what is lost is counted, all else comes, exact."""
    server = collector()
    url, begin = url_of(server.port), minutes_ago(200)
    c = Courier(url, 150, begin, put_only=True)
    c.end()
    file = os.path.join(c.spool, "batches.sqlite")
    with open(file, "r+b") as f:
        f.seek(os.path.getsize(file) // 2)
        f.write(os.urandom(8192))
    c.start(put_only=None)
    told = c.end()
    want, have = c.each(), answered_each(url, begin, 150)
    there = [h == w for h, w in zip(have, want)]
    nothing = [not any(h.values()) for h in have]
    check("damaged: each minute is exact, or not there",
          all(t or n for t, n in zip(there, nothing)), list(zip(have, want)))
    check("damaged: what is lost is counted", nothing.count(True) == told["damaged"] > 0, told)
    check("damaged: the file is set aside", told["set_aside"] == 1, told)
    server.stop()


def test_full_spool():
    """A disk with no room for the spool: by memory, and to the disk when there is room."""
    try:
        disk = Disk(2 << 20)
    except OSError as e:
        return skip("full spool", "no right to mount: %s" % e)
    try:
        server = collector()
        url, begin = url_of(server.port), minutes_ago(500)
        server.stop()
        disk.fill(600 << 10)
        c = Courier(url, 400, begin, spool=os.path.join(disk.path, "spool"))
        put = c.until_put()
        check("full spool: the disk takes no more", put["disk_errors"] > 0 and put["memory"] > 0, put)
        server = collector(store=server.store, port=server.port)
        told = c.end()
        same("full spool: exact totals", answered(url, begin, minutes_ago(-1)), sent([(c, told)]))
        check("full spool: nothing dropped", told["dropped"] == 0, told)
        server.stop()
    finally:
        for c in couriers:
            if c.process.poll() is None:
                c.kill()
        disk.end()


def test_full_store():
    """A disk with no room for the store: refused until there is, then all of it is there."""
    try:
        disk = Disk(STORE_LEAVES + (120 << 20))
    except OSError as e:
        return skip("full store", "no right to mount: %s" % e)
    try:
        begin = minutes_ago(1000)
        server = collector(store=os.path.join(disk.path, "store"))
        url = url_of(server.port)
        disk.fill(STORE_LEAVES + (1 << 20))
        senders = [Courier(url, 800, begin) for _ in range(4)]
        until = time.monotonic() + PATIENCE
        while not full(server) and time.monotonic() < until:
            time.sleep(0.2)
        check("full store: it is full", full(server), server.log()[-500:])
        time.sleep(2)
        if dice.random() < 0.5:
            server.process.kill()
            server.process.wait()
            disk.free()
            server = collector(store=server.store, port=server.port)
        else:
            disk.free()
        try:
            told = all_end(senders)
        except RuntimeError:
            print("# the collector said: " + server.log()[-1500:])
            raise
        same("full store: exact totals", answered(url, begin, minutes_ago(-1)), sent(told))
        server.stop()
    finally:
        for c in couriers:
            if c.process.poll() is None:
                c.kill()
        for s in servers:
            if s.process.poll() is None:
                s.process.kill()
        disk.end()


def full(server):
    return server.get("/ready").status == 503


def test_poison():
    """What no collector can read goes aside, and holds up nothing."""
    server = collector()
    url, begin = url_of(server.port), minutes_ago(100)
    told = all_end([Courier(url, 20, begin, poison=n) for n in (0, 7, 19)])
    check("poison: aside, each of it", [t["poison"] for _, t in told] == [1, 1, 1], told)
    same("poison: exact totals of all else", answered(url, begin, minutes_ago(-1)), sent(told))
    server.stop()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    print("# PYCOST_TEST_SEED=%d" % SEED)
    tests = (test_poison, test_shuffled, test_mangled, test_slow, test_clocks, test_clock_set, test_damaged,
             test_full_spool, test_full_store, test_away, test_cut, test_agent, test_kills)
    wanted = ["test_" + name for name in sys.argv[1:]]
    # Minutes of waiting, for what others try in part: agent.py, store_full.c.
    lasting = () if LONG else (test_cut, test_full_store, test_away, test_agent)
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        if test in lasting and not wanted:
            print("SKIP %s: PYCOST_TEST_LONG=1 runs it" % test.__name__[5:])
            continue
        began = time.monotonic()
        try:
            test()
        except Exception as e:  # one that breaks must not hide the others
            check(test.__name__, False, "%s: %s" % (type(e).__name__, e))
        print("# %s: %d s" % (test.__name__[5:], time.monotonic() - began))
        for c in couriers:
            if c.process.poll() is None:
                c.kill()
        couriers.clear()
        for s in servers:
            if s.process.poll() is None:
                s.process.kill()
                s.process.wait()
        servers.clear()
    finish()


main()
