# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns of a loop, two calls deep, between others that know nothing of them."""
import sys


def before(n):
    return [i * i for i in range(n)]


def turns(n):
    # No number here is so large that it would have to be made.
    for _ in range(n):
        for _ in range(100):
            pass


def middle(n):
    before(10)
    turns(n)
    return after("turns")


def outer(n):
    before(20)
    middle(n)
    after("middle")


def after(what):
    return "%s: %d" % (what, len(what))


def main(words):
    outer(words[0])


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
