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
from agent_rig import Agent, Collector, Tmpfs, counter_of, lib, requests_of  # noqa: E402

sys.path.insert(0, os.path.join(lib.TOP, "tests", "e2e"))
import web  # noqa: E402

NOBODY = ["--match", "there is no such process, and never was one"]


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
    health = json.loads(agent.get("/health"))
    lib.check("agent: health", health["status"] == "ok" and health["measuring"], health)
    site.end()
    agent.until(lambda m: m["processes_chosen"] == 0, "the workers are not forgotten")
    agent.stop()
    batches = collector.batches()
    sent = load["ok"] + more["ok"]
    total = requests_of(batches, service="shop")
    lib.check("agent: requests come as batches", 0 < total <= sent, "%d of %d" % (total, sent))
    names = {name for b in batches for name in b.functions}
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


if __name__ == "__main__":
    lib.run(workers)
