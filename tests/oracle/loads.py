# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of very different cost, each of which knows what it took.

Each load is called again and again, in an order and with sizes that are drawn anew
from a seed, so that nothing goes in step with a clock. The caller reads the thread's
CPU clock around each call. With --wait, the last line before DONE is JSON: by name,
seconds of CPU in it.
"""
import hashlib
import json
import random
import sys
import time

import protocol

DATA = bytes(range(256)) * 64
WORDS = [str(n * 7919 % 1000) for n in range(400)]


def loop(n):
    x = 0
    for i in range(20 * n):
        x += i & 3
    return x


def hashes(n):
    for _ in range(n):
        hashlib.sha256(DATA).digest()


def sorts(n):
    for _ in range(n):
        sorted(WORDS)


def joins(n):
    for _ in range(n):
        ",".join(WORDS)


def appends(n):
    made = []
    for i in range(8 * n):
        made.append(i)
    return made


def attributes(n):
    class Thing:
        pass
    thing = Thing()
    thing.value = 0
    for _ in range(6 * n):
        thing.value += 1


def lookups(n):
    table = dict.fromkeys(range(64))
    for i in range(8 * n):
        table[i & 63] = i


def floats(n):
    x = 0.5
    for _ in range(10 * n):
        x = x * 3.9 * (1.0 - x)
    return x


# By how often each is called: shares from a few thousandths to a quarter.
WEIGHTS = [(loop, 40), (hashes, 3), (sorts, 3), (joins, 12), (appends, 12),
           (attributes, 12), (lookups, 4), (floats, 2)]


def clock():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


def once(load, n, spent):
    began = clock()
    load(n)
    spent[load.__name__] += clock() - began


def burst(chance, spent):
    for load, weight in WEIGHTS:
        for _ in range(chance.randrange(2 * weight + 1)):
            once(load, chance.randrange(20, 60), spent)


def run(seconds):
    spent = {load.__name__: 0 for load, _ in WEIGHTS}
    chance = random.Random(1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        burst(chance, spent)
    return spent


def main():
    made = protocol.parser(__doc__)
    made.add_argument("--seconds", type=float, default=1.0)
    options = made.parse_args()
    protocol.ready(options)
    protocol.start(options)
    began = clock()
    spent = run(options.seconds)
    spent["all"] = clock() - began
    protocol.say(json.dumps(spent))
    protocol.done(options)


if __name__ == "__main__":
    sys.exit(main())
