#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector with a real store: what it takes, and all that it refuses."""
import os
import random
import subprocess
import tempfile
import threading
import time

from serve_rig import (ASK, BANK, SHOP, TOKENS, Server, batches, check, file_of, in_threads,
                        join, raw, run, skip, status, stored, totals, work)


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


run((test_stored, test_who, test_malformed, test_forms, test_rate, test_many, test_slow,
     test_full_disk, test_time))
