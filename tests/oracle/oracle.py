# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts a workload's calls by the interpreter's own means, for comparison.

Only 'call' events of Python functions count; each time a generator or a coroutine
goes on is one, as it is for the interpreter. A function's key is
"<base name of its file>:<first line>:<name>"; in an edge, "*" is any caller outside
the workload, or none. By default only the workload's own code counts. "lines", from
setprofile alone, says at which lines calls found the function: a generator's goes on.
"""
import argparse
import collections
import cProfile
import importlib
import json
import os
import sys
import threading

import protocol


def key_of(code):
    return "%s:%d:%s" % (
        os.path.basename(code.co_filename),
        code.co_firstlineno,
        code.co_name,
    )


class Table:
    """What was counted, by thread name."""

    def __init__(self):
        self.calls = collections.defaultdict(collections.Counter)
        self.lines = collections.defaultdict(collections.Counter)
        self.edges = collections.Counter()

    def as_json(self):
        functions = {}
        for key in sorted(self.calls):
            functions[key] = {
                "calls": sum(self.calls[key].values()),
                "threads": dict(sorted(self.calls[key].items())),
            }
            if key in self.lines:
                functions[key]["lines"] = dict(sorted(self.lines[key].items()))
        if self.edges is None:
            return {"functions": functions}
        edges = {"%s|%s" % edge: count for edge, count in sorted(self.edges.items())}
        return {"functions": functions, "edges": edges}


class SetProfile:
    """Counts with sys.setprofile, each thread in a list of its own."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.keys = {}
        self.local = threading.local()
        self.threads = []

    def key(self, code):
        # By identity: equal code objects may differ in their file. Keeping the
        # object keeps its identity from being given to another one.
        found = self.keys.get(id(code))
        if found is None:
            key = key_of(code) if self.wanted(code) else None
            found = self.keys[id(code)] = (key, code)
        return found[0]

    def profile(self, frame, event, arg):
        if event != "call":
            return
        key = self.key(frame.f_code)
        if key is None:
            return
        events = getattr(self.local, "events", None)
        if events is None:
            events = self.local.events = collections.Counter()
            self.threads.append((threading.current_thread().name, events))
        back = frame.f_back
        caller = self.key(back.f_code) if back is not None else None
        events[caller or "*", key, frame.f_lineno] += 1

    def run(self, work):
        threading.setprofile(self.profile)
        sys.setprofile(self.profile)
        try:
            work()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def table(self):
        table = Table()
        for thread, events in self.threads:
            for (caller, key, line), count in events.items():
                table.calls[key][thread] += count
                table.lines[key][line] += count
                table.edges[caller, key] += count
        return table


class CProfile:
    """Counts with cProfile.

    From 3.12 on, one profiler sees every thread but mixes up their callers, and
    loses those behind a C function: there it tells no edges.
    """

    def __init__(self, wanted):
        self.wanted = wanted
        self.profiles = []

    def enable(self, *event):
        profile = cProfile.Profile(builtins=False)
        self.profiles.append((threading.current_thread().name if event else "*", profile))
        profile.enable()
        return profile

    def run(self, work):
        if sys.version_info < (3, 12):
            threading.setprofile(self.enable)
        profile = self.enable()
        try:
            work()
        finally:
            profile.disable()
            threading.setprofile(None)

    def key(self, code):
        if isinstance(code, str) or not self.wanted(code):
            return None
        return key_of(code)

    def table(self):
        table = Table()
        several = sys.version_info < (3, 12)
        for thread, profile in self.profiles:
            name = "MainThread" if thread == "*" and several else thread
            for entry in profile.getstats():
                caller = self.key(entry.code)
                if caller is not None:
                    table.calls[caller][name] += entry.callcount
                    table.edges["*", caller] += entry.callcount
                for called in entry.calls or () if caller is not None else ():
                    key = self.key(called.code)
                    if key is not None:
                        table.edges[caller, key] += called.callcount
                        table.edges["*", key] -= called.callcount
        table.edges += collections.Counter()  # drops what is not above nought
        if not several:
            table.edges = None
        return table


ORACLES = {"setprofile": SetProfile, "cprofile": CProfile}


def main():
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--oracle", choices=sorted(ORACLES), default="setprofile")
    made.add_argument("--workload", default="constructs", help="constructs or greenlets")
    made.add_argument("--all", action="store_true", help="count all code, not only its own")
    made.add_argument("--out", metavar="FILE", help="instead of standard output")
    protocol.add_choices(made)
    options = made.parse_args()
    workload = importlib.import_module(options.workload)
    names = protocol.choose(options, workload.CONSTRUCTS)
    own = os.path.basename(__file__)

    def wanted(code):
        name = os.path.basename(code.co_filename)
        return name != own if options.all else name in workload.FILES

    oracle = ORACLES[options.oracle](wanted)
    oracle.run(lambda: workload.run(names, options.rounds))
    result = {
        "python": sys.version.split()[0],
        "oracle": options.oracle,
        "rounds": options.rounds,
        "constructs": names,
    }
    result.update(oracle.table().as_json())
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    if options.out:
        with open(options.out, "w", encoding="utf-8") as out:
            out.write(text)
    else:
        sys.stdout.buffer.write(text.encode())


if __name__ == "__main__":
    sys.exit(main())
