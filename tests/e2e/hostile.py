#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever comes over a connection: requests on others are counted exactly, none is taken
for another's, and pycost does not grow."""
import random
import re
import select
import socket
import threading
import time

import lib
from server import Load, Server
from watched import ANSWERS_TO_GARBAGE, Comparison, Requests, name_of

GOOD = """
60 GET /
20 GET /status/404
10 GET /shop/{n}?id={id}
9 POST /echo body=0-3000
1 GET /big/50000
"""
GROWTH_KIB = 16384
SEED = 11
FLOODS, FLOOD = 4, 400
PIPELINE = 16  # what bpf/connection.bpf.h keeps of requests that wait for their answers
CUT_SHORT = "cut-short"


def request(name, path="/", method="GET", more=b""):
    if isinstance(path, str):
        path = path.encode()
    return (b"%s %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\nConnection: close\r\n%s\r\n"
            % (method.encode(), path, name.encode(), more))


def kept(name, path="/"):
    return b"GET %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n" % (path.encode(), name.encode())


def connect(where):
    s = socket.create_connection(("127.0.0.1", int(where)), timeout=5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_all(s, patience):
    """Until the other side is done, or says nothing more."""
    parts = []
    ready = select.poll()
    ready.register(s, select.POLLIN)
    while ready.poll(1000 * patience):
        try:
            part = s.recv(1 << 16)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", b"".join(parts))]


def ask(where, parts, pause=0.0, half=False, patience=1.0):
    """The statuses of all answers to what was sent in these parts."""
    if isinstance(parts, bytes):
        parts = [parts]
    try:
        with connect(where) as s:
            try:
                for number, part in enumerate(parts):
                    if number:
                        time.sleep(pause)
                    s.sendall(part)
                if half:
                    s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it did not want to hear all; it may have answered
            return read_all(s, patience)
    except OSError:
        return []


# Each yields (ids in the order sent, what is sent, how).


def garbage(dice):
    for number in range(60):
        size = dice.choice((1, 3, 17, 400, 9000, 70000))
        data = bytes(dice.getrandbits(8) for _ in range(size))
        if number % 3 == 0:
            data = dice.choice((b"GET ", b"POST / HT", b"\x00\xff\x01\x00", b"PRI * HTTP/2.0\r\n")) + data
        yield [], data, {"half": True}


def split(dice):
    """A head in two, at each of its bytes."""
    whole = request("split-000", "/status/404")
    for at in range(1, len(whole), 3):
        name = "split-%03d" % at
        data = request(name, "/status/404")
        yield [name], [data[:at], data[at:]], {"pause": 0.002}
    data = request("bytewise", "/echo", "POST", b"Content-Length: 20\r\n") + b"x" * 20
    yield ["bytewise"], [bytes([byte]) for byte in data], {"pause": 0.001}


def long_lines(dice):
    for number, size in enumerate((8000, 8200, 16000, 65536, 70000)):
        name = "line-%d" % number
        yield [name], request(name, "/", "GET", b"X-Long: " + b"a" * size + b"\r\n"), {}
        name = "path-%d" % number
        yield [name], request(name, "/shop/" + "b" * size), {}
        name = "many-%d" % number
        lines = b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(size // 80))
        yield [name], request(name, "/", "GET", lines), {}


def odd_bytes(dice):
    paths = (b"/nul\0in/path", b"/caf\xff\xfe", b"/\x01\x02\x7f", b"/\xc3\x28/\xf0\x9f", b"//..//%00%ff",
             b"/\"quoted\\\"", b"/\xe2\x80\xae", b"*", b"http://x/absolute", b"/a b c")
    for number, path in enumerate(paths):
        name = "odd-%d" % number
        yield [name], request(name, path), {}
    for number, line in enumerate((b"X-Nul: a\0b\r\n", b"X-High: \xff\xfe\r\n", b"X Space: 1\r\n",
                                   b": empty\r\n", b"X-Fold: a\r\n  b\r\n", b"X-Bare: a\n",
                                   b"No colon\r\n", b"X-Cr: a\rb\r\n")):
        name = "field-%d" % number
        yield [name], request(name, "/", "GET", line), {}
    for number, method in enumerate(("get", "G\0T", "BREW", "A" * 40, "CONNECT", "TRACE")):
        name = "method-%d" % number
        yield [name], request(name, "/", method), {}


def smuggled(dice):
    """Lengths that contradict each other, and a request in what may be a body."""
    bodies = (b"Content-Length: 5\r\nContent-Length: 50\r\n", b"Content-Length: -1\r\n",
              b"Content-Length: 99999999999999999999999\r\n", b"Content-Length: 0x10\r\n",
              b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
              b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: \x0bchunked\r\n",
              b"Transfer-Encoding: xchunked\r\n", b"Content-Length: 1 2\r\n",
              b"Transfer-Encoding: chunked\r\n")
    tails = (b"", b"0\r\n\r\n", b"ffffffffffffffff1\r\n", b"5;a\r\nhello\r\n0\r\n\r\n", b"zz\r\n",
             b"5\r\nhelloXX0\r\n\r\n", b"-5\r\nhello\r\n")
    for number, lines in enumerate(bodies):
        for also, tail in enumerate(tails):
            name, hidden = "outer-%d-%d" % (number, also), "inner-%d-%d" % (number, also)
            data = (b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n%s\r\n%s"
                    % (name.encode(), lines, tail)) + kept(hidden, "/status/404")
            yield [name, hidden], data, {"half": True, "patience": 0.2}


def half_closed(dice):
    for number in range(20):
        name = "half-%d" % number
        yield [name], kept(name, "/status/404"), {"half": True}
        yield [], kept(CUT_SHORT, "/")[:-dice.randint(3, 20)], {"half": True}


def flood(dice):
    """Hundreds of requests before the first answer is read."""
    for number in range(FLOODS):
        names = ["flood-%d-%d" % (number, n) for n in range(FLOOD)]
        yield names, b"".join(kept(name) for name in names[:-1]) + request(names[-1]), {}


class Evil(threading.Thread):
    """Sends all of that; knows what came back."""

    def __init__(self, where, *cases):
        super().__init__(daemon=True)
        self.where, self.cases = where, cases
        self.asked, self.answers, self.error = 0, {}, None
        self.start()

    def run(self):
        dice = random.Random(SEED)
        for case in self.cases:
            for names, data, how in case(dice):
                statuses = ask(self.where, data, **how)
                self.asked += 1
                for number, name in enumerate(names):
                    self.answers[name] = statuses[number] if number < len(statuses) else 0


def idle(where, count):
    """Connections that say nothing, or begin a head and no more."""
    connections = []
    for number in range(count):
        try:
            s = connect(where)
            if number % 2:
                s.sendall(kept("idle-%d" % number)[:number % 40])
        except OSError:
            break
        connections.append(s)
    return connections


def judge(kind, evil, load, watched):
    sent, ours, theirs = load.requests(), [], {}
    for told in watched.each:
        name = name_of(told)
        if name in sent:
            ours.append(told)
        elif name:
            theirs.setdefault(name, []).append(told)
    verdict = Comparison(sent, ours)
    verdict.check(kind + ", beside hostile connections", load.told["answered"])
    unasked = theirs.pop(CUT_SHORT, [])
    lib.check("%s: heads that do not end are no requests, or have no answer" % kind,
              all(told["status"] in ANSWERS_TO_GARBAGE for told in unasked), unasked[:1])
    wrong = [(name, [told["status"] for told in all_told], evil.answers.get(name))
             for name, all_told in theirs.items()
             if len(all_told) > 1 or name not in evil.answers
             or all_told[0]["status"] not in (evil.answers[name], None)]
    lib.check("%s: none of %d hostile requests has another's answer" % (kind, len(theirs)),
              not wrong, "%d have: %r" % (len(wrong), wrong[:5]))
    plain = [name for name in evil.answers if name.startswith(("split", "half", "bytewise"))]
    unseen = [name for name in plain if evil.answers[name] and name not in theirs]
    lib.check("%s: each of %d heads in pieces was seen" % (kind, len(plain)),
              len(plain) > 40 and not unseen, unseen[:5])
    for number in range(FLOODS):
        names = ["flood-%d-%d" % (number, n) for n in range(FLOOD)]
        seen = [name in theirs for name in names if evil.answers[name]]
        lost = watched.losses.get("garbled", 0)
        lib.check("%s: a flood is seen, or its beginning is and its connection given up" % kind,
                  all(seen) or (sum(seen) >= PIPELINE and all(seen[:sum(seen)]) and lost >= FLOODS),
                  "%d of %d, %r" % (sum(seen), len(seen), watched.losses))


def attack(kind, version, idlers):
    served = Server(kind, version)
    watched = Requests([served.pid, *served.workers()])
    # Its tables are made when they are first of use.
    Load(served.where, GOOD, "-n", 500, "-i", "w").done()
    warmed = watched.rss_kib()
    load = Load(served.where, GOOD, "-n", 3000, "-c", 4, "-r", 400)
    waiting = idle(served.where, idlers)
    evil = Evil(served.where, garbage, split, long_lines, odd_bytes, smuggled, half_closed, flood)
    evil.join(lib.PATIENCE)
    lib.check("%s: the hostile %d were sent" % (kind, evil.asked), not evil.is_alive())
    load.done()
    for s in waiting:
        s.close()
    time.sleep(0.5)
    grown = watched.rss_kib() - warmed
    watched.stop()
    watched.each = [told for told in watched.each if not (name_of(told) or "").startswith("w")]
    lib.check("%s: pycost did not grow" % kind, grown < GROWTH_KIB, "by %d KiB" % grown)
    judge(kind + " on " + version, evil, load, watched)
    served.end()


def threads():
    # Each connection has one of its 16 threads for as long as it says nothing.
    attack("gthread", "3.15", 8)


def waitress():
    attack("waitress", "3.11", 50)


def event_loop():
    attack("aiohttp", "3.15", 3000)


if __name__ == "__main__":
    # A descriptor for each of thousands of connections, here and in the server.
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    lib.run(threads, waitress, event_loop)
