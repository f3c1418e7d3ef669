# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that stand still while a recording of them begins and ends."""
import os
import shutil
import subprocess

from common import COUNTED, RIG, check, python, recorded, recorder, script, stop


# So that no process is the first that imports what it needs.
COMPILE = """
import gc, importlib, os, py_compile, signal, sys
for path in sys.argv[1:]:
    py_compile.compile(path)
    name = os.path.basename(path)[:-len(".py")]
    if name != "rounds":
        importlib.import_module(name)
"""


def stopped(version, **words):
    """{name: a process that runs these words of rounds.py}, each on copies of its scripts,
    which tell its functions from the others'."""
    paths = {name: script("%s-%s" % (version, name)) for name in words}
    copies = []
    for name, path in paths.items():
        os.makedirs(path, exist_ok=True)
        copies += [shutil.copy(script(s + ".py"), path) for s in ("rounds", words[name][0])]
    subprocess.check_call(["/usr/bin/python" + version, "-S", "-c", COMPILE, *copies], cwd=RIG)
    return {name: Stopped(version, name, path, words[name]) for name, path in paths.items()}


class Stopped:
    def __init__(self, version, name, path, words):
        self.name = "%s %s" % (version, name)
        self.path = os.path.join(path, words[0] + ".py")
        self.counted = subprocess.Popen(
            [COUNTED, "fixed", COUNTED, "rounds", *python(version, path + "/rounds.py", *words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        self.pid, self.count = map(int, self.counted.stdout.readline().split())
        # The first round is not like the others; the next tells its cost without probes.
        self.round()
        self.unprobed = self.round()

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


class Recording:
    """Of stopped processes: from `with` on, they may run rounds."""

    def __init__(self, name, processes, *options):
        self.name, self.processes, self.options = name, processes, options
        self.took = dict.fromkeys((p.pid for p in processes), 0)

    def __enter__(self):
        pids = ",".join(str(p.pid) for p in self.processes)
        self.recorder = recorder("-p", pids, *self.options)
        said, line = "", " "
        while line and not line.startswith("measuring"):
            line = self.recorder.stderr.readline()
            said += line
        all_of_them = "measuring %d " % len(self.processes)
        check(line.startswith(all_of_them), self.name + " attach", " ".join(said.split()))
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
