#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel's programs say of requests, as they say it: build/served, no more.

Each server is asked in all the ways that a request may come: at once, byte by byte, in
chunks, with more of them behind it; cut off at either end; by a worker that is killed.
"""
import os
import signal
import socket
import subprocess
import threading
import time

import lib
from rig import Rig
from server import answers

APP = """
import os, socket, threading, time

def burn(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        pass

def application(environ, start_response):
    path, size = environ["PATH_INFO"], int(environ.get("CONTENT_LENGTH") or 0)
    word, _, number = path[1:].partition("/")
    got = environ["wsgi.input"].read(size) if size else b""
    if word == "burn":
        burn(int(number))
    elif word == "sleep":
        time.sleep(int(number) / 1000)
    elif word == "call":
        with socket.create_connection(("127.0.0.1", int(os.environ["BACKEND"]))) as s:
            for _ in range(int(number)):
                s.sendall(b"ask")
                s.recv(10)
    elif word == "heir":  # a child has the connection open, too, and goes on
        if not os.fork():
            time.sleep(3)
            os._exit(0)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"until the end"]
    elif word == "fan":
        threads = [threading.Thread(target=burn, args=(20,)) for _ in range(int(number))]
        [t.start() for t in threads]
        [t.join() for t in threads]
    body = b"" if environ["REQUEST_METHOD"] == "HEAD" else str(len(got)).encode()
    status = "404 Not Found" if word == "missing" else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""
ABORTED, DIED, PROXY = 0x2, 0x40, 0x1
KINDS = ("sync", "gthread", "waitress", "uwsgi-http-socket", "uwsgi-http")


def command(kind, port, workers):
    where = "127.0.0.1:%d" % port
    if kind == "waitress":
        return ["waitress-serve", "--listen", where, "--threads", "4", "app:application"]
    if kind.startswith("uwsgi"):
        return ["uwsgi-core", "--plugins", "http,python311", "--" + kind[6:], where, "--master",
                "--processes", str(workers), "--module", "app:application", "--need-app",
                "--disable-logging", "--die-on-term"]
    return ["gunicorn", "--bind", where, "--workers", str(workers), "--worker-class", kind,
            "--threads", "4" if kind == "gthread" else "1", "app:application"]


def below(pid):
    """The process and its children."""
    found = [pid]
    with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
        for child in children.read().split():
            found += below(int(child))
    return found


class Served:
    """A server, and the rig that watches all of it."""

    def __init__(self, kind, workers=1, **environment):
        lib.script("app.py", APP)
        self.port = lib.free_port()
        enter = os.path.join(lib.root("3.11"), "enter")
        self.process = lib.start(enter, *command(kind, self.port, workers), cwd=lib.work,
                                 stdout=open(os.devnull, "wb"), stderr=subprocess.STDOUT,
                                 env={**os.environ, "PYTHONPATH": lib.work, **environment})
        wanted = 1 if kind == "waitress" else 1 + workers
        lib.until(lambda: answers(str(self.port)) and len(below(self.process.pid)) >= wanted,
                  kind + " does not serve")
        time.sleep(0.5)
        self.pids = below(self.process.pid)
        self.rig = Rig("-m", *self.pids)

    def end(self):
        self.rig.end()
        for pid in reversed(below(self.process.pid)):
            os.kill(pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self.rig

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port))
        s.settimeout(lib.PATIENCE)
        return s

    def ask(self, data, answers_wanted=1, slowly=False, then=b""):
        """How many answers came, none of them interim."""
        with self.connect() as s:
            if slowly:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in data:
                    s.sendall(bytes([byte]))
                    time.sleep(0.001)
            else:
                s.sendall(data)
            if then:
                time.sleep(0.1)
                s.sendall(then)
            got = b""
            while True:
                part = s.recv(65536)
                got += part
                n = got.count(b"HTTP/1.") - got.count(b" 100 Continue")
                if not part or n >= answers_wanted and got.rstrip(b"0123456789").endswith(b"\r\n\r\n"):
                    return n


def head(method, path, *fields):
    return ("\r\n".join(["%s %s HTTP/1.1" % (method, path), "Host: x", *fields, "", ""])).encode()


CLOSE = "Connection: close"


def ways(served, kind):
    """Asks in each way; [(method, path, status)] of what was answered."""
    said = []

    def ask(method, path, status, data, **options):
        if served.ask(data, **options):
            said.append((method, path, status))

    ask("GET", "/plain", 200, head("GET", "/plain?a=b&c", CLOSE))
    ask("GET", "/missing/7", 404, head("GET", "/missing/7", CLOSE))
    ask("HEAD", "/head", 200, head("HEAD", "/head", CLOSE))
    ask("GET", "/slow", 200, head("GET", "/slow", "X-Some: thing", CLOSE), slowly=True)
    ask("GET", "/odd%20%C3%A4;x=1/", 200, head("GET", "/odd%20%C3%A4;x=1/", CLOSE))
    ask("GET", "/long", 200, head("GET", "/long", "X-Long: " + "y" * 3000, CLOSE))
    ask("POST", "/body", 200, head("POST", "/body", "Content-Length: 300000", CLOSE),
        then=b"z" * 300000)
    ask("POST", "/two", 200, head("POST", "/two", "Content-Length: 10", CLOSE), then=b"0123456789")
    if not kind.startswith("uwsgi"):
        ask("POST", "/chunks", 200, head("POST", "/chunks", "Transfer-Encoding: chunked", CLOSE) +
            b"5\r\nhello\r\n", then=b"0\r\n\r\n")
        ask("POST", "/expect", 200,
            head("POST", "/expect", "Expect: 100-continue", "Content-Length: 5", CLOSE),
            then=b"hello")
    if kind == "waitress":
        # All at once; gunicorn forgets those behind the first.
        three = [head("GET", "/pipe/%d" % i) for i in range(2)] + [head("GET", "/pipe/2", CLOSE)]
        if served.ask(b"".join(three), answers_wanted=3) == 3:
            said += [("GET", "/pipe/%d" % i, 200) for i in range(3)]
    return said


def asked_in_all_ways():
    for kind in KINDS:
        served = Served(kind)
        said = ways(served, kind)
        rig = served.end()
        told = [(r["method"], r["path"], r["status"]) for r in rig.requests]
        lib.equal(kind + ": requests", sorted(told), sorted(said))
        wrong = [r for r in rig.requests if r["flags"] & (ABORTED | DIED)]
        lib.check(kind + ": none is called broken", not wrong, wrong)
        body = [r["bytes_in"] for r in rig.requests if r["path"] == "/body"]
        lib.check(kind + ": the body's bytes", body and 300000 <= body[0] < 301000, body)
        if kind == "uwsgi-http":
            lib.check("the router hands on", {r["protocol"] for r in rig.requests} == {2})
        lib.end_all()


def garbage():
    """Nothing that is no request is told as one."""
    served = Served("sync")
    for data in (b"\0\1\2\r\n\r\n", b"FOO\r\n\r\n", b"GET /x HTT", b"\r\n\r\n\r\n",
                 b"GET  HTTP/9.9\r\n\r\n", b"\x16\3\1" + bytes(100)):
        with served.connect() as s:
            s.sendall(data)
    served.ask(head("GET", "/good"))
    told = [r["path"] for r in served.end().requests]
    lib.equal("garbage is no request", told, ["/good"])


def costs():
    served = Served("sync")
    worker = served.pids[1]
    before = lib.cpu_ns(worker)
    for _ in range(10):
        served.ask(head("GET", "/burn/10"))
        served.ask(head("GET", "/sleep/30"))
    time.sleep(0.2)
    spent = lib.cpu_ns(worker) - before
    rig = served.end()
    burnt = [r for r in rig.requests if r["path"] == "/burn/10"]
    slept = [r for r in rig.requests if r["path"] == "/sleep/30"]
    lib.equal("all are there", (len(burnt), len(slept)), (10, 10))
    lib.check("10 ms of work cost as much", all(10e6 <= r["cost"] < 15e6 for r in burnt),
              [r["cost"] for r in burnt])
    lib.check("sleep costs nothing", all(r["cost"] < 5e6 <= 30e6 <= r["latency"] for r in slept),
              [(r["cost"], r["latency"]) for r in slept])
    total = next(t["cpu_ns"] for t in rig.totals if t["pid"] == worker)
    lib.check("the worker's total is its clock's", abs(total - spent) < 0.03 * spent,
              (total, spent))
    inside = sum(r["cpu_ns"] for r in rig.requests)
    lib.check("requests are most of it", 0.7 * spent < inside <= total, (inside, total))


def backends():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            s, _ = listener.accept()
            while s.recv(10):
                time.sleep(0.005)
                s.sendall(b"answer")

    threading.Thread(target=serve, daemon=True).start()
    served = Served("sync", BACKEND=str(listener.getsockname()[1]))
    served.ask(head("GET", "/call/4"))
    told = served.end().requests[0]
    calls = {k: v for k, v in told.items() if k.startswith("calls")}
    times = [v for k, v in told.items() if k.startswith("ns")]
    lib.equal("calls to a back end", list(calls.values()), [4])
    lib.check("their time", times and 20e6 <= times[0] <= told["latency"], (times, told["latency"]))


def fan_out():
    served = Served("sync")
    served.ask(head("GET", "/fan/3"))
    told = served.end().requests[0]
    lib.equal("its threads", told["threads"], 4)
    lib.check("and what they cost", 60e6 <= told["cost"] < 90e6, told["cost"])


def inherited():
    """An answer that ends with its connection, which a child of the worker keeps open."""
    served = Served("sync")
    with served.connect() as s:
        s.sendall(b"GET /heir HTTP/1.0\r\n\r\n")
        time.sleep(0.5)
    served.ask(head("GET", "/next"))
    told = [(r["path"], r["status"], r["flags"] & (ABORTED | DIED)) for r in served.end().requests]
    lib.equal("each is told once", told, [("/heir", 200, 0), ("/next", 200, 0)])


def ends():
    """Given up by the client, killed in the middle, and one that nobody works for yet."""
    for kind in ("sync", "waitress"):
        served = Served(kind)
        with served.connect() as s:
            s.sendall(head("GET", "/sleep/200"))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        time.sleep(0.5)
        worker = served.pids[-1]
        with served.connect() as s:
            s.sendall(head("GET", "/sleep/5000"))
            time.sleep(0.3)
            os.kill(worker, signal.SIGKILL)
            time.sleep(0.5)
        rig = served.end()
        told = {r["path"]: r["flags"] & (ABORTED | DIED) for r in rig.requests}
        lib.equal(kind + ": how they ended", told, {"/sleep/200": ABORTED, "/sleep/5000": DIED})
        died = [d["exit_code"] for d in rig.died if d["pid"] == worker]
        lib.equal(kind + ": the worker's end", died, [9])
        lib.end_all()


lib.run(asked_in_all_ways, garbage, costs, backends, fan_out, inherited,
        ends)
