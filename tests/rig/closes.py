# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a request over when its connection is closed, and not when its thread happens to sleep?
Is each told once, where threads open and close many connections at a time?
closes.py [PYCOST].

The server says what it took up to there; what it does then must not be in the request.
"""
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time

SPIN = 0.4  # CPU seconds, without a system call that sleeps
# Ends with the connection; or by itself.
ANSWER = b"HTTP/1.1 200 OK\r\n\r\nwhole"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SOCKET = "/tmp/closes-%d"
THREADS = 4
CONNECTIONS = 40  # of each client
# Up to then what is done after the answer is the request's until the thread waits.
KERNEL = tuple(map(int, platform.release().split(".")[:2]))
BY_SOCKETS = KERNEL >= (6, 5)
# From then on a thread may be switched off its CPU as a program begins, and those that have
# the CPU meanwhile are not seen: rare, but emulated programs take long.  It is to be counted.
UNSEEN = 0.02 if KERNEL >= (7, 0) else 0


def spin():
    until = time.thread_time() + SPIN
    while time.thread_time() < until:
        pass


class Took:
    """Nanoseconds since it was made, and of CPU time."""

    def __init__(self):
        self.begin = time.monotonic_ns(), time.thread_time_ns()

    def now(self):
        return time.monotonic_ns() - self.begin[0], time.thread_time_ns() - self.begin[1]


def answered(listener):
    with listener.accept()[0] as to:
        took = Took()
        to.recv(4096)
        to.sendall(ANSWER)
    took = took.now()
    spin()
    return took


def aborted(listener):
    """One that is not answered, while the thread works for another."""
    first, second = listener.accept()[0], listener.accept()[0]
    took = Took()
    first.recv(4096)
    second.recv(4096)
    first.close()
    took = took.now()
    spin()
    second.sendall(EMPTY)
    second.close()
    return took


def shut(listener):
    """Nothing more is sent; the client goes later."""
    with listener.accept()[0] as to:
        took = Took()
        to.recv(4096)
        to.sendall(ANSWER)
        to.shutdown(socket.SHUT_WR)
        took = took.now()
        to.recv(4096)
    return took


def respond(to):
    """Answers what a connection asks, until it is told to give up or there is no more."""
    while True:
        path = to.recv(4096).split(b" ", 2)[1:2]
        if not path or b"-aborted-" in path[0]:
            return
        to.sendall(ANSWER if b"-last-" in path[0] else EMPTY)
        if b"-last-" in path[0]:
            return


def threads(listener):
    """Now and then a child has what is open too, for a moment: the close is not the last."""
    def work():
        for number in range(CONNECTIONS):
            with listener.accept()[0] as to:
                respond(to)
                if number % 8 == 0 and not os.fork():
                    os._exit(0)
    took = Took()
    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return took.now()


KINDS = {"answered": answered, "aborted": aborted, "shut": shut}


def serve():
    names = {"unix": (socket.AF_UNIX, SOCKET % os.getpid()),
             "tcp": (socket.AF_INET, ("127.0.0.1", 0))}
    listeners = {}
    for family, (number, name) in names.items():
        listeners[family] = socket.socket(number)
        listeners[family].bind(name)
        listeners[family].listen(8)
    print(json.dumps({family: at.getsockname() for family, at in listeners.items()}), flush=True)
    for line in sys.stdin:
        family, kind = line.split()
        serving = threads if kind == "threads" else KINDS[kind]
        print(json.dumps(serving(listeners[family])), flush=True)


def ask(name, path, s=None):
    if s is None:
        s = socket.socket(socket.AF_UNIX if isinstance(name, str) else socket.AF_INET)
        s.connect(name if isinstance(name, str) else tuple(name))
    s.sendall(b"GET /%s HTTP/1.1\r\nHost: here\r\n\r\n" % path.encode())
    return s


def drive(server, name, family, kind):
    """What the server says of it."""
    server.stdin.write("%s %s\n" % (family, kind))
    server.stdin.flush()
    asked = [ask(name, family + "-" + kind)]
    if kind == "aborted":
        asked.append(ask(name, family + "-other"))
    while asked[0].recv(4096):
        pass
    if kind == "shut":
        time.sleep(SPIN)
    else:
        asked[-1].recv(4096)
    for s in asked:
        s.close()
    return json.loads(server.stdout.readline())


def answer_of(s):
    """As a whole: one that has no body, or all until the end."""
    answer = more = s.recv(4096)
    while more and answer != EMPTY:
        more = s.recv(4096)
        answer += more
    return answer


def crowd(server, name, family):
    """The paths that were asked for, by several threads at a time."""
    def work(who):
        for number in range(CONNECTIONS):
            kinds = ("kept", "kept", "last") if number % 3 else ("aborted",)
            s = None
            for step, kind in enumerate(kinds):
                path = "%s-%s-%d-%d-%d" % (family, kind, who, number, step)
                asked.append(path)
                s = ask(name, path, s)
                if answer_of(s) != {"kept": EMPTY, "last": ANSWER, "aborted": b""}[kind]:
                    failed.append(path)
            s.close()
    asked, failed = [], []
    server.stdin.write("%s threads\n" % family)
    server.stdin.flush()
    clients = [threading.Thread(target=work, args=(who,)) for who in range(THREADS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    server.stdout.readline()
    if failed:
        sys.exit("not answered as expected: %s" % failed[:4])
    return asked


def count(asked, each, lost):
    """What is wrong with how they were told; None: nothing."""
    told = sorted((of["path"], "aborted" in of["flags"], of["status"] or 0) for of in each)
    real = sorted(("/" + path, "-aborted-" in path, 0 if "-aborted-" in path else 200)
                  for path in asked)
    amiss = {path for path, *_ in set(told) ^ set(real)}
    if told == real or (len(told) <= len(real) and
                        0 < len(amiss) <= min(lost.get("requests", 0), UNSEEN * len(real))):
        return None
    return "of %d requests %d are told; amiss: %s" % (
        len(real), len(told), sorted(amiss)[:4] or "twice")


def judge(name, kind, told, took):
    """What is wrong with it; None: nothing."""
    wall, cpu = took
    if len(told) != 1:
        return "told %d times" % len(told)
    told, = told
    if ("aborted" in told["flags"]) != (kind == "aborted"):
        return "%s is told with flags %s" % (name, told["flags"])
    if told["latency"] > wall:
        return "%s took %.1f ms, told are %.1f" % (name, wall / 1e6, told["latency"] / 1e6)
    if BY_SOCKETS and kind == "answered" and told["cost"] > cpu + SPIN * 5e8:
        return "%s took %.1f ms of CPU, told are %.1f" % (name, cpu / 1e6, told["cost"] / 1e6)
    return None


def main(pycost):
    subprocess.call(["ifconfig", "lo", "up"])
    server = subprocess.Popen([sys.executable, "-S", __file__, "serve"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, universal_newlines=True)
    names = json.loads(server.stdout.readline())
    with open("closes.json", "wb") as out:
        watcher = subprocess.Popen(
            [pycost, "requests", "--each", "--format", "json", "--rate", "0", "--metric",
             "task-clock", "-p", str(server.pid)], stdout=out, stderr=subprocess.PIPE,
            universal_newlines=True)
    said, line = "", " "
    while line and "measuring" not in line:
        line = watcher.stderr.readline()
        said += line
    took = {family + "-" + kind: (kind, drive(server, names[family], family, kind))
            for family in names for kind in KINDS}
    crowded = sum((crowd(server, names[family], family) for family in names), [])
    watcher.send_signal(signal.SIGINT)
    said += watcher.communicate()[1]
    server.stdin.close()
    server.wait()
    os.unlink(names["unix"])
    if watcher.returncode:
        sys.exit(" ".join(said.split()))
    with open("closes.json") as file:
        *each, last = map(json.loads, file)
    many = [told for told in each if told["path"].count("-") > 1]
    wrong = [judge(name, kind, [told for told in each if told["path"] == "/" + name], times)
             for name, (kind, times) in took.items()]
    lost = {kind: n for kind, n in last["losses"].items() if n}
    wrong.append(count(crowded, many, lost))
    if set(lost) - ({"requests"} if UNSEEN else set()):
        wrong.append("lost %s" % lost)
    if any(wrong):
        sys.exit("; ".join(filter(None, wrong)))
    print("%d requests, by Unix sockets and TCP: over when they were closed%s" % (
        len(each), ", not seen: %s" % lost if lost else ""))


if sys.argv[1:] == ["serve"]:
    serve()
else:
    main(sys.argv[1] if sys.argv[1:] else "/rig/pycost")
