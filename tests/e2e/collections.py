#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Collections of garbage and imports, request by request, against Python's own count."""
import collections
import json
import os
import signal
import subprocess
import time
import urllib.request

import lib
import rig

# Debian's have the probes.
VERSIONS = ["3.9", "3.11", "3.13", "3.15"]

APP = '''
import collections, gc, json, sys, threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

counted = collections.Counter()

def count(phase, info):
    """Of Python's own: what is collected while a request is served."""
    if phase == "stop":
        counted[info["generation"]] += 1

class Node:
    pass

def collect(times):
    for _ in range(times):
        gc.collect()

def collect_young():
    gc.collect(0)

def litter():
    """Garbage in cycles, so that collections come by themselves."""
    for _ in range(20000):
        one, two = Node(), Node()
        one.other, two.other = two, one

def import_one():
    import outer_module
    return outer_module

def import_from():
    from package_of.inner_part import name
    return name

def import_nothing():
    try:
        import no_such_module
    except ImportError:
        pass

def import_again():
    import outer_module

def import_in_thread():
    def run():
        import threads_module
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

def view(path):
    name, _, argument = path.strip("/").partition("/")
    if name == "litter":
        litter()
    elif name == "collect":
        collect(int(argument))
    elif name == "young":
        collect_young()
    elif name == "import":
        {"one": import_one, "from": import_from, "nothing": import_nothing,
         "again": import_again, "thread": import_in_thread}[argument]()

def app(environ, start_response):
    gc.callbacks.append(count)
    view(environ["PATH_INFO"])
    gc.callbacks.remove(count)
    start_response("200 OK", [])
    return [json.dumps(counted).encode()]

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

if __name__ == "__main__":
    gc.freeze()
    server = make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Quiet)
    print("READY", flush=True)
    server.serve_forever()
'''

MODULES = {
    "outer_module.py": "import inner_module\n",
    "inner_module.py": "import time\nfor i in range(20000): pass\ntime.sleep(0.05)\n",
    "threads_module.py": "",
    "package_of/__init__.py": "",
    "package_of/inner_part.py": "import package_of.deeper\nname = 1\n",
    "package_of/deeper.py": "",
}

# Forks from when it is told something until it is told the next thing. Children import and collect as soon as they are born,
# count that themselves, and end at once.
PREFORK = '''
import gc, os, select, sys, time

def child(told):
    counted = []
    gc.callbacks.append(lambda phase, info: counted.append(phase == "stop"))
    import outer_module, package_of.inner_part
    gc.collect()
    gc.collect()
    ours = sum(name.split(".")[0] in MODULES for name in sys.modules)
    os.write(told, b"%d %d\\n" % (ours, sum(counted)))
    os._exit(0)

MODULES = {"outer_module", "inner_module", "package_of"}
gc.disable()
gc.freeze()
print("READY", flush=True)
os.read(0, 1)
told, tell = os.pipe()
imports = collections = children = 0
while not select.select([0], [], [], 0.03)[0]:
    for _ in range(2):
        if not os.fork():
            child(tell)
    for _ in range(2):
        os.wait()
        children += 1
    for line in os.read(told, 4096).splitlines():
        imports += int(line.split()[0])
        collections += int(line.split()[1])
print(children, imports, collections, flush=True)
'''


def environment(version, modules):
    """Of an interpreter that finds them."""
    directory = os.path.join(lib.work, "modules" + version)
    for name, text in modules.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return dict(os.environ, PYTHONPATH=directory, PYTHONHOME="/usr")


class Served(rig.Rig):
    """A server, and the rig that tells of its requests."""

    def __init__(self, version):
        port = lib.free_port()
        self.server = lib.start(*rig.own_python(version), lib.script("litter.py", APP), str(port),
                                stdout=subprocess.PIPE, env=environment(version, MODULES))
        assert self.server.stdout.readline() == b"READY\n"
        self.url = "http://127.0.0.1:%d" % port
        super().__init__("-m", self.server.pid)

    def get(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return {int(k): n for k, n in json.load(answer).items()}


def collected(version):
    """Collections are counted where they are, and as often as gc.callbacks has it."""
    served = Served(version)
    title = "collections %s: " % version
    before, expected = collections.Counter(), []
    for path in ["/litter", "/collect/3", "/young", "/none", "/litter", "/collect/1"] * 3:
        now = collections.Counter(served.get(path))
        expected.append((path, sum((now - before).values())))
        before = now
    served.end()
    got = [(r["path"], r["gcs"]) for r in served.requests]
    # What comes by itself before and after the view's is not in the application's count.
    close = len(got) == len(expected) and all(
        a[0] == b[0] and b[1] <= a[1] <= b[1] + 1 for a, b in zip(got, expected))
    lib.check(title + "each request has its own", close, "%s, not %s" % (got, expected))
    lib.check(title + "there are such that nobody asked for",
              all(n > 2 for path, n in expected if path == "/litter"), expected)
    by_function = collections.Counter()
    for fact in served.collections:
        name = fact["function"].rpartition(":")[2]
        by_function[name, fact["generation"]] += fact["count"]
    full = 2
    lib.equal(title + "the function that asks for it", by_function["collect", full], 12)
    lib.equal(title + "its generation", by_function["collect_young", 0], 3)
    found = sum(n for (name, _), n in by_function.items() if name == "litter")
    asked = sum(n for path, n in expected if path == "/litter")
    lib.check(title + "the function that runs into it", found == asked, "%d of %d: %s"
              % (found, asked, by_function))
    lib.equal(title + "objects", sum(f["collected"] for f in served.collections) > 100000, True)
    lib.check(title + "times and costs", all(
        (r["gc_ns"] > 0 and 0 < r["gc_cost"] <= r["gc_ns"] and r["gc_cost"] <= r["cost"])
        if r["gcs"] else not r["gc_ns"] for r in served.requests), served.requests)
    lib.equal(title + "nothing lost", served.lost, {})


def imported(version):
    """Of an import: the module, who imports it, and what is within it."""
    served = Served(version)
    title = "imports %s: " % version
    paths = ["/none", "/import/one", "/import/from", "/import/nothing", "/import/again",
             "/import/thread"]
    for path in paths:
        served.get(path)
    served.end()
    count = {r["path"]: r["imports"] for r in served.requests}
    if version in ("3.9", "3.11") and not count["/import/thread"]:
        # There join() returns before the thread is gone, and the request may be over by then.
        count["/import/thread"] = 1
    # `import time` finds a module that is loaded: there is no probe on that way.
    lib.equal(title + "each request has its own", count, {
        "/none": 0, "/import/one": 2, "/import/from": 3, "/import/nothing": 1,
        "/import/again": 0, "/import/thread": 1})
    by_module = {f["module"]: f for f in served.imports}
    who = {module: f["function"].rpartition(":")[2] for module, f in by_module.items()}
    lib.equal(title + "who imports what", who, {
        "outer_module": "import_one", "inner_module": "<module>",
        "package_of": "import_from", "package_of.inner_part": "import_from", "package_of.deeper": "<module>",
        "no_such_module": "import_nothing",
        "threads_module": "import_in_thread.<locals>.run"})
    lib.check(title + "the module that imports", by_module["inner_module"]["function"]
              .startswith("outer_module:"), by_module["inner_module"])
    outer, inner = by_module["outer_module"], by_module["inner_module"]
    lib.check(title + "self and cumulative", inner["ns"] == inner["self_ns"] >= 50_000_000
              and outer["ns"] >= inner["ns"] and outer["self_ns"] == outer["ns"] - inner["ns"]
              and outer["self_cost"] == outer["cost"] - inner["cost"], (outer, inner))
    lib.check(title + "a cost is no time", inner["cost"] < 40_000_000, inner)
    request = [r for r in served.requests if r["path"] == "/import/one"][0]
    lib.equal(title + "the request's is the sum",
              (request["import_ns"], request["import_cost"]),
              (outer["self_ns"] + inner["self_ns"], outer["self_cost"] + inner["self_cost"]))
    lib.equal(title + "nothing lost", served.lost, {})


def collection_counts():
    for version in VERSIONS:
        collected(version)


def import_counts():
    for version in VERSIONS:
        imported(version)


def comes_and_goes(version, times):
    """A recorder of the same interpreter file, on processes that do nothing."""
    idle = [lib.start(*rig.own_python(version), "-c", "import time; time.sleep(600)",
                      env=environment(version, {})) for _ in range(4)]
    for i in range(times):
        recorder = lib.start(rig.SERVED, "-m", "600", *(process.pid for process in idle),
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        lib.equal("newborn %s: another recorder" % version, recorder.stderr.readline(),
                  b"measuring\n")
        recorder.send_signal(signal.SIGKILL if i % 2 else signal.SIGINT)
        recorder.wait()


def born(version="3.11"):
    """Children are seen from their first instruction on, whoever else records meanwhile."""
    title = "newborn %s: " % version
    master = lib.start(*rig.own_python(version), lib.script("prefork.py", PREFORK),
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       env=environment(version, {**MODULES, "inner_module.py": ""}))
    assert master.stdout.readline() == b"READY\n"
    served = rig.Rig("-m", master.pid)
    os.write(master.stdin.fileno(), b"\n")
    comes_and_goes(version, 3)
    os.write(master.stdin.fileno(), b"\n")
    children, imports, collected_ = map(int, master.stdout.readline().split())
    served.end()
    lib.check(title + "there were some", children > 50, children)
    lib.equal(title + "every import of theirs", sum(f["count"] for f in served.imports), imports)
    lib.equal(title + "every collection", sum(  # and not those of the interpreter's end
        f["count"] for f in served.collections if f["function"].endswith(":child")), collected_)
    lib.equal(title + "nothing lost", served.lost, {})


def views():
    """The same through a recording, and the commands that show it."""
    version = "3.15"
    server = Served(version)
    server.end()
    recording = lib.Recording("--requests-only", "-p", str(server.server.pid))
    lib.until(recording.serves, "record does not measure")
    for path in "/collect/3", "/import/one":
        server.get(path)
    time.sleep(1.2)
    recording.stop()
    rows = {name: json.loads(lib.pycost(name, "--format", "json", recording.file).stdout)["rows"]
            for name in ("imports", "gc")}
    told = sorted((r["endpoint"], r["function"], r["module"], r["count"]) for r in rows["imports"])
    lib.equal("views: imports by endpoint and importing function", told, [
        ("GET /import/one", "litter.import_one", "outer_module", 1),
        ("GET /import/one", "outer_module.<module>", "inner_module", 1)])
    told = [(r["endpoint"], r["function"], r["generation"], r["count"]) for r in rows["gc"]
            if r["function"].endswith("collect")]
    lib.equal("views: collections likewise", told, [("GET /collect/*", "litter.collect", "2", 3)])


if __name__ == "__main__":
    lib.run(collection_counts, import_counts, born, views)
