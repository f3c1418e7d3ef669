# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent's tests share: a collector that keeps what it gets, batches read, agents run."""
import collections
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib  # noqa: E402
from batch import Batch  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
SPOOLED = os.path.join(lib.TOP, BUILD, "spooled")
NOBODY = ["--match", "there is no such process, and never was one"]


# ---- batches ----


def requests_of(batches, **tags):
    return sum(r["count"] for b in batches for r in b.requests
               if all(b.slices[r["slice"]].get(k) == v for k, v in tags.items()))


def counter_of(batches, name):
    return sum(c["value"] for b in batches for c in b.counters if c["name"] == name)


def totals(collector):
    """How many of the test's batches there are, and the sum over them."""
    batches = [b for b in collector.batches() if counter_of([b], "test.n")]
    return len(batches), counter_of(batches, "test.n")


# ---- a collector ----


class Collector:
    """Keeps each batch by its id, and how often it came. answer(number) -> status, headers."""

    def __init__(self, port=0):
        self.bodies, self.times = {}, collections.Counter()
        self.answer = lambda number: (200, {})
        self.delay = 0
        self.seen = 0
        self.ended = False
        self.headers = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.ended:
                    self.close_connection = True
                    return
                collector.seen += 1
                status, headers = collector.answer(collector.seen)
                batch = self.headers["X-Pycost-Batch"]
                told = {"error": "as the test has it"}
                if status == 200:
                    told = {"stored": "duplicate" if batch in collector.bodies else "new"}
                    collector.bodies[batch] = body
                    collector.times[batch] += 1
                collector.headers.append(dict(self.headers))
                time.sleep(collector.delay)
                answer = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # a client that was killed

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        """Connections that are open get no answer any more."""
        self.ended = True
        self.server.shutdown()
        self.server.server_close()

    def batches(self):
        return [Batch(body) for body in list(self.bodies.values())]


# ---- agents ----


def directory(name):
    path = os.path.join(lib.work, "%s-%d" % (name, time.monotonic_ns()))
    os.makedirs(path)
    return path


def spooled(spool, count, url):
    made = subprocess.run([SPOOLED, spool, str(count), url], stdout=subprocess.PIPE, check=True)
    return int(made.stdout)


class Agent:
    def __init__(self, *arguments, spool=None, url=None, listen=True, **options):
        self.spool = spool
        self.port = lib.free_port() if listen else None
        command = [lib.PYCOST, "agent", *arguments]
        if spool:
            command += ["--spool", spool]
        if url:
            command += ["--to", url]
        if listen and "--config" not in arguments:
            command += ["--listen", "127.0.0.1:%d" % self.port]
        self.log = os.path.join(lib.work, "agent-%d.log" % time.monotonic_ns())
        with open(self.log, "wb") as log:
            self.process = lib.start(*command, stdin=subprocess.DEVNULL, stderr=log, **options)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def get(self, path):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port, path), timeout=20) as r:
            return r.read().decode()

    def metrics(self):
        """{name: value}, with labels in the name."""
        found = {}
        for line in self.get("/metrics").splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[re.sub("^pycost_agent_", "", name)] = float(value)
        return found

    def up(self):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError("the agent ended: " + self.said())
            try:
                return self.metrics()
            except OSError:
                return None

        lib.until(answers, "the agent does not answer")
        return self

    def until(self, condition, what, seconds=lib.PATIENCE):
        """condition of the metrics."""
        def holds():
            if self.process.poll() is not None:
                raise AssertionError("the agent ended: " + self.said())
            time.sleep(0.2)
            return condition(self.metrics())

        try:
            return lib.until(holds, what, seconds)
        except TimeoutError:
            raise TimeoutError("%s; the agent said: %s; %s" % (what, self.said()[-1500:],
                                                               self.metrics()))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(lib.PATIENCE)
        if status:
            raise AssertionError("the agent exited with %d: %s" % (status, self.said()))
        return self.said()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Manager:
    """What a service manager hears by sd_notify: words before '='; and when it was told to wait on."""

    def __init__(self):
        self.path = os.path.join(lib.work, "notify-%d" % time.monotonic_ns())
        self.told, self.alive = [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            words = [line.split("=")[0] for line in self.socket.recv(4096).decode().splitlines()]
            self.told += words
            if "WATCHDOG" in words:
                self.alive.append(time.monotonic())

    def longest(self):
        """Seconds from one sign of life to the next."""
        return max(b - a for a, b in zip(self.alive, self.alive[1:]))


class Tmpfs:
    """A disk of so many bytes."""

    def __init__(self, size):
        self.path = directory("disk")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "pycost", self.path],
                       check=True)

    def fill(self):
        with open(os.path.join(self.path, "filler"), "wb", 0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        os.unlink(os.path.join(self.path, "filler"))

    def end(self):
        subprocess.run(["umount", "-l", self.path])
        shutil.rmtree(self.path, ignore_errors=True)


def waits(spool):
    """What an agent that cannot reach anybody says of the spool."""
    agent = Agent(*NOBODY, spool=spool, url="http://127.0.0.1:9").up()
    metrics = agent.metrics()
    agent.stop()
    return metrics
