#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector from its start to its end: what it is told, what it says of itself, TLS."""
import os
import shutil
import socket
import subprocess
import tempfile
import time

from serve_rig import (ALL, ASK, BANK, PYCOST, SHOP, TOKENS, Server, batches,
                        certificate_authority, check, context, file_of, in_threads, join, raw,
                        run, skip, status, stored, totals, work)


def test_start():
    def run(*options):
        r = subprocess.run([PYCOST, "serve", *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True, timeout=30)
        return r.returncode, r.stdout + r.stderr
    for name, text, word in (
            ("not known", "listen: :1\nstor: x\n", "serve.yaml:2: 'stor'"),
            ("a section", "store: x\nlimits:\n  body: 1M\n  bdy: 2\n", "serve.yaml:4: 'limits.bdy'"),
            ("a size", "store: x\nlimits:\n  body: lots\n", "serve.yaml:3: 'limits.body' is a size"),
            ("twice", "store: x\nstore: y\n", "serve.yaml:2: 'store' is given twice"),
            ("no YAML", "store: [\n", "serve.yaml:2"),
            ("an address", "store: x\nlisten: nowhere\n", "no address"),
            ("no tokens", "store: x\nlisten: 0.0.0.0:7680\n", "give 'tokens'"),
            ("all the network", "store: x\nlisten: :7680\n", "give 'tokens'"),
            ("no store", "listen: :7680\n", "no store"),
            ("half of TLS", "store: x\ntls:\n  key: y\n", "go together"),
            ("no file", "store: x\ntokens: /nowhere\n", "/nowhere")):
        status_, out = run("--check", "--config", file_of(text, "serve.yaml"))
        check("check: " + name, status_ == 2 and word in out, (status_, out))
    for name, text, word in (
            ("short", "tokens:\n- name: a\n  token: short\n", "tokens.yaml:3: a token of less"),
            ("right", TOKENS.replace("may: push", "may: puhs"), "'puhs'"),
            ("services", "tokens:\n- name: a\n  token: %s\n  may: push\n" % SHOP, "services"),
            ("two ways", TOKENS.replace("may: push", "may: push\n  certificate: x"), "one of token"),
            ("same", TOKENS.replace(BANK, SHOP), "has the token of 'shop'"),
            ("none", "tokens:\n", "no token")):
        status_, out = run("--check", "--store", "x", "--tokens", file_of(text))
        check("check: tokens, " + name, status_ == 2 and word in out and SHOP not in out, (status_, out))
    status_, out = run("--check", "--store", "x", "--tokens", file_of(TOKENS), "--listen", ":7680")
    check("check: good", status_ == 0 and "is good" in out, (status_, out))
    s = Server()
    status_, out = run("--store", tempfile.mkdtemp(dir=work), "--listen", "127.0.0.1:%d" % s.port)
    check("start: address in use", status_ == 1 and "in use" in out, (status_, out))
    status_, out = run("--store", s.store, "--listen", "127.0.0.1:0")
    check("start: store in use", status_ == 1 and s.store in out, (status_, out))
    status("start: no name of others", s.get("/v1/query/tags", Host="evil.example"), 403)
    status("start: localhost", s.get("/v1/query/tags", Host="localhost:1"), 200)
    s.stop()


def test_end():
    s = Server("--set", "group.ms=3000")
    sent, answers = batches(20), []
    threads = in_threads(20, lambda i: answers.append(s.post(sent[i]).status))
    half = raw(s.port, b"POST /v1/batches HTTP/1.1\r\nHost: localhost\r\nX-Pycost-Batch: " + b"0" * 32
               + b"\r\nContent-Length: 4\r\n\r\nab")
    time.sleep(0.7)
    s.process.terminate()
    time.sleep(0.3)
    try:
        late = s.post(batches(1)[0]).status
    except OSError:
        late = "refused"
    half.sendall(b"cd")
    half.settimeout(10)
    check("end: a body under way is taken", b" 400 " in half.recv(4096))
    join(threads)
    check("end: all are answered", answers == [200] * 20, answers)
    check("end: no more are taken", late == "refused", late)
    check("end: well", s.process.wait(20) == 0, s.log())
    check("end: exact totals", stored(s.store) == totals(sent))


def test_reload():
    path = file_of(TOKENS)
    s = Server("--tokens", path, "--set", "group.ms=0")
    status("reload: before", s.post(batches(1)[0], token=ALL), 401)
    for text, word in ((TOKENS.replace(SHOP, ALL), "event=reloaded"), ("tokens:\n- nam: x\n", "yaml:2:")):
        with open(path, "w") as f:
            f.write(text)
        s.process.send_signal(1)
        until = time.monotonic() + 10
        while word not in s.log() and time.monotonic() < until:
            time.sleep(0.05)
        check("reload: " + word, word in s.log(), s.log())
        status("reload: the new one", s.post(batches(1)[0], token=ALL), 200)
        status("reload: not the old one", s.post(batches(1)[0], token=SHOP), 401)
    s.stop()


def test_tls():
    d = certificate_authority()
    at = lambda name: os.path.join(d, name)
    live, live_key = at("live.pem"), at("live.key")

    def install(name):
        for a, b in ((name + ".pem", live), (name + ".key", live_key)):
            with open(at(a), "rb") as f, open(b, "wb") as g:
                g.write(f.read())
    install("server")
    s = Server("--tokens", file_of(TOKENS), "--set", "group.ms=0", "--set", "tls.certificate=" + live,
               "--set", "tls.key=" + live_key, "--set", "tls.client-ca=" + at("ca.pem"),
               context=context(d))
    shop = lambda: batches(1, service="shop")[0]
    status("tls: a token", s.post(shop(), token=SHOP), 200)
    status("tls: nothing", s.post(shop()), 401)
    for who, expected in (("shop", 200), ("by-name", 200), ("stranger", 401), ("forged", 401),
                          ("no-client", 401), ("expired", 401)):
        s.context = context(d, who)
        status("tls: " + who, s.post(shop()), expected)
    s.context = context(d, "shop")
    status("tls: other's service", s.post(batches(1, service="bank")[0]), 403)
    status("tls: a wrong token is no certificate", s.post(shop(), token="x" * 20), 401)
    c = s.connect()
    answers = [s.post(shop(), connection=c).status for _ in range(3)]
    check("tls: one connection", answers == [200] * 3, answers)
    install("server-2")
    s.process.send_signal(1)
    time.sleep(1.2)
    new = s.connect()
    new.connect()
    subject = dict(x[0] for x in new.sock.getpeercert()["subject"])["commonName"]
    check("tls: a new certificate", subject == "collector-2", subject)
    status("tls: the old connection", s.post(shop(), connection=c), 200)
    check("tls: when it ends", s.metrics(Authorization="Bearer " + ASK)
          ["pycost_serve_certificate_expires_seconds"] > time.time())
    plain = raw(s.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    plain.settimeout(5)
    try:
        got = plain.recv(100)
    except OSError:
        got = b""
    check("tls: nothing in plain", b"HTTP" not in got, got)
    check("tls: ends well", s.stop() == 0, s.log())


def test_manager():
    """What systemd hears."""
    path = os.path.join(work, "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(10)
    s = Server(env={"NOTIFY_SOCKET": path, "JOURNAL_STREAM": "1:2"})
    heard = ""

    def until(word):
        nonlocal heard
        while word not in heard:
            heard += manager.recv(4096).decode() + "\n"
    until("READY=1")
    until("WATCHDOG=1")
    until("STATUS=")
    s.process.send_signal(1)
    until("RELOADING=1")
    s.stop()
    until("STOPPING=1")
    check("manager: all of it", True)
    check("manager: levels", all(line.startswith("<") for line in s.log().splitlines()), s.log())


def test_metrics():
    s = Server()
    s.post(batches(1)[0])
    text = s.get("/metrics").body
    check("metrics: the end", text.endswith("# EOF\n"))
    older = s.get("/metrics", Accept="text/plain").body
    tool = shutil.which("promtool")
    if tool:
        r = subprocess.run([tool, "check", "metrics"], input=older, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check("metrics: promtool", r.returncode == 0, r.stdout)
    else:
        skip("metrics: promtool", "there is none: it is in Debian's package prometheus")
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
        families = list(text_string_to_metric_families(text))
        check("metrics: OpenMetrics", len(families) > 20, len(families))
    except ImportError:
        skip("metrics: OpenMetrics", "no python3-prometheus-client")
    s.stop()


run((test_start, test_end, test_reload, test_tls, test_manager, test_metrics))
