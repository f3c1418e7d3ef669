# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a request's cost the same each time, and do all and the rest add up to what the
processor's own counter saw?  served.py VERSION..."""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys

from common import COUNTED, PYCOST, check, note, python, script

# In each round; the last of one is over only when the process has stood still.
REQUESTS = 22
SOCKET = "/tmp/serves-%d"  # as serves.py has it
SPREAD = 0.001
# Now and then a short one has to tidy up the allocator's lists: thousands of instructions.
UNUSUAL = 2
LONG = b"/price/20000"


def ask(path, where):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(where)
        s.sendall(b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n" % path)
        answer = b""
        while True:
            part = s.recv(4096)
            if not part:
                return int(answer.split()[1])
            answer += part


class Site:
    """serves.py, which stands still between rounds: its counter is known then."""

    def __init__(self, version):
        path = script(version + "-served")
        os.makedirs(path, exist_ok=True)
        for name in ("rounds.py", "serves.py"):
            shutil.copy(script(name), path)
        self.counted = subprocess.Popen(
            [COUNTED, "fixed", COUNTED, "rounds",
             *python(version, path + "/rounds.py", "serves", REQUESTS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        self.pid, self.count = map(int, self.counted.stdout.readline().split())
        self.where = SOCKET % self.pid

    def round(self, path):
        """Its instructions meanwhile."""
        before = self.count
        self.counted.stdin.write("\n")
        self.counted.stdin.flush()
        statuses = {ask(path, self.where) for _ in range(REQUESTS)}
        self.pid, self.count = map(int, self.counted.stdout.readline().split())
        if len(statuses) > 1:
            raise AssertionError("answers %s" % statuses)
        return self.count - before

    def end(self):
        self.counted.stdin.close()
        self.counted.wait()


def watch(site, paths, *options):
    """Rounds of these paths, and what they took, while pycost runs with these options."""
    with open("told", "wb") as out:
        watcher = subprocess.Popen(
            [COUNTED, "fixed", PYCOST, *options, "--metric", "instructions", "-p", str(site.pid)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, universal_newlines=True)
    said, line = "", " "
    while line and "measuring" not in line:
        line = watcher.stderr.readline()
        said += line
    took = [site.round(path) for path in paths]
    watcher.send_signal(signal.SIGINT)
    said += watcher.communicate()[1]
    if watcher.returncode:
        check(False, "requests", " ".join(said.split()))
        sys.exit(1)
    return sum(took)


def prove_same(version, site, paths):
    watch(site, paths, "requests", "--each", "--format", "json", "--rate", "0")
    with open("told") as file:
        *each, last = map(json.loads, file)
    check([(told["path"], told["status"]) for told in each] ==
          [(path.decode(), 404 if b"none" in path else 200) for path in paths
           for _ in range(REQUESTS)] and not any(last["losses"].values()),
          version + " requests", "%d were seen, lost %s" % (
              len(each), {kind: n for kind, n in last["losses"].items() if n}))
    medians = []
    for number, path in enumerate(paths):
        costs = [told["cost"] for told in each[number * REQUESTS:(number + 1) * REQUESTS]][1:-1]
        medians.append(statistics.median(costs))
        off = sorted(abs(cost / medians[-1] - 1) for cost in costs)
        usual = off[-1 - (0 if path == LONG else UNUSUAL)]
        check(usual <= SPREAD, version + " the same request",
              "%s: %d times %d to %d instructions, off the median by up to %.4f %%, %d of them %.4f %%"
              % (path.decode(), len(costs), min(costs), max(costs), 100 * off[-1],
                 len(off) - UNUSUAL, 100 * off[-1 - UNUSUAL]))
    note("%s requests: %s" % (version, medians))


def told(*options):
    return json.loads(subprocess.check_output(
        [PYCOST, "requests", *options, "--format", "json", "site.pycost"]))


def prove_sums(version, site, paths):
    took = watch(site, paths, "record", "--requests-only", "-o", "site.pycost")
    rows = told("--by", "endpoint")["rows"]
    worker, = told("--workers")["workers"]
    inside = sum(row["cost"]["sum"] for row in rows)
    count = sum(row["requests"] for row in rows)
    check(worker["request_cost"] == inside and count == worker["requests"] == len(paths) * REQUESTS,
          version + " sum of requests", "%d of %d requests, the worker's %d of %d"
          % (inside, count, worker["request_cost"], worker["requests"]))
    off = worker["cost"] / took - 1
    check(abs(off) <= SPREAD, version + " requests and the rest",
          "%d within requests, %d outside, %d counted: off by %+.4f %%"
          % (inside, worker["cost"] - inside, took, 100 * off))


def prove(version):
    site = Site(version)
    paths = (b"/price/2000", b"/none/2000", LONG)
    # Up to 3.10 a function has a cache from its 1024th call on; later ones are specialised
    # as they run.
    for path in (*50 * (b"/price/1",), *paths, *paths):
        site.round(path)
    prove_same(version, site, paths)
    prove_sums(version, site, paths)
    site.end()


if __name__ == "__main__":
    for each_version in sys.argv[1:]:
        prove(each_version)
