# SPDX-License-Identifier: GPL-2.0-or-later
"""costs.py CALLS NUMBERS: so many empty calls, and one call of C over so many."""
import sys


def empty():
    pass


def many_empty_calls(calls):
    for _ in calls:
        empty()


def one_c_call(numbers):
    return sum(numbers)


many_empty_calls(range(int(sys.argv[1])))
one_c_call(range(int(sys.argv[2])))
