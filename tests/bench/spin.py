# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a bounded piece of work for each line it reads, and says what CPU time it took.

"calls N": N calls of an empty function. "sum N": one call of a C function with a loop
of N. The answer is a line with the nanoseconds of this process's own CPU time.
"""
import sys
import time

cpu_ns = time.process_time_ns


def empty():
    pass


def calls(count):
    for _ in range(count):
        empty()


def total(count):
    sum(range(count))


def main():
    work = {"calls": calls, "sum": total}
    while True:
        words = sys.stdin.readline().split()
        if not words:
            break
        run, count = work[words[0]], int(words[1])
        begin = cpu_ns()
        run(count)
        end = cpu_ns()
        print(end - begin, flush=True)


main()
