# SPDX-License-Identifier: GPL-2.0-or-later
"""The qualified name of every code object of Python files, by the compiler.

usage: names.py DIRECTORY...

Prints a line "=FILE", then "LINE NAME QUALNAME" for each code object in it.
Python 3.11+ tells co_qualname; before, the name is the constant that
MAKE_FUNCTION takes, or that a class body stores as __qualname__.
"""
import dis
import os
import sys
import types
import warnings

TELLS = sys.version_info >= (3, 11)


def instructions(code):
    return (i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG")


def class_qualname(code):
    previous = None
    for ins in instructions(code):
        if ins.opname == "STORE_NAME" and ins.argval == "__qualname__":
            return previous.argval
        previous = ins
    return None


def children(code):
    """(code object, qualname) of those that the code's own instructions make."""
    if TELLS:
        for const in code.co_consts:
            if isinstance(const, types.CodeType):
                yield const, const.co_qualname
        return
    previous = None
    for ins in instructions(code):
        if previous is not None and isinstance(previous.argval, types.CodeType):
            yield previous.argval, class_qualname(previous.argval) or ins.argval
        previous = ins


def walk(code):
    for child, qualname in children(code):
        print(child.co_firstlineno, child.co_name, qualname)
        walk(child)


def files(directories):
    for directory in directories:
        for where, _, names in os.walk(directory):
            for name in sorted(names):
                if name.endswith(".py"):
                    yield os.path.join(where, name)


def main():
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(20000)
    for path in files(sys.argv[1:]):
        try:
            with open(path, "rb") as f:
                code = compile(f.read(), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
            continue
        print("=" + path)
        walk(code)


main()
