# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes function calls without end, and says each second how many, at what cost.

With --functions N and --paths M it makes up N functions that call one another along
exactly M different paths, counted from the outermost function: the M nodes of a call
tree. Each node is reached again and again, in the same order on every run. Only calls
of the functions made up, or of the one empty function without these options, count.
SIGTERM, SIGINT or --seconds ends it, with a last line of totals.
"""
import json
import signal
import sys
import time

import protocol

# Each node has this many children, if there are as many functions: the 100,000 paths
# are then six calls deep at most.
FANOUT = 10
CHUNK = 1000

stopped = False


def stop(number, frame):
    global stopped
    stopped = True


def empty():
    pass


def burst_of_empty(state):
    for _ in range(CHUNK):
        empty()
    state["calls"] += CHUNK


def make_functions(count):
    """Each calls what is left of the path that it was given."""
    source = "".join(
        "def f%05d(rest):\n    if rest:\n        rest.pop()(rest)\n\n\n" % i
        for i in range(count)
    )
    space = {}
    exec(compile(source, "burn_tree.py", "exec"), space)
    return [space["f%05d" % i] for i in range(count)]


def tree_burst(functions, paths):
    """A burst that walks to the next nodes, one after another.

    Node k's parent is node (k-1)//fanout, its function the one numbered k modulo
    their count: no two children of a node share one, so no two paths are the same.
    """
    fanout = min(FANOUT, len(functions))
    count = len(functions)

    def burst(state):
        node = state["node"]
        calls = 0
        while calls < CHUNK:
            chain = []
            at = node
            while at:
                chain.append(functions[at % count])
                at = (at - 1) // fanout
            calls += len(chain) + 1
            functions[0](chain)
            node = (node + 1) % paths
        state["node"] = node
        state["calls"] += calls

    return burst


def report(state, since, last=False):
    line = {
        "elapsed": round(time.monotonic() - since, 6),
        "calls": state["calls"],
        "cpu": round(time.process_time() - state["cpu"], 6),
    }
    if last:
        line["total"] = True
    protocol.say(json.dumps(line))


def burn(burst, options):
    state = {"calls": 0, "node": 0, "cpu": time.process_time()}
    since = time.monotonic()
    due = since + 1
    while not stopped:
        now = time.monotonic()
        if now >= due:
            report(state, since)
            due += 1
        if options.seconds and now - since >= options.seconds:
            break
        if options.calls_per_second:
            early = state["calls"] / options.calls_per_second - (now - since)
            if early > 0:
                time.sleep(min(early, max(due - now, 0)))
                continue
        burst(state)
    report(state, since, last=True)


def main():
    made = protocol.parser(__doc__)
    made.add_argument("--calls-per-second", type=float, default=0, metavar="RATE")
    made.add_argument("--seconds", type=float, default=0, metavar="S")
    made.add_argument("--functions", type=int, default=0, metavar="N")
    made.add_argument("--paths", type=int, default=0, metavar="M")
    options = made.parse_args()
    burst = burst_of_empty
    if options.functions or options.paths:
        burst = tree_burst(
            make_functions(max(options.functions, 1)), max(options.paths, 1)
        )
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    protocol.ready(options)
    protocol.start(options)
    burn(burst, options)
    protocol.done(options)


if __name__ == "__main__":
    sys.exit(main())
