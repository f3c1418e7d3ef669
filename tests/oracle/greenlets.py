# SPDX-License-Identifier: GPL-2.0-or-later
"""A deterministic workload of greenlets, each of which has a stack of its own.

Exits with 77 where the greenlet module is missing. oracle.py --workload greenlets
counts it.
"""
import gc
import sys
import threading

import protocol

try:
    import greenlet
except ImportError:
    print("greenlets: no greenlet module for this python", file=sys.stderr)
    sys.exit(77)

FILES = ("greenlets.py",)


def leaf():
    return 1


def parent():
    return greenlet.getcurrent().parent


def deep_switch(n, target, value):
    """Switches away from n calls deep, so that a whole stack is left and found again."""
    if n == 0:
        return target.switch(value)
    got = deep_switch(n - 1, target, value)
    leaf()
    return got


def pinger(times, other):
    for i in range(times):
        other[0].switch(i)
        leaf()
    return "pinged"


def ponger(value):
    while True:
        leaf()
        value = parent().switch(value)


def do_ping_pong():
    other = [greenlet.greenlet(ponger)]
    # The one that pongs goes back to whichever started it: its parent.
    pinging = greenlet.greenlet(pinger)
    other[0].parent = pinging
    pinging.switch(20, other)


def worker(depth, times):
    total = 0
    for _ in range(times):
        total += deep_switch(depth, parent(), total) or 0
        leaf()
    return total


def scheduler(workers):
    """Round and round, each as often as it has something to do."""
    turns = 0
    while workers:
        for one in list(workers):
            one.switch(1)
            turns += 1
            if one.dead:
                workers.remove(one)
    return turns


def body(depth, times):
    def run(_):
        return worker(depth, times)

    return run


def do_scheduler():
    scheduler([greenlet.greenlet(body(depth, 3 + depth)) for depth in range(8)])


def nested(n):
    if n == 0:
        return leaf()
    inner = greenlet.greenlet(nested)
    return inner.switch(n - 1) + leaf()


def do_nested():
    nested(10)


def numbers(n):
    for i in range(n):
        leaf()
        yield parent().switch(i)


def summing(n):
    return sum(number for number in numbers(n))


def do_in_generator():
    one = greenlet.greenlet(summing)
    one.switch(5)
    while not one.dead:
        one.switch(1)


class Stop(Exception):
    pass


def stubborn():
    while True:
        try:
            deep_switch(3, parent(), None)
        except Stop:
            leaf()
            raise
        except ValueError:
            leaf()


def raising():
    leaf()
    raise Stop


def do_exceptions():
    one = greenlet.greenlet(stubborn)
    one.switch()
    one.throw(ValueError)
    one.throw(ValueError)
    try:
        one.throw(Stop)
    except Stop:
        leaf()
    try:
        greenlet.greenlet(raising).switch()
    except Stop:
        leaf()


def cleaning(log):
    try:
        deep_switch(2, parent(), None)
    finally:
        # No call here: an old greenlet hides from setprofile those of a dying one.
        log.append(1)


def do_abandoned():
    log = []
    for _ in range(3):
        one = greenlet.greenlet(cleaning)
        one.switch(log)
        del one
    gc.collect()
    greenlet.greenlet(cleaning)  # never started
    leaf()


def thread_body():
    do_ping_pong()
    do_scheduler()


def do_threads():
    threads = [
        threading.Thread(target=thread_body, name="worker-%d" % i) for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


CONSTRUCTS = {
    name[3:]: value for name, value in list(globals().items()) if name.startswith("do_")
}


def run(names, rounds):
    for _ in range(rounds):
        for name in names:
            CONSTRUCTS[name]()


def main():
    made = protocol.parser(__doc__)
    protocol.add_choices(made)
    options = made.parse_args()
    names = protocol.choose(options, CONSTRUCTS)
    protocol.ready(options)
    protocol.start(options)
    run(names, options.rounds)
    protocol.done(options)


if __name__ == "__main__":
    sys.exit(main())
