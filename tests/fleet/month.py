# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions about a month of a large fleet: a bench, run by hand.

	python3 tests/fleet/month.py [duckdb|clickhouse]... [-- HOSTS DAYS]    default: both, 1000 30

store-load fills each store with the same facts; then each question is asked by a command of its
own, three times; the first and the best of them are told. ClickHouse needs root (see fetch.sh),
and each store 4 to 8 GB of disk, in $TMPDIR, for as long as this runs.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import clickhouse_rig as rig

BUILD = os.environ.get("BUILD", "build")
BEGIN, DAY, HOUR = 1761955200, 86400, 3600  # as store_load.c has it
MINUTES = 3  # behind the days, as they came
QUESTIONS = (
    "functions", "functions --where service=service-7", "functions --by service -n 20",
    "functions --where endpoint=*area-3*", "functions --sort cumulative", "functions --by version -n 5",
    "callers --function Area.method_40", "callers --function Area.method_40 --where service=service-7",
    "paths -f folded", "paths --where service=service-7 -f folded", "requests --by service,endpoint",
    "requests --by service", "requests --where service=service-7 --by endpoint",
    "series --measure latency.p99 --step 1d", "series --measure latency.p99 --by service --step 1d",
    "series --measure self --by service --step 1h", "series --measure cost --by version --step 1d",
    "users", "users --by service --step 1d", "tags", "tags --by service,version", "counters",
)


def timed(command):
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    return took, done.stdout, done.stderr.strip() if done.returncode else ""


def rows(text):
    try:
        return len(json.loads(text)["rows"])
    except (ValueError, KeyError, TypeError):
        return text.count("\n")


def ask(store, days):
    until = BEGIN + days * DAY
    spans = (("%d days" % days, BEGIN, until), ("and the minutes after", BEGIN + HOUR // 2, until + 60 * MINUTES),
             ("one day", until - DAY, until))
    for name, since, to in spans:
        print("# %s\n%8s %8s %8s  %s" % (name, "first", "best", "rows", "question"), flush=True)
        for question in QUESTIONS:
            words = question.split()
            command = [os.path.join(BUILD, "pycost"), "query", *words, "--store", store, "--since", str(since),
                       "--until", str(to)] + ([] if "-f" in words else ["-f", "json"])
            tries = [timed(command) for _ in range(3)]
            why = tries[0][2]
            print("%8.2f %8.2f %8d  %s%s" % (tries[0][0], min(t[0] for t in tries), rows(tries[0][1]), question,
                                             ": " + why if why else ""), flush=True)


def month(store, hosts, days):
    subprocess.run([os.path.join(BUILD, "store-load"), store, str(hosts), str(days), str(MINUTES)], check=True)
    ask(store, days)


def main():
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    hosts, days = [int(w) for w in words[cut + 1:]] or (1000, 30)
    subprocess.run(["make", "-s", "BUILD=" + BUILD, "all", os.path.join(BUILD, "store-load")], check=True)
    with tempfile.TemporaryDirectory() as work:
        for engine in words[:cut] or ("duckdb", "clickhouse"):
            print("## " + engine, flush=True)
            if engine == "duckdb":
                month(os.path.join(work, "store"), hosts, days)
                continue
            server = rig.servers(work)[0]
            try:
                month(server.url(), hosts, days)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
