#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pycost agent, with real workers and a collector that counts what it gets.

What was in the spool comes once, whatever happens: agents killed, collectors away, disks
full, files damaged. A minute lasts a minute, so most tests end the agent, which puts what
it has into a batch.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import agent_rig as rig  # noqa: E402
from agent_rig import NOBODY, Agent, Collector, Tmpfs, lib, requests_of, totals, waits  # noqa: E402

sys.path.insert(0, os.path.join(lib.TOP, "tests", "e2e"))
import web  # noqa: E402


# ---- finding workers ----


def workers():
    """They are found as they come, followed as they fork, and let go as they end."""
    collector = Collector()
    spool = rig.directory("spool")
    port = lib.free_port()
    agent = Agent("--match", "gunicorn.*:%d" % port, "--service", "shop", spool=spool,
                  url=collector.url).up()
    lib.equal("agent: nothing to measure, no session", agent.metrics()["measuring"], 0)
    site = web.Site(2, port)
    agent.until(lambda m: m["processes_attached"] >= 3, "the workers are not found")
    time.sleep(2)
    # Watching costs no more than is allowed: by choosing when. This is the whole of it.
    load = site.load(140)
    os.kill(site.workers[0], signal.SIGKILL)
    worker, = lib.until(lambda: set(web.children(site.master.pid)) - set(site.workers),
                        "a new worker")
    time.sleep(1)
    more = site.load(140, "--timeout", "30")
    seen = agent.until(lambda m: m["requests_total"] > 0 and m["samples_total"] > 0 and m,
                       "nothing is seen")
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
        families = list(text_string_to_metric_families(agent.get("/metrics")))
        lib.check("agent: metrics, as others read them", len(families) > 40, len(families))
    except ImportError:
        lib.skip("agent: metrics, as others read them", "no python3-prometheus-client")
    health = json.loads(agent.get("/health"))
    lib.check("agent: health", health["status"] == "ok" and health["measuring"], health)
    site.end()
    agent.until(lambda m: m["processes_chosen"] == 0, "the workers are not forgotten")
    agent.stop()
    batches = collector.batches()
    sent = load["ok"] + more["ok"]
    total = requests_of(batches, service="shop")
    lib.check("agent: requests come as batches", 0 < total <= sent, "%d of %d" % (total, sent))
    names = {f["name"] for b in batches for f in b.functions.values()}
    lib.check("agent: functions too", {"listing", "search"} & names, sorted(names)[:20])
    lib.check("agent: of this service, all", all(
        s["service"] in ("shop", "pycost") for b in batches for s in b.slices),
        [s for b in batches for s in b.slices][:3])
    lib.check("agent: by host and metric", all("host" in s and "metric" in s
                                               for b in batches for s in b.slices))
    lib.check("agent: each batch once", set(collector.times.values()) == {1}, collector.times)
    lib.check("agent: little was not watched", seen["unwatched_seconds_total"] < 30,
              seen["unwatched_seconds_total"])
    print("# %d of %d requests watched, %.2f s not watched, own share %.4f, programs %.4f"
          % (total, sent, seen["unwatched_seconds_total"], seen["cpu_share"],
             seen["programs_cpu_share"]))
    collector.end()


# ---- nothing lost, nothing twice ----


def away():
    """The collector refuses, is gone, is back: all arrives once, the oldest first."""
    collector = Collector()
    spool = rig.directory("spool")
    rig.spooled(spool, 40, collector.url)
    collector.answer = lambda number: (503, {"Retry-After": "1"})
    agent = Agent(*NOBODY, spool=spool, url=collector.url).up()
    agent.until(lambda m: m["send_failures_total"] >= 2, "it does not fail")
    lib.equal("away: all waits", agent.metrics()["spool_batches"], 40)
    lib.check("away: not asked more than it wants", collector.seen <= 5, collector.seen)
    lib.check("away: the log says so", "event=send_failed" in agent.said(), agent.said())
    collector.end()
    time.sleep(3)
    back = Collector(collector.port)
    agent.until(lambda m: m["spool_batches"] == 0, "it does not go on", 90)
    lib.equal("away: all of it has come", totals(back), (40, 820))
    order = [b.begin for b in back.batches()]
    lib.check("away: the oldest first", order == sorted(order), order)
    lib.check("away: the log says that too", "send_works_again" in agent.said(), agent.said())
    agent.stop()
    back.end()


def kills():
    """kill -9 at any moment, of agent and collector: exact totals."""
    rounds = int(os.environ.get("PYCOST_TEST_KILLS", "20"))
    dice = random.Random(7)
    collector = Collector()
    collector.delay = 0.004
    spool = rig.directory("spool")
    count = 20 * rounds
    rig.spooled(spool, count, collector.url)
    killed = 0
    while killed < rounds:
        agent = Agent(*NOBODY, spool=spool, url=collector.url, listen=False)
        lib.until(lambda: "event=started" in agent.said() or agent.process.poll() is not None,
                  "it does not start")
        time.sleep(dice.uniform(0, 0.8))
        agent.kill()
        killed += 1
        if killed % 5 == 0:  # what it has sent is known, as the collector's ledger would
            bodies, times, port = collector.bodies, collector.times, collector.port
            collector.end()
            collector = Collector(port)
            collector.bodies, collector.times, collector.delay = bodies, times, 0.004
    done = len(collector.bodies)
    collector.delay = 0
    agent = Agent(*NOBODY, spool=spool, url=collector.url).up()
    agent.until(lambda m: m["spool_batches"] == 0, "it does not go on", 120 + count // 5)
    metrics = agent.metrics()
    agent.stop()
    lib.check("kills: some amid the sending", 0 < done, done)
    lib.equal("kills: exact totals after %d of them" % rounds, totals(collector),
              (count, count * (count + 1) / 2))
    lib.equal("kills: the spool's own count", metrics["spool_sent_total"], count)
    again = sum(times - 1 for times in collector.times.values())
    lib.check("kills: few were sent twice, under the same id", again <= 2 * rounds, again)
    print("# %d of %d had been sent when the last was killed; %d were sent twice"
          % (done, count, again))
    collector.end()


def fates():
    """What is never taken goes aside; what is too old is counted; without a right it waits."""
    collector = Collector()
    spool = rig.directory("spool")
    rig.spooled(spool, 6, collector.url)
    answers = {1: 400, 2: 200, 3: 410, 4: 200, 5: 401}
    collector.answer = lambda number: (answers.get(number, 401), {})
    token = lib.script("token", "a-token-of-the-test\n")
    agent = Agent(*NOBODY, "--token-file", token, spool=spool, url=collector.url).up()
    metrics = agent.until(lambda m: m["send_refusals_total"] and m, "nothing is refused")
    lib.equal("fates: poison, expired, sent, waiting",
              [metrics["spool_" + name] for name in ("poison_total", "expired_total", "sent_total",
                                                     "batches")], [1, 1, 2, 2])
    lib.check("fates: the log is clear", "event=send_refused" in agent.said()
              and "event=batch_poison" in agent.said() and "event=batch_expired" in agent.said(),
              agent.said())
    lib.check("fates: no secret in it", "a-token" not in agent.said())
    lib.equal("fates: the token goes along", {h.get("Authorization") for h in collector.headers},
              {"Bearer a-token-of-the-test"})
    time.sleep(3)
    lib.equal("fates: refused, it does not insist", collector.seen, 5)
    agent.stop()
    collector.end()


def damaged():
    """A file with noise in it is set aside, what can be read of it is sent."""
    collector = Collector()
    spool = rig.directory("spool")
    rig.spooled(spool, 300, collector.url)
    file = os.path.join(spool, "batches.sqlite")
    with open(file, "r+b") as f:
        f.seek(os.path.getsize(file) // 2)
        f.write(os.urandom(8192))
    agent = Agent(*NOBODY, spool=spool, url=collector.url).up()
    metrics = agent.until(lambda m: m["spool_batches"] == 0 and m, "it does not go on")
    count, _ = totals(collector)
    lib.check("damaged: most of it has come", 200 < count < 300, count)
    lib.equal("damaged: what has not is counted", metrics["spool_damaged_total"], 300 - count)
    lib.equal("damaged: the file is set aside", metrics["spool_files_set_aside_total"], 1)
    agent.stop()
    with open(file, "r+b") as f:
        f.write(b"no database at all")
    agent = Agent(*NOBODY, spool=spool, url=collector.url).up()
    lib.check("damaged: no database at all", agent.metrics()["spool_files_set_aside_total"] >= 1)
    agent.stop()
    collector.end()


def limit():
    """Beyond the limit the oldest go, and are counted, also over a restart."""
    collector = Collector()
    spool = rig.directory("spool")
    rig.spooled(spool, 100, collector.url)
    size = waits(spool)["spool_bytes"]
    port = lib.free_port()
    config = lib.script("limit.yaml", """
collector: http://127.0.0.1:9
listen: 127.0.0.1:%d
spool: { directory: %s, limit: %d }
rules: [ { match: "python.*a-target-of-this-test" } ]
""" % (port, spool, size // 2))
    target = lib.start(sys.executable, "-c", "import time  # a-target-of-this-test\n"
                       "while True: sum(range(1000)); time.sleep(0.01)")
    agent = Agent("--config", config, listen=False)
    agent.port = port
    agent.up().until(lambda m: m["samples_total"] > 0, "nothing is measured")
    agent.stop()
    target.kill()
    metrics = waits(spool)
    lib.check("limit: it holds", metrics["spool_bytes"] <= size // 2, metrics["spool_bytes"])
    lib.check("limit: what went is counted", metrics["spool_dropped_total"] >= 49,
              metrics["spool_dropped_total"])
    lib.equal("limit: none without being counted",
              metrics["spool_dropped_total"] + metrics["spool_batches"], metrics["spool_put_total"])
    collector.end()


def full_disk():
    """A disk that takes nothing: batches go by memory, and to the disk when it takes them."""
    disk = Tmpfs(1 << 20)
    collector = Collector()
    spool = os.path.join(disk.path, "spool")
    try:
        target = lib.start(sys.executable, "-c", "import time  # a-target-of-this-test\n"
                           "while True: sum(range(1000)); time.sleep(0.01)")
        agent = Agent("--match", "a-target-of-this-test", spool=spool, url=collector.url).up()
        collector.answer = lambda number: (503, {})
        agent.until(lambda m: m["samples_total"] > 0, "nothing is measured")
        disk.fill()
        # The minute ends.
        agent.until(lambda m: m["spool_memory_batches"] >= 1, "no batch in memory", 100)
        health = json.loads(agent.get("/health"))
        lib.check("full disk: health says so", health["spool"], health)
        lib.check("full disk: the log too", "event=spool_disk_failed" in agent.said(), agent.said())
        collector.answer = lambda number: (200, {})
        agent.until(lambda m: m["spool_batches"] == 0, "it is not sent from memory", 90)
        lib.check("full disk: it comes all the same", len(collector.bodies) >= 1)
        collector.answer = lambda number: (503, {})
        agent.until(lambda m: m["spool_memory_batches"] >= 1, "no second batch in memory", 100)
        disk.free()
        agent.stop()
        target.kill()
        metrics = waits(spool)
        lib.check("full disk: what waited is on disk in the end", metrics["spool_batches"] >= 1
                  and metrics["spool_batches"] + metrics["spool_sent_total"]
                  == metrics["spool_put_total"], metrics)
    finally:
        lib.end_all()
        disk.end()
        collector.end()


# ---- one agent, its configuration, its budget ----


def one_only():
    spool = rig.directory("spool")
    agent = Agent(*NOBODY, spool=spool, url="http://127.0.0.1:9").up()
    second = Agent(*NOBODY, spool=spool, url="http://127.0.0.1:9", listen=False)
    lib.equal("one: the second ends", second.process.wait(lib.PATIENCE), 1)
    lib.check("one: and says why", "another agent uses the spool" in second.said(), second.said())
    agent.kill()
    agent = Agent(*NOBODY, spool=spool, url="http://127.0.0.1:9").up()
    agent.stop()
    lib.ok("one: after kill -9 the next may have it")


def check():
    good = lib.script("good.yaml", "collector: http://127.0.0.1:9\nrules: [ { match: x } ]\n")
    bad = lib.script("bad.yaml", "collector: http://127.0.0.1:9\nrules:\n- match: '('\n")
    told = lib.pycost("agent", "--config", good, "--check")
    lib.equal("check: a good one", (told.returncode, told.stderr), (0, b""))
    told = lib.pycost("agent", "--config", bad, "--check")
    lib.check("check: a bad one, with its line", told.returncode == 1
              and b"bad.yaml:3: '(' is no regular expression" in told.stderr, told.stderr)
    sample = os.path.join(lib.TOP, "deploy", "agent.yaml")
    with open(sample, encoding="utf-8") as f:
        text = f.read().replace("{ file: /etc/pycost/region }", "eu")
    told = lib.pycost("agent", "--config", lib.script("sample.yaml", text), "--check")
    lib.equal("check: the sample", (told.returncode, told.stderr), (0, b""))
    keys = set(re.findall(r"(?m)\b([a-z][a-z-]+):(?: |$)", text))
    whole = lib.script("whole.yaml", WHOLE % os.devnull)
    told = lib.pycost("agent", "--config", whole, "--check")
    lib.equal("check: all keys together", (told.returncode, told.stderr), (0, b""))
    said = set(re.findall(r"([a-z][a-z-]+):(?= |\n)", WHOLE))
    lib.check("check: the sample has each of them", said <= keys, sorted(said - keys))


WHOLE = """
collector: https://127.0.0.1:9
token-file: %s
tls:
  ca: /dev/null
  certificate: /dev/null
  key: /dev/null
timeout: 5s
spool: { directory: /tmp/s, limit: 1MiB, memory: 1MiB }
host: h
listen: 127.0.0.1:1234
containers: /host
keep: [ platform ]
tags: { region: eu }
rules:
- match: a
  unit: b
  cgroup: c
  user: d
  labels: { app: e }
  environment: { F: g }
  ignore: false
  service: { from: unit }
  version: { env: H }
  tags: { team: { label: team } }
sampling: { rate: 1, metric: cycles, paths: 5000, renew: 1h }
exact: { share: 1%%, window: 1m, one-in: 7, endpoint: GET /* }
budget: { host: 1%%, targets: 1%%, requests: 1%% }
limits: { targets: 1, values: 2, slices: 3, path-share: 1%% }
"""

RULES = """
collector: %s
listen: 127.0.0.1:%d
spool: { directory: %s }
rules:
- match: "a-target-of-this-test ([a-z]+)"
  service: %s
  tags: { what: \\1 }
"""


def reload():
    """SIGHUP: other rules hold; a file that is wrong changes nothing."""
    collector = Collector()
    spool, port = rig.directory("spool"), lib.free_port()
    config = lib.script("reload.yaml", RULES % (collector.url, port, spool, "first"))
    target = lib.start(sys.executable, "-c", "import time  # a-target-of-this-test one\n"
                       "while True: sum(range(20000)); time.sleep(0.001)")
    manager = rig.Manager()
    agent = Agent("--config", config, listen=False,
                  env={**os.environ, "NOTIFY_SOCKET": manager.path})
    agent.port = port
    agent.up().until(lambda m: m["samples_total"] > 20, "nothing is measured")
    lib.script("reload.yaml", RULES % (collector.url, port, spool, "{ from: moon }"))
    agent.process.send_signal(signal.SIGHUP)
    agent.until(lambda m: m["reloads_failed_total"] == 1, "it is not refused")
    lib.check("reload: the line is told", "reload.yaml:7: 'moon'" in agent.said(), agent.said())
    before = agent.metrics()["samples_total"]
    agent.until(lambda m: m["samples_total"] > before + 20, "it does not go on")
    lib.script("reload.yaml", RULES % (collector.url, port, spool, "second"))
    agent.process.send_signal(signal.SIGHUP)
    agent.until(lambda m: m["reloads_total"] == 1 and m["processes_attached"] == 1,
                "it is not taken")
    before = agent.metrics()["samples_total"]
    agent.until(lambda m: m["samples_total"] > before + 20, "it does not measure")
    agent.stop()
    target.kill()
    told = manager.told
    order = [word for word in told if word in ("READY", "RELOADING", "STOPPING")]
    lib.equal("reload: the service manager is told", order,
              ["READY", "RELOADING", "READY", "RELOADING", "READY", "STOPPING"])
    lib.check("reload: and its watchdog", told.count("WATCHDOG") >= 3, told.count("WATCHDOG"))
    samples = {}
    for batch in collector.batches():
        for cost in batch.costs:
            tags = batch.slices[cost["slice"]]
            samples[tags["service"], tags.get("what")] = \
                samples.get((tags["service"], tags.get("what")), 0) + cost["samples"]
    lib.check("reload: costs by the rules of the time", samples.get(("first", "one"), 0) > 10
              and samples.get(("second", "one"), 0) > 10, samples)
    collector.end()


def budget():
    """What is exceeded steps down, says so, and ends with nothing measured at all."""
    spool, port = rig.directory("spool"), lib.free_port()
    config = lib.script("budget.yaml", RULES % ("http://127.0.0.1:9", port, spool, "a")
                        + "budget: { host: 0.0001%, targets: 0.0001% }\n")
    target = lib.start(sys.executable, "-c", "# a-target-of-this-test one\n"
                       "while True: sum(range(20000))")
    agent = Agent("--config", config, listen=False)
    agent.port = port
    agent.up()
    metrics = agent.until(lambda m: m["budget_level"] >= 2 and m, "it does not step down", 90)
    lib.check("budget: measured", metrics["host_share"] > 1e-6
              and metrics["targets_share"] > 1e-6, metrics)
    lib.check("budget: the log says so", "event=budget_down level=1" in agent.said(), agent.said())
    lib.check("budget: it is within what is usual", metrics["host_share"] < 0.1,
              metrics["host_share"])
    agent.stop()
    target.kill()


def exact():
    """In its turn a host measures one request in N exactly."""
    collector = Collector()
    spool, port, own = rig.directory("spool"), lib.free_port(), lib.free_port()
    config = lib.script("exact.yaml", """
collector: %s
listen: 127.0.0.1:%d
spool: { directory: %s }
rules: [ { match: "gunicorn.*:%d", service: shop } ]
exact: { share: 100%%, one-in: 2, window: 1h }
budget: { host: 100%%, targets: 100%%, requests: 100%% }
""" % (collector.url, own, spool, port))
    site = web.Site(1, port)
    agent = Agent("--config", config, listen=False)
    agent.port = own
    agent.up().until(lambda m: m["exact"] == 1 and m["processes_attached"] == 2, "no exact turn")
    site.load(210)
    agent.until(lambda m: m["calls_total"] > 0, "no call is measured")
    agent.stop()
    site.end()
    batches = collector.batches()
    modes = {b.slices[c["slice"]].get("mode") for b in batches for c in b.costs}
    lib.equal("exact: costs are marked as exact", modes, {"exact"})
    calls = sum(c["calls"] for b in batches for c in b.costs)
    lib.check("exact: calls", calls > 100, calls)
    lib.check("exact: requests, as always", 150 < requests_of(batches, service="shop") <= 210,
              requests_of(batches, service="shop"))
    collector.end()


CHURN = """
import os, sys, time  # a-target-of-this-test churn
deadline, forks = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < deadline:
    forks += 1
    pid = os.fork()
    if not pid:
        sum(range(3000))
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.004)
print(forks)
"""


def churn():
    """Processes by the thousand come and go, and so do sessions: memory and descriptors stay
    what they are, and the loop never waits for a session to be made ready."""
    seconds = float(os.environ.get("PYCOST_TEST_CHURN", "40"))
    collector = Collector()
    spool, port = rig.directory("spool"), lib.free_port()
    config = lib.script("churn.yaml", RULES % (collector.url, port, spool, "churn")
                        + "sampling: { renew: 10s }\nbudget: { host: 100%, targets: 100% }\n")
    target = lib.start(sys.executable, lib.script("churn.py", CHURN), str(seconds),
                       "a-target-of-this-test churn", stdout=subprocess.PIPE)
    manager = rig.Manager()
    agent = Agent("--config", config, listen=False,
                  env={**os.environ, "NOTIFY_SOCKET": manager.path})
    agent.port = port
    agent.up().until(lambda m: m["sessions_total"] >= 3, "no other session")
    seen, slowest = [], 0
    while target.poll() is None:
        asked = time.monotonic()
        metrics = agent.metrics()
        slowest = max(slowest, time.monotonic() - asked)
        seen.append((metrics["resident_bytes"] / 1e6, metrics["open_descriptors"]))
        time.sleep(1)
    metrics = agent.metrics()
    longest = manager.longest()
    took = [int(ms) / 1000 for ms in re.findall(r" took_ms=(\d+)", agent.stop())]
    # While the next session is made ready there are two: the least is that of one.
    half = len(seen) // 2
    early, late = (min(part) for part in ([m for m, _ in seen[:half]], [m for m, _ in seen[half:]]))
    lib.check("churn: memory is flat", late < early * 1.1 + 4, "%.1f, then %.1f MB" % (early, late))
    early_files, late_files = (min(part) for part in ([d for _, d in seen[:half]],
                                                      [d for _, d in seen[half:]]))
    lib.check("churn: so are descriptors", late_files <= early_files + 16,
              "%d, then %d" % (early_files, late_files))
    lib.check("churn: sessions come and go", metrics["sessions_total"] >= seconds / 20,
              metrics["sessions_total"])
    # It is told once a second; a session takes longer, on the fastest machine.
    lib.check("churn: the loop goes on meanwhile", longest < 1.5 or longest < max(took) * 0.75,
              "%.1f s, sessions took %s" % (longest, took))
    print("# %d processes came and went; %.1f, then %.1f MB; %d, then %d descriptors; %d sessions, "
          "%.2f s not watched of %.0f" % (int(target.stdout.read()), early, late, early_files, late_files,
                                          metrics["sessions_total"],
                                          metrics["unwatched_seconds_total"], seconds))
    print("# longest from one turn to the next %.2f s, to be answered %.2f s; sessions took %.1f to %.1f s"
          % (longest, slowest, min(took), max(took)))
    collector.end()


if __name__ == "__main__":
    lib.run(workers, away, kills, fates, damaged, limit, full_disk, one_only, check, reload, budget,
            exact, churn)
