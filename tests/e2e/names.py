#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules, qualified names and wrappers against the interpreter's own word."""
import collections
import json
import os
import shutil
import subprocess
import tempfile

import lib
import truth

# In the interpreter: {file: module}, once all that constructs.py uses is loaded.
MODULES = """
import json, sys
import constructs
constructs.run(list(constructs.CONSTRUCTS), 1)
print(json.dumps({m.__file__: n for n, m in list(sys.modules.items())
                  if getattr(m, "__file__", None)}))
"""

INSIDE = """
import sys
sys.path.insert(0, %r)
import protocol

class Outer:
    class Inner:
        def method(self):
            def local():
                return [self for _ in range(2)]
            return local()

    @property
    def größe(self):
        return (lambda: 1)()

options = protocol.parser("").parse_args()
protocol.ready(options)
protocol.start(options)
Outer.Inner().method()
Outer().größe
protocol.done(options)
""" % lib.ORACLE


def compiled(version, *directories):
    """{(file, line, name): qualnames} by the interpreter's own compiler."""
    here = os.path.join(lib.TOP, "tests")
    told = subprocess.run(
        lib.python(version, "qualname/names.py", *directories), cwd=here,
        stdout=subprocess.PIPE, check=True, env={"PYTHONIOENCODING": "utf-8"})
    names = collections.defaultdict(set)
    file = None
    for line in told.stdout.decode().splitlines():
        if line.startswith("="):
            file = line[1:]
        else:
            number, name, qualname = line.split(" ", 2)
            names[file, int(number), name].add(qualname)
    return names


def of_run(version):
    target = lib.Target(version, "constructs.py")
    recording = lib.Recording.of(target.pid)
    target.done()
    report = recording.stop().report()
    target.end()
    return report


def wrappers(version, report):
    """Wrappers of one decorator are told apart by what they wrap."""
    expected = {
        ("timed.<locals>.wrapper", "first"): 4,
        ("timed.<locals>.wrapper", "second"): 4,
        ("timed.<locals>.wrapper", "renaming.<locals>.replacement"): 1,
        ("timed.<locals>.wrapper", "leaf"): 1,
        ("renaming.<locals>.replacement", "third"): 1,
        ("renaming.<locals>.replacement", "stacked"): 1,
        ("repeated.<locals>.decorate.<locals>.repeating", "stacked"): 1,
    }
    places = {qualname for qualname, _ in expected}
    got = {(f["qualname"], f["wraps"]): f["calls"] for f in report.functions.values()
           if f["qualname"] in places and f["calls"]}
    told = truth.differences(collections.Counter(got), collections.Counter(expected), {})
    lib.check("names %s: wrappers by what they wrap" % version, not told, truth.some(told))


def qualified():
    for version in lib.PYTHONS:
        report = of_run(version)
        library = "/usr/lib/python%s" % version
        names = compiled(version, lib.ORACLE, library + "/asyncio", library + "/concurrent")
        told = subprocess.run(lib.python(version, "-c", MODULES), cwd=lib.ORACLE,
                              stdout=subprocess.PIPE, check=True)
        modules = json.loads(told.stdout)
        wrong, unresolved, misplaced, classless = [], [], [], []
        seen = 0
        for f in report.functions.values():
            place = f["file"], f["line"], f["name"]
            # A module's own code object is at line 1, or 0, of a name of its own.
            if place not in names or f["name"] == "<module>":
                continue
            seen += 1
            if f["unresolved"] and len(names[place]) == 1:
                unresolved.append("%s:%d:%s" % place)
            elif not f["unresolved"] and f["qualname"] not in names[place]:
                wrong.append("%s is not %s" % (f["qualname"], sorted(names[place])))
            module = modules.get(f["file"])
            if module and f["module"] != module:
                misplaced.append("%s: %s, not %s" % (f["file"], f["module"], module))
            outer = f["qualname"].rpartition(".")[0]
            # A comprehension in another is "f.<locals>.<listcomp>.<listcomp>".
            is_class = outer and not outer.endswith(">")
            if (f["class"] or "") != (outer if is_class else ""):
                classless.append("%s has the class %s" % (f["qualname"], f["class"]))
        title = "names %s: " % version
        lib.check(title + "functions seen in source", seen > 150, seen)
        lib.check(title + "qualified names", not wrong, truth.some(wrong))
        lib.check(title + "all of them resolved", not unresolved, truth.some(unresolved))
        lib.check(title + "modules", not misplaced, truth.some(misplaced))
        lib.check(title + "classes of methods", not classless, truth.some(classless))
        wrappers(version, report)


def only_inside():
    """Source that exists in the target's root alone is read there."""
    for version in lib.PYTHONS:
        root = lib.root(version)
        directory = tempfile.mkdtemp(prefix="pycost-", dir=os.path.join(root, "srv")
                                     if os.path.isdir(os.path.join(root, "srv")) else root)
        try:
            os.chmod(directory, 0o755)
            with open(os.path.join(directory, "inside.py"), "w", encoding="utf-8") as file:
                file.write(INSIDE)
            within = directory[len(root):]
            target = lib.Target(version, within + "/inside.py")
            recording = lib.Recording.of(target.pid)
            target.done()
            report = recording.stop().report()
            names = {f["qualname"] for f in report.functions.values()
                     if f["file"].startswith(within) and f["calls"]}
            expected = {"Outer.Inner.method", "Outer.Inner.method.<locals>.local",
                        "Outer.größe", "Outer.größe.<locals>.<lambda>"}
            if version in ("3.9", "3.11"):  # from 3.12 on, a comprehension is no function
                expected.add("Outer.Inner.method.<locals>.local.<locals>.<listcomp>")
            lib.check("names %s: source in another root" % version,
                      names == expected and not os.path.exists(within),
                      sorted(names ^ expected))
            target.end()
        finally:
            shutil.rmtree(directory)


if __name__ == "__main__":
    lib.run(qualified, only_inside)
