# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that stand still while a recording of them begins and ends."""
import os
import shutil
import subprocess

from common import COUNTED, check, python, recorded, recorder, script, stop


class Stopped:
    """One of them, on copies of its scripts, which tell its functions from the others'."""

    def __init__(self, version, name, *words):
        self.name, self.version = "%s %s" % (version, name), version
        self.dir = script("%s-%s" % (version, name))
        self.path = os.path.join(self.dir, words[0] + ".py")
        copy_scripts(version, self.dir, words)
        # The first to import the scripts compiles them, and is not the one to measure.
        self.start(version, words)
        self.end()
        self.start(version, words)
        # The first round is not like the others; the next tells its cost without probes.
        self.round()
        self.unprobed = self.round()

    def start(self, version, words):
        command = python(version, os.path.join(self.dir, "rounds.py"), *words)
        self.counted = subprocess.Popen(
            [COUNTED, "fixed", COUNTED, "rounds", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        self.pid, self.count = map(int, self.counted.stdout.readline().split())

    def round(self):
        """What one round took, in user instructions."""
        self.counted.stdin.write("\n")
        self.counted.stdin.flush()
        before = self.count
        self.pid, self.count = map(int, self.counted.stdout.readline().split())
        return self.count - before

    def end(self):
        self.counted.stdin.close()
        self.counted.wait()


def copy_scripts(version, path, words):
    os.makedirs(path, exist_ok=True)
    for name in ("rounds", words[0]):
        shutil.copy(script(name + ".py"), path)


class Recording:
    """Of stopped processes: from `with` on, they may run rounds."""

    def __init__(self, name, processes, *options):
        self.name, self.processes, self.options = name, processes, options
        self.took = dict.fromkeys((p.pid for p in processes), 0)

    def __enter__(self):
        pids = ",".join(str(p.pid) for p in self.processes)
        self.recorder = recorder("-p", pids, *self.options)
        line = " "
        while line and not line.startswith("measuring"):
            line = self.recorder.stderr.readline()
        check(line.startswith("measuring %d " % len(self.processes)), self.name + " attach", line.strip())
        return self

    def round(self, process):
        took = process.round()
        self.took[process.pid] += took
        return took

    def __exit__(self, *what):
        stop(self.recorder)
        self.report = recorded(self.name, self.recorder)
        for process in self.processes:
            process.end()
