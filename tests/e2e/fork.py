#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that come while it records: forked, forked again, exec'ed, launched."""
import os
import stat
import subprocess
import time

import lib
import rig

# Whose function probes are live: what switches these on need not be tracefs.
NOTED = ("3.9", "3.15")

# Each child calls known functions at once and is gone in five milliseconds; every
# third has a child of its own. Then one child stays, for whoever looks at it.
FORKS = """
import os, sys, time
sys.path.insert(0, %r)
import protocol

class Job:
    def step(self): pass

def work(n):
    job = Job()
    for _ in range(n):
        job.step()

def grandchild():
    work(7)

def child(i):
    work(i)
    if i %% 3 == 0:
        pid = os.fork()
        if not pid:
            grandchild()
            os._exit(0)
        os.waitpid(pid, 0)
    time.sleep(0.005)

def main():
    options = protocol.parser("").parse_args()
    protocol.ready(options)
    protocol.start(options)
    for i in range(60):
        pid = os.fork()
        if not pid:
            child(i)
            os._exit(0)
        os.waitpid(pid, 0)
    stays = os.fork()
    if not stays:
        work(11)
        protocol.say("CHILD %%d" %% os.getpid())
        protocol.wait_line()
        work(13)
        os._exit(0)
    os.waitpid(stays, 0)
    protocol.done(options)

main()
""" % lib.ORACLE
STEPS = sum(range(60)) + 20 * 7

# Runs another program of the same interpreter in its child, which says when it works.
EXECS = """
import os, sys
sys.path.insert(0, %r)
import protocol

SOURCE = '''
import os
def early(): pass
early()
os.write(1, b"EXECED %%d\\\\n" %% os.getpid())
os.read(0, 1)
def late(): pass
for _ in range(100): late()
'''

def before(): pass

options = protocol.parser("").parse_args()
protocol.ready(options)
protocol.start(options)
pid = os.fork()
if not pid:
    before()
    os.execv("/usr/bin/python%%d.%%d" %% sys.version_info[:2], ["python", "-c", SOURCE])
os.waitpid(pid, 0)
protocol.done(options)
""" % lib.ORACLE

# One that waits until there is such a file; with a second argument, it works then.
IN_TURN = """
import os, sys, time
def late(): pass
print(os.getpid(), flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
for _ in range(100 if sys.argv[2:] else 0):
    late()
"""

# With an argument, it goes on until there is such a file.
LAUNCHED = """
import os, sys
def first(): return second()
def second(): return 3
for _ in range(1000): first()
def later(): pass
if sys.argv[1:]:
    print(os.getpid(), flush=True)
    while not os.path.exists(sys.argv[1]):
        for _ in range(100): later()
sys.exit(first())
"""


def forks():
    """Every call of every child counts, with its name."""
    for version in lib.PYTHONS:
        target = lib.Target(version, lib.script("forks.py", FORKS))
        recording = lib.Recording.of(target.pid)
        target.go()
        stays = int(target.line().split()[1])
        lib.until(lambda: lib.probes_on(stays), "the child's probes")
        target.go()
        target.line("DONE")
        report = recording.stop().report()
        got = {name: report.calls(name) for name in
               ("Job.step", "work", "child", "grandchild")}
        lib.equal("fork %s: calls of 61 children and 20 of theirs" % version, got,
                  {"Job.step": STEPS + 11 + 13, "work": 60 + 20 + 2, "child": 60,
                   "grandchild": 20})
        lib.equal("fork %s: processes" % version, len(report.json["pids"]), 1 + 61 + 20)
        lib.check("fork %s: nothing lost" % version, not report.losses, report.losses)
        unnamed = [f["name"] for f in report.functions.values() if f["name"].startswith("<code")]
        lib.check("fork %s: every function has its name" % version, not unnamed, unnamed)
        lib.equal("fork %s: the target is well" % version, target.end(), 0)


def no_follow():
    """With --no-follow children are not counted, and their probes go off."""
    for version in lib.PYTHONS:
        target = lib.Target(version, lib.script("forks.py", FORKS))
        recording = lib.Recording.of(target.pid, "--no-follow")
        target.go()
        stays = int(target.line().split()[1])
        lib.check("no-follow %s: a child's probes go off" % version,
                  lib.until(lambda: lib.probes_off(stays), "probes off", 10))
        lib.check("no-follow %s: the target's stay on" % version, lib.probes_on(target.pid))
        target.go()
        target.line("DONE")
        report = recording.stop().report()
        lib.equal("no-follow %s: no child is counted" % version,
                  (report.calls("work"), report.json["pids"], report.losses),
                  (0, [target.pid], {}))
        target.end()


def execs():
    """A child that execs the interpreter anew is measured, at the latest soon after."""
    for version in lib.PYTHONS:
        target = lib.Target(version, lib.script("execs.py", EXECS))
        recording = lib.Recording.of(target.pid)
        target.go()
        child = int(target.line().split()[1])
        lib.until(lambda: lib.probes_on(child), "the child's probes", 10)
        target.go()
        target.line("DONE")
        report = recording.stop().report()
        lib.equal("exec %s: calls before and after it" % version,
                  (report.calls("before"), report.calls("late")), (1, 100))
        lost = {kind: n for kind, n in report.losses.items() if kind != "late_attach"}
        lib.check("exec %s: nothing else lost" % version, not lost, report.losses)
        target.end()


def outlives():
    """A build is measured on when the process that it was found in has ended."""
    for version in lib.PYTHONS:
        path = lib.script("in-turn.py", IN_TURN)
        # Its file is seen from within alone, so there is no other way to it than by a PID.
        python = rig.own_python(version)
        go = [os.path.join(lib.work, "go-%d-%s" % (i, version)) for i in range(2)]
        file = os.path.join(lib.work, "outlives.pycost")
        # What tracefs defines keeps the file itself.  Without it, the path is gone through
        # for each process; but builds without probes are not measured then.
        recording = lib.start(
            lib.PYCOST, "record", "--no-calibration", "-o", file, "--", "sh", "-c",
            "%s; exec %s" % (" ".join([*python, path, go[0]]),
                             " ".join([*python, path, go[1], "work"])),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            preexec_fn=lib.deny_tracefs if version in NOTED else None)
        first = int(recording.stdout.readline())
        lib.until(lambda: lib.probes_on(first), "the first one's probes")
        open(go[0], "w").close()
        second = int(recording.stdout.readline())
        lib.until(lambda: lib.probes_on(second), "the second one's probes", 20)
        lib.check("outlives %s: the first has ended" % version, not lib.alive(first))
        open(go[1], "w").close()
        recording.wait()
        lib.equal("outlives %s: calls of the one that is left" % version,
                  lib.Report(file).calls("late"), 100)


def launch_one(version, title, *command):
    file = os.path.join(lib.work, "launched.pycost")
    made = lib.pycost("record", "--no-calibration", "-o", file, "--", *command, cwd=lib.ORACLE)
    said = made.stderr.decode()
    report = lib.Report(file)
    lib.equal("launch %s, %s: every call from the first on" % (version, title),
              (report.calls("first"), report.calls("second"), report.calls("<module>") > 0),
              (1001, 1001, True))
    lib.check("launch %s, %s: its exit status is told" % (version, title),
              "exited with 3" in said, said)
    lib.check("launch %s, %s: nothing lost" % (version, title), not report.losses,
              report.losses)


def launch():
    # 3.9 has no dependency that this machine lacks: it runs outside its root, too.
    python = os.path.join(lib.root("3.9"), "usr/bin/python3.9")
    path = lib.script("launched.py", LAUNCHED)
    os.environ["PYTHONHOME"] = os.path.join(lib.root("3.9"), "usr")
    launch_one("3.9", "by its path", python, path)
    shebang = lib.script("shebang", "#!%s\n%s" % (python, LAUNCHED))
    os.chmod(shebang, os.stat(shebang).st_mode | stat.S_IXUSR)
    launch_one("3.9", "as a script", shebang)
    bad = lib.pycost("record", "-o", os.path.join(lib.work, "none"), "--", "/nonexistent")
    lib.check("launch: a command that is not there",
              bad.returncode == 1 and b"No such file" in bad.stderr, bad.stderr)
    del os.environ["PYTHONHOME"]
    for version in lib.PYTHONS:
        # Through a program that is not Python: found once it has exec'ed.
        enough = os.path.join(lib.work, "enough-" + version)
        target = lib.start(lib.PYCOST, "record", "--no-calibration", "-o",
                           os.path.join(lib.work, "through.pycost"), "--",
                           *rig.own_python(version), path, enough, cwd=lib.ORACLE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pid = int(target.stdout.readline())
        try:
            # Trying an interpreter out takes seconds where much else runs.
            lib.until(lambda: lib.probes_on(pid), "the probes of what is launched")
            time.sleep(0.3)
        finally:
            open(enough, "w").close()
        said = target.communicate()[1].decode()
        report = lib.Report(os.path.join(lib.work, "through.pycost"))
        lib.check("launch %s, through enter: exit status" % version, "exited with 3" in said,
                  said)
        lib.check("launch %s, through enter: found, and told as late" % version,
                  report.calls("later") > 1000 and report.losses.get("late_attach") == 1,
                  "%d calls, %s" % (report.calls("later"), report.losses))


if __name__ == "__main__":
    lib.run(forks, no_follow, execs, outlives, launch)
