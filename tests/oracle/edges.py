# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a script, and says which function was ever called by which, as JSON.

edges.py OUT SCRIPT ARGUMENT...  The interpreter's own word: sys.setprofile in every
thread, and the frames that it shows. A function is "<base name of its file>:<first
line>:<name>"; the caller of an outermost one is null. What no profile function sees the
script tells itself: "edges" hold its OVERFLOW too, "awaits" is its AWAITS, "tasks" and
"sub" are the outermost functions of its TASKS and SUB, and the calls SUB_EDGES.
"""
import json
import os
import sys
import threading
import traceback
import types


def key_of(code):
    return "%s:%d:%s" % (os.path.basename(code.co_filename), code.co_firstlineno, code.co_name)


class Edges:
    def __init__(self):
        self.seen = set()
        self.edges = set()
        self.kept = []
        self.own = key_of.__code__.co_filename

    def profile(self, frame, event, argument):
        if event != "call":
            return
        # Further out is known but where a thread or a greenlet began unseen.
        while frame is not None:
            back = frame.f_back
            pair = (id(back.f_code) if back else None, id(frame.f_code))
            if pair in self.seen:
                return
            self.add(pair, back.f_code if back else None, frame.f_code)
            frame = back

    def add(self, pair, caller, callee):
        self.seen.add(pair)
        # Kept, so that no other code has its identity.
        self.kept.append((caller, callee))
        if callee.co_filename == self.own:
            return
        if caller is not None and caller.co_filename == self.own:
            caller = None
        self.edges.add((key_of(caller) if caller else None, key_of(callee)))

    def start(self):
        threading.setprofile(self.profile)
        sys.setprofile(self.profile)

    def stop(self):
        sys.setprofile(None)
        threading.setprofile(None)


def begin_threads():
    """What a thread does before it has a profile function, done in this one.

    The last that it does, since threading takes this one for ended.
    """
    thread = threading.Thread(target=bool)
    threading._limbo[thread] = thread
    if getattr(thread, "_context", 0) is None:
        import contextvars
        thread._context = contextvars.copy_context()
    thread._bootstrap()


def codes_of(code, found):
    """All functions of a text, by name."""
    found.setdefault(code.co_name, []).append(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            codes_of(constant, found)
    return found


def pairs_of(space, names):
    return [(key_of(space[caller].__code__), key_of(space[callee].__code__))
            for caller, callee in space.get(names, ())]


def tasks(space):
    return [(None, key_of(space[name].__code__)) for name in space.get("TASKS", ())]


def sub(space):
    if "SUB" not in space:
        return []
    # The file is called so from 3.14 on.
    name = "<script>" if sys.version_info >= (3, 14) else "<string>"
    found = codes_of(compile(space["SUB"], name, "exec"), {})
    pairs = [(None, key_of(code)) for code in found["<module>"]]
    for caller, callee in space["SUB_EDGES"]:
        pairs += [(key_of(a), key_of(b)) for a in found.get(caller, ())
                  for b in found.get(callee, ())]
    return pairs


def main():
    out, script = sys.argv[1:3]
    sys.argv[:] = sys.argv[2:]
    os._exit = sys.exit
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec")
    space = {"__name__": "__main__", "__file__": script, "__builtins__": __builtins__}
    edges = Edges()
    edges.start()
    try:
        exec(code, space)
    except SystemExit:
        pass
    begin_threads()
    edges.stop()
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"edges": sorted(edges.edges, key=str) + pairs_of(space, "OVERFLOW"),
                   "awaits": pairs_of(space, "AWAITS"), "tasks": tasks(space),
                   "sub": sub(space)}, file)


ending = os._exit
if __name__ == "__main__":
    status = 1
    try:
        main()
        status = 0
    finally:
        # No thread is waited for: threading has been told things that are not so.
        if status:
            traceback.print_exc()
        ending(status)
