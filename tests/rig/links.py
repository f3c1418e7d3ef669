# SPDX-License-Identifier: GPL-2.0-or-later
"""Are collections seen within a budget, where links hold the probes of them in place of
events: of a process, and of one that it forks while it is watched?  links.py [PYCOST]."""
import gc
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time

EACH = 5
LINKED = tuple(map(int, platform.release().split("-")[0].split(".")[:2])) >= (6, 12)


def answer(listener):
    with listener.accept()[0] as to:
        to.recv(4096)
        for _ in range(EACH):
            gc.collect()
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def work():
    """Answers one, then has a child answer one, which is some seconds old."""
    gc.disable()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(listener.getsockname()[1], flush=True)
        answer(listener)
        if not os.fork():
            answer(listener)
            os._exit(0)
        os.wait()
        sys.stdin.read()


def ask(port):
    with socket.create_connection(("127.0.0.1", port)) as to:
        to.sendall(b"GET /collect HTTP/1.1\r\nHost: a\r\n\r\n")
        while to.recv(4096):
            pass


def links(pid):
    """How many breakpoints it holds by links."""
    found = 0
    for name in os.listdir("/proc/%d/fdinfo" % pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (pid, name)) as file:
                found += "uprobe_multi" in file.read()
        except OSError:
            pass
    return found


def main(pycost):
    subprocess.call(["ifconfig", "lo", "up"])
    worker = subprocess.Popen([sys.executable, "-S", __file__, "work"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, universal_newlines=True)
    port = int(worker.stdout.readline())
    watcher = subprocess.Popen(
        [pycost, "record", "--requests-only", "--budget", "100", "--metric", "task-clock",
         "-o", "links.pycost", "-p", str(worker.pid)], stderr=subprocess.PIPE,
        universal_newlines=True)
    said, line = "", " "
    while line and "measuring" not in line:
        line = watcher.stderr.readline()
        said += line
    held = links(watcher.pid)
    ask(port)
    time.sleep(3)
    ask(port)
    time.sleep(1)
    watcher.send_signal(signal.SIGINT)
    said += watcher.communicate()[1]
    worker.stdin.close()
    worker.wait()
    if watcher.returncode:
        sys.exit(" ".join(said.split()))
    told = json.loads(subprocess.check_output([pycost, "gc", "--format", "json", "links.pycost"]))
    seen = told["total"]["count"]
    if seen != 2 * EACH or bool(held) != LINKED:
        sys.exit("%d of %d collections were seen, by %d links" % (seen, 2 * EACH, held))
    print("%d collections of a process and its child, by %d links" % (seen, held))


if sys.argv[1:] == ["work"]:
    work()
else:
    main(sys.argv[1] if sys.argv[1:] else "/rig/pycost")
