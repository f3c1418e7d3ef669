# SPDX-License-Identifier: GPL-2.0-or-later
"""Two functions of equal cost, one all calls and one without any.

many_empty_calls() calls an empty function 100,000 times; one_c_call(seconds) spends
the same CPU time inside one call of a C function. They are matched before READY,
without a profiler; a profiler that charges its own cost to the calls makes the first
look dearer than the second. After READY comes a line of JSON with the truth, after
the work another one with what the process itself then measured.
"""
import statistics
import sys
from time import process_time

import protocol

CALLS = 100_000
# How much more of the C function one second takes; found out by calibrate().
rate = 10_000_000.0


def empty():
    pass


def many_empty_calls():
    for _ in range(CALLS):
        empty()


def one_c_call(seconds):
    return sum(range(int(seconds * rate)))


def measure(seconds, times):
    """The CPU times of both, in turns, so that a drift of the clock meets both."""
    calls, one = [], []
    for _ in range(times):
        begin = process_time()
        many_empty_calls()
        middle = process_time()
        one_c_call(seconds)
        end = process_time()
        calls.append(middle - begin)
        one.append(end - middle)
    return calls, one


def calibrate(repeat):
    """The median CPU time of many_empty_calls(); sets the rate to match it."""
    global rate
    seconds = 0.005
    for _ in range(3):
        calls, one = map(statistics.median, measure(seconds, repeat))
        rate *= seconds / one
        seconds = calls
    return seconds


def truth(seconds, repeat):
    calls, one = measure(seconds, 2 * repeat)
    calls_median, one_median = statistics.median(calls), statistics.median(one)
    spread = statistics.quantiles(calls, n=4)
    return {
        "calls": CALLS,
        "seconds": seconds,
        "many_empty_calls": calls_median,
        "one_c_call": one_median,
        "ratio": calls_median / one_median,
        "spread": (spread[2] - spread[0]) / calls_median,
    }


def settle(repeat):
    """Calibrates anew while other load on the machine keeps the two apart."""
    known = None
    for _ in range(8):
        known = truth(calibrate(repeat), repeat)
        if abs(known["ratio"] - 1) < 0.02:
            break
    return known


def main():
    made = protocol.parser(__doc__)
    made.add_argument("--rounds", type=int, default=20, metavar="R")
    made.add_argument("--repeat", type=int, default=31, help="for the calibration")
    options = made.parse_args()
    known = settle(options.repeat)
    protocol.ready(options)
    protocol.say_json(known)
    protocol.start(options)
    calls, one = measure(known["seconds"], options.rounds)
    protocol.say_json(
        {
            "rounds": options.rounds,
            "many_empty_calls": sum(calls),
            "one_c_call": sum(one),
            "ratio_of_medians": statistics.median(calls) / statistics.median(one),
        }
    )
    protocol.done(options)


if __name__ == "__main__":
    sys.exit(main())
