#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests over TLS that ends in the worker: seen are those that were sent, whichever way
the server has its sessions read the socket, and whoever else speaks TLS in the same thread."""
import http.client
import os
import random
import signal
import ssl
import subprocess
import threading
import time

import lib
import server
from watched import Comparison, Requests

PEM = os.path.join(lib.work, "tls.pem")
TLS_FLAG = 0x1
CONNECTIONS, EACH = 8, 60


def certificate():
    key = os.path.join(lib.work, "key.pem")
    cert = os.path.join(lib.work, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True,
                   stderr=subprocess.DEVNULL)
    with open(PEM, "w", encoding="ascii") as pem:
        for part in (key, cert):
            with open(part, encoding="ascii") as file:
                pem.write(file.read())


class Watched(Requests):
    def watches(self):
        return super().watches() and any(
            line.startswith("p:pycost_%d/" % self.pid) for line in events())


class Linked(Requests):
    """Within a budget that is never spent: its breakpoints are links, where the kernel has them."""

    def __init__(self, pids):
        super().__init__(pids, "--budget", "100")

    def watches(self):
        return super().watches() and any(
            "uprobe_multi" in told for told in lib.descriptors(self.pid))


class TlsServer(server.Server):
    """One with `command`, told how by a function of its port."""

    def __init__(self, name, version, command, workers=1):
        self.kind, self.version = name, version
        port = lib.free_port()
        self.where = str(port)
        self.log = os.path.join(lib.work, name + ".log")
        with open(self.log, "wb") as log:
            self.process = lib.start(
                *lib.python(version, *command(port)), cwd=server.WEB, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.pid = self.process.pid
        lib.until(lambda: self.listens(workers), name + " does not serve")


class Client(threading.Thread):
    """Requests over one connection at a time, most of them kept."""

    def __init__(self, where, number, mix):
        super().__init__()
        self.where, self.number, self.mix = int(where), number, mix
        self.sent, self.failed, self.context = {}, [], ssl._create_unverified_context()

    def one(self, connection, name, chance):
        method, path, status = chance.choice(self.mix)
        body = b"x" * chance.randrange(40000) if method == "POST" else None
        headers = {"X-Request-Id": name, "User-Agent": "a" * chance.randrange(600)}
        closes = chance.random() < 0.05
        if closes:
            headers["Connection"] = "close"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        self.sent[name] = method, path, answer.status, "answered"
        if answer.status != status or answer.getheader("X-Request-Id") != name:
            self.failed.append((name, method, path, answer.status))
        if closes or answer.will_close:
            connection.close()

    def run(self):
        chance = random.Random(self.number)
        connection = http.client.HTTPSConnection("127.0.0.1", self.where, context=self.context,
                                                 timeout=30)
        for i in range(EACH):
            try:
                self.one(connection, "c%dr%d" % (self.number, i), chance)
            except (OSError, http.client.HTTPException) as error:
                self.failed.append((self.number, i, repr(error)))
                connection.close()
        connection.close()


MIX = [("GET", "/", 200), ("GET", "/status/404", 404), ("GET", "/status/204", 204),
       ("GET", "/big/100", 200), ("GET", "/big/100000", 200), ("GET", "/shop/12?id=5", 200),
       ("HEAD", "/big/2000", 200), ("POST", "/echo", 200)]


def seen(name, version, command, mix=MIX, workers=1, before=0, watch=Watched, anew=False):
    """before: connections that are open when pycost comes; anew: workers are born after that."""
    served = TlsServer(name, version, command, workers)
    clients = [Client(served.where, i, mix) for i in range(CONNECTIONS)]
    kept = http.client.HTTPSConnection("127.0.0.1", int(served.where),
                                       context=ssl._create_unverified_context())
    if before:
        kept.request("GET", "/before", headers={"X-Request-Id": "before"})
        kept.getresponse().read()
    watched = watch([served.pid, *served.workers()])
    if anew:
        served.process.send_signal(signal.SIGHUP)
        time.sleep(3)
    if before:
        kept.request("GET", "/?q", headers={"X-Request-Id": "kept"})
        kept.getresponse().read()
        kept.close()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    time.sleep(0.3)
    watched.stop()
    title = "%s on %s" % (name, version)
    failed = [f for client in clients for f in client.failed]
    lib.check(title + ": the load was served", not failed, failed[:3])
    sent = {name: told for client in clients for name, told in client.sent.items()}
    if before:
        sent["kept"] = "GET", "/?q", 200, "answered"
    Comparison(sent, watched.each).check(title, len(sent))
    lib.check(title + ": nothing lost", not watched.losses, watched.losses)
    served.end()
    return watched


def gunicorn(*options):
    return lambda port: server.gunicorn("many:app", "127.0.0.1:%d" % port, 2, "--certfile", PEM,
                                        *options)


def plain(kind, *more):
    return lambda port: ["tls.py", kind, str(port), PEM, *more]


def sockets():
    """Sessions that have the socket: SSL_read_ex() and SSL_write_ex() from 3.10 on."""
    seen("sync", "3.11", gunicorn(), workers=2)
    seen("gthread", "3.11", gunicorn("-k", "gthread", "--threads", "8", "--keep-alive", "30"),
         workers=2, before=1)
    seen("gthread", "3.15", gunicorn("-k", "gthread", "--threads", "8", "--no-control-socket"),
         workers=2)


def memory():
    """Sessions of an event loop, which have memory."""
    seen("uvicorn", "3.11",
         lambda port: ["-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--log-level",
                       "critical", "--no-access-log", "--loop", "asyncio", "--ssl-certfile", PEM,
                       "--ssl-keyfile", PEM, "--timeout-keep-alive", "30", "many_async:app"],
         before=1)
    seen("hypercorn", "3.15",
         lambda port: ["-m", "hypercorn", "--bind", "127.0.0.1:%d" % port, "--log-level",
                       "CRITICAL", "--certfile", PEM, "--keyfile", PEM, "many_async:app"])


def linked():
    """By links, in workers that there are and in those that are forked while they are watched."""
    if tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 12):
        lib.skip("by links", "this kernel is older than 6.12")
        return
    options = gunicorn("-k", "gthread", "--threads", "8", "--keep-alive", "30")
    seen("gthread, by links", "3.11", options, workers=2, before=1, watch=Linked)
    seen("gthread, by links, born later", "3.11", options, workers=2, watch=Linked, anew=True)


def older():
    """SSL_read() and SSL_write(), of OpenSSL 1.1 where pyenv has that."""
    for version in ("3.9.18", "3.12.1", "3.8.18"):
        if not lib.built(version):
            lib.skip("threads on " + version, "it is not on this machine")
            continue
        seen("threads", version, plain("threads"), before=1)
        seen("asyncio", version, plain("asyncio"), before=1)


def asking():
    """A worker that asks another server over TLS, amid its own requests."""
    upstream = TlsServer("upstream", "3.11", plain("threads"))
    mix = MIX + [("GET", "/ask/1", 404), ("GET", "/ask/2?a", 404)]
    seen("threads-asking", "3.11", plain("threads", upstream.where), mix)
    mix = MIX + [("GET", "/ask/1", 200)]
    seen("asyncio-asking", "3.11", plain("asyncio", upstream.where), mix)
    upstream.end()


def killed():
    """A worker that pycost was killed beside goes on, and has none of its breakpoints."""
    served = TlsServer("sync", "3.11", gunicorn(), 2)
    watched = Watched([served.pid, *served.workers()])
    watched.process.send_signal(signal.SIGKILL)
    watched.process.wait()
    client = Client(served.where, 0, MIX)
    client.run()
    lib.check("after kill -9: the server serves", not client.failed, client.failed[:3])
    lib.check("after kill -9: no event is left", lib.until(
        lambda: not any(line.startswith("p:pycost_%d/" % watched.pid) for line in events()),
        "events are left", 20))
    served.end()


def events():
    mount = os.path.join(lib.work, "tracefs")
    os.makedirs(mount, exist_ok=True)
    subprocess.run(["mount", "-t", "tracefs", "none", mount], check=True)
    try:
        with open(os.path.join(mount, "uprobe_events"), encoding="ascii") as file:
            return file.read().splitlines()
    finally:
        subprocess.run(["umount", mount], check=True)


certificate()
lib.run(sockets, memory, linked, older, asking, killed)
