# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of faults have: couriers with an agent's spool and sender, networks that are bad,
disks that are full; and what was sent, and what is answered, to be compared."""
import atexit
import http.client
import http.server
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time

from serve_rig import BUILD, PATIENCE, PYCOST, Server, work

COURIER = os.path.join(BUILD, "courier")
MINUTE = 60
couriers = []


@atexit.register
def end_couriers():
    for c in couriers:
        if c.process and c.process.poll() is None:
            c.kill()


def minutes_ago(n):
    return (int(time.time()) // MINUTE - n) * MINUTE


def collector(*options, store=None, port=0, address="127.0.0.1", wrap=()):
    return Server("--quiet", "--set", "group.ms=30", "--set", "limits.sender-batches=1000000",
                  *options, store=store, listen="%s:%d" % (address, port), wrap=wrap)


def url_of(port, address="127.0.0.1"):
    return "http://%s:%d" % (address, port)


class Courier:
    """A host of the fleet: put in the spool and sent, killed and started again."""
    hosts = 0

    def __init__(self, url, minutes, begin=None, wrap=(), spool=None, **options):
        self.host, Courier.hosts = Courier.hosts, Courier.hosts + 1
        self.begin = minutes_ago(minutes) if begin is None else begin
        self.minutes, self.options, self.wrap, self.url = minutes, options, wrap, url
        self.spool = spool or os.path.join(tempfile.mkdtemp(dir=work, prefix="courier-"), "spool")
        self.process = None
        self.start()
        couriers.append(self)

    def arguments(self, **more):
        wanted = {"host": self.host, "begin": self.begin, "minutes": self.minutes,
                  **self.options, **more}
        return [COURIER] + ["--%s%s" % (k.replace("_", "-"), "" if v is True else "=%s" % v)
                            for k, v in wanted.items() if v is not None]

    def start(self, **more):
        self.out = tempfile.TemporaryFile("w+", dir=work)
        self.process = subprocess.Popen(
            [*self.wrap, *self.arguments(spool=self.spool, to=self.url, **more)],
            stdout=self.out, stdin=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        """What it told by now: after the last batch was put, and after the last was sent."""
        self.out.seek(0)
        return [json.loads(line) for line in self.out.read().splitlines()]

    def until_put(self):
        until = time.monotonic() + PATIENCE
        while not self.said():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("a courier puts nothing")
            time.sleep(0.02)
        return self.said()[0]

    def end(self, patience=4 * PATIENCE, ask=False):
        """ask: to put no more. What became of it all, when nothing waits any more."""
        until = time.monotonic() + patience
        while self.process.poll() is None and time.monotonic() < until:
            if ask and not self.said():
                self.process.terminate()
            time.sleep(0.1)
            if self.process.poll() == -signal.SIGTERM:  # before it could hear it
                self.start()
        if self.process.poll() is None:
            raise RuntimeError("a courier does not come to an end: %s" % self.said())
        if self.process.returncode:
            raise RuntimeError("a courier ended with %d" % self.process.returncode)
        return self.said()[-1]

    def each(self, minutes=None):
        """What the minutes have in them, one by one."""
        out = subprocess.run(self.arguments(minutes=minutes or self.minutes, totals=True, each=True),
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        return [json.loads(line) for line in out.splitlines()]


def added(parts):
    sums = {"samples": 0, "self": 0, "requests": 0, "request_cost": 0}
    for part in parts:
        for key in sums:
            sums[key] += part[key]
    return sums


def sent(all_of_them):
    """[(courier, what it said in the end)]"""
    return added(part for c, told in all_of_them for part in c.each(told["minutes"]))


def rows(kind, url, since, until, *options):
    r = subprocess.run([PYCOST, "query", kind, "--url", url, "--since", str(since), "--until",
                        str(until), "-n", "0", "--format", "json", *options],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if r.returncode and not r.stdout:
        if "no data" in r.stderr.lower():
            return []
        raise RuntimeError("pycost query: " + r.stderr)
    table = json.loads(r.stdout)
    if table["truncated"]:
        raise RuntimeError("pycost query: not all of it")
    names = [c["name"] for c in table["columns"]]
    return [dict(zip(names, row)) for row in table["rows"]]


def answered(url, since, until):
    functions = rows("functions", url, since, until)
    requests = rows("requests", url, since, until, "--by", "service,endpoint,status")
    return {"samples": sum(r["samples"] for r in functions), "self": sum(r["self"] for r in functions),
            "requests": sum(r["requests"] for r in requests),
            "request_cost": sum(r["cost"] for r in requests)}


def answered_each(url, begin, minutes):
    return [answered(url, begin + i * MINUTE, begin + (i + 1) * MINUTE) for i in range(minutes)]


# ---- networks ----


class Proxy:
    """Bytes both ways between a port and another, as a bad network has them."""

    def __init__(self, port):
        self.target = port
        self.rate = None      # bytes a second, each way of each connection
        self.hold = 0         # seconds that an answer takes
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.carried = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            threading.Thread(target=self.carry, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, True), daemon=True).start()

    def carry(self, source, sink, back):
        try:
            while True:
                data = source.recv(2048)
                if not data:
                    break
                if back:
                    time.sleep(self.hold)
                if self.rate:
                    time.sleep(len(data) / self.rate)
                sink.sendall(data)
                self.carried += len(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        self.listener.close()


class Mangler:
    """POSTs arrive late, twice, together, and in another order; answers get lost."""

    def __init__(self, port, seed):
        self.target, self.dice = port, random.Random(seed)
        self.swallow = False  # keep them only: nobody else gets them
        self.kept, self.late, self.lost, self.twice = [], [], 0, 0
        self.bad = []
        mangler = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {k: v for k, v in self.headers.items() if k.startswith("X-Pycost")}
                status, answer = mangler.take(body, headers)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        class HTTPServer(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, body, headers):
        c = http.client.HTTPConnection("127.0.0.1", self.target, timeout=PATIENCE)
        c.request("POST", "/v1/batches", body, headers)
        r = c.getresponse()
        answer = r.read()
        c.close()
        if r.status != 200:
            self.bad.append((r.status, answer))
        return r.status, answer

    def take(self, body, headers):
        self.kept.append((body, headers))
        if self.swallow:
            return 200, b'{"stored": "new"}'
        chance = self.dice.random()
        if chance < 0.1:  # it comes when its second copy has been there for long
            self.late.append((body, headers))
            return 503, b"{}"
        if chance < 0.4:  # both at once
            self.twice += 1
            other = threading.Thread(target=self.forward, args=(body, headers))
            other.start()
            answer = self.forward(body, headers)
            other.join()
            return answer
        answer = self.forward(body, headers)
        if chance < 0.5:
            self.lost += 1
            return 502, b"{}"
        return answer

    def replay(self, what):
        """In any order; what was answered."""
        what = list(what)
        self.dice.shuffle(what)
        return [json.loads(self.forward(*one)[1]).get("stored") for one in what]

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class Wire:
    """A network of its own for those who send, and the wire to it, which can be cut."""

    def __init__(self):
        n = os.getpid() % 16000
        self.name, self.inner, self.outer = "pycost-%d" % n, "pyc%di" % n, "pyc%do" % n
        net = "10.213.%d.%d" % (n // 64, n % 64 * 4)
        base, last = net.rsplit(".", 1)
        self.near, self.far = "%s.%d" % (base, int(last) + 1), "%s.%d" % (base, int(last) + 2)
        self.wrap = ("ip", "netns", "exec", self.name)
        self.ip("netns", "add", self.name)
        self.ip("link", "add", self.outer, "type", "veth", "peer", "name", self.inner, "netns", self.name)
        self.ip("addr", "add", self.near + "/30", "dev", self.outer)
        self.ip("link", "set", self.outer, "up")
        self.ip("-n", self.name, "addr", "add", self.far + "/30", "dev", self.inner)
        self.ip("-n", self.name, "link", "set", self.inner, "up")

    @staticmethod
    def ip(*arguments):
        r = subprocess.run(["ip", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            raise OSError("ip %s: %s" % (" ".join(arguments), r.stdout.strip()))

    def cut(self):
        self.ip("link", "set", self.outer, "down")

    def join(self):
        self.ip("link", "set", self.outer, "up")

    def deafen(self):
        """What is sent arrives; no answer does."""
        self.ip("route", "add", "blackhole", self.far + "/32")

    def hear(self):
        self.ip("route", "del", "blackhole", self.far + "/32")

    def end(self):
        for arguments in (("route", "del", "blackhole", self.far + "/32"), ("link", "del", self.outer),
                          ("netns", "del", self.name)):
            subprocess.run(["ip", *arguments], stderr=subprocess.DEVNULL)


class Disk:
    """So many bytes; may be full."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(dir=work, prefix="disk-")
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "pycost", self.path],
                           stderr=subprocess.PIPE, text=True)
        if r.returncode:
            raise OSError(r.stderr.strip())

    def fill(self, leave=0):
        space = os.statvfs(self.path)
        with open(os.path.join(self.path, "filler"), "wb", 0) as filler:
            filler.write(bytes(max(0, space.f_bavail * space.f_frsize - leave)))

    def free(self):
        os.unlink(os.path.join(self.path, "filler"))

    def end(self):
        subprocess.run(["umount", "-l", self.path])
