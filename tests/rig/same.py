# SPDX-License-Identifier: GPL-2.0-or-later
"""Are the counts the same every time, and do they show what was changed?"""
import json
import subprocess

from common import COUNTED, check, counted, everything, note, own, python, record, script

SIZES = (300, 3000, 3, 90, 100, 40, 30, 60, 50, 20, 50)


def prove_counter():
    one, two = (counted("instructions", [COUNTED, "loop", str(n)]) for n in (10 ** 6, 2 * 10 ** 6))
    check(two - one == 2 * 10 ** 6, "counter", "a million turns of two: %d" % (two - one))


def work(version):
    return record(
        version, python(version, "work.py", *SIZES), "--no-calibration", "--metric", "instructions"
    )


def selfs(found):
    return own(found, script("work.py"), "calls", "self_raw")


def differences(one, two):
    return sorted(name for name in {**one, **two} if one.get(name) != two.get(name))


def prove_same(version):
    """The first run after a boot compiles and looks up what later ones find."""
    work(version)
    first, second = work(version), work(version)
    one, two = selfs(first), selfs(second)
    differ = differences(one, two)
    check(
        not differ and len(one) > 40,
        version + " identical",
        "calls and raw self of %d functions in two runs, %d differ%s"
        % (len(one), len(differ), "".join(" %s %s %s" % (d, one.get(d), two.get(d)) for d in differ)),
    )
    every = (everything(found, "calls", "self_raw") for found in (first, second))
    differ = differences(*every)
    note("%s: of all %d functions %d differ: %s" % (version, len(first["functions"]), len(differ), differ[:6]))
    numbers = returns_below(first)
    note(
        "same %s %s"
        % (version, json.dumps({name: [*row, numbers.get(name, 0)] for name, row in one.items()}))
    )
    return one


def returns_below(found):
    """Calls made by each function: where they return, their callers go on."""
    names = {f["id"]: f["qualname"] for f in found["functions"] if f["file"] == script("work.py")}
    made = {}
    for edge in found["edges"]:
        name = names.get(edge["caller"])
        made[name] = made.get(name, 0) + edge["calls"]
    return made


def prove_competitor(version, quiet):
    loop = subprocess.Popen([COUNTED, "loop", str(10 ** 15)])
    try:
        busy = selfs(work(version))
        running = loop.poll() is None
    finally:
        loop.kill()
        loop.wait()
    differ = differences(quiet, busy)
    check(
        running and not differ,
        version + " competitor",
        "beside a process that never sleeps, of %d functions %d differ%s"
        % (len(busy), len(differ), "".join(" %s %s %s" % (d, quiet.get(d), busy.get(d)) for d in differ)),
    )
