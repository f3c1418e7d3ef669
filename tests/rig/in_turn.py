# SPDX-License-Identifier: GPL-2.0-or-later
"""work.py's kinds of code, one in each round: main([SIZE...]).

Two rounds come before, of a little of each.  After all kinds, what the code objects of
work.py are is put down in codes.json: {qualified name: [its lines, its opcodes]}.
"""
import os
import sys

# This file is a copy in a directory of its own.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import work  # noqa: E402

EARLY = 2
turn = 0


def codes_of(code, name, found):
    """Below a function of this name."""
    for const in code.co_consts:
        if hasattr(const, "co_code"):
            inner = name + "." + const.co_name if name else const.co_name
            found.append((inner, const))
            codes_of(const, inner + ".<locals>", found)


def functions():
    """Each with the code object that runs, not a copy as loaded."""
    found = []
    for function in vars(work).values():
        owner = getattr(function, "__module__", None) == "work"
        members = vars(function).values() if owner and isinstance(function, type) else [function]
        for member in members if owner else ():
            member = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if hasattr(member, "__code__"):
                found.append((member.__qualname__, member.__code__))
                codes_of(member.__code__, member.__qualname__ + ".<locals>", found)
    return found


def tell():
    import dis
    import json

    path = os.path.join(os.path.dirname(__file__), "codes.json")
    codes = {}
    for name, code in functions():
        plain, faster = code.co_code, getattr(code, "_co_code_adaptive", b"")
        lines, opcodes = codes.setdefault(name, ([], []))
        lines += [line for _, line in dis.findlinestarts(code) if line]
        # 0: room for what faster forms remember.
        opcodes += {*plain[::2], *faster[::2]} - {0}
    with open(path, "w") as file:
        json.dump(codes, file)


def main(sizes):
    global turn
    at, turn = turn - EARLY, turn + 1
    if at < 0:
        work.main([1] * len(sizes))
    elif at < len(sizes):
        work.KINDS[at](sizes[at])
    else:
        tell()
