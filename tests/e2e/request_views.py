#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What pycost requests, imports, gc and report --by endpoint show of real servers.

Tables against what was sent; views against the site's URLs; parts against the whole.
"""
import collections
import csv
import io
import json
import os
import signal
import subprocess
import time

import lib
from server import Load, Server

MIX = """
40 GET /
10 GET /status/404
5 GET /status/500
20 GET /shop/{n}?id={id}
10 POST /echo body=0-3000
"""
ROUTES = ("--route", "/shop/**=shop", "--route", "/status/*=status")
# Django's; the endpoint's name, and who serves it.
SHOP = {"GET /search": "shop.search", "GET /product/*": "shop.ProductView.get",
        "GET /api/products": "shop.as_json", "GET /receipt": "shop.receipt",
        "GET /report": "shop.ReportView"}
SMALL = {"GET /": "small.hello", "GET /user/*": "small.user", "GET /status/*": "small.status"}


def table(file, *options):
    made = lib.pycost("requests", file, "--format", "json", *options)
    if made.returncode:
        raise AssertionError("requests: " + made.stderr.decode())
    return json.loads(made.stdout)


def begun(*command, **options):
    """pycost in the background, once it measures."""
    log = os.path.join(lib.work, "begun.log")
    with open(log, "wb") as said:
        process = lib.start(lib.PYCOST, *command, stdin=subprocess.DEVNULL, stderr=said, **options)

    def measures():
        with open(log, encoding="utf-8") as said:
            text = said.read()
        if process.poll() is not None:
            raise AssertionError("pycost ended: " + text)
        return "measuring" in text
    lib.until(measures, "pycost does not begin")
    return process


def end(process):
    # The last request is over when its worker waits for the next.
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    if process.wait(lib.PATIENCE):
        raise AssertionError("pycost ended with %d" % process.returncode)


def live():
    """A table of what is measured now: each request in its row."""
    served = Server("sync", workers=2)
    file = os.path.join(lib.work, "live.json")
    pids = ",".join(map(str, [served.pid, *served.workers()]))
    with open(file, "wb") as out:
        watch = begun("requests", "-p", pids, "--rate", 0, "--format", "json", "--by",
                      "endpoint,status,pid", *ROUTES, stdout=out)
    load = Load(served.where, MIX, "-n", 2000, "-c", 4).done()
    end(watch)
    with open(file, encoding="utf-8") as told:
        shown = json.load(told)
    sent = collections.Counter(
        (method, path.partition("?")[0].split("/")[1], status)
        for method, path, status, outcome in load.requests().values() if outcome == "answered")
    seen = collections.Counter()
    for row in shown["rows"]:
        method, _, name = row["keys"]["endpoint"].partition(" ")
        seen[method, name.strip("/").split("/")[0], int(row["keys"]["status"])] += row["requests"]
    lib.equal("live: as many of each as were sent", seen, sent)
    lib.equal("live: the total is of all", shown["total"]["requests"], 2000)
    failed = sum(n for (_, _, status), n in sent.items() if status >= 500)
    lib.equal("live: failures", shown["total"]["failed"], failed)
    pids_seen = {int(row["keys"]["pid"]) for row in shown["rows"]}
    lib.check("live: by worker", pids_seen <= set(served.workers()), pids_seen)
    work = shown["workers"]
    share = sum(row["cost"]["sum"] for row in shown["rows"]) + work["outside"]
    lib.check("live: requests and what is outside of them are the whole",
              abs(share - work["cost"]) < 0.01 * work["cost"], (share, work))
    served.end()


def recorded(kind, app, version, paths, *options):
    served = Server(kind, version, app=app)
    mix = "".join("1 GET %s\n" % path for path in paths)
    recording = lib.Recording.of(served.workers(), *options)
    load = Load(served.where, mix, "-n", 40 * len(paths), "-c", 1).done()
    time.sleep(0.5)
    recording.stop()
    served.end()
    lib.check("%s: the load was served" % app, load.told["answered"] == 40 * len(paths), load.told)
    return recording


def views_of(file):
    shown = table(file, "--by", "endpoint,view")
    return {row["keys"]["endpoint"]: row["keys"]["view"] for row in shown["rows"]}


def views():
    """The function that serves each endpoint, by exact calls and by samples."""
    flask = ["/", "/user/a", "/user/b", "/status/200", "/status/404"]
    route = ["--requests", "--route", "/user/*", "--route", "/status/*"]
    recording = recorded("sync", "small", "3.11", flask, *route)
    lib.equal("Flask on 3.11: views", views_of(recording.file), SMALL)
    parts(recording.file)
    django = ["/search/?q=a", "/product/3/", "/product/7/", "/api/products/", "/receipt/",
              "/report/"]
    route = ["--requests", "--route", "/search/=/search", "--route", "/product/*/=/product/*",
             "--route", "/api/products/=/api/products", "--route", "/receipt/=/receipt", "--route",
             "/report/=/report"]
    recording = recorded("sync", "shop", "3.15", django, *route)
    lib.equal("Django on 3.15: views", views_of(recording.file), SHOP)
    parts(recording.file)


def sampled():
    served = Server("sync", "3.15", app="shop")
    pids = ",".join(map(str, served.workers()))
    file = os.path.join(lib.work, "sampled.pycost")
    recording = begun("record", "--mode", "sample", "--rate", 4999, "--requests", "-o", file, "-p",
                      pids, "--route", "/search/=/search", "--route", "/product/*/=/product/*")
    Load(served.where, "1 GET /search/?q=a\n1 GET /product/3/\n", "-n", 300, "-c", 1).done()
    end(recording)
    served.end()
    lib.equal("Django on 3.15, sampled: views", views_of(file),
              {name: SHOP[name] for name in ("GET /search", "GET /product/*")})
    parts(file)


def parts(file):
    """Functions by endpoint are those of the whole, cut up."""
    whole = lib.Report(file).json
    cut = lib.Report(file, "--by", "endpoint").json
    lib.equal("parts: they add up", sum(e["total"] for e in cut["endpoints"]), whole["total"])
    selves = collections.Counter()
    for endpoint in cut["endpoints"]:
        for function in endpoint["functions"]:
            selves[function["id"]] += function["self"]
    lib.equal("parts: each function's, too", selves,
              collections.Counter({f["id"]: f["self"] for f in whole["functions"]}))
    name = cut["endpoints"][0]
    glob = "%s %s" % (name["method"], name["name"]) if name["name"] else None
    if glob:
        made = lib.pycost("report", file, "--endpoint", glob, "--format", "folded")
        lines = made.stdout.decode().splitlines()
        lib.check("parts: a flame graph of one endpoint is of it alone",
                  lines and all(line.startswith(glob.replace(";", ":") + ";") for line in lines),
                  lines[:2])


def formats():
    """csv is as wide in each row; errors name the mend."""
    file = os.path.join(lib.work, "formats.pycost")
    subprocess.run([os.path.join(lib.TOP, os.environ.get("BUILD", "build"), "unit"),
                    "--write-sample", "shop-requests", file], check=True)
    for command in (["requests"], ["requests", "--workers"], ["imports"], ["gc"]):
        made = lib.pycost(*command, file, "--format", "csv")
        rows = list(csv.reader(io.StringIO(made.stdout.decode())))
        lib.check("%s: csv" % " ".join(command),
                  len(rows) > 1 and len({len(row) for row in rows}) == 1, rows[:2])
        made = lib.pycost(*command, file, "--format", "json")
        lib.check("%s: json" % " ".join(command), json.loads(made.stdout)["complete"], made.stderr)
        made = lib.pycost(*command, file)
        lib.check("%s: no colour in a pipe" % " ".join(command),
                  made.returncode == 0 and b"\033" not in made.stdout, made.stdout[:200])
    subprocess.run([os.path.join(lib.TOP, os.environ.get("BUILD", "build"), "unit"),
                    "--write-sample", "shop", file], check=True)
    made = lib.pycost("requests", file)
    lib.check("a recording without requests is told so", made.returncode == 1 and
              b"record with --requests" in made.stderr, made.stderr)
    made = lib.pycost("requests", "--by", "endpoint")
    lib.check("without a target or a file", made.returncode == 2 and b"-p PID" in made.stderr,
              made.stderr)


if __name__ == "__main__":
    lib.run(formats, live, views, sampled)
