#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds without USDT probes: whose breakpoints are where, through forks and ends."""
import os
import signal
import time

import lib

VERSIONS = ("3.11", "3.13", "3.14")

HEAD = """
import os, sys, threading, time
sys.path.insert(0, %r)
import protocol

def leaf():
    pass

def work(n):
    for _ in range(n):
        leaf()

""" % lib.ORACLE

# A thread that was there before the recorder forks; then one that was born since.
FORKS = HEAD + """
def child():
    pid = os.fork()
    if not pid:
        work(100)
        os._exit(0)
    os.waitpid(pid, 0)

def thread():
    begin.wait()
    for _ in range(10):
        child()
    later = threading.Thread(target=child)
    later.start()
    later.join()

begin = threading.Event()
options = protocol.parser("").parse_args()
there = threading.Thread(target=thread)
there.start()
protocol.ready(options)
protocol.start(options)
begin.set()
there.join()
protocol.done(options)
"""

# The main thread ends by itself, and another one goes on.
ENDS = HEAD + """
import ctypes

def thread():
    begin.wait()
    while open("/proc/self/task/%d/stat" % os.getpid()).read().split(")")[-1].split()[0] != "Z":
        time.sleep(0.01)
    work(1000)
    print("DONE", flush=True)
    os.read(0, 1)
    os._exit(0)

begin = threading.Event()
options = protocol.parser("").parse_args()
threading.Thread(target=thread).start()
protocol.ready(options)
protocol.start(options)
begin.set()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
"""

PREFORK = HEAD + """
options = protocol.parser("").parse_args()
protocol.ready(options)
protocol.start(options)
workers = []
for i in range(50):
    pid = os.fork()
    if not pid:
        work(200)
        os._exit(0)
    workers.append(pid)
for pid in workers:
    os.waitpid(pid, 0)
protocol.done(options)
"""


def counted(version, name, text, calls):
    target = lib.Target(version, lib.script(name, text))
    recording = lib.Recording.of(target.pid)
    target.done()
    report = recording.stop().report()
    title = "traps %s, %s" % (version, name)
    lib.equal(title + ": every call", report.calls("leaf"), calls)
    lib.check(title + ": nothing lost", not report.losses, report.losses)
    lib.equal(title + ": the target is well", target.end(), 0)


def forks_of_threads():
    for version in VERSIONS:
        counted(version, "forks_of_threads.py", FORKS, 11 * 100)


def main_thread_ends():
    for version in VERSIONS:
        counted(version, "main_thread_ends.py", ENDS, 1000)


def prefork():
    for version in VERSIONS:
        counted(version, "prefork.py", PREFORK, 50 * 200)


def others():
    """A process of the same file that is no target has none, born before or since."""
    for version in VERSIONS:
        target = lib.Target(version, "burn.py", wait=False)
        before = lib.Target(version, "burn.py", wait=False)
        target.line(), before.line()
        recording = lib.Recording.of(target.pid)
        since = lib.Target(version, "burn.py", wait=False)
        since.line()
        time.sleep(0.3)
        lib.check("traps %s: the target has some" % version, lib.traps(target.pid) > 0)
        lib.equal("traps %s: others have none" % version,
                  (lib.traps(before.pid), lib.traps(since.pid)), (0, 0))
        recording.stop()
        lib.equal("traps %s: none is left" % version, lib.traps(target.pid), 0)
        lib.end_all()


def definitions_of(version, file):
    """file: where tracefs lists them."""
    title = "definitions %s: " % version

    def of(recording):
        with open(file) as events:
            return [e for e in events if "pycost_%d/" % recording.process.pid in e]

    target = lib.Target(version, "burn.py", wait=False)
    target.line()
    recording = lib.Recording.of(target.pid)
    lib.check(title + "there are some while it records", of(recording))
    recording.process.kill()
    recording.process.wait()
    lib.until(lambda: not of(recording), "definitions are left", 15)
    lib.ok(title + "none is left after kill -9")
    recording = lib.Recording.of(target.pid)
    with open("/proc/{0}/task/{0}/children".format(recording.process.pid)) as children:
        helpers = [int(pid) for pid in children.read().split()]
    for pid in [*helpers, recording.process.pid]:
        os.kill(pid, signal.SIGKILL)
    recording.process.wait()
    lib.check(title + "some are, when the helper was killed, too", of(recording))
    lib.check(title + "but no probe is on", lib.until(lambda: lib.probes_off(target.pid), "off", 15))
    lib.Recording.of(target.pid).stop()
    lib.equal(title + "and the next recorder takes them back", of(recording), [])
    lib.check(title + "the target is well", lib.alive(target.pid))


def definitions():
    """Nothing of ours stays in tracefs, also after kill -9."""
    at = os.path.join(lib.work, "tracefs")
    os.mkdir(at)
    if lib.start("mount", "-t", "tracefs", "tracefs", at).wait():
        lib.skip("traps: definitions", "tracefs cannot be mounted here")
        return
    try:
        for version in "3.13", "3.15":
            definitions_of(version, os.path.join(at, "uprobe_events"))
    finally:
        lib.start("umount", at).wait()


if __name__ == "__main__":
    lib.run(forks_of_threads, main_thread_ends, prefork, others, definitions)
