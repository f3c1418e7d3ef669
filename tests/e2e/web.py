#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gunicorn and Django on 3.15 under load: every request counts, none fails.

The workers that run already are children from before: they are named by PID or by
--match. One that the master starts later is followed.
"""
import json
import os
import signal
import subprocess

import lib

# What each path of load.py calls, once a request.
VIEWS = {
    "/": "listing", "/search/?q=red+lamp": "search", "/product/7/": "ProductView.get",
    "/report/": "ReportView.get_context_data", "/api/products/": "as_json",
    "/receipt/": "receipt",
}


def children(pid):
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE)
    return [int(child) for child in told.stdout.split()]


class Site:
    def __init__(self, workers, port=None):
        self.port = port or lib.free_port()
        self.master = lib.start(os.path.join(lib.TOP, "tests/web/serve.sh"), self.port, workers,
                                "--threads", "2", cwd=lib.TOP, stderr=subprocess.DEVNULL,
                                start_new_session=True)
        # Before it serves, the script's own children come and go.
        self.load(20)
        self.workers = lib.until(lambda: len(children(self.master.pid)) == workers
                                 and children(self.master.pid), "the workers")

    def load(self, requests, *arguments):
        made = subprocess.run(
            ["python3", os.path.join(lib.TOP, "tests/web/load.py"), str(self.port),
             "--requests", str(requests), *arguments], stdout=subprocess.PIPE)
        return json.loads(made.stdout)

    def end(self):
        self.master.terminate()
        self.master.wait(lib.PATIENCE)


def views_of(load):
    """{view: its calls} for what load.py sent."""
    expected = dict.fromkeys(VIEWS.values(), 0)
    for path, told in load["by_path"].items():
        view = VIEWS["/"] if path.startswith("/?") else VIEWS[path]
        expected[view] += told["ok"]
    return expected


def counted(report):
    """By qualified name, without the wrappers."""
    got = dict.fromkeys(VIEWS.values(), 0)
    for f in report.functions.values():
        if f["qualname"] in got and f["module"] == "shop":
            got[f["qualname"]] += f["calls"]
    return got


def requests():
    site = Site(2)
    recording = lib.Recording.of([site.master.pid, *site.workers])
    load = site.load(420)
    report = recording.stop().report()
    lib.equal("web: no request failed", (load["ok"], load["failed"]), (420, 0))
    lib.equal("web: each view has its requests", counted(report), views_of(load))
    lib.check("web: nothing lost", not report.losses, report.losses)
    wrappers = {f["wraps"]: f["calls"] for f in report.functions.values()
                if f["qualname"] == "counted.<locals>.wrapper" and f["module"] == "shop"}
    views = views_of(load)
    lib.equal("web: the decorator's wrappers by what they wrap",
              {name: wrappers.get(name) for name in ("listing", "search", "as_json", "receipt")},
              {name: views[name] for name in ("listing", "search", "as_json", "receipt")})
    lib.check("web: the probes are off", all(lib.probes_off(w) for w in site.workers))
    site.end()


def by_match():
    site = Site(1)
    recording = lib.Recording("--match", "gunicorn.*:%d" % site.port, "--no-calibration")
    recording.attached(site.master.pid, *site.workers)
    load = site.load(70)
    report = recording.stop().report()
    lib.equal("web: --match finds master and worker", sorted(report.json["pids"]),
              sorted([site.master.pid, *site.workers]))
    lib.equal("web: their requests", counted(report), views_of(load))
    site.end()


def new_worker():
    """A worker killed and respawned is followed from its first request."""
    site = Site(1)
    recording = lib.Recording.of([site.master.pid, *site.workers])
    before = site.load(70)
    os.kill(site.workers[0], signal.SIGKILL)
    worker, = lib.until(lambda: set(children(site.master.pid)) - set(site.workers),
                        "a new worker")
    after = site.load(70, "--timeout", "30")
    report = recording.stop().report()
    lib.equal("web: no request failed around a worker's death",
              (before["failed"], after["failed"]), (0, 0))
    lib.check("web: the new worker is followed", worker in report.json["pids"],
              report.json["pids"])
    both = {view: n + views_of(before)[view] for view, n in views_of(after).items()}
    lib.equal("web: requests to the old and the new worker", counted(report), both)
    lib.check("web: nothing lost over it", not report.losses, report.losses)
    site.end()


if __name__ == "__main__":
    lib.run(requests, by_match, new_worker)
