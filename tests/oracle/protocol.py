# SPDX-License-Identifier: GPL-2.0-or-later
"""How a workload is steered from outside: READY, a line, the work, DONE, a line.

It is a file of its own so that none of these calls counts as the workload's, and
reads and writes by os calls alone, which run no Python code under a profiler.
"""
import argparse
import json
import os
import sys


def parser(description):
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--wait",
        action="store_true",
        help="print READY and the process id, then wait for a line before starting; "
        "print DONE, then wait for a line before exiting",
    )
    return made


def choose(options, constructs):
    """The names asked for by --only, checked; --list prints them all and exits."""
    if options.list:
        say("\n".join(constructs))
        sys.exit(0)
    names = options.only.split(",") if options.only else list(constructs)
    unknown = [name for name in names if name not in constructs]
    if unknown:
        sys.exit("no such construct: " + ", ".join(unknown))
    return names


def add_choices(made):
    made.add_argument("--rounds", type=int, default=1, metavar="N")
    made.add_argument("--only", metavar="NAME,...")
    made.add_argument("--list", action="store_true")


def say(text):
    data = (text + "\n").encode()
    while data:
        data = data[os.write(1, data):]


def say_json(value):
    say(json.dumps(value))


def wait_line():
    """Reads one line, or to the end of the input, byte by byte: no more is taken."""
    while os.read(0, 1) not in (b"\n", b""):
        pass


def ready(options):
    if options.wait:
        say("READY %d" % os.getpid())


def start(options):
    if options.wait:
        wait_line()


def done(options):
    if options.wait:
        say("DONE")
        wait_line()
