# SPDX-License-Identifier: GPL-2.0-or-later
"""A collector to be tested: started, spoken to, killed; and batches whose totals are known."""
import atexit
import collections
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
PYCOST = os.environ.get("PYCOST", os.path.join(BUILD, "pycost"))
BATCHES = os.path.join(BUILD, "batches")
SUMS = ("calls", "self", "path_self", "requests", "counter")
PATIENCE = 60

sys.stdout.reconfigure(line_buffering=True)
work = tempfile.mkdtemp(prefix="pycost-serve-")
counts = collections.Counter()
servers = []


def check(name, good, why=""):
    counts["passed" if good else "failed"] += 1
    print("PASS %s" % name if good else "FAIL %s: %s" % (name, why))
    return good


def skip(name, why):
    counts["skipped"] += 1
    print("SKIP %s: %s" % (name, why))


def finish():
    print("# %(passed)d passed, %(failed)d failed, %(skipped)d skipped"
          % {k: counts[k] for k in ("passed", "failed", "skipped")})
    sys.exit(1 if counts["failed"] else 0)


@atexit.register
def clean_up():
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
    shutil.rmtree(work, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:200])


class Server:
    """pycost serve with these options; what it says goes to a file."""

    def __init__(self, *options, store=None, listen="127.0.0.1:0", context=None, env=None, wrap=()):
        self.store = store or tempfile.mkdtemp(dir=work, prefix="store-")
        self.log_path = tempfile.mktemp(dir=work, prefix="log-")
        self.context = context
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*wrap, PYCOST, "serve", "--store", self.store, "--listen", listen, *options],
                stderr=log, stdout=log, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        servers.append(self)
        self.port = self.wait_for_port()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_for_port(self):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            started = re.search(r"event=started .* port=(\d+)", self.log())
            if started:
                return int(started.group(1))
            if self.process.poll() is not None:
                raise RuntimeError("pycost serve ended: " + self.log())
            time.sleep(0.01)
        raise RuntimeError("pycost serve does not start: " + self.log())

    def connect(self, timeout=PATIENCE):
        if self.context:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                               context=self.context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, connection=None):
        c = connection or self.connect()
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read().decode("utf-8", "replace"))
        finally:
            if not connection:
                c.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def post(self, batch, token=None, connection=None, **headers):
        """batch: a Batch, whose headers are made; others of them replace these, None drops."""
        h = {"X-Pycost-Batch": batch.id, "X-Pycost-Sent": str(int(time.time()))}
        if token:
            h["Authorization"] = "Bearer " + token
        h.update({k.replace("_", "-"): v for k, v in headers.items()})
        return self.ask("POST", "/v1/batches", batch.bytes, {k: v for k, v in h.items() if v is not None},
                        connection)

    def metrics(self, **headers):
        text = self.get("/metrics", **headers).body
        return {name: float(value) for name, value in re.findall(r"^([^#\s]+) (\S+)$", text, re.M)}

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(PATIENCE)


def need_store(name):
    """Without DuckDB's library there is nothing to test."""
    try:
        Server("--quiet").stop()
    except RuntimeError as e:
        if "install-deps.sh --duckdb" not in str(e):
            raise
        skip(name, "no DuckDB here: deploy/install-deps.sh --duckdb")
        finish()


class Batch:
    def __init__(self, directory, line):
        for key, value in line.items():
            setattr(self, key, value)
        with open(os.path.join(directory, self.id), "rb") as f:
            self.bytes = f.read()

    def changed(self, data):
        other = object.__new__(Batch)
        other.__dict__.update(self.__dict__, bytes=data)
        return other


seeds = iter(range(int(time.time()) * 1000, 1 << 62, 1000003))


def batches(count, **wanted):
    directory = tempfile.mkdtemp(dir=work, prefix="batches-")
    wanted.setdefault("seed", next(seeds))
    out = subprocess.run([BATCHES, "make", directory, str(count)]
                         + ["%s=%s" % pair for pair in wanted.items()],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return [Batch(directory, json.loads(line)) for line in out.splitlines()]


def totals(of):
    return {key: sum(getattr(b, key) for b in of) for key in SUMS}


def stored(store, since=None, until=None):
    """What a store has, which nobody else may have open."""
    span = [str(since), str(until)] if since else []
    out = subprocess.run([BATCHES, "sums", store] + span, check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    return json.loads(out)


def certificate_authority():
    """A CA, a certificate of the server, and those of clients, by openssl."""
    d = tempfile.mkdtemp(dir=work, prefix="tls-")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=d, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE)

    def authority(name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name, "-days", "2")

    def leaf(name, ca, subject, names, usage, *span):
        with open(os.path.join(d, name + ".ext"), "w") as f:
            f.write("extendedKeyUsage=%s\n" % usage)
            if names:
                f.write("subjectAltName=%s\n" % names)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                name + ".key", "-out", name + ".csr", "-subj", "/CN=" + subject)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key",
                "-CAcreateserial", "-out", name + ".pem", "-extfile", name + ".ext",
                *(span or ("-days", "2")))
    authority("ca")
    authority("other-ca")
    leaf("server", "ca", "collector", "IP:127.0.0.1,DNS:localhost", "serverAuth")
    leaf("server-2", "ca", "collector-2", "IP:127.0.0.1,DNS:localhost", "serverAuth")
    leaf("shop", "ca", "whatever", "DNS:web-1.shop.example", "clientAuth")
    leaf("by-name", "ca", "web-2.shop.example", "", "clientAuth")
    leaf("stranger", "ca", "web-1.bank.example", "", "clientAuth")
    leaf("forged", "other-ca", "web-1.shop.example", "DNS:web-1.shop.example", "clientAuth")
    leaf("no-client", "ca", "web-1.shop.example", "DNS:web-1.shop.example", "serverAuth")
    leaf("expired", "ca", "web-1.shop.example", "DNS:web-1.shop.example", "clientAuth", "-days", "-1")
    return d


def context(d, client=None, ca="ca"):
    c = ssl.create_default_context(cafile=os.path.join(d, ca + ".pem"))
    if client:
        c.load_cert_chain(os.path.join(d, client + ".pem"), os.path.join(d, client + ".key"))
    return c


# ---- for the tests of a collector ----

SHOP, BANK, ASK, ALL = ("%s-token-%032x" % (n, random.getrandbits(128))
                        for n in ("shop", "bank", "ask", "all"))
TOKENS = """tokens:
- name: shop
  token: %s
  services: [shop, shop-*]
  may: [push, query]
- name: bank
  token: %s
  services: bank
  may: push
- name: ask
  token: %s
  services: ['shop', 'bank']
  may: query
- name: certificates
  certificate: '*.shop.example'
  services: [shop]
  may: [push]
""" % (SHOP, BANK, ASK)


def file_of(text, name="tokens.yaml"):
    path = os.path.join(tempfile.mkdtemp(dir=work), name)
    with open(path, "w") as f:
        f.write(text)
    return path


def status(name, answer, expected, word=""):
    check(name, answer.status == expected and word in answer.body, "%r, not %s" % (answer, expected))


def in_threads(count, function):
    threads = [threading.Thread(target=function, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    return threads


def join(threads):
    for t in threads:
        t.join()


def raw(port, text):
    c = socket.create_connection(("127.0.0.1", port), 10)
    c.sendall(text)
    return c


def run(tests):
    """Those that are named, as "tls"; or all."""
    need_store("serve")
    wanted = ["test_" + name for name in sys.argv[1:]]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test()
        except Exception as e:  # one that breaks must not hide the others
            check(test.__name__, False, "%s: %s" % (type(e).__name__, e))
    logs = "".join(s.log() for s in servers)
    ends = [s.process.poll() for s in servers]
    check("ends: all of them well", set(ends) <= {0, -9}, ends)
    check("logs: no secret", not any(t in logs for t in (SHOP, BANK, ASK, ALL)))
    finish()
