# SPDX-License-Identifier: GPL-2.0-or-later
"""What the proofs share, in the guest: running, counting, recording, verdicts."""
import json
import os
import signal
import subprocess
import sys

RIG = os.path.dirname(os.path.abspath(__file__))
PYCOST = os.path.join(RIG, "pycost")
COUNTED = os.path.join(RIG, "counted")
OUTPUT = "out.pycost"


def check(good, name, text):
    print("%s %s: %s" % ("PASS" if good else "FAIL", name, text), flush=True)


def note(text):
    print("rig: " + text, flush=True)


def script(name):
    return os.path.join(RIG, name)


def python(version, name, *words):
    """The command that runs a script of ours, with nothing of the machine's in it."""
    return ["/usr/bin/python" + version, "-S", script(name), *map(str, words)]


def counted(what, command):
    """Of a command from exec to exit: user instructions or time."""
    ran = [COUNTED, "fixed", COUNTED, what, *command]
    return int(subprocess.check_output(ran, stdin=subprocess.DEVNULL))


def recorder(*options, under=()):
    """pycost record, started; its messages are for recorded()."""
    command = [COUNTED, "fixed", *under, PYCOST, "record", "-o", OUTPUT, *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, universal_newlines=True)


def report(*options):
    """The last recording's."""
    return json.loads(subprocess.check_output([PYCOST, "report", *options, "-f", "json", OUTPUT]))


def recorded(name, process):
    """The report, once the recorder has ended and lost nothing.

    Paths below zero after the correction are no loss, and as time there are some.  Nor is a
    sample without a path, met amid a push: those are judged by sampled.py.
    """
    said = " ".join(process.communicate()[1].split())
    if process.returncode:
        check(False, name + " record", said)
        sys.exit(1)
    found = report()
    lost = {what: n for what, n in found["losses"].items() if n and what not in ("clamped", "unwalked")}
    if lost or not found["complete"] or found["metric_fallback"]:
        check(False, name + " record", "%s, lost %s: %s" % (found["metric"], lost, said))
    return found


def record(name, command, *options):
    return recorded(name, recorder(*options, "--", *command))


def stop(process):
    process.send_signal(signal.SIGINT)


def own(found, path, *keys):
    """{qualified name: numbers} of the functions of one file."""
    rows = (f for f in found["functions"] if f["file"] == path)
    return {f["qualname"]: tuple(f[key] for key in keys) for f in rows}


def everything(found, *keys):
    return {
        (f["file"], f["line"], f["qualname"]): tuple(f[key] for key in keys)
        for f in found["functions"]
    }


def percent(value, truth):
    return 100 * (value / truth - 1)
