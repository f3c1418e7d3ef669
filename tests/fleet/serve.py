#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector with a real store: what it takes, and all that it refuses."""
import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from serve_rig import (PYCOST, Server, batches, check, context, finish, certificate_authority, need_store,
                       servers, skip, stored, totals, work)

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


def test_stored():
    s = Server("--set", "group.ms=50")
    sent = batches(5)
    for b in sent:
        answer = s.post(b)
    check("stored: new", answer.status == 200 and answer.json == {"stored": "new"}, answer)
    answer = s.post(sent[0])
    check("stored: once", answer.json == {"stored": "duplicate"}, answer)
    both = []
    b = batches(1)[0]
    join(in_threads(4, lambda i: both.append(s.post(b).json["stored"])))
    check("stored: at once, too", sorted(both) == ["duplicate"] * 3 + ["new"], both)
    c = s.connect()
    kept = batches(3)
    answers = [s.post(k, connection=c).status for k in kept]
    c.close()
    check("stored: by one connection", answers == [200] * 3, answers)
    m = s.metrics()
    check("stored: counted", m['pycost_serve_batches_total{result="new"}'] == 9
          and m['pycost_serve_batches_total{result="duplicate"}'] == 4
          and m["pycost_serve_in_flight_bytes"] == 0 and m["pycost_serve_batches_waiting"] == 0, m)
    check("stored: ends well", s.stop() == 0, s.log())
    check("stored: exact totals", stored(s.store) == totals(sent + kept + [b]))


def test_who():
    s = Server("--tokens", file_of(TOKENS), "--set", "group.ms=20")
    shop, bank = batches(1, service="shop")[0], batches(1, service="bank")[0]
    status("who: nothing to show", s.post(shop), 401, "token")
    for what, value in (("wrong", "Bearer " + "x" * 40), ("cut", "Bearer " + SHOP[:-1]),
                        ("longer", "Bearer " + SHOP + "x"), ("scheme", "Basic " + SHOP),
                        ("empty", "Bearer "), ("bare", SHOP)):
        status("who: token, " + what, s.post(shop, Authorization=value), 401)
    status("who: other's service", s.post(bank, token=SHOP), 403, "bank")
    status("who: own service", s.post(shop, token=SHOP), 200)
    europe = batches(1, service="shop-eu")[0]
    status("who: by star", s.post(europe, token=SHOP), 200)
    status("who: no more than the star", s.post(batches(1, service="shopping")[0], token=SHOP), 403)
    status("who: no right to push", s.post(shop, token=ASK), 403, "may not push")
    status("who: other's own", s.post(bank, token=BANK), 200)
    for path, token, expected in (("/health", None, 200), ("/ready", None, 200), ("/metrics", None, 401),
                                  ("/metrics", BANK, 403), ("/metrics", ASK, 200),
                                  ("/v1/query/functions", None, 401), ("/v1/query/functions", BANK, 403),
                                  ("/nothing", None, 404), ("/v1/batches", SHOP, 405)):
        h = {"Authorization": "Bearer " + token} if token else {}
        status("who: %s %s" % (path, token and token[:4]), s.get(path, **h), expected)
    queries(s)
    s.stop()
    check("who: nothing refused is stored",
          stored(s.store)["calls"] == shop.calls + bank.calls + europe.calls,
          stored(s.store))


def queries(s):
    """A token sees its services, whatever it asks."""
    def services(token, path):
        a = s.get(path, Authorization="Bearer " + token)
        return a.status, {r[0] for r in a.json["rows"]} if a.status == 200 else a.body
    for what in ("functions", "requests", "counters"):
        got = services(ASK, "/v1/query/%s?by=service&where=service=bank&since=1h" % what)
        check("who: asks %s of one" % what, got == (200, {"bank"}), got)
        got = services(ASK, "/v1/query/%s?by=service&since=1h" % what)
        check("who: asks %s of all" % what, got[0] == 403 and "where=service" in got[1], got)
        got = services(SHOP, "/v1/query/%s?by=service&where=service=bank&since=1h" % what)
        check("who: asks %s of another's" % what, got[0] == 403, got)
        got = services(SHOP, "/v1/query/%s?by=service&where=service=shop&where=service!=bank&since=1h" % what)
        check("who: asks %s of its own" % what, got == (200, {"shop"}), got)
    a = s.get("/v1/query/tags?where=service=shop&since=1h", Authorization="Bearer " + SHOP)
    check("who: no tag of another's", a.status == 200 and "bank" not in a.body, a)


def test_malformed():
    s = Server("--set", "group.ms=10", "--set", "limits.body=1M", "--set", "limits.unpacked=8M")
    b = batches(1)[0]
    status("malformed: empty", s.post(b.changed(b"")), 400)
    status("malformed: text", s.post(b.changed(b"hello")), 400)
    status("malformed: cut", s.post(b.changed(b.bytes[:-1])), 400)
    status("malformed: more behind", s.post(b.changed(b.bytes + b"x")), 400)
    status("malformed: no id", s.post(b, X_Pycost_Batch=None), 400, "X-Pycost-Batch")
    for text in ("0" * 32, "0" * 31, "0" * 33, "g" * 32, "", "0" * 4000):
        status("malformed: id %.5s of %d" % (text, len(text)), s.post(b, X_Pycost_Batch=text), 400)
    for text in ("0", "-1", "1e9", "yesterday", "9" * 30, ""):
        status("malformed: sent %.9s" % text, s.post(b, X_Pycost_Sent=text), 400, "X-Pycost-Sent")
    dice, seen = random.Random(1), {}
    for _ in range(300):
        data = bytearray(b.bytes)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        answer = s.post(b.changed(bytes(data)))
        seen[answer.status] = seen.get(answer.status, 0) + 1
    # One bit of a frame's head means nothing; what is stored is looked at below.
    check("malformed: bits", set(seen) <= {200, 400, 413} and seen[400] > 290, seen)
    status("malformed: as it should be", s.post(b), 200)
    sizes(s, b)
    s.stop()
    check("malformed: only what was good", stored(s.store) == totals([b]), stored(s.store))


def zstd(size):
    path = os.path.join(work, "zeros")
    with open(path, "wb") as f:
        f.truncate(size)
    subprocess.run(["zstd", "-q", "-f", "-3", path], check=True)
    with open(path + ".zst", "rb") as f:
        return f.read()


def sizes(s, b):
    status("size: said", s.post(b.changed(bytes(1900 << 10))), 413)
    chunks = (bytes(65536) for _ in range(28))
    h = {"X-Pycost-Batch": b.id}
    status("size: not said", s.ask("POST", "/v1/batches", chunks, h), 413)
    try:
        answer = s.ask("POST", "/v1/batches", b"", {**h, "Content-Length": str(1 << 62)})
        status("size: absurd", answer, 413)
    except OSError as e:
        check("size: absurd", True, e)
    if subprocess.run(["sh", "-c", "command -v zstd"], stdout=subprocess.DEVNULL).returncode:
        return skip("size: bombs", "no zstd here")
    before = s.metrics()["process_resident_memory_bytes"]
    status("size: a bomb", s.post(b.changed(zstd(900 << 20))), 413, "unpacked")
    status("size: within the limit, but no batch", s.post(b.changed(zstd(4 << 20))), 400)
    lying = bytearray(zstd(900 << 20))
    # The frame's header: magic, descriptor, then the window or the size of the content.
    lying[5:9] = (1 << 20).to_bytes(4, "little")
    answer = s.post(b.changed(bytes(lying)))
    check("size: a bomb that lies", answer.status in (400, 413), answer)
    grown = s.metrics()["process_resident_memory_bytes"] - before
    check("size: bombs do not grow it", grown < 64 << 20, "%d MiB" % (grown / (1 << 20)))


def test_time():
    s = Server("--set", "group.ms=10", "--set", "expiry=2m")
    if time.time() % 60 > 50:
        time.sleep(61 - time.time() % 60)
    now = int(time.time())
    minute = now // 60 * 60
    status("time: expired", s.post(batches(1, begin=minute - 86400 * 3)[0]), 410)
    status("time: of the future", s.post(batches(1, begin=minute + 3600)[0]), 409, "future")
    off = batches(1, begin=minute - 7200 - 60)[0]
    status("time: a clock two hours late", s.post(off, X_Pycost_Sent=str(now - 7200)), 200)
    early = batches(1, begin=minute + 7200 - 60)[0]
    status("time: two hours early", s.post(early, X_Pycost_Sent=str(now + 7200)), 200)
    status("time: again, with a right clock", s.post(off), 410)
    status("time: years off", s.post(batches(1)[0], X_Pycost_Sent="1000000"), 409, "clock")
    check("time: shifts are counted", s.metrics()["pycost_serve_batches_shifted_total"] == 2)
    # It ends between one and two minutes ago.
    old = batches(1, begin=minute - 120)[0]
    status("time: nearly expired", s.post(old), 200)
    status("time: again", s.post(old), 200, "duplicate")
    time.sleep(max(0, minute + 62 - time.time()))
    status("time: replayed after expiry", s.post(old), 410)
    s.stop()
    have = stored(s.store, now - 600, now + 600)
    check("time: put where they belong", have == totals([off, early, old]), have)


def test_forms():
    s = Server("--set", "group.ms=0")
    b = batches(1, functions=10)[0]
    s.post(b)
    a = s.get("/v1/pprof?since=1h")
    check("forms: pprof", a.status == 200 and a.headers["Content-Type"] == "application/octet-stream", a)
    a = s.get("/v1/query/paths?since=1h&format=folded")
    total = sum(int(line.split()[-1]) for line in a.body.splitlines())
    check("forms: folded", total == b.path_self, "%d, not %d" % (total, b.path_self))
    a = s.get("/v1/query/paths?since=1h&format=speedscope")
    check("forms: speedscope", "speedscope" in a.json["$schema"], a)
    a = s.get("/v1/query/functions?since=1h&format=csv")
    check("forms: csv", len(a.body.splitlines()) == 11, a)
    a = s.get("/v1/query/requests?since=1h&by=service&format=openmetrics")
    check("forms: openmetrics", 'pycost_requests_requests{service="shop",metric="instructions:u"} %d\n'
          % b.requests in a.body and a.body.endswith("# EOF\n"), a.body)
    status("forms: none such", s.get("/v1/query/requests?format=xml"), 400, "format is")
    status("forms: of paths only", s.get("/v1/query/requests?format=pprof"), 400, "of paths")
    s.stop()


def test_rate():
    s = Server("--set", "limits.sender-batches=1", "--set", "group.ms=0", "--tokens", file_of(TOKENS))
    answers = [s.post(b, token=SHOP) for b in batches(12, sender="web-1")]
    check("rate: ten minutes of it at once", [a.status for a in answers] == [200] * 10 + [429] * 2,
          answers)
    check("rate: says when", 1 <= int(answers[-1].headers["Retry-After"]) <= 62, answers[-1].headers)
    status("rate: another sender", s.post(batches(1, sender="web-2")[0], token=SHOP), 200)
    s.stop()


def test_many(senders=32, each=15):
    s = Server("--quiet")
    sent, answers = [], []
    per = [batches(each, sender="web-%d" % i, functions=500) for i in range(senders)]

    def send(i):
        c = s.connect()
        for b in per[i]:
            answers.append(s.post(b, connection=c).status)
            sent.append(b)
        c.close()
    began = time.monotonic()
    join(in_threads(senders, send))
    took = time.monotonic() - began
    m = s.metrics()
    check("many: all are stored", answers == [200] * senders * each, answers)
    check("many: groups of them", m["pycost_serve_groups_total"] <= 2.5 * took + 5, m)
    print("# %d batches of %d senders: %.1f s, %d groups, %.2f s of CPU, %d MiB resident, %d kB a batch"
          % (len(sent), senders, took, m["pycost_serve_groups_total"], m["process_cpu_seconds_total"],
             m["process_resident_memory_bytes"] / (1 << 20), len(sent[0].bytes) / 1024))
    s.stop()
    check("many: exact totals", stored(s.store) == totals(sent))


def raw(port, text):
    c = socket.create_connection(("127.0.0.1", port), 10)
    c.sendall(text)
    return c


def is_closed(c):
    c.settimeout(0.01)
    try:
        return c.recv(4096) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_slow():
    s = Server("--set", "limits.request=2", "--set", "group.ms=0", "--set", "limits.connections=400")
    head = b"POST /v1/batches HTTP/1.1\r\nHost: localhost\r\nX-Pycost-Batch: " + b"0" * 32
    slow = [raw(s.port, head) for _ in range(100)]
    slow += [raw(s.port, head + b"\r\nContent-Length: 100000\r\n\r\nx") for _ in range(100)]
    stop = threading.Event()

    def trickle(_):
        while not stop.wait(0.5):
            for c in slow:
                try:
                    c.send(b"x")
                except OSError:
                    pass
    thread = in_threads(1, trickle)
    began = time.monotonic()
    answers = [s.post(b).status for b in batches(5)]
    check("slow: others are served", answers == [200] * 5 and time.monotonic() - began < 2, answers)
    time.sleep(4)
    stop.set()
    join(thread)
    check("slow: cut", all(map(is_closed, slow)), sum(map(is_closed, slow)))
    m = s.metrics()
    check("slow: counted", m["pycost_serve_connections_cut_total"] == 200
          and m['pycost_serve_batches_total{result="broken_off"}'] == 100
          and m["pycost_serve_in_flight_bytes"] == 0, m)
    s.stop()
    s = Server("--set", "limits.connections-per-address=10")
    held = [raw(s.port, b"GET") for _ in range(30)]
    time.sleep(0.5)
    check("slow: so many of an address", sum(map(is_closed, held)) >= 20, sum(map(is_closed, held)))
    for c in held:
        c.close()
    time.sleep(0.2)
    status("slow: room again", s.get("/health"), 200)
    s.stop()


def test_full_disk():
    place = tempfile.mkdtemp(dir=work)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", place],
                      stderr=subprocess.DEVNULL).returncode:
        return skip("full disk", "no right to mount")
    try:
        s = Server("--set", "group.ms=0", "--quiet", store=os.path.join(place, "store"))
        taken, answer = [], None
        for i in range(400):
            b = batches(1, functions=3000, sender="web-%d" % i)[0]
            answer = s.post(b)
            if answer.status != 200:
                break
            taken.append(b)
        status("full disk: is said", answer, 503)
        check("full disk: when to come again", "Retry-After" in answer.headers, answer.headers)
        check("full disk: not ready", s.get("/ready").status == 503)
        check("full disk: alive", s.get("/health").status == 200)
        s.process.kill()
        s.process.wait()
        subprocess.run(["mount", "-o", "remount,size=200m", place], check=True)
        s = Server("--set", "group.ms=0", "--quiet", store=s.store)
        status("full disk: there is room", s.post(b), 200)
        s.stop()
        check("full disk: exact totals", stored(s.store) == totals(taken + [b]), len(taken))
    finally:
        subprocess.run(["umount", "-l", place])


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


class Receiver(http.server.BaseHTTPRequestHandler):
    got, tries = [], 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Receiver.tries += 1
        # The first time it is away.
        self.send_response(503 if Receiver.tries == 1 else 200)
        self.end_headers()
        if Receiver.tries > 1:
            Receiver.got.append((self.path, dict(self.headers), json.loads(body)))

    def log_message(self, *_):
        pass


def otlp_begin():
    """What is sent is two minutes old: so this one is begun before the others."""
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    s = Server("--set", "otlp.url=http://127.0.0.1:%d" % receiver.server_port, "--set", "otlp.header-file="
               + file_of("X-Key: %s\n" % ALL), "--set", "group.ms=0")
    s.began = int(time.time()) // 60 * 60 - 120
    s.sent = batches(3, begin=s.began) + batches(1, begin=s.began, service="bank")
    for b in s.sent:
        s.post(b)
    return s


def otlp_end(s):
    until = time.monotonic() + 100
    while not Receiver.got and time.monotonic() < until:
        time.sleep(0.5)
    s.stop()
    if not check("otlp: received", Receiver.got, s.log()):
        return
    path, headers, body = Receiver.got[0]
    check("otlp: where and by whom", path == "/v1/metrics" and headers["X-Key"] == ALL
          and headers["Content-Type"] == "application/json", (path, headers))
    seen = {}
    for resource in body["resourceMetrics"]:
        service = resource["resource"]["attributes"][0]["value"]["stringValue"]
        for metric in resource["scopeMetrics"][0]["metrics"]:
            for point in metric["gauge"]["dataPoints"]:
                at = (int(point["startTimeUnixNano"]), int(point["timeUnixNano"]))
                seen[service, metric["name"]] = (point["asDouble"], at)
    span = (s.began * 10**9, (s.began + 60) * 10**9)
    for service, of in (("shop", s.sent[:3]), ("bank", s.sent[3:])):
        want = (sum(b.requests for b in of), span)
        got = seen.get((service, "pycost.requests.requests"))
        check("otlp: " + service, got == want, "%s, not %s" % (got, want))
    check("otlp: no secret in logs", ALL not in s.log())


def main():
    """serve.py [NAME...]: these tests, as "tls"; or all."""
    need_store("serve")
    wanted = ["test_" + name for name in sys.argv[1:]]
    exported = otlp_begin() if not wanted or "test_otlp" in wanted else None
    for test in (test_start, test_stored, test_who, test_malformed, test_forms, test_rate, test_many, test_slow,
                 test_full_disk, test_end, test_reload, test_tls, test_manager, test_metrics, test_time):
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test()
        except Exception as e:  # one that breaks must not hide the others
            check(test.__name__, False, "%s: %s" % (type(e).__name__, e))
    if exported:
        otlp_end(exported)
    logs = "".join(s.log() for s in servers)
    ends = [s.process.poll() for s in servers]
    check("ends: all of them well", set(ends) <= {0, -9}, ends)
    check("logs: no secret", not any(t in logs for t in (SHOP, BANK, ASK, ALL)))
    finish()


main()
