# SPDX-License-Identifier: GPL-2.0-or-later
"""The same work again and again: main([1]) stays on its CPU, main([2]) moves each time."""
import os

TURNS = range(4000)


def work():
    x = 0
    for i in TURNS:
        x = x + i & 127
    return x


def move(cpu):
    os.sched_setaffinity(0, {cpu})


def main(words):
    for i in range(10):
        move(i % words[0])
        work()
