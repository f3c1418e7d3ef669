# SPDX-License-Identifier: GPL-2.0-or-later
"""build/served on some processes: what the kernel's programs tell, as they tell it."""
import json
import os
import shutil
import signal
import subprocess
import time

import lib

SERVED = os.path.join(os.path.dirname(lib.PYCOST), "served")


def own_python(version):
    """An interpreter that is a file of its own: nobody else has anything to do with it."""
    path = os.path.join(lib.work, "python" + version)
    if not os.path.exists(path):
        shutil.copy(os.path.join(lib.root(version), "usr/bin/python" + version), path)
    return [lib.python(version)[0], path]


def text(told):
    """Bytes come as characters."""
    return told.encode("latin-1").decode("utf-8", "replace")


def marks(request):
    """Those of a request, as keys and values: the last one counts."""
    parts = text(request["marks"]).split("\0")[:-1]
    return dict(zip(parts[::2], parts[1::2]))


class Rig:
    """option: -m, imports and collections; -a, audit events too."""

    def __init__(self, option, *pids):
        self.process = lib.start(SERVED, option, "600", *map(str, pids),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stderr.readline()
        if line != b"measuring\n":
            raise AssertionError(line + self.process.stderr.read())

    def end(self):
        time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)
        told = [json.loads(line) for line in self.process.communicate()[0].splitlines()]
        kinds = {"request": [], "import": [], "collection": [], "notice": []}
        for fact in told:
            kinds.setdefault(fact["kind"], []).append(fact)
        self.requests, self.imports = kinds["request"], kinds["import"]
        self.totals, self.died = kinds.get("total", []), kinds.get("died", [])
        self.collections = kinds["collection"]
        self.notices = [fact["text"] for fact in kinds["notice"]]
        self.lost = {k: v for k, v in kinds["lost"][0].items() if k != "kind"}
        return self
